//! Tidings' own requests, carried to the simulator, and read again by Tidings.

use serde_json::{Value, json};
use tidings_core::clock::{Clock, Timestamp};
use tidings_providers::draft::EventDraft;
use tidings_providers::http::{Request, Response};
use tidings_providers::item::Item;
use tidings_providers::microsoft::delta::{self, Link, Window};
use tidings_providers::microsoft::{calendars, events, follow, push, series, subscription, write};
use tidings_providers::settings::MicrosoftSettings;
use tidings_simulators::graph::{ADA, Lifecycle};

use crate::client::{Client, Listener};
use crate::types::Constants;

/// Carries requests and notes what is on the wire.
struct Carrier {
    client: Client,
    settings: MicrosoftSettings,
    wire: Constants,
}

impl Carrier {
    async fn carry(&mut self, kind: &str, request: Request) -> Response {
        if !request.body.is_empty() {
            self.wire.add(kind, serde_json::from_slice(&request.body).unwrap());
        }
        let headers: Vec<(&str, &str)> = request
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), value.to_str().unwrap()))
            .collect();
        let body =
            (!request.body.is_empty()).then(|| serde_json::from_slice(&request.body).unwrap());
        let method = request.method.as_str();
        let sent = self.client.send(method, request.url.as_str(), &headers, body.as_ref());
        let reply = sent.await;
        if reply.body.get("error").is_some() {
            self.wire.add("Refusal", reply.body.clone());
        } else if reply.body.get("value").is_some() {
            self.wire.add_page(kind, reply.body.clone());
        } else if !reply.body.is_null() {
            self.wire.add(kind, reply.body.clone());
        }
        let status = reply.status.try_into().unwrap();
        Response { status, headers: reply.headers, body: reply.body.to_string().into() }
    }

    async fn read(&mut self, id: &str) -> Item {
        let request = events::request(&self.settings, id);
        events::parse(&self.carry("Event", request).await).unwrap().item
    }

    /// Creates an event as Tidings does and reads it back.
    async fn create(&mut self, calendar: &str, draft: Value, key: &str) -> Item {
        let draft = EventDraft::from_json(&draft).unwrap();
        let request = write::create_request(&self.settings, calendar, &draft, key).unwrap();
        let id = write::parse_written(&self.carry("Event", request).await).unwrap();
        self.read(&id).await
    }

    async fn update(&mut self, item: &Item, draft: Value) -> Item {
        let draft = EventDraft::from_json(&draft).unwrap();
        let (settings, tag) = (&self.settings, Some(item.etag.as_str()));
        let request = write::update_request(settings, &item.key, &draft, &item.event, tag).unwrap();
        let id = write::parse_written(&self.carry("Event", request).await).unwrap();
        self.read(&id).await
    }

    /// Every page of a delta; the values end up on the wire.
    async fn delta(&mut self, mut request: Request) -> (delta::Page, String) {
        let mut all: Option<delta::Page> = None;
        loop {
            let page = delta::parse(&self.carry("Event", request).await).unwrap();
            let link = page.link.clone();
            let all =
                all.get_or_insert(delta::Page { items: vec![], removed: vec![], ..page.clone() });
            all.items.extend(page.items);
            all.removed.extend(page.removed);
            all.series.extend(page.series);
            match link {
                Link::Next(next) => request = delta::request(&self.settings, &next).unwrap(),
                Link::Delta(link) => return (all.clone(), link),
            }
        }
    }
}

/// Everything that is said between Tidings and the simulator in the course of some days.
pub(crate) async fn told() -> Constants {
    let client = Client::start().await;
    let mut settings = MicrosoftSettings::new("tidings-at-microsoft", "microsoft-secret", "common");
    settings.api = client.graph.api();
    let mut carrier = Carrier { client, settings, wire: Constants::default() };
    let calendar = whose_calendars(&mut carrier).await;
    let window = Window::around(Timestamp::parse("2026-11-21T09:00:00Z").unwrap());
    let first = delta::initial_request(&carrier.settings, &calendar, window);
    let (_, link) = carrier.delta(first).await;
    let listener = Listener::start().await;
    subscribing(&mut carrier, &listener, &calendar).await;
    single_events(&mut carrier, &calendar).await;
    series_of_events(&mut carrier, &calendar).await;
    let next = delta::request(&carrier.settings, &link).unwrap();
    let (page, link) = carrier.delta(next).await;
    assert!(!page.items.is_empty() && !page.series.is_empty() && !page.removed.is_empty());
    carrier.client.graph.forget_deltas();
    let refused = carrier.carry("Event", delta::request(&carrier.settings, &link).unwrap()).await;
    assert!(delta::parse(&refused).is_err());
    carrier.client.graph.pushes().settled().await;
    pushed(&mut carrier, &listener);
    carrier.wire
}

async fn whose_calendars(carrier: &mut Carrier) -> String {
    let me = carrier.carry("User", calendars::me_request(&carrier.settings)).await;
    assert_eq!(calendars::parse_me(&me).unwrap().email.as_deref(), Some(ADA));
    for number in 0..12 {
        carrier.client.graph.add_calendar(ADA, &format!("Calendar {number}"));
    }
    let listed = carrier.carry("Calendar", calendars::list_request(&carrier.settings)).await;
    let page = calendars::parse_list(&listed, Some(ADA)).unwrap();
    let rest = follow(&carrier.settings, &page.next.unwrap()).unwrap();
    let rest = calendars::parse_list(&carrier.carry("Calendar", rest).await, Some(ADA)).unwrap();
    assert_eq!((page.calendars.len() + rest.calendars.len(), rest.next), (13, None));
    page.calendars[0].external_id.clone()
}

async fn subscribing(carrier: &mut Carrier, listener: &Listener, calendar: &str) {
    let now = Clock::system().now();
    let watch = subscription::Watch {
        calendar,
        notification_url: &listener.url("notifications").parse().unwrap(),
        lifecycle_url: &listener.url("notifications").parse().unwrap(),
        client_state: "between us",
        expires_at: subscription::Lifetime::Usual.from(now),
    };
    let request = subscription::create_request(&carrier.settings, &watch);
    let made = subscription::parse(&carrier.carry("Subscription", request.clone()).await).unwrap();
    assert_eq!(made.resource, subscription::resource(calendar));
    let again = subscription::parse(&carrier.carry("Subscription", request).await);
    assert!(again.is_err(), "there is such a subscription already");
    let later = subscription::Lifetime::Short.from(now);
    let renew = subscription::renew_request(&carrier.settings, &made.id, later);
    let renewed = subscription::parse(&carrier.carry("Subscription", renew).await).unwrap();
    assert_eq!(renewed.expires_at, later);
    let list = subscription::list_request(&carrier.settings);
    let list = subscription::parse_list(&carrier.carry("Subscription", list).await).unwrap();
    assert_eq!(list.subscriptions[0].id, made.id);
    let strange = subscription::delete_request(&carrier.settings, "no such subscription");
    subscription::parse_deleted(&carrier.carry("Subscription", strange).await).unwrap();
}

async fn single_events(carrier: &mut Carrier, calendar: &str) {
    let full = json!({
        "title": "Whole", "description": "Several\nlines", "location": "Here",
        "start": "2026-12-02T09:00:00", "end": "2026-12-02T10:00:00", "timeZone": "Europe/Berlin",
        "attendees": [{ "email": "bob@contoso.example", "name": "Bob", "optional": true }],
        "availability": "free", "privacy": "private", "status": "confirmed",
        "conference": "create", "properties": { "ours": "1" },
    });
    let item = carrier.create(calendar, full.clone(), "write1").await;
    assert_eq!(
        (item.event.title.as_str(), item.event.start.as_deref()),
        ("Whole", Some("2026-12-02T08:00:00.000Z"))
    );
    assert_eq!(item.event.properties.get("ours").map(String::as_str), Some("1"));
    let draft = EventDraft::from_json(&full).unwrap();
    let again = write::create_request(&carrier.settings, calendar, &draft, "write1").unwrap();
    assert!(write::parse_written(&carrier.carry("Event", again).await).is_err());
    let lost = write::created_request(&carrier.settings, calendar, "write1");
    let found = write::parse_created(&carrier.carry("Event", lost).await).unwrap();
    assert_eq!(found.as_deref(), Some(item.key.as_str()));

    let changed = carrier
        .update(
            &item,
            json!({ "title": "Changed", "description": null, "attendees": [],
                               "privacy": "confidential", "properties": {} }),
        )
        .await;
    assert_eq!(changed.event.title, "Changed");
    let stale = write::delete_request(&carrier.settings, &item.key, Some(&item.etag));
    assert!(write::parse_deleted(&carrier.carry("Event", stale).await).is_err());
    let days = json!({ "title": "Days", "start": "2026-12-24", "end": "2026-12-27" });
    let days = carrier.create(calendar, days, "write2").await;
    assert_eq!((days.event.all_day, days.event.end.as_deref()), (true, Some("2026-12-27")));
    for _ in 0..2 {
        let delete = write::delete_request(&carrier.settings, &days.key, None);
        write::parse_deleted(&carrier.carry("Event", delete).await).unwrap();
    }
}

async fn series_of_events(carrier: &mut Carrier, calendar: &str) {
    for (number, rule) in [
        "FREQ=DAILY;INTERVAL=2;COUNT=5",
        "FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20270201T000000Z",
        "FREQ=MONTHLY;BYMONTHDAY=2",
        "FREQ=MONTHLY;BYDAY=1WE",
        "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=2;COUNT=3",
    ]
    .into_iter()
    .enumerate()
    {
        let draft = json!({
            "title": rule, "recurrence": rule,
            "start": "2026-12-02T09:00:00Z", "end": "2026-12-02T10:00:00Z",
        });
        let master = carrier.create(calendar, draft, &format!("series{number}")).await;
        assert!(master.event.recurrence.is_some(), "{rule}");
    }
    let draft = json!({
        "title": "Weekly", "recurrence": "FREQ=WEEKLY;BYDAY=WE;COUNT=6",
        "start": "2026-12-02T09:00:00Z", "end": "2026-12-02T10:00:00Z",
    });
    let master = carrier.create(calendar, draft, "weekly").await;
    let (from, to) =
        (Timestamp::parse("2026-12-01T00:00:00Z"), Timestamp::parse("2027-02-01T00:00:00Z"));
    let days =
        series::instances_request(&carrier.settings, &master.key, from.unwrap(), to.unwrap());
    let days = series::parse_instances(&carrier.carry("Event", days).await).unwrap();
    assert_eq!(days.instances.len(), 6);
    let second = carrier.read(&days.instances[1].id).await;
    let second = carrier.update(&second, json!({ "title": "Elsewhere" })).await;
    assert_eq!(second.series.as_deref(), Some(master.key.as_str()));
    let third = write::delete_request(&carrier.settings, &days.instances[2].id, None);
    write::parse_deleted(&carrier.carry("Event", third).await).unwrap();
    let whole = series::request(&carrier.settings, &master.key);
    let whole = series::parse(&carrier.carry("Event", whole).await).unwrap();
    let exceptions = whole.exceptions.unwrap();
    assert_eq!(
        (exceptions.len(), whole.cancelled.len()),
        (1, 1),
        "a different and a cancelled day"
    );

    let (at, draft) = (days.instances[4].starts_at, json!({ "title": "From here on" }));
    let draft = EventDraft::from_json(&draft).unwrap();
    let settings = &carrier.settings;
    let rest = write::continue_request(settings, calendar, &whole.master, (at, 4), &draft, "rest");
    let end = write::end_request(settings, &whole.master, at).unwrap();
    write::parse_written(&carrier.carry("Event", end).await).unwrap();
    let rest = write::parse_written(&carrier.carry("Event", rest.unwrap()).await).unwrap();
    let truth = carrier.client.graph.truth(ADA).remove(0).events;
    assert_eq!(truth[&rest]["title"], "From here on");
}

/// The pushes that came, and what Tidings reads in them.
fn pushed(carrier: &mut Carrier, listener: &Listener) {
    let [subscription] = carrier.client.graph.subscriptions().try_into().unwrap();
    for what in [Lifecycle::Missed, Lifecycle::Reauthorise, Lifecycle::Removed] {
        carrier.client.graph.lifecycle(&subscription, what);
    }
    let items = listener.items();
    for item in &items {
        carrier.wire.add("Change", item.clone());
    }
    for sent in carrier.client.graph.pushes().sent() {
        let Ok(body) = serde_json::from_slice::<Value>(&sent.push.body) else { continue };
        let notices = push::read(&sent.push.body).unwrap();
        assert_eq!(notices.len(), body["value"].as_array().unwrap().len());
        assert!(notices.iter().all(|notice| notice.client_state.as_deref() == Some("between us")));
        for item in body["value"].as_array().unwrap() {
            carrier.wire.add("Change", item.clone());
        }
    }
}
