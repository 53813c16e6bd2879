//! Microsoft Graph (v1.0, Outlook calendars) without I/O: requests out, pages in.
//!
//! The order of use: [`calendars`] lists the calendars (there is no delta of them, so the lists are
//! compared); [`delta`] tells what changed in a window of one calendar, over pages; [`series`] reads
//! a series whole, since the delta shows its occurrences without their content; [`events`] reads single
//! events and turns what Graph says into items; [`subscription`] asks for pushes, [`push`] reads them;
//! [`mod@write`] changes events.
//!
//! Every request says the same preferences: immutable ids (an event keeps its id when it is moved, and
//! ids of pushes and pages match), times in UTC, bodies as plain text.
//!
//! Sources: <https://learn.microsoft.com/graph/api/resources/event>,
//! <https://learn.microsoft.com/graph/outlook-immutable-id>.

use tidings_core::limits::GRAPH_PAGE_ITEMS;
use url::Url;

use crate::error::ProviderError;
use crate::http::Request;
use crate::settings::MicrosoftSettings;

pub mod calendars;
pub mod delta;
pub mod error;
pub mod events;
mod object;
pub mod push;
mod recurrence;
pub mod series;
pub mod subscription;
mod time;
pub mod write;

/// The extended property that holds our custom properties, as one JSON object: a set of properties of
/// its own each would have to be named one by one to be read.
const PROPERTIES_ID: &str = "String {6b0ac3d1-2f5e-4f38-9c0d-5a1d2f7c4e19} Name tidings";

/// Members of an event that are a part of what it says, beside those that our own event has words for.
const CONTENT_FIELDS: [&str; 8] = [
    "allowNewTimeProposals",
    "categories",
    "hasAttachments",
    "hideAttendees",
    "importance",
    "isReminderOn",
    "reminderMinutesBeforeStart",
    "responseRequested",
];

/// The same request with the preferences that hold for all of ours.
fn preferring(request: Request) -> Request {
    request.with(
        "prefer",
        &format!(
            "IdType=\"ImmutableId\", outlook.timezone=\"UTC\", outlook.body-content-type=\"text\", \
             odata.maxpagesize={GRAPH_PAGE_ITEMS}"
        ),
    )
}

/// The next page, where Graph says it is.
///
/// # Errors
/// When the link leads elsewhere than to the configured Graph: our token must not go there.
pub fn follow(settings: &MicrosoftSettings, link: &str) -> Result<Request, ProviderError> {
    let refused = || ProviderError::permanent("microsoft graph's link leads to another server");
    let url = Url::parse(link).map_err(|_| refused())?;
    let is_plain = url.username().is_empty() && url.password().is_none();
    if url.origin() != settings.api.origin() || !is_plain {
        return Err(refused());
    }
    Ok(preferring(Request::get(url)))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn settings() -> MicrosoftSettings {
        MicrosoftSettings::new("id", "secret", "common")
    }

    #[test]
    fn a_link_is_followed_to_the_configured_graph_only() {
        for (link, follows) in [
            ("https://graph.microsoft.com/v1.0/me/calendarView/delta?$skiptoken=x", true),
            ("https://graph.microsoft.com:443/v1.0/me/calendars?$skip=10", true),
            ("https://graph.microsoft.com.evil.example/v1.0/me", false),
            ("https://graph.microsoft.com@evil.example/v1.0/me", false),
            ("https://user:password@graph.microsoft.com/v1.0/me", false),
            ("http://graph.microsoft.com/v1.0/me", false),
            ("https://graph.microsoft.com:8443/v1.0/me", false),
            ("http://169.254.169.254/latest", false),
            ("/v1.0/me", false),
            ("", false),
        ] {
            let followed = follow(&settings(), link);
            assert_eq!(followed.is_ok(), follows, "{link}");
        }
    }

    #[test]
    fn every_request_prefers_immutable_ids_utc_and_text() {
        let request = follow(&settings(), "https://graph.microsoft.com/v1.0/me").unwrap();
        let prefer = request.headers["prefer"].to_str().unwrap();
        for preference in [
            "IdType=\"ImmutableId\"",
            "outlook.timezone=\"UTC\"",
            "outlook.body-content-type=\"text\"",
            "odata.maxpagesize=50",
        ] {
            assert!(prefer.contains(preference), "{preference} is missing in {prefer}");
        }
    }
}
