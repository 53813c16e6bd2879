//! A meeting and its three faces: as it is read, as it is listed, as pushes tell it.

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};
use tidings_core::clock::Timestamp;

use super::Problem;
use super::occurrence::{Occurrence, moment, occurrences, utc};
use crate::oauth::Person;

pub(super) const SERIES: u64 = 8;

/// A meeting.
#[derive(Clone, Debug)]
pub(super) struct Meeting {
    pub(super) id: u64,
    pub(super) uuid: String,
    pub(super) host: Person,
    pub(super) kind: u64,
    topic: String,
    agenda: String,
    start: Option<Timestamp>,
    duration: i64,
    timezone: String,
    recurrence: Value,
    occurrences: Vec<Occurrence>,
    settings: Value,
    pub(super) status: &'static str,
    created_at: Timestamp,
    /// In the trash, from where it can be recovered.
    pub(super) deleted: bool,
}

impl Meeting {
    pub(super) fn new(id: u64, uuid: String, host: &Person, now: Timestamp) -> Self {
        Self {
            id,
            uuid,
            host: host.clone(),
            kind: 2,
            topic: "Zoom Meeting".into(),
            agenda: String::new(),
            start: None,
            duration: 60,
            timezone: "UTC".into(),
            recurrence: Value::Null,
            occurrences: Vec::new(),
            settings: json!({
                "host_video": false, "join_before_host": false, "use_pmi": false,
                "alternative_hosts": "", "private_meeting": false, "meeting_invitees": [],
                "global_dial_in_numbers": [{ "country": "DE", "number": "+49 69 1" }],
            }),
            status: "waiting",
            created_at: now,
            deleted: false,
        }
    }

    /// Takes the members that are there.
    pub(super) fn apply(&mut self, changes: &Value) -> Result<(), Problem> {
        let text = |name: &str| changes.get(name).and_then(Value::as_str);
        if let Some(kind) = changes.get("type").and_then(Value::as_u64) {
            self.kind = kind;
        }
        if let Some(topic) = text("topic") {
            self.topic = topic.to_owned();
        }
        if let Some(agenda) = text("agenda") {
            self.agenda = agenda.to_owned();
        }
        if let Some(timezone) = text("timezone") {
            TimeZone::get(timezone).map_err(|_| Problem::invalid("Invalid timezone."))?;
            self.timezone = timezone.to_owned();
        }
        if let Some(start) = text("start_time") {
            let start = moment(start, &self.zone());
            self.start = Some(start.ok_or_else(|| Problem::invalid("Invalid start_time."))?);
        }
        if let Some(duration) = changes.get("duration") {
            let minutes = duration.as_i64().filter(|minutes| (1..=1_440).contains(minutes));
            self.duration = minutes.ok_or_else(|| Problem::invalid("Invalid duration."))?;
        }
        if let Some(recurrence) = changes.get("recurrence") {
            self.recurrence = recurrence.clone();
        }
        if let Some(settings) = changes.get("settings").and_then(Value::as_object) {
            for (name, value) in settings {
                self.settings[name] = value.clone();
            }
        }
        let again = ["type", "start_time", "timezone", "duration", "recurrence"];
        if again.iter().any(|name| changes.get(name).is_some()) {
            self.schedule()?;
        }
        Ok(())
    }

    /// Makes the occurrences anew: what was special about one is lost, as at Zoom.
    fn schedule(&mut self) -> Result<(), Problem> {
        self.occurrences.clear();
        if self.kind != SERIES {
            self.recurrence = Value::Null;
            return Ok(());
        }
        let start = self.start.ok_or_else(|| Problem::invalid("start_time is required."))?;
        let made = occurrences(&self.recurrence, start, self.duration, &self.zone());
        self.occurrences = made
            .filter(|made| !made.is_empty())
            .ok_or_else(|| Problem::invalid("Invalid recurrence."))?;
        Ok(())
    }

    /// Changes one occurrence. Only times can be its own; Zoom takes an agenda and does not show it here.
    pub(super) fn apply_to(&mut self, occurrence: &str, changes: &Value) -> Result<(), Problem> {
        let zone = match changes.get("timezone").and_then(Value::as_str) {
            Some(name) => TimeZone::get(name).map_err(|_| Problem::invalid("Invalid timezone."))?,
            None => self.zone(),
        };
        let one = self.occurrence(occurrence)?;
        if let Some(start) = changes.get("start_time").and_then(Value::as_str) {
            one.start =
                moment(start, &zone).ok_or_else(|| Problem::invalid("Invalid start_time."))?;
        }
        if let Some(minutes) = changes.get("duration").and_then(Value::as_i64) {
            one.duration = minutes;
        }
        Ok(())
    }

    pub(super) fn delete_one(&mut self, occurrence: &str) -> Result<(), Problem> {
        self.occurrence(occurrence)?.deleted = true;
        Ok(())
    }

    fn occurrence(&mut self, id: &str) -> Result<&mut Occurrence, Problem> {
        let found = self.occurrences.iter_mut().find(|one| one.id == id && !one.deleted);
        found.ok_or(Problem { status: 404, code: 3001, message: "Occurrence not found.".into() })
    }

    /// As `GET /meetings/{id}` answers.
    pub(super) fn full(&self, previous: bool, now: Timestamp) -> Value {
        let mut document = self.brief(now);
        document["uuid"] = self.uuid.as_str().into();
        document["agenda"] = self.agenda.as_str().into();
        document["host_email"] = self.host.email.as_str().into();
        document["status"] = self.status.into();
        document["settings"] = self.settings.clone();
        // Another one at each look, good for whoever has it.
        document["start_url"] =
            format!("https://zoom.us/s/{}?zak={}-{}", self.id, self.uuid, now.0).into();
        if self.kind == SERIES {
            document["recurrence"] = self.recurrence.clone();
            let shown = self.occurrences.iter().filter(|one| previous || one.ends_at() > now);
            document["occurrences"] = shown.map(Occurrence::document).collect();
        }
        document
    }

    /// As the listing of what is upcoming has it: a series once per occurrence, or once.
    pub(super) fn listed(&self, each: bool, now: Timestamp) -> Vec<(Timestamp, Value)> {
        let brief = self.brief(now);
        if self.kind != SERIES {
            return vec![(self.start.unwrap_or(Timestamp(0)), brief)];
        }
        let coming = self.occurrences.iter().filter(|one| !one.deleted && one.ends_at() > now);
        let entries = coming.map(|one| {
            let mut entry = brief.clone();
            entry["start_time"] = utc(one.start).into();
            entry["duration"] = one.duration.into();
            (one.start, entry)
        });
        entries.take(if each { usize::MAX } else { 1 }).collect()
    }

    /// The members that every answer has.
    fn brief(&self, now: Timestamp) -> Value {
        let mut document = json!({
            "uuid": self.uuid,
            "id": self.id,
            "host_id": self.host.id,
            "topic": self.topic,
            "type": self.kind,
            "duration": self.duration,
            "timezone": self.timezone,
            "created_at": utc(self.created_at),
            "join_url": format!("https://zoom.us/j/{}?pwd=secret", self.id),
        });
        // Of a series, the next one's: it moves on by itself.
        let next = self.occurrences.iter().find(|one| !one.deleted && one.ends_at() > now);
        if let Some(start) = next.map(|one| one.start).or(self.start) {
            document["start_time"] = utc(start).into();
        }
        document
    }

    /// As pushes have it: what Zoom's types for them know, of which an update tells what differs.
    pub(super) fn told(&self, now: Timestamp) -> Value {
        let full = self.full(true, now);
        let members = [
            "uuid",
            "id",
            "host_id",
            "topic",
            "type",
            "start_time",
            "duration",
            "timezone",
            "join_url",
            "agenda",
            "occurrences",
            "recurrence",
        ];
        let known = members.iter().filter_map(|name| Some((*name, full.get(*name)?)));
        let mut told: Map<String, Value> =
            known.map(|(name, value)| (name.to_owned(), value.clone())).collect();
        let settings = ["use_pmi", "alternative_hosts", "meeting_invitees"];
        let settings = settings.map(|name| (name.to_owned(), self.settings[name].clone()));
        told.insert("settings".into(), Value::Object(settings.into_iter().collect()));
        Value::Object(told)
    }

    /// Whether the listing of what is upcoming is about it.
    pub(super) fn is_upcoming(&self, now: Timestamp) -> bool {
        /// Zoom looks no further: 6 months.
        const AHEAD_MS: i64 = 184 * 24 * 3_600_000;
        let horizon = now.plus_ms(AHEAD_MS);
        let length = self.duration * 60_000;
        match (self.kind, self.start) {
            (3, _) => true,
            (SERIES, _) => {
                let mut left = self.occurrences.iter().filter(|one| !one.deleted);
                left.any(|one| one.ends_at() > now && one.start <= horizon)
            }
            (_, Some(start)) => start.plus_ms(length) > now && start <= horizon,
            (_, None) => false,
        }
    }

    fn zone(&self) -> TimeZone {
        TimeZone::get(&self.timezone).unwrap_or(TimeZone::UTC)
    }
}
