use proptest::prelude::*;
use serde_json::{Value, json};

use tidings_core::limits::OCCURRENCES_MAX;

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn event(start: &str, end: &str, zone: Option<&str>, lines: &[&str]) -> Event {
    let rule = lines.iter().find_map(|line| line.strip_prefix("RRULE:"));
    serde_json::from_value(json!({
        "uid": "u", "title": "t", "start": start, "end": end, "allDay": !start.contains('T'),
        "timeZone": zone, "availability": "busy", "privacy": "public", "recurrence": rule,
        "original": { "recurrence": lines },
    }))
    .unwrap()
}

fn exception(replaces: &str, start: &str, status: &str) -> (String, Event) {
    let mut event = event(start, start, None, &[]);
    event.recurrence_id = Some(replaces.into());
    event.recurring_event_id = Some("m".into());
    event.status = Some(status.into());
    (format!("x-{replaces}"), event)
}

fn starts(master: &Event, exceptions: &[(String, Event)], from: &str, to: &str) -> Vec<String> {
    let found = expand(("m", master), exceptions, at(from), at(to), 100);
    assert!(found.complete);
    found.events.into_iter().map(|(_, event)| event.start.unwrap()).collect()
}

const BERLIN: Option<&str> = Some("Europe/Berlin");

#[test]
fn a_meeting_at_nine_stays_at_nine_when_clocks_change() {
    let master = event(
        "2026-03-26T08:00:00.000Z",
        "2026-03-26T09:00:00.000Z",
        BERLIN,
        &["RRULE:FREQ=DAILY;COUNT=5"],
    );
    let found =
        expand(("m", &master), &[], at("2026-03-28T00:00:00Z"), at("2026-03-31T00:00:00Z"), 100);
    let told: Vec<_> = found
        .events
        .iter()
        .map(|(key, e)| (key.as_str(), e.start.as_deref().unwrap(), e.end.as_deref().unwrap()))
        .collect();
    assert_eq!(
        told,
        [
            ("m#20260328T080000Z", "2026-03-28T08:00:00.000Z", "2026-03-28T09:00:00.000Z"),
            ("m#20260329T070000Z", "2026-03-29T07:00:00.000Z", "2026-03-29T08:00:00.000Z"),
            ("m#20260330T070000Z", "2026-03-30T07:00:00.000Z", "2026-03-30T08:00:00.000Z"),
        ]
    );
    let (_, first) = &found.events[0];
    assert_eq!(first.recurring_event_id.as_deref(), Some("m"));
    assert_eq!(first.recurrence_id, first.start);
    assert_eq!(
        (first.recurrence.as_deref(), &first.original),
        (None, &Original::Object(Value::Null))
    );
    assert_eq!(
        master.span_ms(),
        (Some(at("2026-03-26T08:00:00Z").0), Some(at("2026-03-30T08:00:00Z").0))
    );
}

#[test]
fn a_reading_that_a_change_of_clocks_skips_or_repeats_happens_once() {
    for (first, expected) in [
        ("2026-03-28T01:30:00.000Z", "2026-03-29T01:30:00.000Z"),
        ("2026-10-24T00:30:00.000Z", "2026-10-25T00:30:00.000Z"),
    ] {
        let master = event(first, first, BERLIN, &["RRULE:FREQ=DAILY;COUNT=2"]);
        let all = starts(&master, &[], "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
        assert_eq!(all, [first, expected]);
    }
}

#[test]
fn until_is_a_moment_although_the_rule_goes_by_the_clock() {
    // 23:30 in New York is the next day in UTC: the last one is still within.
    let zone = Some("America/New_York");
    let master = |until: &str| {
        let rule = format!("RRULE:FREQ=DAILY;UNTIL={until}");
        event("2026-12-02T04:30:00.000Z", "2026-12-02T05:00:00.000Z", zone, &[&rule])
    };
    for (until, count, end) in [
        ("20261204T043000Z", 3, "2026-12-04T05:00:00Z"),
        ("20261204T042959Z", 2, "2026-12-04T04:59:59Z"),
        ("20261203", 3, "2026-12-04T05:29:59Z"),
        ("20261203T233000", 3, "2026-12-04T05:00:00Z"),
    ] {
        let master = master(until);
        let found = starts(&master, &[], "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
        assert_eq!(found.len(), count, "{until}");
        assert_eq!(master.span_ms().1, Some(at(end).0), "{until}");
    }
}

#[test]
fn days_recur_as_days() {
    let master = event("2026-12-01", "2026-12-03", BERLIN, &["RRULE:FREQ=WEEKLY;UNTIL=20261215"]);
    let found =
        expand(("m", &master), &[], at("2026-12-09T12:00:00Z"), at("2026-12-15T00:00:01Z"), 9);
    let told: Vec<_> = found
        .events
        .iter()
        .map(|(key, e)| (key.as_str(), e.start.as_deref().unwrap(), e.end.as_deref().unwrap()))
        .collect();
    assert_eq!(
        told,
        [("m#20261208", "2026-12-08", "2026-12-10"), ("m#20261215", "2026-12-15", "2026-12-17")]
    );
    assert_eq!(master.span_ms().1, Some(at("2026-12-17T00:00:00Z").0));
}

#[test]
fn single_dates_are_added_and_removed_in_every_spelling() {
    let master = event(
        "2026-12-01T08:00:00.000Z",
        "2026-12-01T09:00:00.000Z",
        BERLIN,
        &[
            "RRULE:FREQ=DAILY;COUNT=6",
            "EXDATE;TZID=Europe/Berlin:20261202T090000",
            "EXDATE:20261203T080000Z",
            "EXDATE;VALUE=DATE:20261204",
            "RDATE;VALUE=PERIOD:20261224T100000Z/PT1H,20261225T100000Z/PT1H",
        ],
    );
    let found = starts(&master, &[], "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    let days: Vec<_> = found.iter().map(|start| &start[8..13]).collect();
    assert_eq!(days, ["01T08", "05T08", "06T08", "24T10", "25T10"]);
    assert_eq!(master.span_ms().1, Some(at("2026-12-25T11:00:00Z").0));
}

#[test]
fn dates_of_an_icalendar_object_count_too() {
    let mut master = event("2026-12-01", "2026-12-02", None, &["RRULE:FREQ=DAILY;COUNT=3"]);
    master.original = Original::Resource {
        href: "/a.ics".into(),
        etag: None,
        icalendar: "BEGIN:VEVENT\r\nEXDATE;VALUE=DATE:20261202\r\nEND:VEVENT\r\n".into(),
    };
    let found = starts(&master, &[], "2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z");
    assert_eq!(found, ["2026-12-01", "2026-12-03"]);
}

#[test]
fn exceptions_replace_move_and_cancel() {
    let master = event(
        "2026-12-01T08:00:00.000Z",
        "2026-12-01T09:00:00.000Z",
        BERLIN,
        &["RRULE:FREQ=DAILY"],
    );
    let exceptions = [
        exception("2026-12-02T08:00:00.000Z", "2026-12-02T15:00:00.000Z", "confirmed"),
        exception("2026-12-03T08:00:00.000Z", "2026-12-03T08:00:00.000Z", "cancelled"),
        exception("2026-12-05T08:00:00.000Z", "2027-02-01T08:00:00.000Z", "confirmed"),
        exception("2027-03-01T08:00:00.000Z", "2026-12-04T08:00:00.000Z", "confirmed"),
    ];
    let found = starts(&master, &exceptions, "2026-12-01T00:00:00Z", "2026-12-07T00:00:00Z");
    let days: Vec<_> = found.iter().map(|start| &start[8..13]).collect();
    assert_eq!(days, ["01T08", "02T15", "04T08", "04T08", "06T08"]);
    assert_eq!(master.span_ms(), (Some(at("2026-12-01T08:00:00Z").0), None));
}

#[test]
fn what_reaches_into_the_stretch_is_in_it_and_the_rest_is_not() {
    let single = event("2026-12-01T08:00:00.000Z", "2026-12-01T10:00:00.000Z", None, &[]);
    let point = event("2026-12-01T08:00:00.000Z", "2026-12-01T08:00:00.000Z", None, &[]);
    for (event, from, to, is_in) in [
        (&single, "2026-12-01T09:00:00Z", "2026-12-01T09:30:00Z", true),
        (&single, "2026-12-01T10:00:00Z", "2026-12-01T11:00:00Z", false),
        (&single, "2026-12-01T07:00:00Z", "2026-12-01T08:00:00Z", false),
        (&point, "2026-12-01T08:00:00Z", "2026-12-01T09:00:00Z", true),
        (&point, "2026-12-01T07:00:00Z", "2026-12-01T08:00:00Z", false),
    ] {
        assert_eq!(starts(event, &[], from, to).len(), usize::from(is_in), "{from} {to}");
    }
    let found =
        expand(("m", &single), &[], at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"), 9);
    assert_eq!(found.events, [("m".to_owned(), single)], "a single event is itself");
}

#[test]
fn work_is_bounded_and_a_limit_is_told() {
    let master =
        event("2026-12-01T08:00:00.000Z", "2026-12-01T08:00:00.000Z", None, &["RRULE:FREQ=DAILY"]);
    let found =
        expand(("m", &master), &[], at("2026-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z"), 9);
    assert_eq!((found.events.len(), found.complete), (9, false));
    let busy = event(
        "2026-12-01T08:00:00.000Z",
        "2026-12-01T08:00:00.000Z",
        None,
        &["RRULE:FREQ=SECONDLY"],
    );
    let found =
        expand(("m", &busy), &[], at("2027-01-01T00:00:00Z"), at("2028-01-01T00:00:00Z"), 9);
    assert_eq!((found.events.len(), found.complete), (0, false));
    let never =
        event("2026-12-01", "2026-12-02", None, &["RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=31"]);
    assert_eq!(starts(&never, &[], "2026-01-01T00:00:00Z", "2099-01-01T00:00:00Z").len(), 0);
}

#[test]
fn a_series_is_split_by_its_rule() {
    let master = |rule: &str| {
        let rule = format!("RRULE:{rule}");
        event("2026-12-01T08:00:00.000Z", "2026-12-01T09:00:00.000Z", BERLIN, &[&rule])
    };
    let third = at("2026-12-03T08:00:00Z");
    for (rule, before, after) in [
        ("FREQ=DAILY", "FREQ=DAILY;UNTIL=20261203T075959Z", "FREQ=DAILY"),
        ("FREQ=DAILY;COUNT=5", "FREQ=DAILY;UNTIL=20261203T075959Z", "FREQ=DAILY;COUNT=3"),
        (
            "FREQ=DAILY;UNTIL=20261209T080000Z",
            "FREQ=DAILY;UNTIL=20261203T075959Z",
            "FREQ=DAILY;UNTIL=20261209T080000Z",
        ),
    ] {
        let split = split(&master(rule), third).unwrap();
        assert_eq!(
            (split.before.to_string(), split.after.to_string()),
            (before.into(), after.into())
        );
    }
    assert_eq!(split(&master("FREQ=DAILY"), at("2026-12-01T08:00:00Z")), None, "the first");
    assert_eq!(split(&master("FREQ=DAILY;COUNT=2"), third), None, "after the last");
    let mut dated = master("FREQ=DAILY");
    let lines =
        ["EXDATE;TZID=Europe/Berlin:20261202T090000,20261205T090000", "RDATE:20261224T100000Z"];
    dated.original = Original::Object(json!({ "recurrence": lines }));
    let dated = split(&dated, third).unwrap();
    assert_eq!(dated.dates_before, ["EXDATE:20261202T080000Z"]);
    assert_eq!(dated.dates_after, ["EXDATE:20261205T080000Z", "RDATE:20261224T100000Z"]);
    let days = event("2026-12-01", "2026-12-02", None, &["RRULE:FREQ=DAILY;COUNT=3"]);
    let halves = split(&days, at("2026-12-03T00:00:00Z")).unwrap();
    assert_eq!(halves.before.to_string(), "FREQ=DAILY;UNTIL=20261202");
    assert_eq!(halves.after.to_string(), "FREQ=DAILY;COUNT=1");
}

#[test]
fn a_draft_for_an_occurrence_moves_its_series_as_much() {
    let master = event(
        "2026-03-20T08:00:00.000Z",
        "2026-03-20T09:00:00.000Z",
        BERLIN,
        &["RRULE:FREQ=DAILY"],
    );
    let (_, occurrence) = occurrence_at(("m", &master), "20260330T070000Z").unwrap();
    let draft = |start: &str, end: &str| {
        let json = json!({ "start": start, "end": end, "timeZone": "Europe/Berlin" });
        EventDraft::from_json(&json).unwrap()
    };
    let moved = draft_for_master(
        &draft("2026-03-30T10:00:00", "2026-03-30T12:00:00"),
        &occurrence,
        &master,
    );
    let told = |field: &Field<When>| field.set().unwrap().told();
    assert_eq!(told(&moved.start), "2026-03-20T09:00:00.000Z");
    assert_eq!(told(&moved.end), "2026-03-20T11:00:00.000Z");
    let days = draft_for_master(&draft("2026-03-31", "2026-04-01"), &occurrence, &master);
    assert_eq!((told(&days.start), told(&days.end)), ("2026-03-21".into(), "2026-03-22".into()));
    let longer =
        EventDraft { start: Field::Keep, ..draft("2026-03-30T10:00:00", "2026-03-30T12:00:00") };
    let longer = draft_for_master(&longer, &occurrence, &master);
    assert_eq!(
        (&longer.start, told(&longer.end)),
        (&Field::Keep, "2026-03-20T11:00:00.000Z".into())
    );
    assert_eq!(occurrence_at(("m", &master), "20260330T080000Z"), None);
}

#[test]
fn keys_of_occurrences_are_taken_apart_again() {
    assert_eq!(
        split_key(&key("/u/a.ics", "20261203T080000Z")),
        Some(("/u/a.ics", "20261203T080000Z"))
    );
    assert_eq!(split_key(&key("abc", "20261203")), Some(("abc", "20261203")));
    assert_eq!(split_key("abc"), None);
    assert_eq!(split_key("/u/a%23b.ics#x"), None);
    assert_eq!(stamp("2026-12-03T08:00:00.000Z").as_deref(), Some("20261203T080000Z"));
    assert_eq!(stamp("2026-12-03").as_deref(), Some("20261203"));
}

/// A series in one of some zones, beginning at any minute of 2026.
fn any_series() -> impl Strategy<Value = Event> {
    let zones = ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"];
    let rules = ["DAILY", "DAILY;INTERVAL=3", "WEEKLY;BYDAY=MO,SU", "MONTHLY;BYMONTHDAY=-1"];
    let minutes = 0_i64..365 * 24 * 60;
    let parts = (
        minutes,
        prop::sample::select(zones.to_vec()),
        prop::sample::select(rules.to_vec()),
        1..60_u32,
    );
    parts.prop_map(|(minute, zone, rule, count)| {
        let start = Timestamp(at("2026-01-01T00:00:00Z").0 + minute * 60_000);
        let (start, end) = (start.to_string(), start.plus_ms(1_800_000).to_string());
        event(&start, &end, Some(zone), &[&format!("RRULE:FREQ={rule};COUNT={count}")])
    })
}

fn all(series: &Event, from: &str, to: &str) -> Vec<(String, Event)> {
    expand(("m", series), &[], at(from), at(to), OCCURRENCES_MAX).events
}

/// Rules as a careless or hostile provider may send them.
fn any_rule() -> impl Strategy<Value = String> {
    let frequency = "(SECONDLY|MINUTELY|HOURLY|DAILY|WEEKLY|MONTHLY|YEARLY)";
    let part = "(COUNT=[0-9]{1,4}|INTERVAL=[0-9]{1,5}|UNTIL=20[0-9]{2}[01][0-9][0-3][0-9]|\
                BYMONTH=-?[0-9]{1,2}|BYMONTHDAY=-?[0-9]{1,2}|BYDAY=-?[0-9]{0,2}(MO|TU|SU)|\
                BYHOUR=[0-9]{1,2}|BYMINUTE=[0-9]{1,2}|BYSECOND=[0-9]{1,2}|BYSETPOS=-?[0-9]{1,3}|\
                BYYEARDAY=-?[0-9]{1,3}|BYWEEKNO=-?[0-9]{1,2}|WKST=(SU|XX))";
    (frequency, prop::collection::vec(part, 0..4))
        .prop_map(|(frequency, parts)| format!("FREQ={frequency};{}", parts.join(";")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_rule_is_too_strange_to_end(rule in any_rule(), all_day: bool) {
        let (start, end) = match all_day {
            true => ("2026-01-31", "2026-02-01"),
            false => ("2026-01-31T08:00:00.000Z", "2026-01-31T09:00:00.000Z"),
        };
        let series = event(start, end, BERLIN, &[&format!("RRULE:{rule}")]);
        let found = all(&series, "2026-01-01T00:00:00Z", "2036-01-01T00:00:00Z");
        prop_assert!(found.len() <= OCCURRENCES_MAX);
        let _ = (series.span_ms(), split(&series, at("2026-06-01T00:00:00Z")));
    }

    #[test]
    fn every_occurrence_is_at_the_same_time_of_the_clock(series in any_series()) {
        let zone = crate::zone::Zone::named(series.time_zone.as_deref().unwrap()).unwrap();
        let first = zone.local(at(series.start.as_deref().unwrap()));
        for (_, event) in all(&series, "2026-01-01T00:00:00Z", "2040-01-01T00:00:00Z") {
            let start = at(event.start.as_deref().unwrap());
            let shown = zone.local(start);
            // A reading that clocks skip is the one after the gap.
            let is_skipped = zone.moment(shown.date().to_datetime(first.time())) == start;
            prop_assert!(shown.time() == first.time() || is_skipped, "{first} {shown}");
        }
    }

    #[test]
    fn two_stretches_hold_what_one_holds(series in any_series(), days in 0_i64..500) {
        let middle = at("2026-01-01T00:00:00Z").plus_ms(days * 86_400_000).to_string();
        let (from, to) = ("2026-01-01T00:00:00Z", "2040-01-01T00:00:00Z");
        let mut parts = all(&series, from, &middle);
        // One that reaches over the border is in both.
        parts.extend(all(&series, &middle, to).into_iter().filter(|(_, event)| {
            event.start.as_deref() >= Some(middle.as_str())
        }));
        prop_assert_eq!(parts, all(&series, from, to));
    }

    #[test]
    fn a_span_holds_every_occurrence(series in any_series()) {
        let (start, end) = series.span_ms();
        for (key, event) in all(&series, "2026-01-01T00:00:00Z", "2040-01-01T00:00:00Z") {
            prop_assert!(start <= event.start.as_deref().map(|text| at(text).0));
            prop_assert!(end >= event.end.as_deref().map(|text| at(text).0));
            let (_, stamp) = split_key(&key).unwrap();
            prop_assert_eq!(occurrence_at(("m", &series), stamp), Some((key.clone(), event)));
        }
    }
}
