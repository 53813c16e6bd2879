//! Whose account it is.

use serde::Deserialize;

use super::error::check;
use crate::error::ProviderError;
use crate::http::{Request, Response, below};
use crate::oauth::Identity;
use crate::settings::ZoomSettings;

/// Asks for the user that the token belongs to.
pub fn me_request(settings: &ZoomSettings) -> Request {
    Request::get(below(&settings.api, &["users", "me"]))
}

/// The user. Pushes name it by `external_id` (as `host_id`).
///
/// # Errors
/// What Zoom answered instead.
pub fn parse_me(response: &Response) -> Result<Identity, ProviderError> {
    #[derive(Deserialize)]
    struct User {
        id: String,
        #[serde(default)]
        email: String,
        #[serde(default)]
        display_name: String,
        #[serde(default)]
        first_name: String,
        #[serde(default)]
        last_name: String,
    }
    check("reading the user", response)?;
    let user: User = response
        .read()
        .ok_or_else(|| ProviderError::retry("reading the user: Zoom's answer is not a user"))?;
    let full = format!("{} {}", user.first_name, user.last_name);
    let names = [user.display_name.trim(), full.trim()];
    let name = names.into_iter().find(|name| !name.is_empty()).map(Into::into);
    let email = Some(user.email).filter(|email| !email.is_empty());
    Ok(Identity { external_id: user.id, email, name })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::answer;

    #[test]
    fn the_user_is_who_pushes_name() {
        for (body, name) in [
            (
                r#"{"id":"U","email":"a@x.de","display_name":"Ann B","first_name":"A"}"#,
                Some("Ann B"),
            ),
            (r#"{"id":"U","email":"a@x.de","first_name":"Ann","last_name":"B"}"#, Some("Ann B")),
            (r#"{"id":"U","email":"a@x.de","first_name":"Ann"}"#, Some("Ann")),
            (r#"{"id":"U","email":"a@x.de","account_id":"A"}"#, None),
        ] {
            let identity = parse_me(&answer(200, body)).unwrap();
            assert_eq!(identity.external_id, "U");
            assert_eq!(identity.email.as_deref(), Some("a@x.de"));
            assert_eq!(identity.name.as_deref(), name);
        }
        assert!(parse_me(&answer(200, "<html>")).is_err());
        let refused = parse_me(&answer(401, r#"{"code":124}"#));
        assert!(matches!(refused, Err(ProviderError::Reauthorise { .. })));
    }
}
