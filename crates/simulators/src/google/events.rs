//! Reading events: list, get, instances.

use jiff::{Timestamp, ToSpan};
use serde_json::{Value, json};

use super::query::{Listing, Position, Query};
use super::refusal::{Outcome, Refusal};
use super::when::When;
use super::world::{Calendar, Resource, Role, Stored, World, etag};
use crate::oauth::Person;

/// A sync token forbids these beside it.
const NOT_WITH_TOKEN: &[&str] = &[
    "iCalUID",
    "orderBy",
    "privateExtendedProperty",
    "sharedExtendedProperty",
    "q",
    "timeMin",
    "timeMax",
    "updatedMin",
];
/// A listing with one of these yields no sync token.
const NO_TOKEN: &[&str] = &["orderBy", "q", "updatedMin"];
/// `updatedMin` may not lie further back.
const UPDATED_SINCE_DAYS: i64 = 28;
/// With `singleEvents`, a deleted series is told of this far from now.
const CANCELLED_DAYS: i64 = 183;

/// What of a calendar's events is asked for.
struct Wanted<'a> {
    query: &'a Query,
    deleted: bool,
    single: bool,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    updated_min: Option<Timestamp>,
    order: Option<&'a str>,
}

impl<'a> Wanted<'a> {
    fn read(query: &'a Query, now: Timestamp) -> Outcome<Self> {
        query.no_token_with(NOT_WITH_TOKEN)?;
        let token = query.text("syncToken").is_some();
        let show_deleted = query.flag("showDeleted")?;
        if token && show_deleted == Some(false) {
            return Err(Refusal::invalid("Sync token cannot be used with showDeleted=false."));
        }
        let updated_min = query.time("updatedMin")?;
        let long_ago = now.checked_sub((UPDATED_SINCE_DAYS * 24).hours()).unwrap_or(now);
        if updated_min.is_some_and(|min| min < long_ago) {
            let message = "The requested minimum modification time lies too far in the past.";
            return Err(Refusal::new(410, "updatedMinTooLongAgo", message));
        }
        let wanted = Self {
            query,
            deleted: show_deleted == Some(true) || token || updated_min.is_some(),
            single: query.flag("singleEvents")? == Some(true),
            from: query.time("timeMin")?,
            to: query.time("timeMax")?,
            updated_min,
            order: query.one_of("orderBy", &["startTime", "updated"])?,
        };
        if wanted.from.zip(wanted.to).is_some_and(|(from, to)| to <= from) {
            return Err(Refusal::new(400, "timeRangeEmpty", "The specified time range is empty."));
        }
        if wanted.order == Some("startTime") && !wanted.single {
            let message = "The requested ordering is not available for the particular query.";
            return Err(Refusal::invalid(message));
        }
        Ok(wanted)
    }

    /// Whether an event is in the answer, as far as deletion does not matter.
    fn takes(&self, calendar: &Calendar, stored: &Stored) -> bool {
        let resource = &stored.resource;
        let span = calendar.span(stored);
        let in_time = match span {
            Some((start, end)) => {
                self.to.is_none_or(|to| start < to)
                    && self.from.is_none_or(|from| end.is_none_or(|end| end > from))
            }
            None => true,
        };
        let updated = stored.text("updated").parse::<Timestamp>().ok();
        let recent = self.updated_min.is_none_or(|min| updated.is_some_and(|at| at >= min));
        let uid = self.query.text("iCalUID").is_none_or(|uid| stored.text("iCalUID") == uid);
        let words = self.query.text("q").map(str::to_lowercase);
        let found = words.is_none_or(|words| {
            let texts = ["summary", "description", "location"].map(|name| stored.text(name));
            texts.iter().any(|text| text.to_lowercase().contains(&words))
        });
        let has = |kind: &str, pair: &str| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let kind = resource.get("extendedProperties").and_then(|all| all.get(kind));
            kind.and_then(|kind| kind.get(name)).is_some_and(|found| found == value)
        };
        let private = self.query.all("privateExtendedProperty");
        let shared = self.query.all("sharedExtendedProperty");
        let properties = private.iter().all(|pair| has("private", pair))
            && shared.iter().all(|pair| has("shared", pair));
        let kinds = self.query.all("eventTypes");
        let kind = kinds.is_empty() || kinds.contains(&stored.text("eventType"));
        in_time && recent && uid && found && properties && kind
    }
}

impl World {
    /// `events.list`.
    pub(super) fn list_events(&self, person: &Person, id: &str, query: &Query) -> Outcome<Value> {
        let (calendar, role) = self.calendar(person, id)?;
        let now = Timestamp::from_millisecond(self.clock.now().0).unwrap_or_default();
        let wanted = Wanted::read(query, now)?;
        let size = query.page_size(250, 2_500.min(self.switches.page_max))?;
        let listing = Listing {
            query,
            of: format!("events {} {}", calendar.id, person.email),
            revision: self.revision,
            tokens_from: calendar.tokens_from,
        };
        let position = listing.position()?;
        let rows = self.rows(calendar, &wanted, &position, now);
        let (mut shown, last) = page(rows, wanted.order.is_some(), &position.after, size);
        if self.switches.stale_duplicates && !position.after.is_empty() {
            shown.extend(calendar.events.get(&position.after).and_then(|stored| {
                let before = stored.before.clone()?;
                Some(Stored { resource: before, revision: stored.revision, before: None })
            }));
        }
        let items: Vec<Value> =
            shown.iter().map(|stored| render(&stored.resource, person, role)).collect();
        let mut answer = json!({
            "kind": "calendar#events", "etag": etag(self.revision), "summary": calendar.summary,
            "updated": calendar.updated.to_string(), "timeZone": calendar.time_zone,
            "accessRole": role.as_str(), "defaultReminders": [], "items": items,
        });
        let has_token = NO_TOKEN.iter().all(|name| query.text(name).is_none());
        if let Some(after) = last {
            let next = Position { after, ..position };
            answer["nextPageToken"] = listing.page_token(&next).into();
        } else if has_token {
            answer["nextSyncToken"] = listing.sync_token(position.upto).into();
        }
        Ok(answer)
    }

    /// Every event of the answer, all pages together, in its order.
    fn rows(
        &self,
        calendar: &Calendar,
        wanted: &Wanted<'_>,
        position: &Position,
        now: Timestamp,
    ) -> Vec<Stored> {
        let master_lives = |stored: &Stored| {
            let master = stored.master().and_then(|master| calendar.events.get(master));
            master.is_some_and(|master| !master.is_cancelled())
        };
        let changed = calendar.events.values().filter(|stored| stored.revision > position.since);
        let changed = changed.filter(|stored| {
            !stored.is_cancelled() || wanted.deleted || (!wanted.single && master_lives(stored))
        });
        let mut rows: Vec<Stored> = match wanted.single {
            false => changed.cloned().collect(),
            true => changed.flat_map(|stored| expanded(calendar, stored, wanted, now)).collect(),
        };
        rows.retain(|stored| {
            let told = !wanted.single || wanted.deleted || !stored.is_cancelled();
            told && wanted.takes(calendar, stored)
        });
        match wanted.order {
            Some("updated") => rows.sort_by(|a, b| a.text("updated").cmp(b.text("updated"))),
            Some(_) => rows.sort_by_key(|stored| calendar.span(stored).map(|(start, _)| start)),
            None => rows.sort_by(|a, b| a.text("id").cmp(b.text("id"))),
        }
        rows.dedup_by(|a, b| a.text("id") == b.text("id"));
        rows
    }

    /// `events.get`.
    pub(super) fn get_event(&self, person: &Person, calendar: &str, id: &str) -> Outcome<Value> {
        let (calendar, role) = self.calendar(person, calendar)?;
        let stored = calendar.event(id).ok_or_else(Refusal::not_found)?;
        Ok(render(&stored.resource, person, role))
    }

    /// `events.instances`.
    pub(super) fn list_instances(
        &self,
        person: &Person,
        (calendar, id): (&str, &str),
        query: &Query,
    ) -> Outcome<Value> {
        let (calendar, role) = self.calendar(person, calendar)?;
        let now = Timestamp::from_millisecond(self.clock.now().0).unwrap_or_default();
        let wanted = Wanted::read(query, now)?;
        let size = query.page_size(250, 2_500.min(self.switches.page_max))?;
        let master = calendar.events.get(id).filter(|master| !master.is_cancelled());
        let master = master.ok_or_else(Refusal::not_found)?;
        let until = wanted.to.unwrap_or_else(|| Calendar::horizon(self.clock.now()));
        let mut rows = calendar.instances(master, until);
        rows.retain(|stored| wanted.takes(calendar, stored));
        rows.retain(|stored| wanted.deleted || !stored.is_cancelled());
        if let Some(original) = query.text("originalStart") {
            let at: Option<Timestamp> = original.parse().ok();
            rows.retain(|stored| {
                let start = stored.resource.get("originalStartTime");
                let start = When::read(start, "start", &calendar.time_zone).ok();
                start.is_some_and(|start| Some(start.instant(&calendar.time_zone)) == at)
            });
        }
        let listing = Listing {
            query,
            of: format!("instances {id} {}", person.email),
            revision: self.revision,
            tokens_from: 0,
        };
        let position = listing.position()?;
        let (shown, last) = page(rows, false, &position.after, size);
        let items: Vec<Value> =
            shown.iter().map(|stored| render(&stored.resource, person, role)).collect();
        let mut answer = json!({
            "kind": "calendar#events", "etag": etag(self.revision), "summary": calendar.summary,
            "updated": calendar.updated.to_string(), "timeZone": calendar.time_zone,
            "accessRole": role.as_str(), "defaultReminders": [], "items": items,
        });
        if let Some(after) = last {
            answer["nextPageToken"] = listing.page_token(&Position { after, ..position }).into();
        }
        Ok(answer)
    }
}

/// What a changed event is with `singleEvents`: itself, or its instances.
fn expanded(
    calendar: &Calendar,
    stored: &Stored,
    wanted: &Wanted<'_>,
    now: Timestamp,
) -> Vec<Stored> {
    if !stored.resource.contains_key("recurrence") {
        return vec![stored.clone()];
    }
    let millis = tidings_core::clock::Timestamp(now.as_millisecond());
    let until = wanted.to.unwrap_or_else(|| Calendar::horizon(millis));
    if !stored.is_cancelled() {
        return calendar.instances(stored, until);
    }
    let near = |hours: i64| now.checked_add(hours.hours()).unwrap_or(now);
    let (from, to) = (near(-CANCELLED_DAYS * 24), near(CANCELLED_DAYS * 24));
    let mut instances = calendar.instances(stored, to);
    instances.retain(|one| calendar.span(one).is_some_and(|(start, _)| start >= from));
    instances
}

/// The rows of one page and, if there are more, what the next begins after.
fn page(
    rows: Vec<Stored>,
    by_place: bool,
    after: &str,
    size: usize,
) -> (Vec<Stored>, Option<String>) {
    let place = if by_place { after.parse().unwrap_or(0) } else { 0 };
    let rest = rows.into_iter().skip(place);
    let mut rest = rest.filter(|stored| by_place || stored.text("id") > after);
    let shown: Vec<Stored> = rest.by_ref().take(size).collect();
    let more = rest.next().is_some();
    let last = match by_place {
        true => (place + shown.len()).to_string(),
        false => shown.last().map(|stored| stored.text("id").to_owned()).unwrap_or_default(),
    };
    (shown, more.then_some(last))
}

/// An event as somebody sees it. A deleted one says nothing that is not promised.
pub(super) fn render(resource: &Resource, person: &Person, role: Role) -> Value {
    let cancelled = resource.get("status").is_some_and(|status| status == "cancelled");
    let mut seen = resource.clone();
    if cancelled {
        let promised = ["id", "status", "recurringEventId", "originalStartTime", "kind", "etag"];
        seen.retain(|name, _| promised.contains(&name.as_str()));
        return Value::Object(seen);
    }
    if role == Role::FreeBusyReader {
        let times =
            ["id", "status", "start", "end", "kind", "etag", "recurringEventId", "recurrence"];
        seen.retain(|name, _| times.contains(&name.as_str()));
    }
    for name in ["creator", "organizer"] {
        if let Some(Value::Object(who)) = seen.get_mut(name)
            && who.get("email").is_some_and(|email| *email == person.email)
        {
            who.insert("self".into(), true.into());
        }
    }
    Value::Object(seen)
}
