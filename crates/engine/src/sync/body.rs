//! What the sync tells: the changes it writes into the journal.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use tidings_core::change::{NewChange, Origin, Subject};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, ChangeId, CollectionId, Ids};
use tidings_store::{Account, Collection, Item};

#[derive(Serialize)]
struct Body<'a> {
    account: AccountPart<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calendar: Option<CalendarPart<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct AccountPart<'a> {
    id: AccountId,
    provider: &'a str,
    user_id: Option<&'a str>,
    name: &'a str,
    #[serde(flatten)]
    state: Option<AccountState<'a>>,
}

#[derive(Serialize)]
struct AccountState<'a> {
    status: &'a str,
    reason: Option<&'a str>,
}

/// A calendar as changes show it.
#[derive(Clone, Copy, Serialize)]
pub(super) struct CalendarPart<'a> {
    pub(super) id: CollectionId,
    pub(super) external_id: &'a str,
    pub(super) name: Option<&'a str>,
}

impl<'a> CalendarPart<'a> {
    pub(super) fn of(collection: &'a Collection) -> Self {
        Self {
            id: collection.id,
            external_id: &collection.external_id,
            name: collection.name.as_deref(),
        }
    }
}

/// Writes the changes of one account.
pub(crate) struct Teller<'a> {
    pub(crate) account: &'a Account,
    pub(crate) ids: &'a Ids,
    pub(crate) now: Timestamp,
}

impl Teller<'_> {
    /// `account.connected` or `account.inactive`.
    pub(crate) fn account(&self, kind: &str, status: &str, reason: Option<&str>) -> NewChange {
        let account = self.account_part(Some(AccountState { status, reason }));
        self.change(kind, &Body { account, calendar: None, event: None })
    }

    /// `calendar.*`.
    pub(super) fn calendar(
        &self,
        kind: &str,
        calendar: CalendarPart<'_>,
        collection_no: Option<i64>,
    ) -> NewChange {
        let account = self.account_part(None);
        let mut change =
            self.change(kind, &Body { account, calendar: Some(calendar), event: None });
        change.subject.collection_no = collection_no;
        change.order_key = Some(calendar.id.to_string());
        change
    }

    /// `event.*`: the event as the mirror holds it, or last held it.
    pub(crate) fn event(&self, kind: &str, collection: &Collection, item: &Item) -> NewChange {
        let event =
            serde_json::from_slice(&item.body).expect("the mirror holds JSON of our making");
        let account = self.account_part(None);
        let calendar = Some(CalendarPart::of(collection));
        let mut change = self.change(kind, &Body { account, calendar, event: Some(event) });
        change.subject.collection_no = Some(collection.collection_no);
        change.subject.item = Some(item.key.clone());
        change.order_key = Some(format!("{}{}", collection.id, item.resource));
        change
    }

    fn account_part<'b>(&'b self, state: Option<AccountState<'b>>) -> AccountPart<'b> {
        AccountPart {
            id: self.account.id,
            provider: &self.account.provider,
            user_id: self.account.user_external_id.as_deref(),
            name: &self.account.name,
            state,
        }
    }

    fn change(&self, kind: &str, body: &Body<'_>) -> NewChange {
        let body = serde_json::to_vec(body).expect("texts and JSON serialise");
        NewChange {
            id: ChangeId(self.ids.next(self.now)),
            kind: kind.to_owned(),
            subject: Subject {
                user_no: self.account.user_no,
                account_no: Some(self.account.account_no),
                provider: Some(self.account.provider.clone()),
                ..Subject::default()
            },
            order_key: None,
            occurred_at: self.now,
            origin: Origin::Provider,
            actor: None,
            traceparent: None,
            body: Bytes::from(body),
        }
    }
}
