//! What Zoom holds: the meetings of its users, and how often they wrote today.

use std::collections::BTreeMap;
use std::sync::Mutex;

use serde_json::{Value, json};
use tidings_core::clock::{Clock, Timestamp};

use super::Problem;
use super::meeting::Meeting;
use crate::oauth::Person;
use crate::server::{Setup, lock};

const DAY_MS: i64 = 24 * 3_600_000;
/// A page token lives 15 minutes.
const PAGE_TOKEN_MS: i64 = 900_000;

/// How Zoom behaves.
#[derive(Clone, Debug)]
pub struct Switches {
    /// A series is listed once per occurrence.
    pub list_occurrences: bool,
    /// No page is longer, whatever is asked for.
    pub page_max: usize,
    /// Creates and updates of one user's meetings a day (UTC) through the API.
    pub daily_writes: u32,
    /// `meeting.updated` names the host. Zoom does not promise it.
    pub updates_name_host: bool,
}

/// The state; shared by API and tests.
#[derive(Debug)]
pub(super) struct World {
    clock: Clock,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    meetings: BTreeMap<u64, Meeting>,
    last_id: u64,
    uuids: u64,
    /// (user, day) -> writes.
    writes: BTreeMap<(String, i64), u32>,
    switches: Switches,
}

/// Something that happened to a meeting, for pushes to tell.
pub(super) struct Made {
    pub(super) id: u64,
    pub(super) event: &'static str,
    pub(super) host: Person,
    /// Whether one occurrence was meant.
    pub(super) single: bool,
    /// The meeting before, of an update.
    pub(super) old: Option<Value>,
    /// The meeting after.
    pub(super) new: Value,
    /// Occurrences that were deleted alone.
    pub(super) occurrences: Option<Value>,
}

impl World {
    pub(super) fn new(setup: &Setup) -> Self {
        let switches = Switches {
            list_occurrences: true,
            page_max: 300,
            daily_writes: 100,
            updates_name_host: false,
        };
        let state = State {
            meetings: BTreeMap::new(),
            last_id: 81_000_000_000,
            uuids: 0,
            writes: BTreeMap::new(),
            switches,
        };
        Self { clock: setup.clock.clone(), state: Mutex::new(state) }
    }

    pub(super) fn switches(&self, change: impl FnOnce(&mut Switches)) {
        change(&mut lock(&self.state).switches);
    }

    pub(super) fn updates_name_host(&self) -> bool {
        lock(&self.state).switches.updates_name_host
    }

    pub(super) fn create(&self, host: &Person, body: &Value) -> Result<Made, Problem> {
        let mut state = lock(&self.state);
        let now = self.clock.now();
        let (id, uuid) = (state.last_id + 1, state.uuid());
        let mut meeting = Meeting::new(id, uuid, host, now);
        meeting.apply(body)?;
        state.last_id = id;
        let new = meeting.told(now);
        state.meetings.insert(id, meeting);
        Ok(made("meeting.created", id, host, new))
    }

    pub(super) fn update(
        &self,
        id: u64,
        occurrence: Option<&str>,
        body: &Value,
    ) -> Result<Made, Problem> {
        let mut state = lock(&self.state);
        let now = self.clock.now();
        let meeting = state.live(id)?;
        let mut changed = meeting.clone();
        match occurrence {
            Some(occurrence) => changed.apply_to(occurrence, body)?,
            None => changed.apply(body)?,
        }
        let old = Some(meeting.told(now));
        let (host, new) = (meeting.host.clone(), changed.told(now));
        *meeting = changed;
        let single = occurrence.is_some();
        Ok(Made { single, old, ..made("meeting.updated", id, &host, new) })
    }

    pub(super) fn delete(&self, id: u64, occurrence: Option<&str>) -> Result<Made, Problem> {
        let mut state = lock(&self.state);
        let now = self.clock.now();
        let meeting = state.live(id)?;
        match occurrence {
            Some(occurrence) => meeting.delete_one(occurrence)?,
            None => meeting.deleted = true,
        }
        let (host, new) = (meeting.host.clone(), meeting.told(now));
        let occurrences = occurrence.map(|id| {
            let start = new["occurrences"].as_array().into_iter().flatten();
            let start = start.filter(|one| one["occurrence_id"] == id);
            let said =
                |one: &Value| json!({ "occurrence_id": id, "start_time": one["start_time"] });
            start.map(said).collect()
        });
        let single = occurrence.is_some();
        Ok(Made { single, occurrences, ..made("meeting.deleted", id, &host, new) })
    }

    pub(super) fn recover(&self, id: u64) -> Result<Made, Problem> {
        let mut state = lock(&self.state);
        let now = self.clock.now();
        let trashed = state.meetings.get_mut(&id).filter(|meeting| meeting.deleted);
        let meeting = trashed.ok_or_else(|| Problem::no_meeting(id))?;
        meeting.deleted = false;
        Ok(made("meeting.recovered", id, &meeting.host.clone(), meeting.told(now)))
    }

    pub(super) fn purge(&self, id: u64) -> Result<Made, Problem> {
        let mut state = lock(&self.state);
        let trashed = state.meetings.get(&id).filter(|meeting| meeting.deleted);
        let meeting = trashed.cloned().ok_or_else(|| Problem::no_meeting(id))?;
        state.meetings.remove(&id);
        let new = meeting.told(self.clock.now());
        Ok(made("meeting.permanently_deleted", id, &meeting.host, new))
    }

    pub(super) fn begin(&self, id: u64) -> Result<(), Problem> {
        let mut state = lock(&self.state);
        let uuid = state.uuid();
        let meeting = state.live(id)?;
        meeting.status = "started";
        meeting.uuid = uuid;
        Ok(())
    }

    /// `GET /meetings/{id}`.
    pub(super) fn read(&self, id: u64, host: &Person, previous: bool) -> Result<Value, Problem> {
        let mut state = lock(&self.state);
        let meeting = state.live_of(id, host)?;
        Ok(meeting.full(previous, self.clock.now()))
    }

    /// Whether the meeting is there and this user's.
    pub(super) fn owned(&self, id: u64, host: &Person) -> Result<(), Problem> {
        lock(&self.state).live_of(id, host).map(|_| ())
    }

    /// Counts one write of today; the limit of the day, once it is reached.
    pub(super) fn count_write(&self, host: &Person) -> Result<(), (u32, Timestamp)> {
        let mut state = lock(&self.state);
        let day = self.clock.now().0.div_euclid(DAY_MS);
        let limit = state.switches.daily_writes;
        let writes = state.writes.entry((host.id.clone(), day)).or_default();
        if *writes >= limit {
            return Err((limit, Timestamp((day + 1) * DAY_MS)));
        }
        *writes += 1;
        Ok(())
    }

    /// A page of what is upcoming, and how to go on. Tokens say where and until when, and whose.
    pub(super) fn page(
        &self,
        host: &Person,
        size: usize,
        token: Option<&str>,
    ) -> Result<Value, Problem> {
        let state = lock(&self.state);
        let now = self.clock.now();
        let from = match token {
            None => 0,
            Some(token) => place(token, host, now).ok_or_else(|| {
                Problem::invalid("The next page token is either invalid or expired.")
            })?,
        };
        let switches = &state.switches;
        let upcoming = state.of(host).filter(|meeting| meeting.is_upcoming(now));
        let mut entries: Vec<_> =
            upcoming.flat_map(|meeting| meeting.listed(switches.list_occurrences, now)).collect();
        entries.sort_by_key(|(start, _)| *start);
        let size = size.min(switches.page_max).max(1);
        let to = (from + size).min(entries.len());
        let more = to < entries.len();
        let next = more.then(|| format!("{}~{to}~{}", host.id, now.plus_ms(PAGE_TOKEN_MS).0));
        let shown = entries.get(from..to).unwrap_or_default();
        Ok(json!({
            "page_size": size,
            "total_records": entries.len(),
            "next_page_token": next.unwrap_or_default(),
            "meetings": shown.iter().map(|(_, entry)| entry).collect::<Vec<_>>(),
        }))
    }

    pub(super) fn truth(&self, host: &Person) -> Vec<Value> {
        let state = lock(&self.state);
        let now = self.clock.now();
        let upcoming = state.of(host).filter(|meeting| meeting.is_upcoming(now));
        let events = upcoming.filter(|meeting| matches!(meeting.kind, 2 | 3 | 8));
        events.map(|meeting| meeting.full(true, now)).collect()
    }

    pub(super) fn meeting(&self, id: u64) -> Option<Value> {
        let mut state = lock(&self.state);
        state.live(id).ok().map(|meeting| meeting.full(true, self.clock.now()))
    }
}

impl State {
    fn uuid(&mut self) -> String {
        self.uuids += 1;
        format!("uuid/{}==", self.uuids)
    }

    fn live(&mut self, id: u64) -> Result<&mut Meeting, Problem> {
        let found = self.meetings.get_mut(&id).filter(|meeting| !meeting.deleted);
        found.ok_or_else(|| Problem::no_meeting(id))
    }

    fn live_of(&mut self, id: u64, host: &Person) -> Result<&mut Meeting, Problem> {
        self.live(id).ok().filter(|meeting| meeting.host == *host).ok_or(Problem::no_meeting(id))
    }

    fn of<'a>(&'a self, host: &'a Person) -> impl Iterator<Item = &'a Meeting> {
        self.meetings.values().filter(move |meeting| meeting.host == *host && !meeting.deleted)
    }
}

fn made(event: &'static str, id: u64, host: &Person, new: Value) -> Made {
    let host = host.clone();
    Made { id, event, host, single: false, old: None, new, occurrences: None }
}

fn place(token: &str, host: &Person, now: Timestamp) -> Option<usize> {
    let mut parts = token.split('~');
    let (user, at, until) = (parts.next()?, parts.next()?, parts.next()?);
    let until: i64 = until.parse().ok()?;
    at.parse().ok().filter(|_| user == host.id && now.0 < until)
}
