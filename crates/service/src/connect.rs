//! The verbs of the Mobiscroll Connect surface. Here its subscriptions: a hook for one calendar of one end
//! user, beside the automatic one for all calendars of the app.

mod access;
mod accounts;
mod authorization;
mod automatic;
mod calendars;
mod jwt;
mod tokens;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use tidings_core::clock::Timestamp;
use tidings_core::id::HookId;
use tidings_store as store;

use crate::validate::Checks;
use crate::{Caller, Error, NewHook, Result, Scope, Service};

pub(crate) use access::steward;
pub use access::{CONNECT_CALENDARS, CONNECT_READ, CONNECT_WRITE, ConnectAccess};
pub use accounts::{ConnectAccount, ConnectStatus};
pub use authorization::{Authorization, AuthorizationInput, ConnectLogin, Connecting};
pub use calendars::{CalendarChoice, ConnectCalendar, ConnectEvents, ConnectQuery, EventPlace};
pub use tokens::{ConnectTokens, GrantRefusal};

const FORMAT: &str = "connect";
const FORMAT_PINNED: &str = "connect@1";
const TRIGGER: &str = "event.*";
/// The providers that Connect's documentation names. Where no account can be connected yet, no calendar
/// is found.
const PROVIDERS: [&str; 4] = ["google", "microsoft", "apple", "caldav"];
const RANDOM_BYTES: usize = 24;

/// What a Connect client asks to be told about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscribeInput {
    /// `google`, `microsoft`, `apple` or `caldav`.
    pub provider: String,
    /// The provider's id of the calendar.
    pub calendar_id: String,
    /// The client's id of the subscription, unique among the user's; made when absent.
    pub channel_id: Option<String>,
    /// When the subscription ends.
    pub expiration: Option<Timestamp>,
}

/// A subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// The hook behind it.
    pub hook: HookId,
    /// Its provider.
    pub provider: String,
    /// Its id for the client.
    pub channel_id: String,
    /// When it ends; absent: never.
    pub expiration: Option<Timestamp>,
    /// The provider's own id of what it pushes, where it has one and pushes already.
    pub resource_id: Option<String>,
}

/// The outcome of an unsubscription: success either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unsubscribed {
    /// Whether there was such a subscription.
    pub existed: bool,
}

impl Service {
    /// Subscribes the caller's user to one of the user's calendars; an earlier subscription of the same
    /// calendar by the same user ends.
    ///
    /// # Errors
    /// Forbidden for what is not a Connect token, and for a token that tells free and busy only, for a
    /// delivery tells everything; malformed for an unsupported provider or when the app has no `webhook_url`; invalid; not found (the calendar); conflict when another calendar's
    /// subscription has the channel id, or too many calendars left the automatic subscription.
    pub async fn connect_subscribe(
        &self,
        caller: &Caller,
        input: SubscribeInput,
    ) -> Result<Subscription> {
        let now = self.now();
        let id = HookId(self.ids.next(now));
        self.allow(caller, Scope::Connect, "hook.create", id).await?;
        if self.connect_access(caller)? == ConnectAccess::FreeBusy {
            return Err(Error::Forbidden(CONNECT_READ));
        }
        let (app, user_no) = (caller.app()?, connect_user(caller)?);
        check_provider(&input.provider)?;
        let mut checks = Checks::default();
        checks.optional_name("/channelId", input.channel_id.as_deref());
        if input.channel_id.as_deref() == Some(&*automatic::channel_of_all(app.id)) {
            checks.refuse("/channelId", "reserved", "is reserved; choose another one");
        }
        checks.future("/expiration", input.expiration, now);
        checks.done()?;
        let Some(url) = &app.webhook_url else {
            let why = "project webhook url not configured; set webhook_url of the app";
            return Err(Error::Malformed(why.into()));
        };
        self.egress.vet_url(url).map_err(|refusal| {
            Error::Malformed(format!("project webhook url is not allowed: {refusal}"))
        })?;
        let provider = input.provider.clone();
        let same = self.store.calendars_of_user(app.app_no, user_no, provider, input.calendar_id);
        let same = same.await?;
        let calendar = *same.first().ok_or(Error::NotFound("calendar"))?;
        let same: Vec<i64> = same.iter().map(|place| place.collection_no).collect();
        let channel_id = input.channel_id.unwrap_or_else(|| self.random_text());
        let new = NewHook {
            format: Some(FORMAT_PINNED.into()),
            triggers: vec![TRIGGER.into()],
            external_id: Some(channel_id.clone()),
            expires_at: input.expiration,
            reach: automatic::reach(),
            ..NewHook::default()
        };
        let checked = self.check_new_hook(app, new)?;
        let selection = tidings_core::hook::Selection {
            account_no: Some(calendar.account_no),
            collection_no: Some(calendar.collection_no),
            ..self.select(caller, &checked).await?
        };
        // Two requests at once for one calendar would both find nothing to replace.
        let turn = self.subscribing.lock().await;
        let replaces = self.replaced(app, user_no, &same, &channel_id).await?;
        let leaving = self.leaving_out(app, &same).await?;
        self.insert_hook(caller, id, checked, selection, replaces).await?;
        self.leave_out(caller, leaving).await?;
        drop(turn);
        Ok(Subscription {
            hook: id,
            provider: input.provider,
            channel_id,
            expiration: input.expiration,
            resource_id: self.resource_id(calendar).await?,
        })
    }

    /// Ends a subscription of the caller's user. One that does not exist is no error.
    ///
    /// # Errors
    /// Forbidden for what is not a Connect token; malformed for an unsupported provider; conflict when too
    /// many calendars left the automatic subscription.
    pub async fn connect_unsubscribe(
        &self,
        caller: &Caller,
        provider: &str,
        channel_id: &str,
    ) -> Result<Unsubscribed> {
        self.allow(caller, Scope::Connect, "hook.delete", channel_id).await?;
        let (app, user_no) = (caller.app()?, connect_user(caller)?);
        check_provider(provider)?;
        let mut existed = false;
        for hook in self.subscriptions(app, user_no).await? {
            if hook.external_id.as_deref() == Some(channel_id) {
                let entry = caller.did("hook.delete", hook.id);
                self.store.delete_hook(&hook, entry, self.now()).await?;
                existed = true;
            }
        }
        // The channel of the automatic subscription to a calendar is the calendar's id.
        let same = self.calendars_of_channel(caller, channel_id).await?;
        if !same.is_empty() {
            let turn = self.subscribing.lock().await;
            let leaving = self.leaving_out(app, &same).await?;
            existed |= self.leave_out(caller, leaving).await?;
            drop(turn);
        }
        Ok(Unsubscribed { existed })
    }

    /// Store keys of the user's subscriptions that a new one takes the place of: those of the calendar,
    /// which is `same` in several accounts.
    async fn replaced(
        &self,
        app: &store::App,
        user_no: i64,
        same: &[i64],
        channel_id: &str,
    ) -> Result<Vec<i64>> {
        let mut replaced = Vec::new();
        for hook in self.subscriptions(app, user_no).await? {
            if hook.selection().collection_no.is_some_and(|no| same.contains(&no)) {
                replaced.push(hook.hook_no);
            } else if hook.external_id.as_deref() == Some(channel_id) {
                let why = "channel id is in use for another calendar; choose another one";
                return Err(Error::Conflict(why.into()));
            }
        }
        Ok(replaced)
    }

    async fn subscriptions(&self, app: &store::App, user_no: i64) -> Result<Vec<store::Hook>> {
        let mut hooks = self.store.hooks_of_user(app.app_no, user_no).await?;
        hooks.retain(|hook| hook.selection().format.name == FORMAT);
        Ok(hooks)
    }

    async fn resource_id(&self, at: store::CalendarPlace) -> Result<Option<String>> {
        let subscriptions = self.store.subscriptions_of(at.account_no).await?;
        let own = subscriptions.into_iter().find(|row| row.collection_no == Some(at.collection_no));
        Ok(own.and_then(|row| row.resource_id))
    }

    /// Something that nobody guesses.
    fn random_text(&self) -> String {
        let mut random = [0; RANDOM_BYTES];
        self.ids.fill(&mut random);
        URL_SAFE_NO_PAD.encode(random)
    }
}

fn connect_user(caller: &Caller) -> Result<i64> {
    caller.grant.user_no.ok_or(Error::Forbidden(Scope::Connect.as_str()))
}

fn check_provider(provider: &str) -> Result<()> {
    if PROVIDERS.contains(&provider) {
        return Ok(());
    }
    Err(Error::Malformed(format!("unsupported provider; use one of {}", PROVIDERS.join(", "))))
}
