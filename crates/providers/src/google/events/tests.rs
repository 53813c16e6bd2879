use serde_json::json;

use super::*;
use crate::google::testing::{reaction, refusal, reply, settings};

fn one(object: &Value) -> Item {
    let body = json!({ "items": [object], "nextSyncToken": "t" });
    let mut page = parse_list(&reply(200, &body), false).unwrap();
    assert_eq!((page.items.len(), page.unreadable), (1, 0), "{object}");
    page.items.remove(0)
}

#[test]
fn nothing_is_asked_that_a_sync_token_forbids_and_pages_repeat_the_query() {
    let url = |token, page| {
        list_request(&settings(), "a/b@x.org", token, page, GOOGLE_PAGE_EVENTS_MAX).url.to_string()
    };
    let base = "http://127.0.0.1:9/calendar/v3/calendars/a%2Fb@x.org/events\
                ?maxResults=2500&singleEvents=false";
    assert_eq!(url(None, None), base);
    assert_eq!(url(Some("t"), None), format!("{base}&syncToken=t"));
    assert_eq!(url(Some("t"), Some("p")), format!("{base}&syncToken=t&pageToken=p"));
}

#[test]
fn the_token_is_on_the_last_page_only() {
    let first = json!({ "items": [], "nextPageToken": "p2" });
    let page = parse_list(&reply(200, &first), false).unwrap();
    assert_eq!((page.next_page.as_deref(), page.token), (Some("p2"), None));
    let last = parse_list(&reply(200, &json!({ "nextSyncToken": "t" })), true).unwrap();
    assert_eq!((last.next_page, last.token.as_deref()), (None, Some("t")));
}

#[test]
fn an_expired_token_asks_for_a_whole_listing_and_a_lost_calendar_does_not() {
    for (status, reason, continued, expected) in [
        (410, "fullSyncRequired", true, "token"),
        (403, "forbidden", true, "token"),
        (403, "forbidden", false, "forbidden"),
        (404, "notFound", true, "gone"),
        (404, "notFound", false, "gone"),
        (403, "rateLimitExceeded", true, "retry"),
        (401, "authError", true, "reauthorise"),
    ] {
        let error = parse_list(&refusal(status, "global", reason), continued).unwrap_err();
        assert_eq!(reaction(&error), expected, "{status} {reason} {continued}");
    }
}

#[test]
fn an_event_is_read_with_all_its_members() {
    let object = json!({
        "kind": "calendar#event", "etag": "\"3390\"", "id": "abc", "status": "tentative",
        "htmlLink": "https://www.google.com/calendar/event?eid=x", "updated": "2026-11-20T10:00:00.123Z",
        "summary": "Planning", "description": "<b>agenda</b>", "location": "Room 1", "colorId": "11",
        "start": { "dateTime": "2026-12-02T10:00:00+01:00", "timeZone": "Europe/Berlin" },
        "end": { "dateTime": "2026-12-02T11:00:00+01:00", "timeZone": "Europe/Berlin" },
        "transparency": "transparent", "visibility": "private", "iCalUID": "abc@google.com",
        "organizer": { "email": "boss@x.org", "displayName": "Boss" },
        "attendees": [
            { "email": "me@x.org", "responseStatus": "needsAction", "self": true },
            { "email": "you@x.org", "displayName": "You", "responseStatus": "declined" },
            { "displayName": "no address" },
        ],
        "conferenceData": { "entryPoints": [
            { "entryPointType": "phone", "uri": "tel:+1" },
            { "entryPointType": "video", "uri": "https://meet.google.com/abc" },
        ] },
        "extendedProperties": { "private": { "crm": "7", "tidings": "k" }, "shared": { "x": "y" } },
        "recurrence": ["EXDATE:20261209T090000Z", "RRULE:FREQ=WEEKLY;COUNT=4"],
        "reminders": { "useDefault": true },
    });
    let item = one(&object);
    assert_eq!((item.key.as_str(), item.resource.as_str()), ("abc", "abc"));
    assert_eq!((item.etag.as_str(), item.version.as_str()), ("\"3390\"", "\"3390\""));
    let mut told = serde_json::to_value(&item.event).unwrap();
    assert_eq!(told.as_object_mut().unwrap().remove("original"), Some(object));
    assert_eq!(
        told,
        json!({
            "uid": "abc@google.com", "title": "Planning", "description": "<b>agenda</b>",
            "start": "2026-12-02T09:00:00.000Z", "end": "2026-12-02T10:00:00.000Z",
            "allDay": false, "timeZone": "Europe/Berlin", "location": "Room 1",
            "attendees": [
                { "email": "me@x.org", "status": "none" },
                { "email": "you@x.org", "name": "You", "status": "declined" },
            ],
            "status": "tentative", "availability": "free", "privacy": "private",
            "lastModified": "2026-11-20T10:00:00.123Z",
            "link": "https://www.google.com/calendar/event?eid=x", "color": "#dc2127",
            "conference": { "url": "https://meet.google.com/abc" },
            "recurrence": "FREQ=WEEKLY;COUNT=4", "properties": { "crm": "7" },
        })
    );
}

#[test]
fn an_organizer_is_marked_among_the_guests_and_never_added_to_them() {
    let guest = |email: &str| json!({ "email": email, "responseStatus": "accepted" });
    let told = |email: &str, organizer: bool| match organizer {
        true => json!({ "email": email, "status": "accepted", "organizer": true }),
        false => json!({ "email": email, "status": "accepted" }),
    };
    for (guests, expected) in [
        (
            vec![guest("A@x.org"), guest("b@x.org")],
            vec![told("A@x.org", true), told("b@x.org", false)],
        ),
        (vec![guest("b@x.org")], vec![told("b@x.org", false)]),
        (vec![], vec![]),
    ] {
        let item = one(&json!({
            "id": "o", "etag": "e", "organizer": { "email": "a@x.org" }, "attendees": guests,
        }));
        assert_eq!(json!(item.event.attendees), json!(expected), "{guests:?}");
    }
}

#[test]
fn days_utc_and_an_event_without_guests_say_no_more_than_they_must() {
    let item = one(&json!({
        "id": "d", "etag": "e", "status": "confirmed", "start": { "date": "2026-12-02" },
        "end": { "date": "2026-12-03" }, "organizer": { "email": "me@x.org", "self": true },
    }));
    assert!(item.event.all_day && item.event.attendees.is_empty());
    assert_eq!(item.event.start.as_deref(), Some("2026-12-02"));
    assert_eq!(item.event.end.as_deref(), Some("2026-12-03"));
    assert_eq!((item.event.title.as_str(), item.event.privacy), ("", None));
    let utc = one(&json!({
        "id": "u", "start": { "dateTime": "2026-12-02T09:00:00Z", "timeZone": "UTC" },
    }));
    assert_eq!((utc.event.time_zone, utc.event.all_day), (None, false));
    assert!(!utc.version.is_empty(), "without a tag the content is the version");
}

#[test]
fn an_exception_is_an_item_of_its_series() {
    let item = one(&json!({
        "id": "abc_20261203T080000Z", "etag": "e", "status": "confirmed", "recurringEventId": "abc",
        "originalStartTime": { "dateTime": "2026-12-03T09:00:00+01:00", "timeZone": "Europe/Berlin" },
        "start": { "dateTime": "2026-12-03T11:00:00+01:00", "timeZone": "Europe/Berlin" },
        "end": { "dateTime": "2026-12-03T12:00:00+01:00", "timeZone": "Europe/Berlin" },
    }));
    assert_eq!((item.series.as_deref(), item.resource.as_str()), (Some("abc"), "abc"));
    assert_eq!(item.recurrence_id.as_deref(), Some("20261203T080000Z"));
    assert_eq!(item.event.recurring_event_id.as_deref(), Some("abc"));
    assert_eq!(item.event.recurrence_id.as_deref(), Some("2026-12-03T08:00:00.000Z"));
    assert_eq!(item.event.start.as_deref(), Some("2026-12-03T10:00:00.000Z"));
}

#[test]
fn a_cancelled_exception_is_sure_of_three_members_only() {
    let item = one(&json!({
        "id": "abc_20261203", "status": "cancelled", "recurringEventId": "abc",
        "originalStartTime": { "date": "2026-12-03" },
    }));
    assert_eq!(item.event.status.as_deref(), Some("cancelled"));
    assert_eq!((item.recurrence_id.as_deref(), item.event.all_day), (Some("20261203"), true));
    assert_eq!(item.event.start.as_deref(), Some("2026-12-03"));
}

#[test]
fn a_deleted_event_is_sure_of_its_id_only_and_takes_its_exceptions_along() {
    let body = json!({ "nextSyncToken": "t", "items": [
        { "id": "abc_20261203", "status": "cancelled", "recurringEventId": "abc",
          "originalStartTime": { "date": "2026-12-03" } },
        { "id": "abc", "status": "cancelled" },
        { "status": "confirmed" },
        { "id": "fine", "updated": "2026-11-20T10:00:00Z" },
    ] });
    let mut page = parse_list(&reply(200, &body), true).unwrap();
    assert_eq!((page.gone.as_slice(), page.unreadable), (["abc".to_owned()].as_slice(), 1));
    Seen::default().keep_news(&mut page);
    assert_eq!(page.items.iter().map(|item| item.key.as_str()).collect::<Vec<_>>(), ["fine"]);
}

#[test]
fn an_event_on_two_pages_counts_as_it_was_updated_last() {
    let item = |title: &str, updated: &str| {
        one(&json!({ "id": "a", "etag": title, "summary": title, "updated": updated }))
    };
    let (old, new) = (item("old", "2026-11-20T10:00:00Z"), item("new", "2026-11-20T10:00:01Z"));
    for pages in [
        vec![vec![old.clone()], vec![new.clone()]],
        vec![vec![new.clone()], vec![old.clone()]],
        vec![vec![new.clone(), old.clone()]],
        vec![vec![old, new]],
    ] {
        let (mut seen, mut last) = (Seen::default(), None);
        for items in pages {
            let mut page = EventPage { items, ..EventPage::default() };
            seen.keep_news(&mut page);
            last = page.items.pop().or(last);
            assert!(page.items.is_empty());
        }
        assert_eq!(last.unwrap().event.title, "new");
    }
}

#[test]
fn a_cancelled_occurrence_is_not_overtaken_by_an_older_version_of_itself() {
    let id = "abc_20261209T090000Z";
    let cancelled = one(&json!({
        "id": id, "status": "cancelled", "recurringEventId": "abc",
        "originalStartTime": { "dateTime": "2026-12-09T09:00:00Z" },
    }));
    let old = one(&json!({
        "id": id, "recurringEventId": "abc", "updated": "2026-11-20T10:00:00Z",
        "originalStartTime": { "dateTime": "2026-12-09T09:00:00Z" },
    }));
    for pages in [vec![cancelled.clone(), old.clone()], vec![old, cancelled]] {
        let (mut seen, mut last) = (Seen::default(), None);
        for item in pages {
            let mut page = EventPage { items: vec![item], ..EventPage::default() };
            seen.keep_news(&mut page);
            last = page.items.pop().or(last);
        }
        assert_eq!(last.unwrap().event.status.as_deref(), Some("cancelled"));
    }
}

#[test]
fn one_event_is_read_alone_and_a_deleted_one_is_gone() {
    assert_eq!(
        get_request(&settings(), "c", "a_20261203T080000Z").url.path(),
        "/calendar/v3/calendars/c/events/a_20261203T080000Z"
    );
    assert_eq!(parse_event(&reply(200, &json!({ "id": "a" }))).unwrap().key, "a");
    let tombstone = reply(200, &json!({ "id": "a", "status": "cancelled" }));
    assert_eq!(reaction(&parse_event(&tombstone).unwrap_err()), "gone");
    assert_eq!(reaction(&parse_event(&refusal(404, "global", "notFound")).unwrap_err()), "gone");
    let url = instance_request(&settings(), "c", "abc", "2026-12-03T08:00:00.000Z").url;
    assert!(
        url.as_str()
            .ends_with("/abc/instances?originalStart=2026-12-03T08%3A00%3A00.000Z&maxResults=1")
    );
    assert_eq!(
        reaction(&parse_instance(&reply(200, &json!({ "items": [] }))).unwrap_err()),
        "gone"
    );
}
