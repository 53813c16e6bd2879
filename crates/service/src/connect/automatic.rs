//! The automatic subscription: one hook that watches every calendar of an app, but for those that were
//! subscribed or unsubscribed by name.
//!
//! It is recognised by its id in the dialect: the app's own. The format tells the calendar's id as its
//! channel, so that a client can end it for one calendar.

use tidings_core::id::{AppId, CollectionId, GrantId, HookId};
use tidings_core::limits;
use tidings_core::sign::Scheme;
use tidings_store::{self as store, HookLike};

use super::access::{steward, user_no};
use super::{FORMAT_PINNED, TRIGGER};
use crate::{Caller, Error, NewHook, Reach, Result, Service};

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

    /// The automatic subscription and those of these calendars that are in it; `None` when none is.
    ///
    /// # Errors
    /// Conflict when more than [`limits::CONNECT_LEFT_MAX`] would have left it.
    pub(super) async fn leaving_out(
        &self,
        app: &store::App,
        calendars: &[i64],
    ) -> Result<Option<(store::Hook, Vec<i64>)>> {
        let Some(hook) = self.automatic_hook(app).await? else { return Ok(None) };
        let selection = hook.selection();
        let mut leaving = calendars.to_vec();
        leaving.retain(|calendar| selection.left_at(*calendar).is_none());
        if leaving.is_empty() {
            return Ok(None);
        }
        let most = limits::CONNECT_LEFT_MAX.saturating_sub(leaving.len());
        if selection.left.len() > most {
            let left = selection.left.iter().map(|(calendar, _)| *calendar).collect();
            if self.store.calendars_left(left).await?.len() > most {
                let why = format!(
                    "{} calendars were subscribed or unsubscribed by name, and no more can leave \
                     the automatic subscription; set subscribe_all of the app to false",
                    limits::CONNECT_LEFT_MAX
                );
                return Err(Error::Conflict(why));
            }
        }
        Ok(Some((hook, leaving)))
    }

    /// Has these calendars leave the automatic subscription; says whether there was anything to do.
    pub(super) async fn leave_out(
        &self,
        caller: &Caller,
        leaving: Option<(store::Hook, Vec<i64>)>,
    ) -> Result<bool> {
        let Some((hook, leaving)) = leaving else { return Ok(false) };
        let (entry, most) = (caller.did("hook.update", hook.id), limits::CONNECT_LEFT_MAX);
        Ok(self.store.leave_hook(&hook, leaving, most, entry, self.now()).await?)
    }

    /// Store keys of the user's calendar that a channel of the automatic subscription names: one for each
    /// account that sees it, none when the channel names no calendar of the user.
    pub(super) async fn calendars_of_channel(
        &self,
        caller: &Caller,
        channel_id: &str,
    ) -> Result<Vec<i64>> {
        let Ok(id) = channel_id.parse::<CollectionId>() else { return Ok(Vec::new()) };
        let (account, calendar) = match self.find_calendar(caller, id).await {
            Ok(found) => found,
            Err(Error::NotFound(_)) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let (app_no, user_no) = (caller.app()?.app_no, user_no(caller)?);
        let same =
            self.store.calendars_of_user(app_no, user_no, account.provider, calendar.external_id);
        Ok(same.await?.iter().map(|place| place.collection_no).collect())
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
