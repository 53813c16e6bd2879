//! A user of the organization: what is kept of them, and the user object. Pure functions; `users.rs` reads
//! and writes.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use tidings_core::id::UserId;
use tidings_core::limits;
use tidings_service::{User, is_deceptive};

use crate::event::{Person, is_address, language, time_zone};
use crate::refusal::Refusal;
use crate::request::Fields;

/// What is kept with a user, in the details of the end user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) email: Option<String>,
    first_name: Option<String>,
    last_name: Option<String>,
    language: Option<String>,
    timezone: Option<String>,
    picture_url: Option<String>,
    /// What is not ours, also under our names when it is no text.
    others: Map<String, Value>,
}

/// How a request names a user, and what it says of them.
#[derive(Clone, Debug)]
pub(crate) struct Given<'a> {
    fields: Fields<'a>,
    /// The user's id, when given.
    pub(crate) id: Option<&'a str>,
    /// The application's own id of the user, when given.
    pub(crate) extid: Option<&'a str>,
}

impl<'a> Given<'a> {
    /// Reads the object `user`.
    pub(crate) fn read(fields: Fields<'a>) -> Result<Self, Refusal> {
        let id = match fields.text("_id", 64)? {
            Some(id) => Some(id),
            None => fields.text("id", 64)?,
        };
        let account = fields.object("account")?;
        let organization = account.map(|account| account.object("organization")).transpose()?;
        let extid = match organization.flatten() {
            Some(organization) => line(&organization, "extid")?,
            None => line(&fields, "extid")?,
        };
        let given = Self { fields, id, extid: extid.filter(|extid| !extid.is_empty()) };
        // What is wrong is said before anything is written.
        given.onto(Profile::default())?;
        Ok(given)
    }

    /// A profile with what is given in place of what it has.
    pub(crate) fn onto(&self, before: Profile) -> Result<Profile, Refusal> {
        let fields = &self.fields;
        let text = |name, old: Option<String>| -> Result<Option<String>, Refusal> {
            Ok(line(fields, name)?.map(str::to_owned).or(old))
        };
        let profile = Profile {
            email: email(fields)?.or(before.email),
            first_name: text("first_name", before.first_name)?,
            last_name: text("last_name", before.last_name)?,
            language: language(fields, "language")?.or(before.language),
            timezone: time_zone(fields)?.or(before.timezone),
            picture_url: text("picture_url", before.picture_url)?,
            others: before.others,
        };
        if profile.full_name().is_some_and(|name| name.len() > limits::NAME_BYTES_MAX) {
            let why = format!("and first_name have at most {} bytes", limits::NAME_BYTES_MAX - 1);
            return Err(fields.refuse("last_name", &why));
        }
        Ok(profile)
    }
}

/// A text of one line that shows as what it is.
fn line<'a>(fields: &Fields<'a>, name: &str) -> Result<Option<&'a str>, Refusal> {
    let text = fields.text(name, limits::NAME_BYTES_MAX)?;
    if text.is_some_and(|text| text.chars().any(is_deceptive)) {
        let why = "must not contain control characters or marks that change the reading direction";
        return Err(fields.refuse(name, why));
    }
    Ok(text)
}

/// The one address: in `emails`, as the field list says, or in `email`, as the example prints it.
fn email(fields: &Fields<'_>) -> Result<Option<String>, Refusal> {
    let email = match fields.value("emails") {
        Some(Value::String(one)) => Some(one.clone()),
        Some(_) => {
            let emails = fields.texts("emails", 1)?.unwrap_or_default();
            emails.into_iter().next()
        }
        None => fields.text("email", limits::NAME_BYTES_MAX)?.map(str::to_owned),
    };
    match email {
        Some(email) if email.len() > limits::NAME_BYTES_MAX || !is_address(&email) => {
            Err(fields.refuse("emails", "must hold one e-mail address"))
        }
        email => Ok(email),
    }
}

/// The organization, as users name it.
#[derive(Clone, Debug)]
pub(crate) struct Organization {
    pub(crate) id: String,
    pub(crate) name: String,
}

/// The providers at which users have accounts.
pub(crate) type Connected = BTreeMap<UserId, BTreeSet<String>>;

impl Profile {
    /// What is kept of a user.
    pub(crate) fn of(user: &User) -> Self {
        let mut others = user.details.as_object().cloned().unwrap_or_default();
        let mut take = |name: &str| match others.remove(name) {
            Some(Value::String(text)) => Some(text),
            Some(foreign) => {
                others.insert(name.to_owned(), foreign);
                None
            }
            None => None,
        };
        Self {
            email: take("email"),
            first_name: take("first_name"),
            last_name: take("last_name"),
            language: take("language"),
            timezone: take("timezone"),
            picture_url: take("picture_url"),
            others,
        }
    }

    /// What to keep of it.
    pub(crate) fn details(&self) -> Value {
        let mut details = self.others.clone();
        for (name, text) in [
            ("email", &self.email),
            ("first_name", &self.first_name),
            ("last_name", &self.last_name),
            ("language", &self.language),
            ("timezone", &self.timezone),
            ("picture_url", &self.picture_url),
        ] {
            if let Some(text) = text {
                details.insert(name.to_owned(), json!(text));
            }
        }
        Value::Object(details)
    }

    /// The name that people read.
    pub(crate) fn full_name(&self) -> Option<String> {
        let parts = [self.first_name.as_deref(), self.last_name.as_deref()];
        let parts: Vec<_> =
            parts.into_iter().flatten().filter(|part| !part.trim().is_empty()).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    }

    /// The user as one who takes part in an event.
    pub(crate) fn person(&self, user: &User) -> Person {
        Person {
            email: self.email.clone(),
            user: Some(user.id.0.to_hex24()),
            picture_url: Some(self.picture_url.clone().unwrap_or_default()),
            full_name: self.full_name().or_else(|| user.name.clone()),
            timezone: self.timezone.clone(),
            locale: self.language.clone(),
        }
    }

    /// The user object.
    pub(crate) fn show(
        &self,
        user: &User,
        organization: &Organization,
        connected: &Connected,
    ) -> Value {
        let id = user.id.0.to_hex24();
        let has = |provider| connected.get(&user.id).is_some_and(|at| at.contains(provider));
        let mut shown = json!({
            "calendars": { "google": has("google"), "office365": has("microsoft"), "exchange": false,
                "icloud": has("apple"), "caldav": has("caldav") },
            "modules": { "brand": false, "assistant": false, "vyteme": false, "vyteme_pro": false,
                "availabilities": false, "billing": false, "group_pro": false, "team": false },
            "account": {
                "organization": { "name": organization.name, "id": organization.id },
                "plan": "pro",
            },
            "emails": self.email.iter().collect::<Vec<_>>(),
            "_id": id,
            "language": self.language.as_deref().unwrap_or("en"),
            "signedup_with": "api",
            "updatedAt": user.updated_at,
            "createdAt": user.created_at,
            "__v": 0,
        });
        if let Some(extid) = &user.external_id {
            shown["account"]["organization"]["extid"] = json!(extid);
        }
        let full_name = self.full_name().or_else(|| user.name.clone());
        for (name, value) in [
            ("first_name", &self.first_name),
            ("last_name", &self.last_name),
            ("full_name", &full_name),
            ("timezone", &self.timezone),
            ("picture_url", &self.picture_url),
        ] {
            if let Some(value) = value {
                shown[name] = json!(value);
            }
        }
        shown
    }
}
