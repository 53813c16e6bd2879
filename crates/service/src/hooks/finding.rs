//! Finding hooks by what they are like, and what they did last.

use tidings_core::clock::Timestamp;
use tidings_core::id::{GrantId, HookId, UserId};
use tidings_core::limits;
use tidings_store::{self as store, HookLike};

use super::Hook;
use crate::{Caller, Result, Scope, Service};

/// What hooks are looked for by; what is absent does not matter.
#[derive(Clone, Debug, Default)]
pub struct HookMatch {
    /// Their format, with or without its version: `connect`, `sync@3`.
    pub format: Option<String>,
    /// Their own URL.
    pub url: Option<String>,
    /// The end user they belong to.
    pub user: Option<UserId>,
    /// Their id in their dialect.
    pub external_id: Option<String>,
    /// The grant that made them.
    pub owner: Option<GrantId>,
}

/// One attempt of a hook, in short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The status of the answer; 0: there was none.
    pub status: u16,
    /// When it began.
    pub at: Timestamp,
}

impl Service {
    /// Hooks of the app that the caller may see and that are like this, oldest first.
    ///
    /// # Errors
    /// Forbidden; not found (the end user).
    pub async fn hooks_like(&self, caller: &Caller, like: HookMatch) -> Result<Vec<Hook>> {
        caller.may_either(Scope::Read, Scope::Hooks)?;
        let app_no = caller.app()?.app_no;
        let Some(found) = self.like(caller, &like).await? else { return Ok(Vec::new()) };
        let mut hooks = self.store.hooks_like(app_no, found, limits::APP_HOOKS_MAX).await?;
        hooks.retain(|hook| {
            caller.sees_user(hook.user_no)
                && like.format.as_ref().is_none_or(|format| has_format(hook, format))
        });
        self.hook_views(hooks).await
    }

    /// Hooks that a grant made, or all of the app, as far as the caller may see them; oldest first.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn hooks_owned_by(
        &self,
        caller: &Caller,
        owner: Option<GrantId>,
    ) -> Result<Vec<Hook>> {
        self.hooks_like(caller, HookMatch { owner, ..HookMatch::default() }).await
    }

    /// The last attempts of a hook, newest first, at most [`limits::HOOK_RUNS_MAX`]: those of its newest
    /// deliveries, test events left out.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn hook_runs(&self, caller: &Caller, id: HookId, limit: u32) -> Result<Vec<Run>> {
        caller.may_either(Scope::Read, Scope::Hooks)?;
        let hook = self.find_hook(caller, id).await?;
        let limit = limit.min(limits::HOOK_RUNS_MAX);
        let runs = self.store.hook_runs(hook.hook_no, hook.app_no, limit).await?;
        let run = |(status, at): (Option<u16>, _)| Run { status: status.unwrap_or(0), at };
        let mut runs: Vec<Run> = runs.into_iter().map(run).collect();
        runs.sort_by_key(|run| std::cmp::Reverse(run.at));
        Ok(runs)
    }

    /// The same in store keys; `None` when there can be no such hook.
    async fn like(&self, caller: &Caller, like: &HookMatch) -> Result<Option<HookLike>> {
        let user_no = match like.user {
            Some(user) => Some(self.find_user(caller, user).await?.user_no),
            None => None,
        };
        let owner_grant_no = match like.owner {
            Some(owner) => {
                let grant = self.store.grant_by_id(Some(caller.app()?.app_no), owner).await?;
                let Some(grant) = grant else { return Ok(None) };
                Some(grant.grant_no)
            }
            None => None,
        };
        let (url, external_id) = (like.url.clone(), like.external_id.clone());
        Ok(Some(HookLike { owner_grant_no, user_no, url, external_id }))
    }

    /// Hooks as they are shown.
    async fn hook_views(&self, hooks: Vec<store::Hook>) -> Result<Vec<Hook>> {
        let known = self.known_ids(&hooks).await?;
        Ok(hooks.into_iter().map(|hook| super::view(hook, &known)).collect())
    }
}

fn has_format(hook: &store::Hook, format: &str) -> bool {
    let has = &hook.selection().format;
    if format.contains('@') { has.to_string() == format } else { has.name == format }
}
