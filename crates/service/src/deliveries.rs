//! Deliveries and their attempts: looking at them, sending them again.

mod request;

use bytes::Bytes;
use tidings_core::clock::Timestamp;
use tidings_core::delivery::{delivery_id, locate};
use tidings_core::hook::HookStatus;
use tidings_core::id::{AttemptId, ChangeId, DeliveryId, HookId};
use tidings_store::{self as store, AttemptDetail, DeliveryRow, DeliveryStatus};

use crate::cursor::List;
use crate::{Caller, Error, Page, PageInput, Result, Scope, Service};

pub use request::{DeliveryRequest, SignedDelivery};

/// A delivery: one request owed to one hook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// Its id, which is also the `webhook-id` of its requests.
    pub id: DeliveryId,
    /// The hook.
    pub hook: HookId,
    /// What became of it.
    pub status: DeliveryStatus,
    /// `seq` of its first change.
    pub first_seq: u64,
    /// `seq` of its last change.
    pub last_seq: u64,
    /// How many changes it stands for.
    pub changes: u32,
    /// Attempts made.
    pub attempts: u32,
    /// When the last of them began.
    pub last_attempt_at: Option<Timestamp>,
    /// When it is tried again.
    pub next_attempt_at: Option<Timestamp>,
    /// Why it waits or was given up, in plain words.
    pub reason: Option<String>,
}

/// One HTTP try of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Its id.
    pub id: AttemptId,
    /// 1, 2, 3 … of its delivery.
    pub n: u32,
    /// Whether it was answered with a 2xx.
    pub delivered: bool,
    /// When it began.
    pub started_at: Timestamp,
    /// Microseconds of the name look-up.
    pub dns_us: Option<u64>,
    /// Microseconds of connecting.
    pub connect_us: Option<u64>,
    /// Microseconds of the TLS handshake.
    pub tls_us: Option<u64>,
    /// Microseconds until the first byte of the answer.
    pub first_byte_us: Option<u64>,
    /// Microseconds in all.
    pub total_us: u64,
    /// Where it was sent.
    pub url: String,
    /// The address that was dialled.
    pub address: Option<String>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// Class and plain words of what went wrong.
    pub error: Option<(String, String)>,
    /// Names and values of the headers that were sent.
    pub request_headers: Vec<(String, String)>,
    /// Names and values of the headers of the answer.
    pub response_headers: Vec<(String, String)>,
    /// The beginning of the answer's body.
    pub response_body: Option<Bytes>,
}

/// Which deliveries to list.
#[derive(Clone, Copy, Debug, Default)]
pub struct DeliveryQuery {
    /// Only those of this hook. This or `change` must be given.
    pub hook: Option<HookId>,
    /// Only those that stand for this change alone or first.
    pub change: Option<ChangeId>,
    /// Only those of this status.
    pub status: Option<DeliveryStatus>,
}

impl Service {
    /// Deliveries that were attempted or wait, newest change first.
    ///
    /// # Errors
    /// Forbidden; invalid.
    pub async fn deliveries(
        &self,
        caller: &Caller,
        query: DeliveryQuery,
        page: &PageInput,
    ) -> Result<Page<Delivery>> {
        caller.may_either(Scope::Read, Scope::Hooks)?;
        match (query.hook, query.change) {
            (hook, Some(change)) => {
                self.deliveries_of_change(caller, hook, change, query.status, page).await
            }
            (Some(hook), None) => self.deliveries_of_hook(caller, hook, query.status, page).await,
            (None, None) => Err(Error::invalid("hook", "required", "name a hook or a change")),
        }
    }

    async fn deliveries_of_hook(
        &self,
        caller: &Caller,
        hook: HookId,
        status: Option<DeliveryStatus>,
        page: &PageInput,
    ) -> Result<Page<Delivery>> {
        let empty = Page { items: Vec::new(), next: None };
        let Some(hook) = found(self.find_hook(caller, hook).await)? else { return Ok(empty) };
        let list = List("deliveries", hook.hook_no);
        let (before, limit) = list.begin(page, i64::MAX)?;
        let before = before.unsigned_abs();
        let rows = self.store.deliveries(hook.hook_no, status, before, limit).await?;
        let place = |row: &DeliveryRow| row.members.first_seq as i64;
        Ok(list.page(rows, limit, place, |row| view(hook.id, row)))
    }

    /// What became of one change, hook by hook.
    async fn deliveries_of_change(
        &self,
        caller: &Caller,
        only: Option<HookId>,
        change: ChangeId,
        status: Option<DeliveryStatus>,
        page: &PageInput,
    ) -> Result<Page<Delivery>> {
        let app_no = caller.app()?.app_no;
        let empty = Page { items: Vec::new(), next: None };
        let change = self.store.change_by_id(app_no, change).await.map_err(Error::from);
        let Some(change) = found(change)? else { return Ok(empty) };
        let list = List("deliveries of a change", change.seq as i64);
        let (after, limit) = list.begin(page, 0)?;
        let rows = self.store.deliveries_of_change(app_no, change.seq, after, limit).await?;
        let mut page =
            list.page(rows, limit, |(_, row)| row.hook_no, |(hook, row)| view(hook, row));
        if caller.is_bound() {
            page.items = self.of_own_hooks(caller, page.items).await?;
        }
        let wanted = |delivery: &Delivery| {
            only.is_none_or(|hook| hook == delivery.hook)
                && status.is_none_or(|status| status == delivery.status)
        };
        Ok(Page { items: page.items.into_iter().filter(wanted).collect(), ..page })
    }

    /// Those of deliveries whose hooks the caller sees.
    async fn of_own_hooks(&self, caller: &Caller, all: Vec<Delivery>) -> Result<Vec<Delivery>> {
        let mut own = Vec::new();
        for delivery in all {
            if found(self.find_hook(caller, delivery.hook).await)?.is_some() {
                own.push(delivery);
            }
        }
        Ok(own)
    }

    /// One delivery.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn delivery(&self, caller: &Caller, id: DeliveryId) -> Result<Delivery> {
        caller.may_either(Scope::Read, Scope::Hooks)?;
        let (hook, row) = self.find_delivery(caller, id).await?;
        Ok(view(hook.id, row))
    }

    /// The attempts of a delivery, oldest first.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn attempts(&self, caller: &Caller, id: DeliveryId) -> Result<Vec<Attempt>> {
        caller.may_either(Scope::Read, Scope::Hooks)?;
        let (hook, row) = self.find_delivery(caller, id).await?;
        let attempts = self.store.attempts(hook.hook_no, &row.members).await?;
        Ok(attempts.into_iter().map(Attempt::from).collect())
    }

    /// Sends a delivery again at once, with a fresh schedule, under the same id.
    ///
    /// # Errors
    /// Forbidden; not found; conflict when the hook is not active, its URL is not acceptable, or another
    /// delivery that begins with the same change waits.
    pub async fn resend_delivery(&self, caller: &Caller, id: DeliveryId) -> Result<Delivery> {
        self.allow(caller, Scope::Hooks, "delivery.resend", id).await?;
        let (hook, row) = self.find_delivery(caller, id).await?;
        if hook.status != HookStatus::Active {
            let why = format!("hook is {}; enable it before you resend", hook.status.as_str());
            return Err(Error::Conflict(why));
        }
        self.vet_target(caller, &hook)?;
        let first = self.store.change_by_seq(hook.app_no, row.members.first_seq).await;
        let first = found(first.map_err(Error::from))?;
        let key = first.and_then(|change| hook.service.key_hash(&change));
        let (app_no, entry) = (hook.app_no, caller.did("delivery.resend", id));
        self.store.resend(app_no, hook.hook_no, row.members, key, entry, self.now()).await?;
        let (hook, row) = self.find_delivery(caller, id).await?;
        Ok(view(hook.id, row))
    }

    /// Finds the delivery that an id names, and computes the id anew: a forged one names something too.
    async fn find_delivery(
        &self,
        caller: &Caller,
        id: DeliveryId,
    ) -> Result<(store::Hook, DeliveryRow)> {
        const MISSING: Error = Error::NotFound("delivery");
        let app_no = caller.app()?.app_no;
        let (hook_no, first_seq) = locate(id);
        let hook = self.store.hook_by_no(hook_no).await?;
        let own = |hook: &store::Hook| hook.app_no == app_no && caller.sees_user(hook.user_no);
        let hook = hook.filter(own).ok_or(MISSING)?;
        let rows = self.store.deliveries_at(hook_no, first_seq).await?;
        let mut same =
            rows.into_iter().filter(|row| delivery_id(hook.id, hook_no, &row.members) == id);
        let row = same.next().ok_or(MISSING)?;
        Ok((hook, row))
    }
}

/// A filter by something unknown selects nothing; it is no error.
fn found<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(Error::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

fn view(hook: HookId, row: DeliveryRow) -> Delivery {
    Delivery {
        id: delivery_id(hook, row.hook_no, &row.members),
        hook,
        status: row.status,
        first_seq: row.members.first_seq,
        last_seq: row.members.last_seq,
        changes: row.members.count,
        attempts: row.attempts,
        last_attempt_at: row.last_attempt_at,
        next_attempt_at: row.next_attempt_at,
        reason: row.reason,
    }
}

impl From<AttemptDetail> for Attempt {
    fn from(detail: AttemptDetail) -> Self {
        let AttemptDetail { id, record } = detail;
        Self {
            id,
            n: record.n,
            delivered: record.delivered,
            started_at: record.started_at,
            dns_us: record.dns_us,
            connect_us: record.connect_us,
            tls_us: record.tls_us,
            first_byte_us: record.first_byte_us,
            total_us: record.total_us,
            url: record.url,
            address: record.address,
            status: record.status,
            error: record.error,
            request_headers: headers(record.request_headers.as_deref()),
            response_headers: headers(record.response_headers.as_deref()),
            response_body: record.response_body.map(Bytes::from),
        }
    }
}

/// Headers as the store keeps them: a JSON array of pairs.
fn headers(stored: Option<&str>) -> Vec<(String, String)> {
    stored.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
