use tidings_core::id::{Bits96, CollectionId};

use super::*;

fn event(id: &str, series: Option<&str>, body: &Value) -> CalendarEvent {
    CalendarEvent {
        id: id.into(),
        calendar: CollectionId(Bits96::new(1)),
        series: series.map(Into::into),
        recurrence_id: None,
        etag: "\"1\"".into(),
        event: body.to_string().into(),
    }
}

#[test]
fn an_occurrence_is_its_series_moved() {
    let body = |all_day: bool| {
        let (start, end) = match all_day {
            true => ("2026-12-03", "2026-12-04"),
            false => ("2026-12-03T08:00:00.000Z", "2026-12-03T09:00:00.000Z"),
        };
        json!({ "title": "T", "start": start, "end": end, "recurrenceId": start,
                "allDay": all_day, "timeZone": "Europe/Berlin", "original": null })
    };
    let master = |own: Value| event("m", None, &json!({ "original": own }));
    let occurrence = event("m#20261203T080000Z", Some("m"), &body(false));
    let google = master(json!({ "id": "m", "summary": "T", "recurrence": ["RRULE:FREQ=DAILY"] }));
    let shown = Shown::of(Provider::Google, &occurrence, Some(&google));
    let at = |time: &str| json!({ "dateTime": time, "timeZone": "Europe/Berlin" });
    assert_eq!(
        shown.object,
        json!({
            "id": "m_20261203T080000Z", "summary": "T", "recurringEventId": "m",
            "start": at("2026-12-03T08:00:00.000Z"), "end": at("2026-12-03T09:00:00.000Z"),
            "originalStartTime": at("2026-12-03T08:00:00.000Z"),
        })
    );
    let graph = master(json!({ "id": "m", "subject": "T", "type": "seriesMaster",
                               "recurrence": { "pattern": {} } }));
    let shown = Shown::of(Provider::Microsoft, &occurrence, Some(&graph));
    let at = |time: &str| json!({ "dateTime": time, "timeZone": "UTC" });
    assert_eq!(
        shown.object,
        json!({
            "id": "m#20261203T080000Z", "subject": "T", "type": "occurrence", "recurrence": null,
            "seriesMasterId": "m", "start": at("2026-12-03T08:00:00.0000000"),
            "end": at("2026-12-03T09:00:00.0000000"),
        })
    );
    let day = event("m#20261203", Some("m"), &body(true));
    let shown = Shown::of(Provider::Google, &day, Some(&google));
    assert_eq!(shown.object["start"], json!({ "date": "2026-12-03" }));
    assert_eq!(shown.object["id"], "m_20261203");
}

#[test]
fn ids_of_occurrences_read_both_ways() {
    for (public, internal) in [
        ("m_20261203T080000Z", Some("m#20261203T080000Z")),
        ("m_R20260101T080000_20261203", Some("m_R20260101T080000#20261203")),
        ("m_n", None),
        ("plain", None),
    ] {
        assert_eq!(occurrence_id(Provider::Google, public).as_deref(), internal, "{public}");
        if let Some(internal) = internal {
            assert_eq!(public_id(Provider::Google, internal), public);
        }
    }
    assert_eq!(occurrence_id(Provider::Microsoft, "m_20261203"), None);
}
