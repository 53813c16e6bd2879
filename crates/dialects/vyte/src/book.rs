//! Where the organization's documents are: one record account a key opens, its collections, and how they
//! are written while others write too.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tidings_core::id::{Bits96, UserId};
use tidings_core::{key, limits};
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
/// The user who has an e-mail address, by a hash of that address in lower case.
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
        let (mut shown, mut seen, mut next) = (Vec::new(), BTreeSet::new(), Some(0));
        while let Some(skip) = next.filter(|skip| *skip < limits::SCHEDULING_EVENTS_READ_MAX as u64)
        {
            let query = RecordQuery {
                order: RecordOrder::NewestFirst,
                from: None,
                to: None,
                modified_since: None,
                deleted: Deleted::Without,
                skip,
                after: None,
                limit: PAGE,
            };
            let page = service.records(caller, self.account.id, EVENTS, &query).await?;
            next = query.next_skip(&page);
            // An event that comes meanwhile moves others onto the next page. What is no event of ours,
            // because the application wrote something else there, is not shown.
            let new = page.into_iter().filter(|record| seen.insert(record.key.clone()));
            let events = new.filter_map(|record| document::<Event>(&record.body).ok());
            shown.extend(events.filter(&shows).take(limit - shown.len()));
            if shown.len() == limit {
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

    /// The users who have these addresses, by address in lower case. Two readings, however many there are.
    pub(crate) async fn people(
        &self,
        addresses: &[String],
    ) -> Result<BTreeMap<String, Person>, Refusal> {
        let Call { service, caller, .. } = self.call;
        let keys: BTreeSet<_> = addresses.iter().map(|address| self.address_key(address)).collect();
        if keys.is_empty() {
            return Ok(BTreeMap::new());
        }
        let keys = keys.into_iter().collect();
        let noted = service.records_by_key(caller, self.account.id, ADDRESSES, keys).await?;
        let noted = noted.iter().filter(|record| record.deleted_at.is_none());
        let whose = noted.filter_map(|record| whose(&record.body)).collect();
        let users = service.users_by_id(caller, whose).await?;
        let mut people = BTreeMap::new();
        for user in users {
            let person = Profile::of(&user).person(&user);
            // Who has moved to another address is not who had this one.
            let address = person.email.as_ref().map(|own| own.to_lowercase());
            if let Some(address) = address.filter(|address| addresses.contains(address)) {
                people.insert(address, person);
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

    /// Notes that a user has this address from now on, and no longer has that.
    pub(crate) async fn note_address(
        &self,
        address: Option<&str>,
        before: Option<&str>,
        user: UserId,
    ) -> Result<(), Refusal> {
        for _ in 0..limits::SCHEDULING_TRIES_MAX {
            let mut writes = Vec::new();
            if let Some(address) = address {
                let body = json!({ "user": user.0.to_hex24() });
                writes.push(put(ADDRESSES, &self.address_key(address), &body, None, Expect::Any)?);
            }
            if let Some(before) = before {
                writes.extend(self.removal_of_address(before, user).await?);
            }
            match self.write(writes, Vec::new()).await {
                Err(Error::Stale { .. }) => {}
                done => return Ok(done?),
            }
        }
        Err(Refusal::busy())
    }

    /// What forgets an address, unless another user has it by now.
    pub(crate) async fn removal_of_address(
        &self,
        address: &str,
        user: UserId,
    ) -> Result<Option<RecordWrite>, Refusal> {
        let key = self.address_key(address);
        let kept = self.read::<Value>(ADDRESSES, &key).await?;
        let kept = kept.filter(|kept| kept.document["user"] == user.0.to_hex24());
        Ok(kept.map(|kept| removal(ADDRESSES, &key, Expect::Version(kept.version))))
    }

    /// The key of an address: what was deleted leaves its key behind, which must not tell the address.
    fn address_key(&self, address: &str) -> String {
        let hash = key::hash_within(self.call.organization, &address.to_lowercase());
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Whose an address is.
fn whose(body: &[u8]) -> Option<UserId> {
    let noted: Value = serde_json::from_slice(body).ok()?;
    Bits96::from_hex24(noted["user"].as_str()?).map(UserId)
}

/// A document to delete.
pub(crate) fn removal(collection: &str, key: &str, expect: Expect) -> RecordWrite {
    RecordWrite::Delete { collection: collection.into(), key: key.into(), expect, body: None }
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
