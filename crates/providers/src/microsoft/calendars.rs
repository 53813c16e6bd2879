//! The calendars of a mailbox. Graph has no delta of them: whoever wants to know what changed compares
//! two lists.

use serde::Deserialize;
use serde_json::{Value, json};

use super::error::read;
use super::preferring;
use crate::error::ProviderError;
use crate::http::{Request, Response, below};
use crate::listed::{Listed, ORIGINAL};
use crate::oauth::Identity;
use crate::settings::MicrosoftSettings;

/// Some of the calendars.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Those on this page.
    pub calendars: Vec<Listed>,
    /// Where the next page is; see [`super::follow`].
    pub next: Option<String>,
}

#[derive(Deserialize)]
struct Body {
    value: Vec<Value>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Calendar {
    id: String,
    name: Option<String>,
    hex_color: Option<String>,
    can_edit: Option<bool>,
    is_default_calendar: Option<bool>,
    owner: Option<Address>,
}

#[derive(Deserialize)]
struct Address {
    address: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct User {
    id: String,
    mail: Option<String>,
    user_principal_name: Option<String>,
    display_name: Option<String>,
}

/// Asks whose mailbox it is.
pub fn me_request(settings: &MicrosoftSettings) -> Request {
    let mut url = below(&settings.api, &["me"]);
    url.query_pairs_mut().append_pair("$select", "id,displayName,mail,userPrincipalName");
    preferring(Request::get(url))
}

/// Reads the answer to [`me_request`].
///
/// # Errors
/// See [`ProviderError`].
pub fn parse_me(response: &Response) -> Result<Identity, ProviderError> {
    let user: User = read(response, "asking whose account it is")?;
    let email = user.mail.filter(|mail| !mail.is_empty()).or(user.user_principal_name);
    Ok(Identity { external_id: user.id, email, name: user.display_name })
}

/// Asks for the first page of the calendars.
pub fn list_request(settings: &MicrosoftSettings) -> Request {
    preferring(Request::get(below(&settings.api, &["me", "calendars"])))
}

/// Reads a page of the calendars. `owner` is the mailbox's own address, if known: calendars of others
/// cannot be watched with a user's token.
///
/// # Errors
/// See [`ProviderError`].
pub fn parse_list(response: &Response, owner: Option<&str>) -> Result<Page, ProviderError> {
    const WHAT: &str = "listing the calendars";
    let body: Body = read(response, WHAT)?;
    let calendars = body
        .value
        .into_iter()
        .map(|original| Some(listed(Calendar::deserialize(&original).ok()?, original, owner)));
    let calendars = calendars.collect::<Option<_>>();
    let calendars = calendars.ok_or_else(|| {
        ProviderError::retry(format!("{WHAT}: microsoft graph's answer is no list of calendars"))
    })?;
    Ok(Page { calendars, next: body.next })
}

fn listed(calendar: Calendar, mut original: Value, owner: Option<&str>) -> Listed {
    let primary = calendar.is_default_calendar.unwrap_or(false);
    let color = calendar.hex_color.filter(|color| !color.is_empty());
    let of_other = match (owner, calendar.owner.and_then(|owner| owner.address)) {
        (Some(own), Some(address)) => !own.eq_ignore_ascii_case(&address),
        _ => false,
    };
    if let Some(members) = original.as_object_mut() {
        // They belong to the answer that it came in.
        members.retain(|name, _| !name.contains("@odata."));
    }
    Listed {
        external_id: calendar.id,
        name: calendar.name.unwrap_or_default(),
        details: json!({
            "color": color,
            "writable": calendar.can_edit.unwrap_or(false),
            "primary": primary,
            ORIGINAL: original,
        }),
        primary,
        watchable: !of_other,
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::settings;
    use super::*;
    use crate::http::answer;

    #[test]
    fn calendars_are_listed_over_pages() {
        let request = list_request(&settings());
        assert_eq!(request.url.as_str(), "https://graph.microsoft.com/v1.0/me/calendars");
        let body = json!({
            "value": [
                { "id": "AAMk=", "name": "Calendar", "hexColor": "", "canEdit": true,
                  "isDefaultCalendar": true, "owner": { "address": "Ann@example.com" } },
                { "id": "BBMk=", "name": "Team", "hexColor": "#ff0000", "canEdit": false,
                  "owner": { "address": "bob@example.com" } },
                { "id": "CCMk=", "@odata.id": "https://graph.microsoft.com/v1.0/users('u')" },
            ],
            "@odata.nextLink": "https://graph.microsoft.com/v1.0/me/calendars?$skip=3",
        });
        let page = parse_list(&answer(200, body.to_string()), Some("ann@example.com")).unwrap();
        let seen: Vec<_> = page
            .calendars
            .iter()
            .map(|c| (c.external_id.as_str(), c.name.as_str(), c.primary, c.watchable))
            .collect();
        assert_eq!(
            seen,
            [
                ("AAMk=", "Calendar", true, true),
                ("BBMk=", "Team", false, false),
                ("CCMk=", "", false, true),
            ]
        );
        assert_eq!(
            page.calendars[1].seen(),
            json!({ "color": "#ff0000", "writable": false, "primary": false })
        );
        assert_eq!(
            page.calendars[2].details[ORIGINAL],
            json!({ "id": "CCMk=" }),
            "graph's own calendar is kept, without what belongs to the answer"
        );
        assert!(page.next.unwrap().ends_with("skip=3"));
        let last = parse_list(&answer(200, r#"{"value":[]}"#), None).unwrap();
        assert_eq!(last, Page { calendars: vec![], next: None });
    }

    #[test]
    fn an_account_is_named_by_its_address_whichever_field_has_it() {
        for (mail, principal, expected) in [
            (json!("ann@example.com"), "ann@tenant.example", "ann@example.com"),
            (json!(null), "ann@tenant.example", "ann@tenant.example"),
            (json!(""), "ann@tenant.example", "ann@tenant.example"),
        ] {
            let body = json!({ "id": "u1", "mail": mail, "userPrincipalName": principal });
            let identity = parse_me(&answer(200, body.to_string())).unwrap();
            assert_eq!(identity.external_id, "u1");
            assert_eq!(identity.email.as_deref(), Some(expected));
        }
    }
}
