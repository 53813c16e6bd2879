//! Where the organization's documents are: one record account a key opens, its collections, and how they
//! are written while others write too.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tidings_core::id::{Bits96, UserId};
use tidings_core::limits;
use tidings_service::{
    Announcement, Deleted, Error, Expect, NewRecordAccount, RecordAccount, RecordOrder, RecordPut,
    RecordQuery, RecordWrite,
};

use crate::action::Action;
use crate::event::{Event, Person};
use crate::profile::Profile;
use crate::refusal::Refusal;
use crate::request::Call;

/// The account's external id in the app.
const ACCOUNT: &str = "vyte";
/// Events by id.
pub(crate) const EVENTS: &str = "events";
/// Booking pages by nickname.
pub(crate) const PAGES: &str = "vytemes";
/// The nickname of a user's booking page, by the user's id.
pub(crate) const OWNERS: &str = "vyteme_owners";
/// Who joined by the organization's link, by the user's id.
pub(crate) const JOINED: &str = "joined";
/// The user who has an e-mail address, by that address in lower case.
const ADDRESSES: &str = "addresses";
/// Events read at once.
const PAGE: u32 = 250;

/// The documents of an organization.
pub(crate) struct Book<'a> {
    call: &'a Call,
    account: RecordAccount,
}

/// A document, and the version that it has.
pub(crate) struct Kept<T> {
    pub(crate) document: T,
    pub(crate) version: u64,
}

impl<'a> Book<'a> {
    /// Opens it; none when nothing was ever written.
    pub(crate) async fn open(call: &'a Call) -> Result<Option<Self>, Refusal> {
        let found = call.service.record_account_named(&call.caller, ACCOUNT).await?;
        Ok(found.map(|account| Self { call, account }))
    }

    /// Opens it, made when there is none.
    pub(crate) async fn open_or_make(call: &'a Call) -> Result<Self, Refusal> {
        if let Some(book) = Self::open(call).await? {
            return Ok(book);
        }
        let new = NewRecordAccount {
            external_id: Some(ACCOUNT.into()),
            user: None,
            name: "Vyte".into(),
            details: json!({}),
        };
        let (account, _) =
            call.service.put_record_account(&call.caller, new, |_| Vec::new()).await?;
        Ok(Self { call, account })
    }

    /// A document that is not deleted.
    pub(crate) async fn read<T: DeserializeOwned>(
        &self,
        collection: &str,
        key: &str,
    ) -> Result<Option<Kept<T>>, Refusal> {
        let Call { service, caller, .. } = self.call;
        let found = service.record(caller, self.account.id, collection, key).await?;
        let Some(record) = found.filter(|record| record.deleted_at.is_none()) else {
            return Ok(None);
        };
        Ok(Some(Kept { document: document(&record.body)?, version: record.version }))
    }

    /// Writes, and announces in the same commit. The error of the service tells a lost race.
    pub(crate) async fn write(
        &self,
        writes: Vec<RecordWrite>,
        announcements: Vec<Announcement>,
    ) -> Result<(), Error> {
        let Call { service, caller, .. } = self.call;
        service.write_records(caller, self.account.id, writes, announcements).await.map(|_| ())
    }

    /// The events for which `shows` holds, newest first.
    pub(crate) async fn events(
        &self,
        limit: usize,
        shows: impl Fn(&Event) -> bool,
    ) -> Result<Vec<Event>, Refusal> {
        let Call { service, caller, .. } = self.call;
        let (mut shown, mut seen, mut read) = (Vec::new(), BTreeSet::new(), 0);
        while read < limits::SCHEDULING_EVENTS_READ_MAX as u64 {
            let query = RecordQuery {
                order: RecordOrder::NewestFirst,
                from: None,
                to: None,
                modified_since: None,
                deleted: Deleted::Without,
                skip: read,
                limit: PAGE,
            };
            let page = service.records(caller, self.account.id, EVENTS, &query).await?;
            let full = page.len() == PAGE as usize;
            read += page.len() as u64;
            // An event that comes meanwhile moves others onto the next page. What is no event of ours,
            // because the application wrote something else there, is not shown.
            let new = page.into_iter().filter(|record| seen.insert(record.key.clone()));
            let events = new.filter_map(|record| document::<Event>(&record.body).ok());
            shown.extend(events.filter(&shows).take(limit - shown.len()));
            if shown.len() == limit || !full {
                break;
            }
        }
        Ok(shown)
    }

    /// A change to announce: the whole resource, as hooks get it.
    pub(crate) fn announce(
        &self,
        action: Action,
        item: &str,
        resource: &impl Serialize,
        user: Option<&str>,
    ) -> Announcement {
        let collection = match action {
            Action::Joined => None,
            Action::PageUpdated => Some(PAGES.into()),
            _ => Some(EVENTS.into()),
        };
        Announcement {
            kind: action.kind().into(),
            collection,
            item: Some(item.to_owned()),
            order_key: Some(item.to_owned()),
            data: json!({
                "account": self.account.told(),
                "resource": resource,
                "user": user,
            }),
        }
    }

    /// The users who have these addresses, by address in lower case.
    pub(crate) async fn people(
        &self,
        addresses: &[String],
    ) -> Result<BTreeMap<String, Person>, Refusal> {
        let mut people = BTreeMap::new();
        for address in addresses {
            if people.contains_key(address) {
                continue;
            }
            let Some(kept) = self.read::<Value>(ADDRESSES, address).await? else { continue };
            let user = kept.document["user"].as_str().unwrap_or_default();
            if let Some(person) = self.person(user).await? {
                // Who has moved to another address is not who had this one.
                if person.email.as_ref().is_some_and(|own| own.to_lowercase() == *address) {
                    people.insert(address.clone(), person);
                }
            }
        }
        Ok(people)
    }

    /// A user of the organization by id; none when there is no such user.
    pub(crate) async fn person(&self, id: &str) -> Result<Option<Person>, Refusal> {
        let Some(id) = Bits96::from_hex24(id).map(UserId) else { return Ok(None) };
        match self.call.service.user(&self.call.caller, id).await {
            Ok(user) => Ok(Some(Profile::of(&user).person(&user))),
            Err(Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Notes that a user has this address from now on.
    pub(crate) async fn note_address(&self, address: &str, user: UserId) -> Result<(), Refusal> {
        let body = json!({ "user": user.0.to_hex24() });
        let write = put(ADDRESSES, &address.to_lowercase(), &body, None, Expect::Any)?;
        Ok(self.write(vec![write], Vec::new()).await?)
    }
}

/// A document to write.
pub(crate) fn put(
    collection: &str,
    key: &str,
    document: &impl Serialize,
    starts_at: Option<i64>,
    expect: Expect,
) -> Result<RecordWrite, Refusal> {
    let body = serde_json::to_vec(document).map_err(|_| Refusal::from(Error::Internal))?;
    let (collection, key) = (collection.to_owned(), key.to_owned());
    Ok(RecordWrite::Put(RecordPut { collection, key, starts_at, body: Bytes::from(body) }, expect))
}

/// What was written by us, or by the record API in our form.
fn document<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|_| Refusal::from(Error::Internal))
}
