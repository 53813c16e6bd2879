//! Changing a hook: its fields, whether it delivers, and trying it out.

use serde_json::json;
use tidings_core::access::Access;
use tidings_core::change::{NewChange, Origin, Subject, types};
use tidings_core::format::{Format, OnEnable};
use tidings_core::hook::{Consent, HookStatus, Providers, Selection};
use tidings_core::id::{ChangeId, CollectionId, HookId};
use tidings_core::sign::Scheme;
use tidings_store::{self as store, HookUpdate};

use super::access::Reach;
use super::check::NamedFilter;
use super::selecting::{check_except, check_filter, check_named, check_transform};
use super::serving::{Serving, serving};
use super::{Hook, check_triggers, consent};
use crate::validate::Checks;
use crate::{Caller, Error, Receipt, Result, Scope, Service};

/// What to change of a hook; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct HookChanges {
    /// A new URL; applies to parked deliveries too.
    pub url: Option<String>,
    /// New free text.
    pub description: Option<String>,
    /// New triggers, from the app's next change on.
    pub triggers: Option<Vec<String>>,
    /// Whether it takes only what the format documents, from the app's next change on.
    pub providers: Option<Providers>,
    /// Whether it also takes the echoes of writes through our own API, from the app's next change on.
    pub echoes: Option<bool>,
    /// A new filter as JSON text, from the app's next change on; `Some(None)`: none any more.
    pub filter: Option<Option<String>>,
    /// New named filters, all of them, from the app's next change on; empty: none any more.
    pub named: Option<Vec<NamedFilter>>,
    /// The calendars left out, all of them, from the app's next change on.
    pub except_calendars: Option<Vec<CollectionId>>,
    /// A new transform, also for parked deliveries; `Some(None)`: none any more.
    pub transform: Option<Option<String>>,
    /// How it is served; applies to parked deliveries too.
    pub serving: Serving,
    /// How it is signed and let in; applies to parked deliveries too.
    pub reach: Reach,
}

/// Where an enabled hook goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EnableFrom {
    /// As the preset of its format says; by most, the backlog.
    #[default]
    Usual,
    /// Where it stood: everything that waits is delivered.
    Backlog,
    /// At the end of the journal: what waits is skipped, visibly.
    Now,
}

impl Service {
    /// Changes a hook.
    ///
    /// # Errors
    /// Forbidden; not found; invalid.
    pub async fn update_hook(
        &self,
        caller: &Caller,
        id: HookId,
        changes: HookChanges,
    ) -> Result<Hook> {
        self.allow(caller, Scope::Hooks, "hook.update", id).await?;
        let hook = self.find_hook(caller, id).await?;
        let access = match changes.reach.access.is_partial() {
            true => self.open_access(&hook).await?,
            false => Access::default(),
        };
        let except = match &changes.except_calendars {
            Some(calendars) => Some(self.collection_nos(caller, calendars).await?),
            None => None,
        };
        let update = self.check_changes(&hook, access, except, changes)?;
        if update.service.as_ref().is_some_and(|service| service.signing.has(Scheme::V1a)) {
            self.ensure_signing_key(hook.app_no, hook.app_id).await?;
        }
        if let Some(new) = &update.selection
            && new.transform != hook.selection().transform
        {
            self.dry_run(caller, &new.format, new.transform.as_deref()).await?;
        }
        self.write_hook(caller, &hook, update, "hook.update").await
    }

    /// Starts a paused or disabled hook again.
    ///
    /// # Errors
    /// Forbidden; not found; conflict when its URL is not acceptable.
    pub async fn enable_hook(&self, caller: &Caller, id: HookId, from: EnableFrom) -> Result<Hook> {
        self.allow(caller, Scope::Hooks, "hook.enable", id).await?;
        let hook = self.find_hook(caller, id).await?;
        self.vet_target(caller, &hook)?;
        consent::must_not_want(&hook)?;
        let format = self.formats.get(&hook.selection().format);
        let usual = format.map_or(OnEnable::Backlog, |format| format.preset.from_on_enable);
        let now = match from {
            EnableFrom::Usual => usual == OnEnable::Now,
            EnableFrom::Backlog => false,
            EnableFrom::Now => true,
        };
        let skip = now.then(|| "enabled from now on".to_owned());
        let update = HookUpdate {
            status: Some((HookStatus::Active, None)),
            skip_backlog: skip,
            // A dialect that forgets what was missed forgets what it would try again, too.
            give_up_parked: usual == OnEnable::Now,
            ..HookUpdate::default()
        };
        self.write_hook(caller, &hook, update, "hook.enable").await
    }

    /// Stops a hook for a while; what it misses waits for it.
    ///
    /// # Errors
    /// Forbidden; not found; conflict when it is disabled.
    pub async fn pause_hook(&self, caller: &Caller, id: HookId) -> Result<Hook> {
        self.allow(caller, Scope::Hooks, "hook.pause", id).await?;
        let hook = self.find_hook(caller, id).await?;
        if hook.status == HookStatus::Disabled {
            return Err(Error::Conflict("hook is disabled; enable it before you pause it".into()));
        }
        self.stop_hook(caller, &hook, HookStatus::Paused, "hook.pause").await
    }

    /// Stops a hook until it is enabled; what it misses waits for it.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn disable_hook(&self, caller: &Caller, id: HookId) -> Result<Hook> {
        self.allow(caller, Scope::Hooks, "hook.disable", id).await?;
        let hook = self.find_hook(caller, id).await?;
        self.stop_hook(caller, &hook, HookStatus::Disabled, "hook.disable").await
    }

    /// Publishes a test event that only this hook receives, whatever its triggers and its status. When
    /// the receiver of a disabled hook takes it, the hook is enabled.
    ///
    /// # Errors
    /// Forbidden; not found; conflict when its URL is not acceptable.
    pub async fn test_hook(&self, caller: &Caller, id: HookId) -> Result<Receipt> {
        self.allow(caller, Scope::Hooks, "hook.test", id).await?;
        let hook = self.find_hook(caller, id).await?;
        self.vet_target(caller, &hook)?;
        consent::must_not_want(&hook)?;
        let now = self.now();
        let change = NewChange {
            id: ChangeId(self.ids.next(now)),
            kind: types::HOOK_TEST.into(),
            subject: Subject { hook_no: Some(hook.hook_no), ..Subject::default() },
            order_key: None,
            occurred_at: now,
            origin: Origin::Api,
            actor: Some(caller.actor()),
            traceparent: None,
            body: json!({ "message": "this is a test event", "hook": id }).to_string().into(),
        };
        let entry = caller.did("hook.test", id);
        let appended = self.store.append_audited(hook.app_no, change, entry, now).await?;
        let change = appended.changes.first().ok_or(Error::Internal)?;
        Ok(Receipt {
            warnings: Vec::new(),
            id: change.new.id,
            seq: change.seq,
            kind: change.new.kind.clone(),
            recorded_at: change.recorded_at,
        })
    }

    async fn stop_hook(
        &self,
        caller: &Caller,
        hook: &store::Hook,
        status: HookStatus,
        action: &'static str,
    ) -> Result<Hook> {
        let reason = format!("{} by {}", status.as_str(), caller.actor());
        let update = HookUpdate { status: Some((status, Some(reason))), ..HookUpdate::default() };
        self.write_hook(caller, hook, update, action).await
    }

    fn check_changes(
        &self,
        hook: &store::Hook,
        access: Access,
        except: Option<Vec<i64>>,
        changes: HookChanges,
    ) -> Result<HookUpdate> {
        let mut checks = Checks::default();
        let current = hook.selection();
        let format = self.formats.get(&current.format);
        if let Some(url) = &changes.url {
            self.check_url(&mut checks, format, url);
        }
        checks.text("/description", changes.description.as_deref().unwrap_or_default());
        let selection = select_anew(&mut checks, current, format, except, &changes);
        let mut service = serving(&mut checks, hook.service.clone(), format, changes.serving);
        let moved = changes.url.is_some() && changes.url != hook.url;
        if moved && self.leaves_origin(hook, changes.url.as_deref()) {
            changes.reach.access.must_be_given_anew(&mut checks, &hook.service.access);
        }
        let given = !changes.reach.access.is_empty();
        let access = self.check_reach(&mut checks, &mut service, access, changes.reach, moved);
        checks.done()?;
        let asked =
            service.consent == Some(Consent::Asked) && hook.service.consent != service.consent;
        Ok(HookUpdate {
            description: changes.description,
            url: changes.url,
            service: Some(service).filter(|service| *service != hook.service),
            selection: Some(selection).filter(|selection| selection != current),
            access: given.then(|| self.seal_access(hook.app_id, &access, self.now())),
            status: if asked { consent::waiting(hook) } else { None },
            ..HookUpdate::default()
        })
    }
}

/// What a hook selects once `changes` are made; `except` are the store keys of those left out.
fn select_anew(
    checks: &mut Checks,
    current: &Selection,
    format: Option<&Format>,
    except: Option<Vec<i64>>,
    changes: &HookChanges,
) -> Selection {
    let mut selection = current.clone();
    if let Some(triggers) = &changes.triggers {
        match format {
            Some(format) => check_triggers(checks, format, triggers),
            None => checks.refuse("/triggers", "format", "its format is not served any more"),
        }
        selection.triggers.clone_from(triggers);
    }
    selection.providers = changes.providers.unwrap_or(selection.providers);
    selection.echoes = changes.echoes.unwrap_or(selection.echoes);
    if let Some(filter) = &changes.filter {
        selection.filter = filter.as_deref().and_then(|filter| check_filter(checks, filter));
    }
    if let Some(named) = &changes.named {
        selection.named = check_named(checks, named);
    }
    check_except(checks, changes.except_calendars.as_deref().unwrap_or_default());
    selection.except = except.unwrap_or(selection.except);
    if let Some(transform) = &changes.transform {
        if let Some(source) = transform {
            check_transform(checks, source);
        }
        selection.transform.clone_from(transform);
    }
    selection
}
