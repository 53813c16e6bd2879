//! Change notifications and lifecycle notifications, several in one request.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde_json::{Value, json};

use super::mailbox::Mailbox;
use super::subscriptions::Subscription;
use super::world::World;
use super::{event, id};
use crate::pushes::{Push, Pushes};

/// The tenant that everybody here belongs to.
pub(super) const TENANT: &str = "84bd8158-6d4d-4958-8b9f-9d6445542f95";

/// One item for one address.
#[derive(Clone, Debug)]
pub(super) struct Notice {
    url: String,
    item: Value,
}

/// What a subscription is told about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lifecycle {
    /// Notifications got lost.
    Missed,
    /// The subscription is no more.
    Removed,
    /// Notifications stop until the subscription is renewed or reauthorised.
    Reauthorise,
}

impl Lifecycle {
    fn word(self) -> &'static str {
        match self {
            Self::Missed => "missed",
            Self::Removed => "subscriptionRemoved",
            Self::Reauthorise => "reauthorizationRequired",
        }
    }
}

impl World {
    /// Tells every subscription of this calendar what happened to an event.
    pub(super) fn note(&mut self, owner: usize, calendar: &str, key: &str, kind: &'static str) {
        let now = self.clock.now();
        self.subscriptions.retain(|one| one.expires_at > now);
        let mailbox = &self.mailboxes[owner];
        let mut kinds = vec![kind];
        if kind == "updated" && self.switches.created_for_update {
            kinds = vec!["created"];
        }
        if kind != "deleted" {
            kinds.extend((0..self.switches.noisy_saves).map(|_| "updated"));
        }
        for one in self
            .subscriptions
            .iter()
            .filter(|one| one.owner == owner && one.calendar == calendar && !one.paused)
        {
            for kind in kinds.iter().filter(|kind| one.changes.iter().any(|wish| wish == *kind)) {
                let item = change(one, mailbox, calendar, key, kind);
                self.outbox.push(Notice { url: one.notification_url.clone(), item });
            }
        }
    }

    /// Tells a subscription about itself; what it says then holds.
    pub(super) fn lifecycle(&mut self, subscription: &str, what: Lifecycle) {
        let Some(one) = self.subscriptions.iter_mut().find(|one| one.id == subscription) else {
            return;
        };
        one.paused |= what == Lifecycle::Reauthorise;
        let item = json!({
            "subscriptionId": one.id,
            "subscriptionExpirationDateTime": one.expires_at,
            "tenantId": TENANT,
            "clientState": one.client_state,
            "lifecycleEvent": what.word(),
        });
        if let Some(url) = one.lifecycle_url.clone() {
            self.outbox.push(Notice { url, item });
        }
        if what == Lifecycle::Removed {
            self.subscriptions.retain(|one| one.id != subscription);
        }
    }

    /// Sends what waits: for each address, items of all its subscriptions together.
    pub(super) fn flush(&mut self, pushes: &Pushes) {
        let mut batches: BTreeMap<String, Vec<Value>> = BTreeMap::new();
        for notice in self.outbox.drain(..) {
            batches.entry(notice.url).or_default().push(notice.item);
        }
        for (url, items) in batches {
            for some in items.chunks(self.switches.batch.max(1)) {
                pushes.send(post(&url, &json!({ "value": some })));
            }
        }
    }
}

fn change(one: &Subscription, mailbox: &Mailbox, calendar: &str, key: &str, kind: &str) -> Value {
    let id = id::outward(key, one.immutable, calendar);
    let resource = format!("Users/{}/Events/{id}", mailbox.user);
    let seq = mailbox.items.get(key).map_or(mailbox.seq, |item| item.seq);
    json!({
        "subscriptionId": one.id,
        "subscriptionExpirationDateTime": one.expires_at,
        "changeType": kind,
        "resource": resource,
        "resourceData": {
            "@odata.type": "#Microsoft.Graph.Event",
            "@odata.id": resource,
            "@odata.etag": event::etag(seq),
            "id": id,
        },
        "clientState": one.client_state,
        "tenantId": TENANT,
    })
}

fn post(url: &str, body: &Value) -> Push {
    let headers = vec![("content-type".to_owned(), "application/json; charset=utf-8".to_owned())];
    Push { url: url.into(), headers, body: Bytes::from(body.to_string()) }
}

/// The request that asks an address whether it wants the notifications.
pub(super) fn validation(url: &str, token: &str) -> Push {
    let token: String = url::form_urlencoded::byte_serialize(token.as_bytes()).collect();
    let sign = if url.contains('?') { '&' } else { '?' };
    let headers = vec![("content-type".to_owned(), "text/plain; charset=utf-8".to_owned())];
    Push { url: format!("{url}{sign}validationToken={token}"), headers, body: Bytes::new() }
}
