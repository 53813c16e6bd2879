//! The Google simulator as a peer.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};
use tidings_core::access::Hidden;
use tidings_core::clock::Clock;
use tidings_providers::oauth::Credential;
use tidings_providers::settings::{GoogleSettings, Settings};
use tidings_simulators::google::{CLIENT_ID, CLIENT_SECRET, Google, PERSON, refusal};
use tidings_simulators::server::Setup;

use crate::peer::{Edit, PUBLIC, Peer, Signed, Simulated, There, Truth};
use crate::watcher::Watcher;

/// What Tidings asks for at Google.
const SCOPES: [&str; 4] = [
    "openid",
    "email",
    "https://www.googleapis.com/auth/calendar.events",
    "https://www.googleapis.com/auth/calendar.calendarlist.readonly",
];

pub(crate) struct GooglePeer {
    google: Google,
    calendars: BTreeMap<&'static str, String>,
    events: BTreeMap<&'static str, String>,
    /// Cancelled days of series: an item of its own, by calendar and id.
    cancelled: BTreeSet<(String, String)>,
}

impl GooglePeer {
    fn add(&mut self, name: &'static str) {
        self.calendars.insert(name, self.google.create_calendar(PERSON, name));
    }

    fn create(&mut self, calendar: &str, name: &'static str, recurrence: &Value) {
        let event = json!({
            "summary": name, "recurrence": recurrence,
            "start": { "dateTime": "2026-12-02T09:00:00Z", "timeZone": "UTC" },
            "end": { "dateTime": "2026-12-02T10:00:00Z", "timeZone": "UTC" },
        });
        let made = self.google.create_event(&self.calendars[calendar], &event);
        self.events.insert(name, made["id"].as_str().unwrap().to_owned());
    }

    fn patch(&self, calendar: &str, id: &str, patch: &Value) {
        self.google.edit_event(&self.calendars[calendar], id, patch);
    }

    fn day(&self, name: &str, day: u8) -> String {
        format!("{}_202612{day:02}T090000Z", self.events[name])
    }
}

impl Peer for GooglePeer {
    const PROVIDER: &'static str = "google";
    const PUSHES_LISTS: bool = true;
    /// Its list does not tell; the whole list is read once a week.
    const RENAMES_MS: i64 = 7 * 24 * 3_600_000;

    async fn start(clock: &Clock) -> Self {
        let setup = Setup { clock: clock.clone(), ..Setup::default() };
        let google = Google::start(&setup).await.unwrap();
        google.switches(|switches| {
            switches.page_max = 3;
            switches.stale_duplicates = true;
        });
        let (calendars, events) = (BTreeMap::new(), BTreeMap::new());
        let mut peer = Self { google, calendars, events, cancelled: BTreeSet::new() };
        peer.add("work");
        peer.add("home");
        peer
    }

    fn settings(&self) -> Settings {
        let mut google = GoogleSettings::new(CLIENT_ID, CLIENT_SECRET);
        google.api = self.google.api_url();
        google.oauth.token_url = self.google.token_url();
        google.oauth.revoke_url = Some(self.google.revoke_url());
        let public_url = Some(PUBLIC.parse().unwrap());
        Settings { google: Some(google), public_url, ..Settings::default() }
    }

    fn sign_in(&self, clock: &Clock) -> Signed {
        let tokens = self.google.oauth().tokens_for(PERSON, &SCOPES);
        Signed { server_url: None, credential: credential(tokens, clock, &SCOPES) }
    }

    async fn edit(&mut self, edit: Edit) {
        match edit {
            Edit::AddCalendar(name) => self.add(name),
            Edit::RenameCalendar(calendar, name) => {
                self.google.rename_calendar(&self.calendars[calendar], name);
            }
            Edit::RemoveCalendar(calendar) => {
                self.google.delete_calendar(&self.calendars[calendar]);
            }
            Edit::Create(calendar, name) => self.create(calendar, name, &Value::Null),
            Edit::CreateSeries(calendar, name) => {
                self.create(calendar, name, &json!(["RRULE:FREQ=WEEKLY;COUNT=8"]));
            }
            Edit::Retitle(calendar, name, title) => {
                self.patch(calendar, &self.events[name], &json!({ "summary": title }));
            }
            Edit::Move(calendar, name, day) => {
                let at =
                    |hour: u8| json!({ "dateTime": format!("2026-12-{day:02}T{hour:02}:00:00Z") });
                let times = json!({ "start": at(9), "end": at(10) });
                self.patch(calendar, &self.events[name], &times);
            }
            Edit::Delete(calendar, name) => {
                self.google.delete_event(&self.calendars[calendar], &self.events[name]);
            }
            Edit::RetitleDay(calendar, name, day, title) => {
                self.patch(calendar, &self.day(name, day), &json!({ "summary": title }));
            }
            Edit::CancelDay(calendar, name, day) => {
                let (calendar, id) = (self.calendars[calendar].clone(), self.day(name, day));
                self.google.delete_event(&calendar, &id);
                self.cancelled.insert((calendar, id));
            }
        }
    }

    fn truth(&self) -> Truth {
        let mut truth =
            Truth { calendars: self.google.calendars_of(PERSON), events: BTreeMap::new() };
        for (calendar, events) in self.google.truth() {
            for (id, event) in &events {
                let there = There {
                    calendar: calendar.clone(),
                    title: event["summary"].as_str().map(str::to_owned),
                    rest: event["etag"].to_string(),
                };
                truth.events.insert(id.clone(), there);
            }
            for (of, id) in &self.cancelled {
                let series = id.split('_').next().unwrap();
                if *of == calendar && events.contains_key(series) {
                    let rest = "cancelled".to_owned();
                    let there = There { calendar: of.clone(), title: None, rest };
                    truth.events.insert(id.clone(), there);
                }
            }
        }
        truth
    }

    fn simulated(&self) -> Option<Simulated<'_>> {
        let google = &self.google;
        let throttled = refusal(403, "rateLimitExceeded", "Rate Limit Exceeded");
        Some(Simulated {
            pushes: google.pushes(),
            faults: google.faults(),
            oauth: google.oauth(),
            listing: "/events?",
            throttled: throttled.with("retry-after", "7"),
        })
    }

    async fn forget_cursors(&self, _watcher: &Watcher) {
        for calendar in self.calendars.values() {
            self.google.expire_sync_tokens(calendar);
        }
        self.google.expire_list_tokens(PERSON);
    }

    fn withdraw(&self) -> bool {
        self.google.oauth().withdraw(PERSON);
        true
    }
}

/// Tokens as an account keeps them.
pub(crate) fn credential(
    (access, refresh): (String, String),
    clock: &Clock,
    scopes: &[&str],
) -> Vec<u8> {
    let credential = Credential {
        access_token: Hidden::from(access),
        refresh_token: Some(Hidden::from(refresh)),
        expires_at_ms: clock.now().plus_ms(3_599_000).0,
        scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
    };
    credential.to_json()
}
