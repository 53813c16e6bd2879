use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::id::CollectionId;
use tidings_providers::errand::{Errand, Refusal, Reply};
use tidings_providers::event::{Event, Original};
use tidings_service::{Error, EventQuery, Notify, PageInput, Scope, SeriesScope, Writing};
use tidings_store::{Item, ItemWrite, MirrorCommit};

use crate::desk::{event, item};
use crate::pushes::{Watched, watched};
use crate::setup::{Setup, pointers};

/// Puts an event into the mirror, as the sync would.
async fn mirror(
    setup: &Setup,
    of: &Watched,
    key: &str,
    etag: &str,
    event: &Event,
    series: Option<&str>,
) {
    let (starts_at, ends_at) = event.span_ms();
    let stamp = event.recurrence_id.as_deref().and_then(tidings_providers::occurrences::stamp);
    let item = Item {
        key: key.into(),
        resource: series.unwrap_or(key).into(),
        etag: etag.into(),
        version: etag.as_bytes().to_vec(),
        series: series.map(Into::into),
        recurrence_id: stamp,
        starts_at,
        ends_at,
        body: serde_json::to_vec(event).unwrap(),
    };
    let mut commit = MirrorCommit::new(1, of.account_no);
    commit.items.push((of.collection_no, ItemWrite::Put(item)));
    assert!(setup.store.commit_mirror(commit, setup.clock.now()).await.unwrap());
}

fn on(day: u32, title: &str) -> Event {
    let at = |hour: u32| format!("2026-12-{day:02}T{hour:02}:00:00.000Z");
    event(title, &at(9), &at(10), None)
}

fn range(from: &str, to: &str, expand: bool) -> EventQuery {
    let at = |day: &str| Timestamp::parse(&format!("{day}T00:00:00Z"));
    EventQuery { from: at(from), to: at(to), expand }
}

async fn ids(setup: &Setup, calendar: CollectionId, query: EventQuery, limit: u32) -> Vec<String> {
    let mut found = Vec::new();
    let mut page = PageInput { cursor: None, limit: Some(limit) };
    loop {
        let events = setup.service.events(&setup.owner, calendar, query, &page).await.unwrap();
        assert!(events.items.len() <= limit as usize);
        found.extend(events.items.into_iter().map(|event| event.id));
        page.cursor = events.next;
        if page.cursor.is_none() {
            return found;
        }
    }
}

/// A calendar with two single events and a series of five, one occurrence of which was moved and one
/// cancelled.
async fn full(setup: &Setup) -> Watched {
    let of = watched(setup, "google", "sub-1").await;
    mirror(setup, &of, "early", "e1", &on(1, "early"), None).await;
    mirror(setup, &of, "late", "e1", &on(20, "late"), None).await;
    let series = Event { recurrence: Some("FREQ=DAILY;COUNT=5".into()), ..on(2, "series") };
    mirror(setup, &of, "series", "s1", &series, None).await;
    for (day, to, status) in [(3, 10, None), (4, 4, Some("cancelled"))] {
        let exception = Event {
            recurrence_id: Some(format!("2026-12-{day:02}T09:00:00.000Z")),
            recurring_event_id: Some("series".into()),
            status: status.map(Into::into),
            ..on(to, "moved")
        };
        mirror(setup, &of, &format!("series_{day}"), "x1", &exception, Some("series")).await;
    }
    of
}

#[tokio::test]
async fn events_are_listed_by_range_and_series_expanded_on_demand() {
    let (setup, _) = Setup::new().await.with_desk(|_| Err(Refusal::Busy));
    let of = full(&setup).await;
    let occurrence = |day: u32| format!("series#202612{day:02}T090000Z");
    let plain = |ids: &[&str]| ids.iter().map(|&id| id.to_owned()).collect::<Vec<_>>();
    let all = ["early", "late", "series", "series_3", "series_4"];
    for (what, query, expected) in [
        ("all", EventQuery::default(), plain(&all)),
        ("first day", range("2026-12-01", "2026-12-02", false), plain(&["early"])),
        (
            "a week, expanded",
            range("2026-12-01", "2026-12-08", true),
            [plain(&["early"]), vec![occurrence(2), occurrence(5), occurrence(6)]].concat(),
        ),
        (
            "where an occurrence was moved to",
            range("2026-12-10", "2026-12-11", true),
            plain(&["series_3"]),
        ),
        ("half of the series", range("2026-12-05", "2026-12-06", true), vec![occurrence(5)]),
        ("nothing", range("2027-01-01", "2027-01-02", true), vec![]),
    ] {
        for limit in [1, 2, 3, 50] {
            assert_eq!(ids(&setup, of.calendar, query, limit).await, expected, "{what}, {limit}");
        }
    }
    for query in [
        EventQuery { expand: true, ..EventQuery::default() },
        range("2026-12-02", "2026-12-01", false),
        range("2026-12-02", "2028-12-01", true),
    ] {
        let page = PageInput::default();
        let refused = setup.service.events(&setup.owner, of.calendar, query, &page).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{query:?}");
    }
}

/// Earlier versions kept no times of what they mirrored.
#[tokio::test]
async fn what_was_mirrored_before_an_upgrade_is_listed_by_range_too() {
    let (setup, _) = Setup::new().await.with_desk(|_| Err(Refusal::Busy));
    let of = watched(&setup, "google", "sub-1").await;
    let series = Event { recurrence: Some("FREQ=DAILY;COUNT=5".into()), ..on(2, "series") };
    for (key, event) in [("early", on(1, "early")), ("late", on(20, "late")), ("series", series)] {
        let item = Item {
            key: key.into(),
            resource: key.into(),
            etag: "e1".into(),
            version: b"e1".to_vec(),
            series: None,
            recurrence_id: None,
            starts_at: None,
            ends_at: None,
            body: serde_json::to_vec(&event).unwrap(),
        };
        let mut commit = MirrorCommit::new(1, of.account_no);
        commit.items.push((of.collection_no, ItemWrite::Put(item)));
        assert!(setup.store.commit_mirror(commit, setup.clock.now()).await.unwrap());
    }
    for (from, to, expected) in [
        ("2026-12-01", "2026-12-02", vec!["early"]),
        ("2026-12-05", "2026-12-21", vec!["late", "series"]),
        ("2026-12-21", "2026-12-22", vec![]),
    ] {
        for limit in [1, 50] {
            let found = ids(&setup, of.calendar, range(from, to, false), limit).await;
            assert_eq!(found, expected, "{from}, {limit}");
        }
    }
}

#[tokio::test]
async fn an_event_and_an_occurrence_are_read_by_their_ids() {
    let (setup, _) = Setup::new().await.with_desk(|_| Err(Refusal::Busy));
    let of = full(&setup).await;
    let read = async |id: &str| setup.service.event(&setup.owner, of.calendar, id).await;
    let single = read("early").await.unwrap();
    let body: Value = serde_json::from_slice(&single.event).unwrap();
    assert_eq!((body["title"].as_str(), single.series), (Some("early"), None));
    let occurrence = read("series#20261205T090000Z").await.unwrap();
    let body: Value = serde_json::from_slice(&occurrence.event).unwrap();
    assert_eq!(body["start"], "2026-12-05T09:00:00.000Z");
    assert_eq!(
        (body["recurrence"].clone(), body["recurringEventId"].as_str()),
        (Value::Null, Some("series"))
    );
    assert_eq!(occurrence.etag, read("series").await.unwrap().etag);
    for unknown in ["", "nobody", "series#20261209T090000Z", "series#20261203T090000Z", "series#x"]
    {
        assert_eq!(read(unknown).await.err(), Some(Error::NotFound("event")), "{unknown}");
    }
}

fn tea() -> Value {
    json!({"title": "Tea", "start": "2026-12-02T15:00:00Z", "end": "2026-12-02T16:00:00Z"})
}

#[tokio::test]
async fn a_create_with_an_idempotency_key_makes_one_event() {
    let outcomes = Arc::new(AtomicUsize::new(0));
    let step = Arc::clone(&outcomes);
    let (setup, asked) =
        Setup::new().await.with_desk(move |_| match step.fetch_add(1, Ordering::SeqCst) {
            0 => Err(Refusal::Invalid("no".into())),
            1 => Err(Refusal::Unavailable { why: "504".into(), after_ms: None }),
            _ => Ok(Reply::Item(item("made", "m1"))),
        });
    let of = watched(&setup, "google", "sub-1").await;
    let create = async |input: &Value, key: Option<&str>| {
        setup.service.create_event(&setup.owner, of.calendar, input, Notify::None, key).await
    };
    let key_asked = || match asked.last() {
        Errand::Create { key, .. } => key,
        other => panic!("{other:?}"),
    };
    let other = json!({"title": "No tea", "start": "2026-12-02", "end": "2026-12-03"});
    assert!(matches!(create(&other, Some("k-1")).await, Err(Error::Refused(_))));
    let first_key = key_asked();
    let lost = create(&tea(), Some("k-1")).await;
    assert!(
        matches!(lost, Err(Error::ProviderUnavailable { .. })),
        "a refused key is free: {lost:?}"
    );
    let lost_key = key_asked();
    assert_ne!(first_key, lost_key);
    let made = create(&tea(), Some("k-1")).await.unwrap();
    assert_eq!((made.event.id.as_str(), made.replayed), ("made", false));
    assert_eq!(key_asked(), lost_key, "what may have been made is asked for with the same key");
    // The engine mirrors what it made.
    mirror(&setup, &of, "made", "m1", &item("made", "m1").event, None).await;
    let again = create(&tea(), Some("k-1")).await.unwrap();
    assert_eq!((again.event, again.replayed, asked.list().len()), (made.event, true, 3));
    assert_eq!(pointers(create(&other, Some("k-1")).await), [""], "another request");
    assert!(matches!(create(&tea(), Some("\u{e9}")).await, Err(Error::Malformed(_))));
    create(&tea(), None).await.unwrap();
    create(&tea(), None).await.unwrap();
    assert_eq!(asked.list().len(), 5, "without a key each is one of its own");
}

#[tokio::test]
async fn a_write_names_the_version_that_it_has_seen() {
    let conflict = Refusal::Conflict("changed meanwhile".into());
    let (setup, asked) = Setup::new().await.with_desk(move |errand| match errand {
        Errand::Update { if_match: Some(_), notify: Notify::All, .. } => Err(conflict.clone()),
        Errand::Update { if_match: None, notify: Notify::All, .. } => Err(conflict.clone()),
        Errand::Update { .. } => Ok(Reply::Item(item("late", "e2"))),
        _ => Ok(Reply::Done),
    });
    let of = full(&setup).await;
    let current = setup.service.event(&setup.owner, of.calendar, "late").await.unwrap().etag;
    let update = async |if_match: Option<&str>, notify: Notify| {
        let if_match = if_match.map(str::to_owned);
        let writing = Writing { if_match, scope: SeriesScope::All, notify };
        let changes = json!({"title": "Later"});
        setup.service.update_event(&setup.owner, of.calendar, "late", &changes, writing).await
    };
    update(Some(&current), Notify::External).await.unwrap();
    let Errand::Update { item_key, if_match, scope, notify, actor, .. } = asked.last() else {
        panic!()
    };
    assert_eq!(
        (item_key.as_str(), if_match.as_deref()),
        ("late", Some("e1")),
        "the provider's own"
    );
    assert_eq!((scope, notify), (SeriesScope::All, Notify::External));
    assert_eq!(actor, Some(setup.owner.grant_id().to_string()));
    for (if_match, sent) in [(None, None), (Some("*"), None), (Some(&current[..]), Some("e1"))] {
        update(if_match, Notify::None).await.unwrap();
        let Errand::Update { if_match: given, .. } = asked.last() else { panic!() };
        assert_eq!(given.as_deref(), sent, "{if_match:?}");
    }
    let before = asked.list().len();
    for old in ["\"0\"", "W/\"0\"", "\"0\", \"1\""] {
        let Err(Error::Stale { current: told, .. }) = update(Some(old), Notify::None).await else {
            panic!("{old}");
        };
        assert_eq!(told.as_ref(), Some(&current));
    }
    assert!(matches!(update(Some("0"), Notify::None).await, Err(Error::Malformed(_))));
    assert_eq!(asked.list().len(), before, "the provider is not asked");
    let late = update(Some(&current), Notify::All).await;
    assert!(matches!(late, Err(Error::Stale { .. })), "{late:?}");
    let unnamed = update(None, Notify::All).await;
    assert!(matches!(unnamed, Err(Error::Conflict(_))), "{unnamed:?}");

    let writing = Writing { if_match: Some("*".into()), ..Writing::default() };
    let unknown = setup.service.delete_event(&setup.owner, of.calendar, "nobody", writing).await;
    assert_eq!(unknown.err(), Some(Error::NotFound("event")));
    let series = setup.service.event(&setup.owner, of.calendar, "series").await.unwrap().etag;
    let writing = Writing { if_match: Some(series), ..Writing::default() };
    let occurrence = "series#20261205T090000Z";
    setup.service.delete_event(&setup.owner, of.calendar, occurrence, writing).await.unwrap();
    let Errand::Delete { item_key, if_match, scope, .. } = asked.last() else { panic!() };
    assert_eq!((item_key.as_str(), if_match.as_deref()), (occurrence, Some("s1")));
    assert_eq!(scope, SeriesScope::This);
}

#[tokio::test]
async fn refusals_of_providers_have_clear_answers() {
    let why = || "because".to_owned();
    let later = |after_ms| Refusal::Unavailable { why: why(), after_ms };
    let unavailable = |retry_after_s| Error::ProviderUnavailable { why: why(), retry_after_s };
    for (refusal, expected) in [
        (Refusal::NotFound(why()), Error::NotFound("event")),
        (Refusal::Conflict(why()), Error::Conflict(why())),
        (Refusal::Invalid(why()), Error::Refused(why())),
        (Refusal::Forbidden(why()), Error::Refused(why())),
        (Refusal::Inactive(why()), Error::Conflict(why())),
        (Refusal::Operator(why()), Error::NotConfigured(why())),
        (later(Some(1)), unavailable(1)),
        (later(Some(2_500)), unavailable(3)),
        (later(Some(u64::MAX)), unavailable(86_400)),
        (later(None), unavailable(5)),
    ] {
        let (setup, _) = Setup::new().await.with_desk(move |_| Err(refusal.clone()));
        let of = watched(&setup, "google", "sub-1").await;
        let writing = Writing::default();
        let refused = setup.service.delete_event(&setup.owner, of.calendar, "x", writing).await;
        assert_eq!(refused.err(), Some(expected));
    }
}

#[tokio::test]
async fn writes_are_checked_scoped_and_audited() {
    let (setup, asked) = Setup::new().await.with_desk(|_| Ok(Reply::Item(item("made", "m1"))));
    let of = watched(&setup, "google", "sub-1").await;
    let create = async |input: Value| {
        setup.service.create_event(&setup.owner, of.calendar, &input, Notify::None, None).await
    };
    for (input, expected) in [
        (json!({}), vec!["/start", "/end"]),
        (json!({"start": "2026-12-02", "end": "2026-12-03", "colour": "red"}), vec!["/colour"]),
        (json!({"start": "yesterday", "end": "2026-12-03"}), vec!["/start"]),
        (json!([]), vec![""]),
    ] {
        assert_eq!(pointers(create(input.clone()).await), expected, "{input}");
    }
    let (empty, how) = (json!({}), Writing::default());
    let nothing = setup.service.update_event(&setup.owner, of.calendar, "x", &empty, how).await;
    assert_eq!(pointers(nothing), [""]);
    assert!(asked.list().is_empty());

    let writer = setup.with_scopes(&[Scope::Calendars]).await;
    let page = PageInput::default();
    let query = EventQuery::default();
    setup.service.create_event(&writer, of.calendar, &tea(), Notify::All, None).await.unwrap();
    assert!(setup.service.events(&writer, of.calendar, query, &page).await.is_ok());
    for scope in [Scope::Read, Scope::Accounts, Scope::Hooks, Scope::Publish] {
        let caller = setup.with_scopes(&[scope]).await;
        let created =
            setup.service.create_event(&caller, of.calendar, &tea(), Notify::None, None).await;
        assert_eq!(created.err(), Some(Error::Forbidden("calendars")), "{scope:?}");
        let listed = setup.service.events(&caller, of.calendar, query, &page).await;
        assert_eq!(listed.is_ok(), scope == Scope::Read, "{scope:?}");
    }
    let lines = setup.service.audit(&setup.owner, &page).await.unwrap().items;
    let written: Vec<_> = lines.iter().filter(|line| line.action == "event.create").collect();
    assert_eq!(written.iter().filter(|line| line.denied).count(), 4);
    let done = written.iter().find(|line| !line.denied).unwrap();
    assert_eq!(
        (&done.object, &done.actor),
        (&of.calendar.to_string(), &writer.grant_id().to_string())
    );
    assert_eq!(done.detail, json!({"event": "made", "scope": null, "notify": "all"}));

    crate::accounts::deactivate(&setup, of.account).await;
    assert!(matches!(create(tea()).await, Err(Error::Conflict(_))), "the account is inactive");
}

#[tokio::test]
async fn a_calendar_says_how_it_is_watched() {
    let (setup, _) = Setup::new().await.with_desk(|_| Err(Refusal::Busy));
    let of = watched(&setup, "google", "sub-1").await;
    let watch = async || setup.service.calendar(&setup.owner, of.calendar).await.unwrap().watch;
    let polled = async |why: &str| {
        let because = watch().await.polled_because.unwrap();
        assert!(because.contains(why), "{because}");
    };
    polled("not made yet").await;
    let no = of.subscribe(&setup, "ch", "tok", None).await;
    polled("being made").await;
    setup
        .store
        .fail_subscription(no, "push is not supported".into(), setup.clock.now())
        .await
        .unwrap();
    polled("push is not supported").await;
    let ends = setup.clock.now().plus_ms(60_000);
    let now = setup.clock.now();
    setup.store.activate_subscription(no, "ch".into(), None, ends, ends, now).await.unwrap();
    let pushed = watch().await;
    assert_eq!((pushed.polled_because, pushed.subscription), (None, Some("active")));
    assert_eq!((pushed.expires_at, pushed.delivered_at), (Some(ends), None));
    setup.store.push(no, now).await.unwrap();
    assert_eq!(watch().await.delivered_at, Some(now));
    setup.clock.advance_ms(60_000);
    polled("expired").await;
    let why = Some("webhook domain is not verified".to_owned());
    setup.store.end_subscription(no, why, None, now).await.unwrap();
    polled("not verified").await;
    crate::accounts::deactivate(&setup, of.account).await;
    polled("inactive").await;

    let calendar = setup.service.calendar(&setup.owner, of.calendar).await.unwrap();
    assert_eq!((calendar.color.as_deref(), calendar.writable), (Some("#9fe1e7"), Some(true)));
    assert_eq!(calendar.time_zone.as_deref(), Some("Europe/London"));
    let listed = setup.service.calendars(&setup.owner, of.account).await.unwrap();
    assert_eq!(listed, [calendar]);
}

#[tokio::test]
async fn a_series_of_added_dates_alone_is_expanded_too() {
    let (setup, _) = Setup::new().await.with_desk(|_| Err(Refusal::Busy));
    let of = watched(&setup, "google", "sub-1").await;
    let lines = json!({"recurrence": ["RDATE:20261205T090000Z,20261207T090000Z"]});
    let dated = Event { original: Original::Object(lines), ..on(2, "dated") };
    mirror(&setup, &of, "dated", "d1", &dated, None).await;
    let week = range("2026-12-01", "2026-12-08", true);
    let expected = [2, 5, 7].map(|day| format!("dated#202612{day:02}T090000Z"));
    assert_eq!(ids(&setup, of.calendar, week, 50).await, expected);
}
