//! What a form says.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use http::StatusCode;
use serde::de::{Deserialize, DeserializeOwned, Deserializer};
use tidings_core::limits;
use tidings_service::{Error, Field};

use crate::refusal::words;
use crate::{Desk, Refusal};

/// The fields of a form (`application/x-www-form-urlencoded`). The guard has checked before that the form is
/// one of ours, and that it is short enough. Fields may be repeated (`Vec`); unknown ones are passed over,
/// such as the one that the guard looked at. An empty text field is there, and empty: see [`filled`].
#[derive(Clone, Debug)]
pub(crate) struct Form<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Desk> for Form<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, desk: &Desk) -> Result<Self, Refusal> {
        let body = Bytes::from_request(request, desk).await.map_err(|_| too_long())?;
        let fields = serde_html_form::from_bytes(&body).map_err(|error| {
            Refusal::BadForm(StatusCode::UNPROCESSABLE_ENTITY, error.to_string())
        })?;
        Ok(Self(fields))
    }
}

pub(crate) fn too_long() -> Refusal {
    let why = format!("a form has at most {} bytes", limits::CONSOLE_FORM_BYTES_MAX);
    Refusal::BadForm(StatusCode::PAYLOAD_TOO_LARGE, why)
}

/// A text field without the blanks around it; none when nothing was typed.
pub(crate) fn filled(text: &str) -> Option<String> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// The lines of a text area, without blank ones.
pub(crate) fn lines(text: &str) -> Vec<String> {
    text.lines().filter_map(filled).collect()
}

/// A checkbox: there when it is ticked. For `#[serde(default, deserialize_with = "form::ticked")]`.
///
/// # Errors
/// Never for a form.
pub(crate) fn ticked<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    let value = String::deserialize(deserializer)?;
    Ok(!matches!(value.as_str(), "" | "false" | "off"))
}

/// What is wrong with a form that is shown again: beside its fields, or above all of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Faults(Vec<Field>);

impl Faults {
    /// Nothing is wrong: the form is shown for the first time.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// One fault of our own. `pointer` is as in [`Field`]; empty for the whole form.
    pub(crate) fn one(pointer: &str, why: impl Into<String>) -> Self {
        Self(vec![Field { pointer: pointer.to_owned(), code: "form", why: why.into() }])
    }

    /// The faults that a verb found, when typing something else may help; else the refusal.
    ///
    /// # Errors
    /// What another input cannot mend.
    pub(crate) fn from_error(error: Error) -> Result<Self, Refusal> {
        match error {
            Error::Invalid(fields) => Ok(Self(fields)),
            Error::Conflict(_)
            | Error::Refused(_)
            | Error::LimitExceeded { .. }
            | Error::TooLarge(_)
            | Error::Malformed(_)
            | Error::NotConfigured(_)
            | Error::ProviderUnavailable { .. } => Ok(Self::one("", words(&error))),
            error => Err(error.into()),
        }
    }

    /// Whether nothing is wrong.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What is wrong with a field, by its JSON pointer in the API's body (`/url`), or below it.
    pub(crate) fn of(&self, pointer: &str) -> Option<&str> {
        let found = self.0.iter().find(|field| is_at(&field.pointer, pointer));
        found.map(|field| field.why.as_str())
    }

    /// What is wrong with none of these fields: it belongs above the form.
    pub(crate) fn beside(&self, shown: &[&str]) -> impl Iterator<Item = String> {
        let other = |field: &&Field| !shown.iter().any(|shown| is_at(&field.pointer, shown));
        self.0.iter().filter(other).map(|field| match field.pointer.as_str() {
            "" => field.why.clone(),
            pointer => format!("{}: {}", pointer.trim_start_matches('/'), field.why),
        })
    }
}

fn is_at(pointer: &str, place: &str) -> bool {
    pointer.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[test]
    fn a_form_has_repeated_fields_ticks_and_empty_texts() {
        #[derive(Deserialize)]
        struct Typed {
            url: String,
            #[serde(default)]
            types: Vec<String>,
            #[serde(default, deserialize_with = "ticked")]
            ordered: bool,
        }
        let read = |text| serde_html_form::from_str::<Typed>(text).unwrap();
        let typed = read("csrf=x&url=+&types=a.b&types=c.d&ordered=on");
        assert_eq!((filled(&typed.url), typed.types.len(), typed.ordered), (None, 2, true));
        let typed = read("url=+h+&types=a");
        assert_eq!(
            (filled(&typed.url), typed.types.len(), typed.ordered),
            (Some("h".into()), 1, false)
        );
    }

    #[test]
    fn a_fault_stands_beside_its_field_or_above_the_form() {
        let field =
            |pointer: &str| Field { pointer: pointer.into(), code: "x", why: "is bad".into() };
        let faults =
            Faults(vec![field("/url"), field("/triggers/0/types"), field("/urls"), field("")]);
        assert_eq!(faults.of("/url"), Some("is bad"));
        assert_eq!(faults.of("/triggers"), Some("is bad"));
        assert_eq!(faults.of("/name"), None);
        let above: Vec<_> = faults.beside(&["/url", "/triggers"]).collect();
        assert_eq!(above, ["urls: is bad", "is bad"]);
    }
}
