//! The calendars of an account: `calendarList.list`.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::address;
use super::error::{Call, refused, unreadable};
use crate::error::ProviderError;
use crate::http::{Request, Response};
use crate::listed::{Listed, ORIGINAL};
use crate::oauth::Identity;
use crate::settings::GoogleSettings;

/// One page of the list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CalendarPage {
    /// Calendars that are there. Hidden ones are: hiding is no deletion.
    pub listed: Vec<Listed>,
    /// Ids of those that left the list.
    pub gone: Vec<String>,
    /// Where the next page is.
    pub next_page: Option<String>,
    /// For the next look; on the last page only.
    pub token: Option<String>,
}

/// The largest page that Google gives.
const PAGE: &str = "250";

/// Asks for all calendars, or with a sync token for what changed. The token does not tell of renames
/// by the owner or of changed access: ask without one now and then.
pub fn list_request(settings: &GoogleSettings, token: Option<&str>, page: Option<&str>) -> Request {
    let mut query = vec![("maxResults", PAGE), ("showHidden", "true")];
    query.extend(token.map(|token| ("syncToken", token)));
    query.extend(page.map(|page| ("pageToken", page)));
    Request::get(address(settings, &["users", "me", "calendarList"], &query))
}

/// Reads a page. `continued` says that a sync or page token was sent.
///
/// # Errors
/// [`ProviderError::TokenRefused`]: begin again without tokens. Else by what must be done.
pub fn parse_list(response: &Response, continued: bool) -> Result<CalendarPage, ProviderError> {
    const WHAT: &str = "listing the calendars";
    if response.status != 200 {
        let call = if continued { Call::Continue } else { Call::Read };
        return Err(refused(response, WHAT, call));
    }
    let list: List = response.read().ok_or_else(|| unreadable(WHAT))?;
    let entries = list.items.into_iter().map(|item| Some((Entry::deserialize(&item).ok()?, item)));
    let entries: Vec<_> = entries.collect::<Option<_>>().ok_or_else(|| unreadable(WHAT))?;
    let mut page = CalendarPage {
        next_page: list.next_page_token,
        token: list.next_sync_token,
        ..CalendarPage::default()
    };
    for (entry, item) in entries {
        if entry.deleted {
            page.gone.push(entry.id);
        } else {
            page.listed.push(entry.listed(item));
        }
    }
    Ok(page)
}

/// Asks for the main calendar, whose id is the account's address: tells whose account it is where the
/// token endpoint did not.
pub fn identity_request(settings: &GoogleSettings) -> Request {
    Request::get(address(settings, &["users", "me", "calendarList", "primary"], &[]))
}

/// Reads the answer to [`identity_request`].
///
/// # Errors
/// By what must be done about it.
pub fn parse_identity(response: &Response) -> Result<Identity, ProviderError> {
    const WHAT: &str = "asking whose account it is";
    if response.status != 200 {
        return Err(refused(response, WHAT, Call::Read));
    }
    let entry: Entry = response.read().ok_or_else(|| unreadable(WHAT))?;
    let email = entry.id.contains('@').then(|| entry.id.clone());
    Ok(Identity { external_id: entry.id, email, name: None })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct List {
    #[serde(default)]
    items: Vec<Value>,
    next_page_token: Option<String>,
    next_sync_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    id: String,
    summary: Option<String>,
    summary_override: Option<String>,
    time_zone: Option<String>,
    background_color: Option<String>,
    access_role: Option<String>,
    #[serde(default)]
    primary: bool,
    #[serde(default)]
    deleted: bool,
}

impl Entry {
    fn listed(self, original: Value) -> Listed {
        let role = self.access_role.as_deref().unwrap_or_default();
        let mut details = Map::new();
        let mut tell = |name: &str, value: Value| details.insert(name.into(), value);
        tell("writable", WRITERS.contains(&role).into());
        tell("primary", self.primary.into());
        if let Some(color) = self.background_color {
            tell("color", color.into());
        }
        if let Some(zone) = self.time_zone {
            tell("time_zone", zone.into());
        }
        tell(ORIGINAL, original);
        let name = self.summary_override.or(self.summary).unwrap_or_default();
        Listed {
            watchable: is_watchable(&self.id),
            name,
            details: details.into(),
            primary: self.primary,
            external_id: self.id,
        }
    }
}

/// The roles that may write; `reader` and `freeBusyReader` may not.
const WRITERS: [&str; 3] = ["owner", "writer", "writerWithoutPrivateAccess"];

/// Holidays, birthdays and calendars that Google itself fetches from elsewhere are not pushed
/// (`pushNotSupportedForRequestedResource`).
fn is_watchable(id: &str) -> bool {
    !id.ends_with("@group.v.calendar.google.com") && !id.ends_with("@import.calendar.google.com")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::google::testing::{reaction, refusal, reply, settings};

    #[test]
    fn hidden_calendars_are_asked_for_and_tokens_repeat_the_query() {
        let url = |token, page| list_request(&settings(), token, page).url.to_string();
        let base =
            "http://127.0.0.1:9/calendar/v3/users/me/calendarList?maxResults=250&showHidden=true";
        assert_eq!(url(None, None), base);
        assert_eq!(url(Some("a="), Some("p")), format!("{base}&syncToken=a%3D&pageToken=p"));
    }

    #[test]
    fn deleted_is_gone_and_hidden_is_not() {
        let body = json!({ "nextSyncToken": "t2", "items": [
            { "id": "me@x.org", "summary": "me@x.org", "summaryOverride": "Mine", "primary": true,
              "accessRole": "owner", "timeZone": "Europe/Berlin", "backgroundColor": "#9fe1e7" },
            { "id": "h@group.calendar.google.com", "summary": "H", "hidden": true, "accessRole": "reader" },
            { "id": "gone@group.calendar.google.com", "deleted": true },
            { "id": "de.german#holiday@group.v.calendar.google.com", "summary": "Feiertage" },
            { "id": "abc@import.calendar.google.com", "summary": "Feed",
              "accessRole": "writerWithoutPrivateAccess" },
        ] });
        let page = parse_list(&reply(200, &body), true).unwrap();
        assert_eq!(page.gone, ["gone@group.calendar.google.com"]);
        assert_eq!((page.token.as_deref(), page.next_page), (Some("t2"), None));
        let told: Vec<_> = page.listed.iter().map(|c| (c.name.as_str(), c.watchable)).collect();
        assert_eq!(told, [("Mine", true), ("H", true), ("Feiertage", false), ("Feed", false)]);
        let main = &page.listed[0];
        assert!(main.primary);
        assert_eq!(
            main.seen(),
            json!({ "color": "#9fe1e7", "time_zone": "Europe/Berlin", "writable": true, "primary": true })
        );
        assert_eq!(main.details[ORIGINAL], body["items"][0], "google's own entry is kept whole");
        let writable = page.listed.iter().map(|calendar| &calendar.details["writable"]);
        assert_eq!(writable.collect::<Vec<_>>(), [true, false, false, true]);
    }

    #[test]
    fn a_refused_token_asks_for_the_whole_list() {
        let refusal = refusal(410, "calendar", "fullSyncRequired");
        assert_eq!(reaction(&parse_list(&refusal, true).unwrap_err()), "token");
        assert_eq!(reaction(&parse_list(&refusal, false).unwrap_err()), "gone");
        assert_eq!(reaction(&parse_list(&reply(200, &json!([])), false).unwrap_err()), "retry");
    }

    #[test]
    fn the_main_calendar_tells_whose_account_it_is() {
        let identity = parse_identity(&reply(200, &json!({ "id": "me@x.org" }))).unwrap();
        assert_eq!(
            (identity.external_id.as_str(), identity.email.as_deref()),
            ("me@x.org", Some("me@x.org"))
        );
    }
}
