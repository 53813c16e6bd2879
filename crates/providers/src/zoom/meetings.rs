//! Which meetings there are, and what each says.

use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::Value;
use tidings_core::limits::ZOOM_PAGE;

use super::error::check;
use super::meeting;
use crate::error::ProviderError;
use crate::http::{Request, Response, below};
use crate::item::Item;
use crate::settings::ZoomSettings;

/// A page of the listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Numbers of meetings worth reading, each once: Zoom lists a series once per occurrence.
    pub meetings: BTreeSet<String>,
    /// How to ask for the next page.
    pub next: Option<String>,
}

/// Asks for a page of the user's upcoming meetings: those of the next 6 months that are not over. A
/// page token lives 15 minutes.
pub fn list_request(settings: &ZoomSettings, next: Option<&str>) -> Request {
    let mut url = below(&settings.api, &["users", "me", "meetings"]);
    url.query_pairs_mut().append_pair("type", "upcoming");
    url.query_pairs_mut().append_pair("page_size", &ZOOM_PAGE.to_string());
    if let Some(next) = next {
        url.query_pairs_mut().append_pair("next_page_token", next);
    }
    Request::get(url)
}

/// The page.
///
/// # Errors
/// What Zoom answered instead.
pub fn parse_list(response: &Response) -> Result<Page, ProviderError> {
    #[derive(Deserialize)]
    struct Listing {
        meetings: Vec<Entry>,
        #[serde(default)]
        next_page_token: String,
    }
    #[derive(Deserialize)]
    struct Entry {
        id: u64,
        #[serde(rename = "type")]
        kind: u8,
    }
    check("listing the meetings", response)?;
    let listing: Listing = response
        .read()
        .ok_or_else(|| ProviderError::retry("listing the meetings: Zoom's answer is no list"))?;
    let listed = listing.meetings.into_iter().filter(|entry| !meeting::is_noise(entry.kind));
    Ok(Page {
        meetings: listed.map(|entry| entry.id.to_string()).collect(),
        next: Some(listing.next_page_token).filter(|token| !token.is_empty()),
    })
}

/// Asks for one meeting with all its occurrences: without those that have passed, an exception would
/// seem to vanish when its time has come, and the series to begin anew each time.
pub fn get_request(settings: &ZoomSettings, meeting: &str) -> Request {
    let mut url = below(&settings.api, &["meetings", meeting]);
    url.query_pairs_mut().append_pair("show_previous_occurrences", "true");
    Request::get(url)
}

/// The meeting and its exceptions; nothing when it is a kind that is not an event of a calendar.
///
/// # Errors
/// [`ProviderError::Gone`] when it is not there (3001), else what Zoom answered instead.
pub fn parse_meeting(response: &Response) -> Result<Vec<Item>, ProviderError> {
    check("reading a meeting", response)?;
    let object: Value = response
        .read()
        .ok_or_else(|| ProviderError::retry("reading a meeting: Zoom's answer is not JSON"))?;
    meeting::items(object)
        .ok_or_else(|| ProviderError::permanent("reading a meeting: Zoom's answer is no meeting"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::answer;

    fn settings() -> ZoomSettings {
        ZoomSettings::new("id", "secret")
    }

    #[test]
    fn the_listing_asks_for_the_largest_page_of_what_is_upcoming() {
        let first = list_request(&settings(), None);
        assert_eq!(
            first.url.as_str(),
            "https://api.zoom.us/v2/users/me/meetings?type=upcoming&page_size=300"
        );
        let second = list_request(&settings(), Some("a/b+c="));
        assert!(second.url.as_str().ends_with("&next_page_token=a%2Fb%2Bc%3D"), "{}", second.url);
    }

    #[test]
    fn a_series_that_is_listed_once_per_occurrence_is_read_once() {
        let body = r#"{"next_page_token":"t","meetings":[{"id":7,"type":8},{"id":7,"type":8},{"id":8,"type":2}]}"#;
        let page = parse_list(&answer(200, body)).unwrap();
        assert_eq!(page.meetings, ["7".to_owned(), "8".to_owned()].into());
        assert_eq!(page.next.as_deref(), Some("t"));
    }

    #[test]
    fn instant_and_personal_meetings_are_noise() {
        let body = r#"{"next_page_token":"","meetings":[{"id":1,"type":1},{"id":2,"type":2},
            {"id":3,"type":3},{"id":4,"type":4},{"id":8,"type":8}]}"#;
        let page = parse_list(&answer(200, body)).unwrap();
        assert_eq!(page.meetings, ["2", "3", "8"].map(String::from).into());
        assert_eq!(page.next, None);
        for kind in [1, 4] {
            let body = format!(r#"{{"id":9,"type":{kind},"topic":"x"}}"#);
            assert_eq!(parse_meeting(&answer(200, body)), Ok(Vec::new()));
        }
    }

    #[test]
    fn an_answer_that_is_no_list_is_not_an_empty_one() {
        for body in ["{}", "<html>", "", r#"{"meetings":null}"#] {
            assert!(parse_list(&answer(200, body)).is_err(), "{body}");
        }
        assert!(parse_list(&answer(204, "")).is_err());
    }

    #[test]
    fn a_meeting_that_is_not_there_is_gone() {
        let body = r#"{"code":3001,"message":"Meeting does not exist: 7."}"#;
        let gone = parse_meeting(&answer(404, body));
        assert!(matches!(gone, Err(ProviderError::Gone { .. })), "{gone:?}");
    }

    #[test]
    fn passed_occurrences_are_asked_for_too() {
        let url = get_request(&settings(), "7").url;
        let expected = "https://api.zoom.us/v2/meetings/7?show_previous_occurrences=true";
        assert_eq!(url.as_str(), expected);
    }
}
