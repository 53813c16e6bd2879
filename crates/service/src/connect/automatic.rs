//! The automatic subscription: one hook that watches every calendar of an app, but for those that were
//! subscribed or unsubscribed by name.
//!
//! It is recognised by its id in the dialect: the app's own. The format tells the calendar's id as its
//! channel, so that a client can end it for one calendar.

use tidings_core::hook::Selection;
use tidings_core::id::{AppId, CollectionId, GrantId, HookId};
use tidings_core::sign::Scheme;
use tidings_store::{self as store, HookLike, HookUpdate};

use super::access::steward;
use super::{FORMAT_PINNED, TRIGGER};
use crate::{Caller, NewHook, Reach, Result, Service};

impl Service {
    /// Makes an app's automatic subscription as its settings want it: there once the app has a webhook
    /// URL, takes people through Connect's authorization (it has `redirect_uris`) and does not say
    /// otherwise (`subscribe_all`).
    ///
    /// # Errors
    /// Too many hooks; unavailable.
    pub(crate) async fn watch_all_for_connect(&self, app: &store::App) -> Result<()> {
        let wanted = app.settings.subscribe_all;
        let possible = app.webhook_url.is_some() && !app.settings.redirect_uris.is_empty();
        if wanted && !possible {
            return Ok(());
        }
        let turn = self.subscribing.lock().await;
        let caller = steward(app, GrantId(self.ids.next(self.now())));
        match (self.automatic_hook(app).await?, wanted) {
            (None, true) => self.watch_all(&caller, app).await?,
            (Some(hook), false) => {
                let entry = caller.did("hook.delete", hook.id);
                self.store.delete_hook(&hook, entry, self.now()).await?;
            }
            (Some(_), true) | (None, false) => {}
        }
        drop(turn);
        Ok(())
    }

    async fn watch_all(&self, caller: &Caller, app: &store::App) -> Result<()> {
        let new = NewHook {
            format: Some(FORMAT_PINNED.into()),
            triggers: vec![TRIGGER.into()],
            external_id: Some(channel_of_all(app.id)),
            description: Some("every calendar, as connect subscribes them".into()),
            reach: reach(),
            ..NewHook::default()
        };
        let id = HookId(self.ids.next(self.now()));
        let checked = self.check_new_hook(app, new)?;
        let selection = self.select(caller, &checked).await?;
        self.insert_hook(caller, id, checked, selection, Vec::new()).await?;
        Ok(())
    }

    pub(super) async fn automatic_hook(&self, app: &store::App) -> Result<Option<store::Hook>> {
        let like = HookLike { external_id: Some(channel_of_all(app.id)), ..HookLike::default() };
        let mut found = self.store.hooks_like(app.app_no, like, 2).await?;
        found.retain(|hook| hook.user_no.is_none());
        Ok(found.pop())
    }

    /// Leaves a calendar out of the automatic subscription; says whether it was in it.
    pub(super) async fn leave_out(&self, caller: &Caller, collection_no: i64) -> Result<bool> {
        let Some(hook) = self.automatic_hook(caller.app()?).await? else { return Ok(false) };
        let mut selection: Selection = hook.selection().clone();
        if selection.except.contains(&collection_no) {
            return Ok(false);
        }
        selection.except.push(collection_no);
        let update = HookUpdate { selection: Some(selection), ..HookUpdate::default() };
        let entry = caller.did("hook.update", hook.id);
        self.store.update_hook(hook.hook_no, update, entry, self.now()).await?;
        Ok(true)
    }

    /// Store key of the user's calendar that a channel of the automatic subscription names.
    pub(super) async fn calendar_of_channel(
        &self,
        caller: &Caller,
        channel_id: &str,
    ) -> Result<Option<i64>> {
        let Ok(id) = channel_id.parse::<CollectionId>() else { return Ok(None) };
        match self.find_calendar(caller, id).await {
            Ok((_, calendar)) => Ok(Some(calendar.collection_no)),
            Err(crate::Error::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The automatic hook's id in the dialect.
pub(super) fn channel_of_all(app: AppId) -> String {
    app.to_string()
}

/// Deliveries are signed with the app's published key, as Connect's are.
pub(super) fn reach() -> Reach {
    Reach { signing: Some(vec![Scheme::V1a]), ..Reach::default() }
}
