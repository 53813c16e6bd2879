//! Hooks.

use std::collections::{BTreeSet, HashMap};

use tidings_core::access::AccessSummary;
use tidings_core::clock::Timestamp;
use tidings_core::hook::{
    Coalesce, Consent, DisableRule, HookStatus, OnExhausted, Ordering, Providers, Rate, Selection,
};
use tidings_core::id::{AccountId, CollectionId, GrantId, HookId, UserId};
use tidings_core::limits;
use tidings_core::sign::{Scheme, Signing};
use tidings_store::{self as store, HookUpdate, ScopeIds};

use crate::cursor::List;
use crate::validate::Checks;
use crate::{Caller, Error, Page, PageInput, Result, Scope, Service};

mod access;
mod calling;
mod change;
mod check;
mod consent;
mod finding;
mod secret;
mod selecting;
mod serving;
mod starting;

pub use access::{AccessChanges, Reach};
pub use change::{EnableFrom, HookChanges};
pub use check::{HookFrom, NamedFilter, NewHook};
pub use consent::Verify;
pub use finding::{HookMatch, Run};
pub use secret::{RevealedSecret, RotateSecret, Rotated};
pub use selecting::{Made, Preview, PreviewInput};
pub use serving::{Coalescing, OrderingKind, Serving};

/// A hook, without its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hook {
    /// Its id.
    pub id: HookId,
    /// The grant that made it; absent: an owner key, an operator, or an end user through the portal.
    pub owner: Option<GrantId>,
    /// Where it delivers; absent: the app's webhook URL.
    pub url: Option<String>,
    /// Free text.
    pub description: String,
    /// Its wire format, `native@1`.
    pub format: String,
    /// What it asks for, in the words of the format.
    pub triggers: Vec<String>,
    /// Whether it takes only what the format documents.
    pub providers: Providers,
    /// Whether it also takes the echoes of writes through our own API.
    pub echoes: bool,
    /// Only changes of this end user.
    pub user: Option<UserId>,
    /// Only changes of this account.
    pub account: Option<AccountId>,
    /// Only changes of this calendar.
    pub calendar: Option<CollectionId>,
    /// No changes of these calendars.
    pub except_calendars: Vec<CollectionId>,
    /// Only changes whose content is like this: a filter, as JSON text.
    pub filter: Option<String>,
    /// Only changes whose content is like at least one of these, unless there are none.
    pub named: Vec<NamedFilter>,
    /// The script that reshapes its requests.
    pub transform: Option<String>,
    /// Its id in its dialect.
    pub external_id: Option<String>,
    /// Seconds to wait before each attempt.
    pub retry: Vec<u32>,
    /// Deliveries in flight at once.
    pub concurrency: u32,
    /// Total budget of an attempt, ms.
    pub timeout_ms: u64,
    /// Attempts in a span, at most.
    pub rate: Option<Rate>,
    /// Which deliveries wait for one another.
    pub ordering: Ordering,
    /// What an ordered hook does when a delivery is given up.
    pub on_exhausted: OnExhausted,
    /// How changes share a request.
    pub coalesce: Option<Coalesce>,
    /// When failures disable it.
    pub disable: DisableRule,
    /// Whether a receiver that is down costs a probe now and then rather than its schedule.
    pub breaker: bool,
    /// Whether waits are lengthened by chance.
    pub jitter: bool,
    /// Whether a retry takes later changes in.
    pub merges: bool,
    /// What its deliveries are signed with.
    pub signing: Signing,
    /// What its requests carry to be let in, without the secrets.
    pub access: AccessSummary,
    /// Whether its receiver agreed; absent: it is not asked.
    pub consent: Option<Consent>,
    /// Whether it delivers.
    pub status: HookStatus,
    /// Why not, in plain words.
    pub status_reason: Option<String>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Attempts made.
    pub runs: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Failed attempts since the last success.
    pub consecutive_failures: u64,
    /// Since when there were nothing but failures.
    pub failing_since: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// A new hook and its secret, which is shown this once.
#[derive(Clone, Debug)]
pub struct CreatedHook {
    /// The hook.
    pub hook: Hook,
    /// What it signs with.
    pub secret: tidings_core::sign::Secret,
}

impl Service {
    /// Creates a hook.
    ///
    /// # Errors
    /// Forbidden; not found (user, account, calendar); invalid; too many hooks; gone when `from` is no
    /// longer kept.
    pub async fn create_hook(&self, caller: &Caller, input: NewHook) -> Result<CreatedHook> {
        let now = self.now();
        let id = HookId(self.ids.next(now));
        self.allow(caller, Scope::Hooks, "hook.create", id).await?;
        self.check_portal_hook(caller, &input).await?;
        let checked = self.check_new_hook(caller.app()?, input)?;
        self.dry_run(caller, &checked.format, checked.transform.as_deref()).await?;
        let selection = self.select(caller, &checked).await?;
        let created = self.insert_hook(caller, id, checked, selection, Vec::new()).await?;
        Ok(created)
    }

    /// Writes a checked hook, in place of those with the store keys `replaces`.
    pub(crate) async fn insert_hook(
        &self,
        caller: &Caller,
        id: HookId,
        checked: check::Checked,
        selection: Selection,
        replaces: Vec<i64>,
    ) -> Result<CreatedHook> {
        let now = self.now();
        let app = caller.app()?;
        let counts = self.store.app_counts(app.app_no).await?;
        if counts.hooks as usize >= limits::APP_HOOKS_MAX as usize + replaces.len() {
            return Err(Error::limit("hooks of an app"));
        }
        if checked.service.signing.has(Scheme::V1a) {
            self.ensure_signing_key(app.app_no, app.id).await?;
        }
        let sealed = self.seal_secret(app.id, &checked.secret, now);
        let asked = checked.service.consent == Some(Consent::Asked);
        let new = store::NewHook {
            id,
            app_no: app.app_no,
            owner_grant_no: caller.owns_hooks_as(),
            user_no: caller.grant.user_no.or(selection.user_no),
            external_id: checked.external_id,
            description: checked.description,
            url: checked.url,
            service: checked.service,
            selection,
            expires_at: checked.expires_at,
            after_seq: checked.after_seq,
            access: self.seal_access(app.id, &checked.access, now),
            disabled: asked.then(|| Consent::WAITING.to_owned()),
        };
        let entry = caller.did("hook.create", id);
        let hook = self.store.create_hook(new, sealed, replaces, entry, now).await?;
        Ok(CreatedHook { hook: self.hook_view(hook).await?, secret: checked.secret })
    }

    /// One hook.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn hook(&self, caller: &Caller, id: HookId) -> Result<Hook> {
        caller.may_either(Scope::Read, Scope::Hooks)?;
        self.hook_view(self.find_hook(caller, id).await?).await
    }

    /// Hooks of the app, oldest first; for a caller bound to an end user, those of that user.
    ///
    /// # Errors
    /// Forbidden; invalid.
    pub async fn hooks(&self, caller: &Caller, page: &PageInput) -> Result<Page<Hook>> {
        caller.may_either(Scope::Read, Scope::Hooks)?;
        let app_no = caller.app()?.app_no;
        let list = List("hooks", app_no);
        let (after, limit) = list.begin(page, 0)?;
        let rows = self.store.hooks(app_no, caller.grant.user_no, after, limit).await?;
        let known = self.known_ids(&rows).await?;
        Ok(list.page(rows, limit, |hook| hook.hook_no, |hook| view(hook, &known)))
    }

    /// Deletes a hook. Deliveries in flight may still arrive; nothing more is attempted.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn delete_hook(&self, caller: &Caller, id: HookId) -> Result<()> {
        self.allow(caller, Scope::Hooks, "hook.delete", id).await?;
        let hook = self.find_hook(caller, id).await?;
        Ok(self.store.delete_hook(&hook, caller.did("hook.delete", id), self.now()).await?)
    }

    pub(crate) async fn find_hook(&self, caller: &Caller, id: HookId) -> Result<store::Hook> {
        let hook = self.store.hook_by_id(caller.app()?.app_no, id).await?;
        if caller.sees_user(hook.user_no) { Ok(hook) } else { Err(Error::NotFound("hook")) }
    }

    /// The hook's URL, or the app's, vetted anew: configuration and rules may have changed since. A format
    /// may leave that to the deliveries.
    pub(crate) fn vet_target(&self, caller: &Caller, hook: &store::Hook) -> Result<()> {
        let Some(url) = hook.url.as_ref().or(caller.app()?.webhook_url.as_ref()) else {
            let why = "hook has no url and its app no webhook_url; set one of them";
            return Err(Error::Conflict(why.into()));
        };
        let format = self.formats.get(&hook.selection().format);
        if format.is_some_and(|format| format.preset.any_url) {
            return Ok(());
        }
        let vetted = self.egress.vet_url(url);
        vetted.map(drop).map_err(|refusal| Error::Conflict(format!("hook's url: {refusal}")))
    }

    pub(crate) async fn hook_view(&self, hook: store::Hook) -> Result<Hook> {
        let known = self.known_ids(std::slice::from_ref(&hook)).await?;
        Ok(view(hook, &known))
    }

    async fn known_ids(&self, hooks: &[store::Hook]) -> Result<KnownIds> {
        let all = |of: fn(&Selection) -> Option<i64>| {
            hooks.iter().filter_map(|hook| of(hook.selection())).collect::<Vec<_>>()
        };
        let users = all(|selection| selection.user_no);
        let accounts = all(|selection| selection.account_no);
        let mut collections = all(|selection| selection.collection_no);
        collections.extend(hooks.iter().flat_map(|hook| &hook.selection().except));
        let mut known = KnownIds::default();
        if !(users.is_empty() && accounts.is_empty() && collections.is_empty()) {
            known.scopes = self.store.scope_ids(users, accounts, collections).await?;
        }
        let owners: BTreeSet<i64> = hooks.iter().filter_map(|hook| hook.owner_grant_no).collect();
        if !owners.is_empty() {
            known.owners = self.store.grant_ids(owners.into_iter().collect()).await?;
        }
        Ok(known)
    }

    /// Writes an update and shows the hook as it is then.
    async fn write_hook(
        &self,
        caller: &Caller,
        hook: &store::Hook,
        update: HookUpdate,
        action: &'static str,
    ) -> Result<Hook> {
        let entry = caller.did(action, hook.id);
        let hook = self.store.update_hook(hook.hook_no, update, entry, self.now()).await?;
        self.hook_view(hook).await
    }
}

/// The ids behind what hooks refer to.
#[derive(Debug, Default)]
struct KnownIds {
    scopes: ScopeIds,
    owners: HashMap<i64, GrantId>,
}

fn view(hook: store::Hook, KnownIds { scopes: ids, owners }: &KnownIds) -> Hook {
    let selection = hook.selection().clone();
    let no = |key: Option<i64>| key.unwrap_or_default();
    Hook {
        id: hook.id,
        owner: owners.get(&no(hook.owner_grant_no)).copied(),
        url: hook.url,
        description: hook.description,
        format: selection.format.to_string(),
        triggers: selection.triggers,
        providers: selection.providers,
        echoes: selection.echoes,
        user: ids.users.get(&no(selection.user_no)).copied(),
        account: ids.accounts.get(&no(selection.account_no)).copied(),
        calendar: ids.collections.get(&no(selection.collection_no)).copied(),
        except_calendars: (selection.except.iter())
            .filter_map(|collection| ids.collections.get(collection).copied())
            .collect(),
        filter: selection.filter.map(String::from),
        named: selection.named.into_iter().map(Into::into).collect(),
        transform: selection.transform,
        external_id: hook.external_id,
        retry: hook.service.retry.into(),
        concurrency: hook.service.concurrency,
        timeout_ms: hook.service.timeout_ms,
        rate: hook.service.rate,
        ordering: hook.service.ordering,
        on_exhausted: hook.service.on_exhausted,
        coalesce: hook.service.coalesce,
        disable: hook.service.disable,
        breaker: hook.service.breaker,
        jitter: hook.service.jitter,
        merges: hook.service.merges,
        signing: hook.service.signing,
        access: hook.service.access,
        consent: hook.service.consent,
        status: hook.status,
        status_reason: hook.status_reason,
        expires_at: hook.expires_at,
        runs: hook.runs,
        failures: hook.failures,
        consecutive_failures: hook.consecutive_failures,
        failing_since: hook.failing_since,
        created_at: hook.created_at,
        updated_at: hook.updated_at,
    }
}

/// Checks triggers against what a format knows.
fn check_triggers(checks: &mut Checks, format: &tidings_core::format::Format, triggers: &[String]) {
    if triggers.is_empty() || triggers.len() > limits::HOOK_TRIGGERS_MAX {
        let why = format!("must name 1 to {} triggers", limits::HOOK_TRIGGERS_MAX);
        checks.refuse("/triggers", "count", why);
    }
    for (place, trigger) in triggers.iter().enumerate() {
        if !(format.knows)(trigger) {
            let why = format!("is not a trigger of {}@{}", format.name, format.version);
            checks.refuse(format!("/triggers/{place}"), "trigger", why);
        }
    }
}
