//! The Graph simulator as a peer, with its traps open.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tidings_core::clock::Clock;
use tidings_providers::settings::{MicrosoftSettings, Settings};
use tidings_simulators::graph::{ADA, CLIENT, Graph, Resync, throttled};
use tidings_simulators::server::Setup;

use crate::POLL_MS;
use crate::google::credential;
use crate::peer::{Edit, PUBLIC, Peer, Signed, Simulated, There, Truth};
use crate::watcher::Watcher;

pub(crate) struct GraphPeer {
    graph: Graph,
    calendars: BTreeMap<&'static str, String>,
    events: BTreeMap<&'static str, String>,
}

impl GraphPeer {
    fn create(&mut self, calendar: &str, name: &'static str, recurrence: Option<Value>) {
        let at = |hour: u8| json!({ "dateTime": format!("2026-12-02T{hour:02}:00:00"), "timeZone": "UTC" });
        let mut event = json!({ "subject": name, "start": at(9), "end": at(10) });
        if let Some(recurrence) = recurrence {
            event["recurrence"] = recurrence;
        }
        let id = self.graph.create_event(ADA, &self.calendars[calendar], event);
        self.events.insert(name, id);
    }

    fn day(&self, name: &str, day: u8) -> String {
        self.graph.occurrence(&self.events[name], &format!("2026-12-{day:02}"))
    }
}

impl Peer for GraphPeer {
    const PROVIDER: &'static str = "microsoft";
    const PUSHES_LISTS: bool = false;
    const RENAMES_MS: i64 = POLL_MS;

    async fn start(clock: &Clock) -> Self {
        let setup = Setup { clock: clock.clone(), ..Setup::default() };
        let graph = Graph::start(&setup).await.unwrap();
        graph.switches(|switches| {
            switches.max_page = 3;
            switches.hide_cancelled = true;
            switches.created_for_update = true;
            switches.noisy_saves = 2;
            switches.max_minutes = 4_230;
            switches.resync = Resync::Location;
        });
        graph.rename_calendar(ADA, &graph.default_calendar(ADA), "work");
        let work = graph.default_calendar(ADA);
        let home = graph.add_calendar(ADA, "home");
        let calendars = BTreeMap::from([("work", work), ("home", home)]);
        Self { graph, calendars, events: BTreeMap::new() }
    }

    fn settings(&self) -> Settings {
        let mut microsoft = MicrosoftSettings::new(CLIENT.0, CLIENT.1, "common");
        microsoft.api = self.graph.api();
        microsoft.oauth.token_url = self.graph.token_url("common");
        let public_url = Some(PUBLIC.parse().unwrap());
        Settings { microsoft: Some(microsoft), public_url, ..Settings::default() }
    }

    fn sign_in(&self, clock: &Clock) -> Signed {
        let scopes = ["offline_access", "User.Read", "Calendars.ReadWrite"];
        let credential = credential(self.graph.tokens_for(ADA), clock, &scopes);
        Signed { server_url: None, credential }
    }

    async fn edit(&mut self, edit: Edit) {
        match edit {
            Edit::AddCalendar(name) => {
                self.calendars.insert(name, self.graph.add_calendar(ADA, name));
            }
            Edit::RenameCalendar(calendar, name) => {
                self.graph.rename_calendar(ADA, &self.calendars[calendar], name);
            }
            Edit::RemoveCalendar(calendar) => {
                self.graph.remove_calendar(ADA, &self.calendars[calendar]);
            }
            Edit::Create(calendar, name) => self.create(calendar, name, None),
            Edit::CreateSeries(calendar, name) => {
                let weekly = json!({
                    "pattern": { "type": "weekly", "interval": 1, "daysOfWeek": ["wednesday"] },
                    "range": { "type": "numbered", "startDate": "2026-12-02",
                               "numberOfOccurrences": 8 },
                });
                self.create(calendar, name, Some(weekly));
            }
            Edit::Retitle(_, name, title) => {
                self.graph.edit_event(ADA, &self.events[name], json!({ "subject": title }));
            }
            Edit::Move(_, name, day) => {
                let at = |hour: u8| {
                    let at = format!("2026-12-{day:02}T{hour:02}:00:00");
                    json!({ "dateTime": at, "timeZone": "UTC" })
                };
                let times = json!({ "start": at(9), "end": at(10) });
                self.graph.edit_event(ADA, &self.events[name], times);
            }
            Edit::Delete(_, name) => self.graph.delete_event(ADA, &self.events[name]),
            Edit::RetitleDay(_, name, day, title) => {
                let change = json!({ "subject": title });
                self.graph.edit_event(ADA, &self.day(name, day), change);
            }
            Edit::CancelDay(_, name, day) => self.graph.delete_event(ADA, &self.day(name, day)),
        }
    }

    fn truth(&self) -> Truth {
        let mut truth = Truth::default();
        for calendar in self.graph.truth(ADA) {
            for (id, event) in calendar.events {
                for day in event["cancelled"].as_array().into_iter().flatten() {
                    // Graph has no event for it: it goes by its series and its moment.
                    let day = day.as_str().unwrap().replace('-', "");
                    let there = There {
                        calendar: calendar.id.clone(),
                        title: None,
                        rest: "cancelled".into(),
                    };
                    truth.events.insert(format!("{id}#{day}T090000Z"), there);
                }
                let there = There {
                    calendar: calendar.id.clone(),
                    title: event["title"].as_str().map(str::to_owned),
                    rest: event["start"].to_string(),
                };
                truth.events.insert(id, there);
            }
            truth.calendars.insert(calendar.id, calendar.name);
        }
        truth
    }

    fn simulated(&self) -> Option<Simulated<'_>> {
        let graph = &self.graph;
        Some(Simulated {
            pushes: graph.pushes(),
            faults: graph.faults(),
            oauth: graph.oauth(),
            listing: "calendarView/delta",
            throttled: throttled(503, "MailboxConcurrency", 7),
        })
    }

    fn lag(&self) {
        self.graph.hold_replication();
    }

    fn catch_up(&self) {
        self.graph.release_replication();
    }

    async fn forget_cursors(&self, _watcher: &Watcher) {
        self.graph.forget_deltas();
    }

    fn withdraw(&self) -> bool {
        self.graph.oauth().withdraw(ADA);
        true
    }
}
