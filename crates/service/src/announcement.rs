//! What a verb announces: changes that are appended in the commit that makes them true.

use bytes::Bytes;
use serde_json::Value;
use tidings_core::change::{NewChange, Origin, Subject};
use tidings_core::clock::Timestamp;
use tidings_core::id::ChangeId;

use crate::{Caller, Service};

/// A change to append together with what a verb writes. Its subject is what the verb writes to, its origin
/// the API, its actor the caller's grant.
#[derive(Clone, Debug, PartialEq)]
pub struct Announcement {
    /// Its type, such as `entry.created`.
    pub kind: String,
    /// The collection it is about, by its provider's id.
    pub collection: Option<String>,
    /// The item it is about.
    pub item: Option<String>,
    /// Changes with equal keys can be delivered in order.
    pub order_key: Option<String>,
    /// The content: a JSON object.
    pub data: Value,
}

impl Service {
    /// The change that an announcement becomes.
    pub(crate) fn announced(
        &self,
        caller: &Caller,
        announcement: Announcement,
        subject: Subject,
        now: Timestamp,
    ) -> NewChange {
        let Announcement { kind, collection: _, item, order_key, data } = announcement;
        NewChange {
            id: ChangeId(self.ids.next(now)),
            kind,
            subject: Subject { item: item.or(subject.item), ..subject },
            order_key,
            occurred_at: now,
            origin: Origin::Api,
            actor: Some(caller.actor()),
            traceparent: None,
            body: Bytes::from(data.to_string()),
        }
    }
}
