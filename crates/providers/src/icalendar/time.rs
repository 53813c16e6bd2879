//! Times of an iCalendar object as moments in UTC.

use calcard::common::PartialDateTime;
use calcard::common::timezone::Tz;
use calcard::icalendar::dates::CalendarExpand;
use calcard::icalendar::timezone::TzResolver;
use calcard::icalendar::{
    ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarEntry, ICalendarFrequency,
    ICalendarProperty, ICalendarValue,
};
use tidings_core::clock::Timestamp;
use tidings_core::limits::ICALENDAR_OBSERVANCES_MAX;

/// A DATE or DATE-TIME value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Time {
    /// Days since the Unix epoch.
    Date(i64),
    /// Seconds since the Unix epoch.
    Moment(i64),
}

const DAY_S: i64 = 86_400;

impl Time {
    pub(crate) fn plus_seconds(self, seconds: i64) -> Self {
        match self {
            Self::Date(day) => Self::Date(day.saturating_add(seconds.div_euclid(DAY_S))),
            Self::Moment(at) => Self::Moment(at.saturating_add(seconds)),
        }
    }

    pub(super) fn is_date(self) -> bool {
        matches!(self, Self::Date(_))
    }

    /// `20261202` or `20261202T090000Z`: one spelling for each moment, for keys.
    pub(crate) fn compact(self) -> String {
        let text: String = self.to_string().chars().filter(|c| !matches!(c, '-' | ':')).collect();
        text.replace(".000", "")
    }
}

/// `2026-12-02` or `2026-12-02T09:00:00.000Z`.
impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match *self {
            Self::Moment(at) => Timestamp(at.saturating_mul(1000)).fmt(f),
            Self::Date(day) => {
                let text = Timestamp(day.saturating_mul(DAY_S * 1000)).to_string();
                f.write_str(text.split('T').next().unwrap_or_default())
            }
        }
    }
}

/// The time zones of one calendar object.
pub(super) struct Zones<'a> {
    named: TzResolver<&'a str>,
    /// Zones whose name means nothing outside of the object: their own rules.
    own: Vec<(&'a str, Vec<Observance>)>,
}

/// A stretch of time with one offset from UTC.
struct Observance {
    /// Wall clock seconds of every beginning.
    onsets: Vec<i64>,
    offset_s: i64,
}

/// Beginnings of an observance that are looked at: yearly from 1601 (where some servers begin).
const ONSETS_MAX: usize = 1_000;

impl<'a> Zones<'a> {
    pub(super) fn of(calendar: &'a ICalendar) -> Self {
        let named = calendar.build_tz_resolver();
        let mut budget = ICALENDAR_OBSERVANCES_MAX;
        let own = calendar
            .timezones()
            .filter_map(|zone| {
                let name = zone.property(&ICalendarProperty::Tzid)?.values.first()?.as_text()?;
                let unknown = named.resolve(name).is_none();
                unknown.then(|| (name, observances(calendar, zone, &mut budget)))
            })
            .collect();
        Self { named, own }
    }

    /// The value of `entry`; `None` when it is not a time. A floating time, and a time in a zone
    /// that nothing defines, is read as UTC.
    pub(super) fn read(&self, entry: &ICalendarEntry) -> Option<Time> {
        let value = entry.values.first()?.as_partial_date_time()?;
        let wall = wall_seconds(value)?;
        if !value.has_time() {
            return Some(Time::Date(wall.div_euclid(DAY_S)));
        }
        if value.has_zone() {
            return value.to_timestamp().map(Time::Moment);
        }
        let Some(name) = entry.tz_id() else { return Some(Time::Moment(wall)) };
        if let Some((_, observances)) = self.own.iter().find(|(own, _)| *own == name) {
            return Some(Time::Moment(wall - offset_at(observances, wall)));
        }
        let zone = self.named.resolve(name).unwrap_or(Tz::UTC);
        Some(Time::Moment(moment(wall, zone).unwrap_or(wall)))
    }
}

/// The wall clock reading as seconds, whatever the zone.
fn wall_seconds(value: &PartialDateTime) -> Option<i64> {
    Some(value.to_date_time()?.date_time.and_utc().timestamp())
}

/// When the clocks of `zone` show `wall`. A reading that occurs twice or never is taken by the
/// offset before the clocks changed (RFC 5545 section 3.3.5).
fn moment(wall: i64, zone: Tz) -> Option<i64> {
    const BEFORE_S: i64 = 3 * 3600;
    let at = |wall| {
        let moment = PartialDateTime::from_naive_timestamp(wall).to_date_time_with_tz(zone)?;
        Some(moment.timestamp())
    };
    at(wall).or_else(|| at(wall - BEFORE_S).map(|moment| moment + BEFORE_S))
}

fn observances(
    calendar: &ICalendar,
    zone: &ICalendarComponent,
    budget: &mut usize,
) -> Vec<Observance> {
    let parts = zone.component_ids.iter().filter_map(|id| calendar.component_by_id(*id));
    let observances: Vec<_> = parts
        .take(*budget)
        .filter_map(|part| {
            let offset = part.property(&ICalendarProperty::Tzoffsetto)?.values.first()?;
            Some(Observance { offset_s: offset_seconds(offset)?, onsets: onsets(part) })
        })
        .collect();
    *budget -= observances.len();
    observances
}

fn offset_seconds(value: &ICalendarValue) -> Option<i64> {
    let offset = value.as_partial_date_time()?;
    let hours = i64::from(offset.tz_hour?);
    let seconds = hours * 3600 + i64::from(offset.tz_minute.unwrap_or(0)) * 60;
    Some(if offset.tz_minus { -seconds } else { seconds })
}

/// An observance recurs as an event does, so it is expanded as one. Rules that are not yearly are
/// no rules for clocks (and could keep us busy for long).
fn onsets(part: &ICalendarComponent) -> Vec<i64> {
    use ICalendarProperty::{Dtstart, Rdate, Rrule};
    let tells = |entry: &&ICalendarEntry| match (&entry.name, entry.values.first()) {
        (Rrule, Some(ICalendarValue::RecurrenceRule(rule))) => {
            rule.freq == ICalendarFrequency::Yearly
        }
        (Dtstart | Rdate, _) => true,
        _ => false,
    };
    let event = ICalendarComponent {
        component_type: ICalendarComponentType::VEvent,
        entries: part.entries.iter().filter(tells).cloned().collect(),
        component_ids: Vec::new(),
    };
    let CalendarExpand { events, .. } =
        ICalendar { components: vec![event] }.expand_dates(Tz::UTC, ONSETS_MAX);
    events.iter().map(|event| event.start.timestamp()).collect()
}

/// The offset of the observance that began last before `wall`; a guess when none did.
fn offset_at(observances: &[Observance], wall: i64) -> i64 {
    let last_onset = |o: &Observance| o.onsets.iter().copied().filter(|at| *at <= wall).max();
    let current = observances.iter().max_by_key(|o| last_onset(o));
    current.map_or(0, |observance| observance.offset_s)
}
