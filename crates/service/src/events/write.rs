//! Writing events: at the provider first, which answers with what it made of it.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tidings_core::id::CollectionId;
use tidings_core::limits;
use tidings_providers::draft::{EventDraft, Notify, Scope as SeriesScope};
use tidings_providers::errand::{Errand, Refusal, Reply, WriteKey};
use tidings_providers::item::Item;
use tidings_store::{self as store, AccountStatus, Claimed, Idempotency, WriteClaim};

use super::version::{self, IfMatch};
use super::{CalendarEvent, expand};
use crate::accounts::inactive;
use crate::publish::checked_key;
use crate::{Caller, Error, Field, Result, Scope, Service};

/// How to write to an event.
#[derive(Clone, Debug, Default)]
pub struct Writing {
    /// The value of `if-match`: the version that the caller has seen.
    pub if_match: Option<String>,
    /// How much of a series is meant.
    pub scope: SeriesScope,
    /// Which attendees the provider tells.
    pub notify: Notify,
}

/// An event that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The event.
    pub event: CalendarEvent,
    /// Whether an earlier request with the same idempotency key had made it.
    pub replayed: bool,
}

/// Where something is to be written.
struct Target {
    account_no: i64,
    calendar: store::Collection,
}

impl Service {
    /// Makes an event. `once` is the request's idempotency key: the same request with it makes no second
    /// event, neither here nor at the provider.
    ///
    /// # Errors
    /// Forbidden; not found; conflict (inactive account); invalid, also when the idempotency key was used
    /// for another request; malformed idempotency key; refused by the provider; provider unavailable.
    pub async fn create_event(
        &self,
        caller: &Caller,
        calendar: CollectionId,
        input: &Value,
        notify: Notify,
        once: Option<&str>,
    ) -> Result<Made> {
        self.allow(caller, Scope::Calendars, "event.create", calendar).await?;
        let target = self.find_target(caller, calendar).await?;
        let draft = read(input)?;
        draft.check_new().map_err(faults)?;
        let app_no = caller.app()?.app_no;
        let claimed = match once {
            None => None,
            Some(once) => Some(idempotency(once, calendar, input, notify)?),
        };
        let key = match &claimed {
            None => WriteKey::fresh(&self.ids, self.now()),
            Some(idempotency) => match self.claim(app_no, &target, idempotency).await? {
                Ok(key) => key,
                Err(earlier) => {
                    return Ok(Made {
                        event: self.earlier(&target, earlier).await?,
                        replayed: true,
                    });
                }
            },
        };
        let errand = Errand::Create {
            account_no: target.account_no,
            collection_no: target.calendar.collection_no,
            key,
            draft,
            notify,
            actor: Some(caller.actor()),
        };
        let item = match self.errand(errand, limits::ERRAND_DEADLINE_MS).await {
            Ok(Reply::Item(item)) => item,
            Ok(_) => return Err(Error::Internal),
            Err(refusal) => {
                if let (Some(idempotency), true) = (&claimed, made_nothing(&refusal)) {
                    self.store.release_write(app_no, idempotency.key_hash).await?;
                }
                return Err(refusal.into());
            }
        };
        if let Some(idempotency) = claimed {
            self.store.finish_write(app_no, idempotency.key_hash, item.key.clone()).await?;
        }
        self.note_write(caller, "event.create", calendar, &item.key, None, notify).await?;
        Ok(Made { event: self.written(&target.calendar, item).await?, replayed: false })
    }

    /// Changes an event; what is absent from `input` stays.
    ///
    /// # Errors
    /// Forbidden; not found; conflict (inactive account, or changed at the provider meanwhile); stale
    /// when `if_match` names another version; invalid; refused by the provider; provider unavailable.
    pub async fn update_event(
        &self,
        caller: &Caller,
        calendar: CollectionId,
        id: &str,
        input: &Value,
        writing: Writing,
    ) -> Result<CalendarEvent> {
        self.allow(caller, Scope::Calendars, "event.update", calendar).await?;
        let target = self.find_target(caller, calendar).await?;
        let draft = read(input)?;
        if draft.is_empty() {
            return Err(Error::invalid("", "empty", "must name at least one thing to change"));
        }
        let if_match = self.check_version(&target, id, &writing).await?;
        let Writing { if_match: asked, scope, notify } = writing;
        let errand = Errand::Update {
            account_no: target.account_no,
            collection_no: target.calendar.collection_no,
            item_key: id.to_owned(),
            if_match,
            scope,
            draft,
            notify,
            actor: Some(caller.actor()),
        };
        let item = match self.errand(errand, limits::ERRAND_DEADLINE_MS).await {
            Ok(Reply::Item(item)) => item,
            Ok(_) => return Err(Error::Internal),
            Err(refusal) => {
                return Err(self.unwritten(&target, id, asked.is_some(), refusal).await);
            }
        };
        self.note_write(caller, "event.update", calendar, id, Some(scope), notify).await?;
        self.written(&target.calendar, item).await
    }

    /// Deletes an event. One that is gone at the provider already counts as deleted.
    ///
    /// # Errors
    /// As [`Service::update_event`].
    pub async fn delete_event(
        &self,
        caller: &Caller,
        calendar: CollectionId,
        id: &str,
        writing: Writing,
    ) -> Result<()> {
        self.allow(caller, Scope::Calendars, "event.delete", calendar).await?;
        let target = self.find_target(caller, calendar).await?;
        let if_match = self.check_version(&target, id, &writing).await?;
        let Writing { if_match: asked, scope, notify } = writing;
        let errand = Errand::Delete {
            account_no: target.account_no,
            collection_no: target.calendar.collection_no,
            item_key: id.to_owned(),
            if_match,
            scope,
            notify,
            actor: Some(caller.actor()),
        };
        if let Err(refusal) = self.errand(errand, limits::ERRAND_DEADLINE_MS).await {
            return Err(self.unwritten(&target, id, asked.is_some(), refusal).await);
        }
        self.note_write(caller, "event.delete", calendar, id, Some(scope), notify).await
    }

    /// A calendar of an account that can be used.
    async fn find_target(&self, caller: &Caller, id: CollectionId) -> Result<Target> {
        let (account, calendar) = self.find_calendar(caller, id).await?;
        if account.status != AccountStatus::Active {
            return Err(Error::Conflict(inactive(&account)));
        }
        Ok(Target { account_no: account.account_no, calendar })
    }

    /// The event's version at its provider, when the caller named one that the mirror holds too.
    async fn check_version(
        &self,
        target: &Target,
        id: &str,
        writing: &Writing,
    ) -> Result<Option<String>> {
        if id.len() > limits::ITEM_KEY_BYTES_MAX {
            return Err(Error::NotFound("event"));
        }
        let Some(asked) = &writing.if_match else { return Ok(None) };
        let asked = IfMatch::parse(asked)?;
        let held = self.held(target, id).await?.ok_or(Error::NotFound("event"))?;
        let current = version::tag_of(&held);
        match asked {
            IfMatch::Any => Ok(None),
            IfMatch::Tags(tags) if tags.contains(&current) => {
                Ok(Some(held.etag).filter(|etag| !etag.is_empty()))
            }
            IfMatch::Tags(_) => Err(stale(Some(current))),
        }
    }

    /// What the mirror holds of an event; of an occurrence, its series.
    async fn held(&self, target: &Target, id: &str) -> Result<Option<store::Item>> {
        let no = target.calendar.collection_no;
        if let Some(item) = self.store.item(no, id.to_owned()).await? {
            return Ok(Some(item));
        }
        match expand::parts(id) {
            Some((series, _)) => Ok(self.store.item(no, series.to_owned()).await?),
            None => Ok(None),
        }
    }

    /// What a refusal is to a caller: a conflict is told as such only to who named no version.
    async fn unwritten(&self, target: &Target, id: &str, named: bool, refusal: Refusal) -> Error {
        if !named || !matches!(refusal, Refusal::Conflict(_)) {
            return refusal.into();
        }
        match self.held(target, id).await {
            Ok(held) => stale(held.map(|item| version::tag_of(&item))),
            Err(error) => error,
        }
    }

    /// The key at the provider, or what an earlier request with the same key has made.
    async fn claim(
        &self,
        app_no: i64,
        target: &Target,
        idempotency: &Idempotency,
    ) -> Result<std::result::Result<WriteKey, String>> {
        let now = self.now();
        let key = WriteKey::fresh(&self.ids, now);
        let claim = WriteClaim {
            app_no,
            idempotency: *idempotency,
            collection_no: target.calendar.collection_no,
            provider_key: key.as_str().to_owned(),
        };
        match self.store.claim_write(claim, now).await? {
            Claimed::New => Ok(Ok(key)),
            Claimed::Unfinished { provider_key } => {
                WriteKey::parse(&provider_key).map(Ok).ok_or(Error::Internal)
            }
            Claimed::Repeat { item_key } => Ok(Err(item_key)),
            Claimed::Other => {
                let why = "the idempotency-key was used for another request";
                Err(Error::invalid("", "idempotency_mismatch", why))
            }
        }
    }

    async fn earlier(&self, target: &Target, item_key: String) -> Result<CalendarEvent> {
        let found = self.store.item(target.calendar.collection_no, item_key).await?;
        let gone = || Error::Conflict("the event that this idempotency-key made is gone".into());
        Ok(CalendarEvent::of(target.calendar.id, found.ok_or_else(gone)?))
    }

    /// The event as the mirror holds it now, which the provider's answer has been written to.
    async fn written(&self, calendar: &store::Collection, item: Item) -> Result<CalendarEvent> {
        if let Some(held) = self.store.item(calendar.collection_no, item.key.clone()).await? {
            return Ok(CalendarEvent::of(calendar.id, held));
        }
        let of = if item.etag.is_empty() { &item.version } else { &item.etag };
        Ok(CalendarEvent {
            etag: version::tag(of.as_bytes()),
            id: item.key,
            calendar: calendar.id,
            series: item.series,
            recurrence_id: item.recurrence_id,
            event: serde_json::to_vec(&item.event).map_err(|_| Error::Internal)?.into(),
        })
    }

    async fn note_write(
        &self,
        caller: &Caller,
        action: &'static str,
        calendar: CollectionId,
        event: &str,
        scope: Option<SeriesScope>,
        notify: Notify,
    ) -> Result<()> {
        let entry = store::AuditEntry {
            detail: json!({ "event": event, "scope": scope.map(SeriesScope::as_str),
                "notify": notify.as_str() }),
            ..caller.did(action, calendar)
        };
        Ok(self.store.audit(Some(caller.app()?.app_no), entry, self.now()).await?)
    }
}

fn stale(current: Option<String>) -> Error {
    let why = "the event is not in the version that if-match names: read it again and decide anew";
    Error::Stale { why: why.into(), current }
}

fn read(input: &Value) -> Result<EventDraft> {
    EventDraft::from_json(input).map_err(faults)
}

fn faults(faults: Vec<(String, String)>) -> Error {
    Error::Invalid(faults.into_iter().map(|(at, why)| Field::new(at, "invalid", why)).collect())
}

/// Whether a refusal proves that the provider holds nothing of what was asked for.
fn made_nothing(refusal: &Refusal) -> bool {
    !matches!(refusal, Refusal::Unavailable { .. })
}

/// The key and the request as hashes.
fn idempotency(
    once: &str,
    calendar: CollectionId,
    input: &Value,
    notify: Notify,
) -> Result<Idempotency> {
    checked_key(once)?;
    let mut request = Sha256::new();
    request.update(calendar.0.to_bytes());
    request.update(notify.as_str());
    request.update([0]);
    request.update(input.to_string());
    Ok(Idempotency {
        key_hash: Sha256::digest(once.as_bytes()).into(),
        request_hash: request.finalize().into(),
    })
}
