//! A series whole: its master and its exceptions. A delta shows occurrences without content and may not
//! report a deleted one at all, so whatever is told about a series leads here.

use jiff::civil;
use serde::Deserialize;
use serde_json::{Value, json};
use tidings_core::clock::Timestamp;

use super::error::read;
use super::events::{object, properties_expansion};
use super::preferring;
use super::time::{DAY_S, local, wall, zone};
use crate::error::ProviderError;
use crate::event::{Event, Original};
use crate::http::{Request, Response, below};
use crate::icalendar::time::Time;
use crate::item::Item;
use crate::occurrences;
use crate::settings::MicrosoftSettings;
use crate::zone::{Zone, wall_seconds};

/// All that a master has to say. `cancelledOccurrences` and `exceptionOccurrences` come only when named,
/// and then everything else must be named, too.
const FIELDS: &str = "id,type,seriesMasterId,changeKey,iCalUId,subject,body,start,end,isAllDay,\
    originalStartTimeZone,originalEndTimeZone,originalStart,location,locations,attendees,organizer,\
    isOrganizer,isCancelled,isDraft,showAs,sensitivity,importance,categories,recurrence,onlineMeeting,\
    onlineMeetingUrl,isOnlineMeeting,onlineMeetingProvider,responseStatus,responseRequested,webLink,\
    isReminderOn,reminderMinutesBeforeStart,hideAttendees,allowNewTimeProposals,hasAttachments,\
    transactionId,createdDateTime,lastModifiedDateTime,cancelledOccurrences,exceptionOccurrences";

/// A series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Series {
    /// Its master, with our properties.
    pub master: Item,
    /// Its exceptions, without our properties. `None` when the answer does not tell: ask
    /// [`instances_request`].
    pub exceptions: Option<Vec<Item>>,
    /// Its cancelled occurrences, as exceptions that say so: Graph has no event for them, and their
    /// keys are of our making.
    pub cancelled: Vec<Item>,
}

/// Some instances of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instances {
    /// All of them, also ordinary occurrences.
    pub instances: Vec<Instance>,
    /// The exceptions among them.
    pub exceptions: Vec<Item>,
    /// Where the next page is; see [`super::follow`].
    pub next: Option<String>,
}

/// One instance of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its id, by which it can be changed alone.
    pub id: String,
    /// The moment that the series has it at, as in [`Item::recurrence_id`].
    pub recurrence_id: String,
    /// The same moment; of an all-day series the first of the day in UTC.
    pub starts_at: Timestamp,
}

#[derive(Deserialize)]
struct Page {
    value: Vec<Value>,
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
}

/// Asks for a series by its master's id.
pub fn request(settings: &MicrosoftSettings, master: &str) -> Request {
    let mut url = below(&settings.api, &["me", "events", master]);
    let expand = format!("exceptionOccurrences,{}", properties_expansion());
    url.query_pairs_mut().append_pair("$select", FIELDS).append_pair("$expand", &expand);
    preferring(Request::get(url))
}

/// Reads the answer to [`request`].
///
/// # Errors
/// [`ProviderError::Gone`] when the series is not there; others: see [`ProviderError`].
pub fn parse(response: &Response) -> Result<Series, ProviderError> {
    let value: Value = read(response, "reading a series")?;
    let exceptions = value.get("exceptionOccurrences").and_then(Value::as_array).cloned();
    let master = object(&value).ok_or_else(|| {
        ProviderError::retry("reading a series: microsoft graph's answer has no id")
    })?;
    let cancelled = value.get("cancelledOccurrences").and_then(Value::as_array).cloned();
    let cancelled = cancelled.unwrap_or_default();
    let master = master.item(value);
    let cancelled = cancelled.iter().filter_map(|id| cancelled_one(&master, id.as_str()?));
    Ok(Series {
        exceptions: exceptions.map(|exceptions| exceptions_of(&exceptions)),
        cancelled: cancelled.collect(),
        master,
    })
}

/// The cancelled occurrence that Graph calls `OID.{master}.{2026-12-09}`: that day by the clock of the
/// series.
fn cancelled_one(master: &Item, id: &str) -> Option<Item> {
    let day = wall(&format!("{}T00:00:00", id.rsplit('.').next()?))?;
    let series = &master.event;
    let replaces = if series.all_day {
        Time::Date(day.div_euclid(DAY_S))
    } else {
        let start = series.start.as_deref().and_then(Timestamp::parse)?;
        let zone = series.time_zone.as_deref().and_then(zone).unwrap_or(Zone::UTC);
        let time_of_day = local(start.unix_seconds(), zone).rem_euclid(DAY_S);
        Time::Moment(zone.moment_of(day + time_of_day))
    };
    let told = Some(replaces.to_string());
    let event = Event {
        start: told.clone(),
        end: told.clone(),
        recurrence_id: told,
        recurring_event_id: Some(master.key.clone()),
        recurrence: None,
        status: Some("cancelled".into()),
        original: Original::Object(json!({ "occurrenceId": id })),
        ..series.clone()
    };
    Some(Item {
        key: occurrences::key(&master.key, &replaces.compact()),
        resource: master.key.clone(),
        etag: String::new(),
        // There is nothing more to say about it, whatever becomes of its series.
        version: "cancelled".into(),
        series: Some(master.key.clone()),
        recurrence_id: Some(replaces.compact()),
        event,
    })
}

/// The moment of an [`Item::recurrence_id`]; of an all-day series the first of the day in UTC.
pub fn moment_of(recurrence_id: &str) -> Option<Timestamp> {
    let digits: String = recurrence_id.chars().filter(char::is_ascii_digit).collect();
    let text = format!("{digits:0<14}");
    let at = civil::DateTime::strptime("%Y%m%d%H%M%S", &text).ok()?;
    Some(Timestamp(wall_seconds(at).saturating_mul(1_000)))
}

/// Asks for the instances of a series that overlap a stretch of time.
pub fn instances_request(
    settings: &MicrosoftSettings,
    master: &str,
    from: Timestamp,
    to: Timestamp,
) -> Request {
    let mut url = below(&settings.api, &["me", "events", master, "instances"]);
    url.query_pairs_mut()
        .append_pair("startDateTime", &from.to_string())
        .append_pair("endDateTime", &to.to_string());
    preferring(Request::get(url))
}

/// Reads a page of instances.
///
/// # Errors
/// [`ProviderError::Gone`] when the series is not there; others: see [`ProviderError`].
pub fn parse_instances(response: &Response) -> Result<Instances, ProviderError> {
    let page: Page = read(response, "reading the instances of a series")?;
    let instances = page.value.iter().filter_map(|value| {
        let object = object(value)?;
        let replaces = object.replaces()?;
        Some(Instance {
            recurrence_id: replaces.compact(),
            starts_at: match replaces {
                Time::Date(day) => Timestamp(day.saturating_mul(DAY_S * 1_000)),
                Time::Moment(at) => Timestamp(at.saturating_mul(1_000)),
            },
            id: object.id,
        })
    });
    Ok(Instances {
        instances: instances.collect(),
        exceptions: exceptions_of(&page.value),
        next: page.next,
    })
}

fn exceptions_of(values: &[Value]) -> Vec<Item> {
    let items = values.iter().filter_map(|value| {
        let object = object(value)?;
        object.is_exception().then(|| object.item(value.clone()))
    });
    items.collect()
}

#[cfg(test)]
mod tests {
    use super::super::events::tests::event;
    use super::super::tests::settings;
    use super::*;
    use crate::http::answer;

    fn exception() -> Value {
        let mut exception = event();
        exception["id"] = "x1".into();
        exception["type"] = "exception".into();
        exception["seriesMasterId"] = "m1".into();
        exception["originalStart"] = "2026-12-09T08:00:00Z".into();
        exception
    }

    fn master() -> Value {
        let mut master = event();
        master["id"] = "m1".into();
        master["type"] = "seriesMaster".into();
        master["recurrence"] = json!({
            "pattern": { "type": "weekly", "interval": 1, "daysOfWeek": ["wednesday"],
                "firstDayOfWeek": "sunday" },
            "range": { "type": "noEnd", "startDate": "2026-12-02" },
        });
        master
    }

    #[test]
    fn a_series_is_read_whole_in_one_answer() {
        let request = request(&settings(), "m/1");
        let query: Vec<_> = request.url.query_pairs().collect();
        assert_eq!(request.url.path(), "/v1.0/me/events/m%2F1");
        assert!(query[0].1.contains(",cancelledOccurrences,") && query[0].1.contains(",body,"));
        assert!(query[1].1.starts_with("exceptionOccurrences,singleValueExtendedProperties("));
        let mut body = master();
        body["exceptionOccurrences"] = json!([exception()]);
        let series = parse(&answer(200, body.to_string())).unwrap();
        assert_eq!(series.master.event.recurrence.as_deref(), Some("FREQ=WEEKLY;BYDAY=WE;WKST=SU"));
        assert_eq!((series.master.series, series.master.resource.as_str()), (None, "m1"));
        let [exception] = series.exceptions.as_deref().unwrap() else { panic!("one exception") };
        assert_eq!(exception.series.as_deref(), Some("m1"));
        assert_eq!(exception.resource, "m1");
        assert_eq!(exception.recurrence_id.as_deref(), Some("20261209T080000Z"));
        assert_eq!(exception.event.recurrence_id.as_deref(), Some("2026-12-09T08:00:00.000Z"));
    }

    #[test]
    fn a_cancelled_occurrence_is_an_exception_that_says_so() {
        let read = |cancelled: Value| {
            let mut body = master();
            body["cancelledOccurrences"] = cancelled;
            parse(&answer(200, body.to_string())).unwrap()
        };
        let none = read(Value::Null);
        assert_eq!(none.cancelled, []);
        // 09:00 in Berlin, in winter and in summer.
        let two = read(json!(["OID.m1.2026-12-09", "OID.m1.2027-06-02", "nonsense", 1]));
        assert_eq!(two.master.version, none.master.version);
        let seen: Vec<_> = two
            .cancelled
            .iter()
            .map(|item| (item.key.as_str(), item.recurrence_id.as_deref().unwrap()))
            .collect();
        assert_eq!(
            seen,
            [
                ("m1#20261209T080000Z", "20261209T080000Z"),
                ("m1#20270602T070000Z", "20270602T070000Z"),
            ]
        );
        let event = &two.cancelled[0].event;
        assert_eq!(event.status.as_deref(), Some("cancelled"));
        assert_eq!(event.start.as_deref(), Some("2026-12-09T08:00:00.000Z"));
        assert_eq!(event.recurrence, None);
    }

    #[test]
    fn an_occurrence_is_named_by_its_moment() {
        for (stamp, expected) in [
            ("20261209T080000Z", Some("2026-12-09T08:00:00.000Z")),
            ("20261209", Some("2026-12-09T00:00:00.000Z")),
            ("soon", None),
        ] {
            assert_eq!(moment_of(stamp).map(|at| at.to_string()).as_deref(), expected, "{stamp}");
        }
    }

    #[test]
    fn a_server_that_does_not_expand_exceptions_is_asked_for_instances() {
        let series = parse(&answer(200, master().to_string())).unwrap();
        assert_eq!(series.exceptions, None);
        let page = json!({ "value": [
            { "id": "o1", "type": "occurrence", "seriesMasterId": "m1",
              "start": { "dateTime": "2026-12-02T08:00:00.0000000", "timeZone": "UTC" } },
            exception(),
            { "id": "broken" },
        ], "@odata.nextLink": "https://graph.microsoft.com/v1.0/next" });
        let page = parse_instances(&answer(200, page.to_string())).unwrap();
        let seen: Vec<_> =
            page.instances.iter().map(|i| (i.id.as_str(), i.recurrence_id.as_str())).collect();
        assert_eq!(seen, [("o1", "20261202T080000Z"), ("x1", "20261209T080000Z")]);
        assert_eq!(page.exceptions.len(), 1);
        assert!(page.next.is_some());
        let (from, to) = (Timestamp(0), Timestamp(1_000));
        let request = instances_request(&settings(), "m1", from, to);
        assert_eq!(
            request.url.as_str(),
            "https://graph.microsoft.com/v1.0/me/events/m1/instances\
             ?startDateTime=1970-01-01T00%3A00%3A00.000Z&endDateTime=1970-01-01T00%3A00%3A01.000Z"
        );
    }

    #[test]
    fn a_series_that_is_not_there_is_gone() {
        let error = parse(&answer(404, r#"{"error":{"code":"ErrorItemNotFound"}}"#)).unwrap_err();
        assert!(matches!(error, ProviderError::Gone { .. }));
    }
}
