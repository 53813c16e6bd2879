//! Examples of what Tidings itself writes: of calendars and accounts, of hooks and deliveries.

use super::Example;
use crate::change::types;

/// One of each of [`types::CALENDAR`] and [`types::OPERATIONAL`], in that order.
pub const EXAMPLES: &[Example] = &[
    Example {
        kind: types::EVENT_CREATED,
        about: "an event appeared in a calendar",
        item: Some("7kukuqrfedlm2f9t0vj2"),
        data: r#"{"account":{"id":"acc_01k4qzv6s8t2m9r3n5b0","provider":"google","user_id":"user-7",
  "name":"ada@example.com"},"calendar":{"id":"col_01k4qzv6s8t2m9r3n5b0",
  "external_id":"ada@example.com","name":"Work"},
  "event":{"uid":"7kukuqrfedlm2f9t0vj2@google.com","title":"Budget review",
  "description":"Agenda: numbers, then lunch","start":"2026-03-18T10:00:00.000Z",
  "end":"2026-03-18T11:00:00.000Z","allDay":false,"timeZone":"Europe/Lisbon",
  "location":"Room 2","attendees":[{"email":"ada@example.com","name":"Ada","status":"accepted",
  "organizer":true},{"email":"grace@example.com","name":"Grace","status":"none"}],
  "status":"confirmed","availability":"busy","lastModified":"2026-03-12T09:01:12.000Z",
  "link":"https://calendar.google.com/event?eid=7kuk",
  "conference":{"url":"https://meet.google.com/abc-defg-hij"},
  "original":{"kind":"calendar#event","id":"7kukuqrfedlm2f9t0vj2","summary":"Budget review"}}}"#,
    },
    Example {
        kind: types::EVENT_UPDATED,
        about: "an event was moved by an hour",
        item: Some("7kukuqrfedlm2f9t0vj2"),
        data: r#"{"account":{"id":"acc_01k4qzv6s8t2m9r3n5b0","provider":"google","user_id":"user-7",
  "name":"ada@example.com"},"calendar":{"id":"col_01k4qzv6s8t2m9r3n5b0",
  "external_id":"ada@example.com","name":"Work"},
  "event":{"uid":"7kukuqrfedlm2f9t0vj2@google.com","title":"Budget review",
  "description":"Agenda: numbers, then lunch","start":"2026-03-18T11:00:00.000Z",
  "end":"2026-03-18T12:00:00.000Z","allDay":false,"timeZone":"Europe/Lisbon",
  "location":"Room 2","attendees":[{"email":"ada@example.com","name":"Ada","status":"accepted",
  "organizer":true},{"email":"grace@example.com","name":"Grace","status":"none"}],
  "status":"confirmed","availability":"busy","lastModified":"2026-03-13T08:30:00.000Z",
  "link":"https://calendar.google.com/event?eid=7kuk",
  "conference":{"url":"https://meet.google.com/abc-defg-hij"},
  "original":{"kind":"calendar#event","id":"7kukuqrfedlm2f9t0vj2","summary":"Budget review"}}}"#,
    },
    Example {
        kind: types::EVENT_DELETED,
        about: "an event was deleted; it is shown as it last was",
        item: Some("7kukuqrfedlm2f9t0vj2"),
        data: r#"{"account":{"id":"acc_01k4qzv6s8t2m9r3n5b0","provider":"google","user_id":"user-7",
  "name":"ada@example.com"},"calendar":{"id":"col_01k4qzv6s8t2m9r3n5b0",
  "external_id":"ada@example.com","name":"Work"},
  "event":{"uid":"7kukuqrfedlm2f9t0vj2@google.com","title":"Budget review",
  "description":"Agenda: numbers, then lunch","start":"2026-03-18T11:00:00.000Z",
  "end":"2026-03-18T12:00:00.000Z","allDay":false,"timeZone":"Europe/Lisbon",
  "location":"Room 2","attendees":[{"email":"ada@example.com","name":"Ada","status":"accepted",
  "organizer":true},{"email":"grace@example.com","name":"Grace","status":"none"}],
  "status":"confirmed","availability":"busy","lastModified":"2026-03-13T08:30:00.000Z",
  "link":"https://calendar.google.com/event?eid=7kuk",
  "conference":{"url":"https://meet.google.com/abc-defg-hij"},
  "original":{"kind":"calendar#event","id":"7kukuqrfedlm2f9t0vj2","summary":"Budget review"}}}"#,
    },
    Example {
        kind: types::CALENDAR_CREATED,
        about: "a calendar appeared in an account",
        item: None,
        data: r#"{"account":{"id":"acc_01k4qzv6s8t2m9r3n5b0","provider":"google","user_id":"user-7",
  "name":"ada@example.com"},"calendar":{"id":"col_01k4qzv6s8t2m9r3n5b0",
  "external_id":"c_team7@group.calendar.google.com","name":"Team"}}"#,
    },
    Example {
        kind: types::CALENDAR_UPDATED,
        about: "a calendar was renamed",
        item: None,
        data: r#"{"account":{"id":"acc_01k4qzv6s8t2m9r3n5b0","provider":"google","user_id":"user-7",
  "name":"ada@example.com"},"calendar":{"id":"col_01k4qzv6s8t2m9r3n5b0",
  "external_id":"c_team7@group.calendar.google.com","name":"Team 7"}}"#,
    },
    Example {
        kind: types::CALENDAR_DELETED,
        about: "a calendar disappeared",
        item: None,
        data: r#"{"account":{"id":"acc_01k4qzv6s8t2m9r3n5b0","provider":"google","user_id":"user-7",
  "name":"ada@example.com"},"calendar":{"id":"col_01k4qzv6s8t2m9r3n5b0",
  "external_id":"c_team7@group.calendar.google.com","name":"Team 7"}}"#,
    },
    Example {
        kind: types::ACCOUNT_CONNECTED,
        about: "an account was connected, and its calendars were read",
        item: None,
        data: r#"{"account":{"id":"acc_01k4qzv6s8t2m9r3n5b0","provider":"google","user_id":"user-7",
  "name":"ada@example.com","status":"active","reason":null}}"#,
    },
    Example {
        kind: types::ACCOUNT_INACTIVE,
        about: "an account can no longer be read until its owner acts",
        item: None,
        data: r#"{"account":{"id":"acc_01k4qzv6s8t2m9r3n5b0","provider":"google","user_id":"user-7",
  "name":"ada@example.com","status":"inactive",
  "reason":"its owner took the consent back; connect it again"}}"#,
    },
    Example {
        kind: types::ACCOUNT_DELETED,
        about: "an account was deleted",
        item: None,
        data: r#"{"account":{"id":"acc_01k4qzv6s8t2m9r3n5b0","provider":"google","user_id":"user-7",
  "name":"ada@example.com","status":"deleted","reason":null}}"#,
    },
    Example {
        kind: types::HOOK_FAILING,
        about: "the receiver of a hook fails; what it is owed waits",
        item: None,
        data: r#"{"hook":{"id":"hook_01k4qzv6s8t2m9r3n5b0","url":"https://example.com/webhooks",
  "last_error":"the receiver answered 503","consecutive_failures":5,
  "failing_since":"2026-03-12T09:01:12.000Z"}}"#,
    },
    Example {
        kind: types::HOOK_RECOVERED,
        about: "the receiver of a hook takes deliveries again",
        item: None,
        data: r#"{"hook":{"id":"hook_01k4qzv6s8t2m9r3n5b0","url":"https://example.com/webhooks"}}"#,
    },
    Example {
        kind: types::HOOK_DISABLED,
        about: "a hook was disabled after failures",
        item: None,
        data: r#"{"hook":{"id":"hook_01k4qzv6s8t2m9r3n5b0","url":"https://example.com/webhooks",
  "reason":"it has failed for 5 days"}}"#,
    },
    Example {
        kind: types::HOOK_GAP,
        about: "changes that a hook waited for are no longer kept",
        item: None,
        data: r#"{"hook":{"id":"hook_01k4qzv6s8t2m9r3n5b0"},"from_seq":1001,"to_seq":1200,"changes":200,
  "exhausted":3,"replays":0}"#,
    },
    Example {
        kind: types::DELIVERY_EXHAUSTED,
        about: "a delivery was given up after its last retry",
        item: None,
        data: r#"{"hook":{"id":"hook_01k4qzv6s8t2m9r3n5b0"},"delivery":"dlv_000000g00000002n0002","attempts":8,
  "last_error":"the receiver answered 500"}"#,
    },
    Example {
        kind: types::SERVICE_STARTED,
        about: "Tidings was started",
        item: None,
        data: r#"{}"#,
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_an_example_of_everything_that_tidings_tells() {
        let kinds: Vec<_> = EXAMPLES.iter().map(|example| example.kind).collect();
        assert_eq!(kinds, [&types::CALENDAR[..], &types::OPERATIONAL[..]].concat());
        for Example { kind, data, .. } in EXAMPLES {
            assert!(crate::json::validate(data.as_bytes()).is_ok(), "{kind}");
        }
    }
}
