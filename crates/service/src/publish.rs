//! Publishing changes.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::time::Instant;

use bytes::Bytes;
use sha2::{Digest, Sha256};
use tidings_core::change::{NewChange, Origin, Subject, is_operational, is_type};
use tidings_core::clock::Timestamp;
use tidings_core::id::{AccountId, ChangeId};
use tidings_core::{fault, json, limits};
use tidings_store::{self as store, Idempotency};

use crate::validate::Checks;
use crate::{Caller, Error, Field, Result, Scope, Service};

/// A change to publish.
#[derive(Clone, Debug)]
pub struct NewPublication {
    /// Its type.
    pub kind: String,
    /// Any JSON document; kept and forwarded byte for byte.
    pub data: Bytes,
    /// Its id when it comes from elsewhere; unique in the app. Made when absent.
    pub id: Option<ChangeId>,
    /// The account it is about.
    pub account: Option<AccountId>,
    /// Changes with equal keys can be delivered in order.
    pub order_key: Option<String>,
    /// When it happened; now when absent.
    pub occurred_at: Option<Timestamp>,
}

/// What becomes of a published change: durable, and on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Its id.
    pub id: ChangeId,
    /// Its number in the app's journal.
    pub seq: u64,
    /// Its type.
    pub kind: String,
    /// When it became durable.
    pub recorded_at: Timestamp,
    /// What the app's catalogue has against it, when the app asks to be warned.
    pub warnings: Vec<Field>,
}

/// The answer to a publish request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// One receipt for each change, in order.
    pub receipts: Vec<Receipt>,
    /// Whether an earlier request with the same idempotency key had published them.
    pub replayed: bool,
}

impl Service {
    /// Publishes one change. `once` is the request's idempotency key.
    ///
    /// # Errors
    /// Forbidden; not found (the account); invalid, also when the idempotency key was used for another
    /// request; malformed idempotency key; conflict when the id is taken.
    pub async fn publish(
        &self,
        caller: &Caller,
        input: NewPublication,
        once: Option<&str>,
        traceparent: Option<&str>,
    ) -> Result<Published> {
        caller.may(Scope::Publish)?;
        self.append(caller, vec![(String::new(), input)], once, traceparent).await
    }

    /// Publishes changes together: all or none, with consecutive numbers.
    ///
    /// # Errors
    /// As [`Service::publish`]; too large beyond [`limits::PUBLISH_BATCH_MAX`]. Pointers begin with the
    /// change's place, `/3/type`.
    pub async fn publish_batch(
        &self,
        caller: &Caller,
        inputs: Vec<NewPublication>,
        once: Option<&str>,
        traceparent: Option<&str>,
    ) -> Result<Published> {
        caller.may(Scope::Publish)?;
        if inputs.is_empty() {
            return Err(Error::invalid("", "empty", "must contain at least one change"));
        }
        if inputs.len() > limits::PUBLISH_BATCH_MAX {
            return Err(Error::too_many_changes());
        }
        let placed = inputs.into_iter().enumerate();
        let placed = placed.map(|(place, input)| (format!("/{place}"), input)).collect();
        self.append(caller, placed, once, traceparent).await
    }

    async fn append(
        &self,
        caller: &Caller,
        inputs: Vec<(String, NewPublication)>,
        once: Option<&str>,
        traceparent: Option<&str>,
    ) -> Result<Published> {
        let began = Instant::now();
        let app_no = caller.app()?.app_no;
        let now = self.now();
        let idempotency = once.map(|key| idempotency(key, &inputs)).transpose()?;
        let mut checks = Checks::default();
        for (place, input) in &inputs {
            check(&mut checks, place, input, now);
        }
        checks.done()?;
        let warnings = self.judge(caller, &inputs).await?;
        let subjects = self.subjects(caller, &inputs).await?;
        let made = |(_, input): (String, NewPublication)| {
            let id = input.id.unwrap_or_else(|| ChangeId(self.ids.next(now)));
            let subject = input.account.and_then(|account| subjects.get(&account)).cloned();
            NewChange {
                id,
                kind: input.kind,
                subject: subject.unwrap_or_default(),
                order_key: input.order_key,
                occurred_at: input.occurred_at.unwrap_or(now),
                origin: Origin::Api,
                actor: Some(caller.actor()),
                traceparent: traceparent.map(str::to_owned),
                body: input.data,
            }
        };
        self.has_room()?;
        let changes = inputs.into_iter().map(made).collect();
        fault::point("publish.asked");
        let published = self.store.publish(app_no, changes, idempotency, now).await?;
        fault::point("publish.durable");
        self.accepted.record(began.elapsed());
        let mut warnings = warnings.into_iter();
        let receipts = published.appended.changes.iter().map(|change| Receipt {
            warnings: warnings.next().unwrap_or_default(),
            id: change.new.id,
            seq: change.seq,
            kind: change.new.kind.clone(),
            recorded_at: change.recorded_at,
        });
        Ok(Published { receipts: receipts.collect(), replayed: published.replayed })
    }

    /// The accounts that changes are about, each looked up once.
    async fn subjects(
        &self,
        caller: &Caller,
        inputs: &[(String, NewPublication)],
    ) -> Result<HashMap<AccountId, Subject>> {
        let mut subjects = HashMap::new();
        for id in inputs.iter().filter_map(|(_, input)| input.account) {
            if let Entry::Vacant(place) = subjects.entry(id) {
                place.insert(subject_of(&self.find_account(caller, id).await?));
            }
        }
        Ok(subjects)
    }
}

fn subject_of(account: &store::Account) -> Subject {
    Subject {
        user_no: account.user_no,
        account_no: Some(account.account_no),
        provider: Some(account.provider.clone()),
        ..Subject::default()
    }
}

fn check(checks: &mut Checks, place: &str, input: &NewPublication, now: Timestamp) {
    let at = |field: &str| format!("{place}/{field}");
    if !is_type(&input.kind) {
        let why = format!(
            "must be words of letters, digits, _ and - separated by dots, at most {} bytes",
            limits::TYPE_BYTES_MAX
        );
        checks.refuse(at("type"), "type", why);
    } else if is_operational(&input.kind) {
        checks.refuse(at("type"), "reserved", "must not begin with hook. or delivery.");
    }
    if let Err(error) = json::validate(&input.data) {
        checks.refuse(at("data"), "json", error.to_string());
    }
    checks.optional_name(&at("order_key"), input.order_key.as_deref());
    if input.occurred_at.is_some_and(|at| at > now.plus_ms(limits::OCCURRED_AHEAD_MAX_MS)) {
        checks.refuse(at("occurred_at"), "ahead", "must be at most one day ahead");
    }
}

/// Checks an idempotency key.
pub(crate) fn checked_key(key: &str) -> Result<()> {
    let printable = key.bytes().all(|b| (0x20..0x7f).contains(&b));
    if key.trim().is_empty() || key.len() > limits::IDEMPOTENCY_KEY_BYTES_MAX || !printable {
        return Err(Error::Malformed(format!(
            "an idempotency-key is 1 to {} visible ASCII characters",
            limits::IDEMPOTENCY_KEY_BYTES_MAX
        )));
    }
    Ok(())
}

/// The key and the request as hashes, every field with its length so that none can pass for another.
fn idempotency(key: &str, inputs: &[(String, NewPublication)]) -> Result<Idempotency> {
    checked_key(key)?;
    let mut digest = Sha256::new();
    let mut field = |bytes: &[u8]| {
        digest.update((bytes.len() as u64).to_be_bytes());
        digest.update(bytes);
    };
    for (place, input) in inputs {
        let text =
            |value: Option<String>| value.map_or_else(|| "-".into(), |value| format!("+{value}"));
        field(place.as_bytes());
        field(input.kind.as_bytes());
        field(&input.data);
        field(text(input.id.map(|id| id.to_string())).as_bytes());
        field(text(input.account.map(|id| id.to_string())).as_bytes());
        field(text(input.order_key.clone()).as_bytes());
        field(text(input.occurred_at.map(|at| at.0.to_string())).as_bytes());
    }
    Ok(Idempotency {
        key_hash: Sha256::digest(key.as_bytes()).into(),
        request_hash: digest.finalize().into(),
    })
}
