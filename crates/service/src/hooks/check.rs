//! Checking a hook that is to be created.

use tidings_core::clock::Timestamp;
use tidings_core::format::{Format, FormatRef};
use tidings_core::hook::{self, Providers, Selection};
use tidings_core::id::{AccountId, CollectionId, UserId};
use tidings_core::limits;
use tidings_core::retry::Schedule;
use tidings_core::sign::Secret;
use tidings_store as store;

use super::check_triggers;
use crate::validate::Checks;
use crate::{Caller, Error, Result, Service};

/// The format of a hook that names none.
const FORMAT_DEFAULT: &str = "native@1";

/// Which changes a new hook receives first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum HookFrom {
    /// Those published after it was created.
    #[default]
    Now,
    /// Those from this `seq` on.
    Seq(u64),
}

/// A hook to create. What is absent has a default.
#[derive(Clone, Debug, Default)]
pub struct NewHook {
    /// Where it delivers; the app's webhook URL when absent.
    pub url: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Its wire format, `native@1` when absent.
    pub format: Option<String>,
    /// What it asks for, in the words of the format; at least one.
    pub triggers: Vec<String>,
    /// Whether it takes only what the format documents (the default).
    pub providers: Option<Providers>,
    /// Only changes of this end user.
    pub user: Option<UserId>,
    /// Only changes of this account.
    pub account: Option<AccountId>,
    /// Only changes of this calendar.
    pub calendar: Option<CollectionId>,
    /// Its id in its dialect.
    pub external_id: Option<String>,
    /// Seconds to wait before each attempt; the first is 0.
    pub retry: Option<Vec<u32>>,
    /// Deliveries in flight at once, 1 to [`limits::HOOK_CONCURRENCY_MAX`].
    pub concurrency: Option<u32>,
    /// Total budget of an attempt, 1 s to [`limits::DELIVERY_DEADLINE_MS`].
    pub timeout_ms: Option<u64>,
    /// Its signing secret, `whsec_…`; made when absent.
    pub secret: Option<String>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Which changes it receives first.
    pub from: HookFrom,
}

/// A hook that passed the checks.
#[derive(Clone, Debug)]
pub(crate) struct Checked {
    pub(crate) url: Option<String>,
    pub(crate) description: String,
    pub(crate) format: FormatRef,
    pub(crate) triggers: Vec<String>,
    pub(crate) providers: Providers,
    pub(crate) user: Option<UserId>,
    pub(crate) account: Option<AccountId>,
    pub(crate) calendar: Option<CollectionId>,
    pub(crate) external_id: Option<String>,
    pub(crate) service: hook::Service,
    pub(crate) secret: Secret,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) after_seq: Option<u64>,
}

impl Service {
    pub(crate) fn check_new_hook(&self, app: &store::App, input: NewHook) -> Result<Checked> {
        let mut checks = Checks::default();
        match &input.url {
            Some(url) => checks.url("/url", url, &self.egress),
            None if app.webhook_url.is_none() => {
                checks.refuse("/url", "required", "must be given, for the app has no webhook_url");
            }
            None => {}
        }
        checks.text("/description", input.description.as_deref().unwrap_or_default());
        checks.optional_name("/external_id", input.external_id.as_deref());
        checks.future("/expires_at", input.expires_at, self.now());
        let format =
            self.check_format(&mut checks, input.format.as_deref().unwrap_or(FORMAT_DEFAULT));
        if let Some(format) = format {
            check_triggers(&mut checks, format, &input.triggers);
        }
        let service = serving(
            &mut checks,
            hook::Service::default(),
            input.retry,
            input.concurrency,
            input.timeout_ms,
        );
        let secret = self.secret_or_new(&mut checks, input.secret.as_deref());
        if input.from == HookFrom::Seq(0) {
            checks.refuse("/from/seq", "range", "must be 1 or more, the first change's number");
        }
        checks.done()?;
        let format = format.ok_or(Error::Internal)?;
        Ok(Checked {
            url: input.url,
            description: input.description.unwrap_or_default(),
            format: FormatRef { name: format.name.into(), version: format.version },
            triggers: input.triggers,
            providers: input.providers.unwrap_or_default(),
            user: input.user,
            account: input.account,
            calendar: input.calendar,
            external_id: input.external_id,
            service,
            secret: secret.ok_or(Error::Internal)?,
            expires_at: input.expires_at,
            after_seq: match input.from {
                HookFrom::Now => None,
                HookFrom::Seq(seq) => Some(seq.saturating_sub(1)),
            },
        })
    }

    fn check_format(&self, checks: &mut Checks, text: &str) -> Option<&Format> {
        let found =
            FormatRef::try_from(text.to_owned()).ok().and_then(|wanted| self.formats.get(&wanted));
        if found.is_none() {
            let why = format!("must be one of {}", self.formats.names().join(", "));
            checks.refuse("/format", "format", why);
        }
        found
    }

    /// Looks up what the hook is confined to, within the caller's app.
    pub(crate) async fn select(&self, caller: &Caller, checked: &Checked) -> Result<Selection> {
        let user_no = match checked.user {
            Some(user) => Some(self.find_user(caller, user).await?.user_no),
            None => caller.grant.user_no,
        };
        let account_no = match checked.account {
            Some(account) => Some(self.find_account(caller, account).await?.account_no),
            None => None,
        };
        let collection_no = match checked.calendar {
            Some(calendar) => {
                let app_no = caller.app()?.app_no;
                let found = self.store.collection_place(app_no, calendar).await?;
                Some(found.ok_or(Error::NotFound("calendar"))?)
            }
            None => None,
        };
        Ok(Selection {
            format: checked.format.clone(),
            triggers: checked.triggers.clone(),
            providers: checked.providers,
            user_no,
            account_no,
            collection_no,
        })
    }
}

/// How a hook is served, from what it is and what is asked.
pub(super) fn serving(
    checks: &mut Checks,
    mut service: hook::Service,
    retry: Option<Vec<u32>>,
    concurrency: Option<u32>,
    timeout_ms: Option<u64>,
) -> hook::Service {
    match retry.map(Schedule::try_from) {
        Some(Ok(retry)) => service.retry = retry,
        Some(Err(error)) => checks.refuse("/retry", "schedule", error.to_string()),
        None => {}
    }
    if let Some(concurrency) = concurrency {
        service.concurrency = concurrency;
        if !(1..=limits::HOOK_CONCURRENCY_MAX).contains(&concurrency) {
            let why = format!("must be 1 to {}", limits::HOOK_CONCURRENCY_MAX);
            checks.refuse("/concurrency", "range", why);
        }
    }
    if let Some(timeout_ms) = timeout_ms {
        service.timeout_ms = timeout_ms;
        if !(limits::DELIVERY_DEADLINE_MIN_MS..=limits::DELIVERY_DEADLINE_MS).contains(&timeout_ms)
        {
            let why = format!(
                "must be {} to {}",
                limits::DELIVERY_DEADLINE_MIN_MS,
                limits::DELIVERY_DEADLINE_MS
            );
            checks.refuse("/timeout_ms", "range", why);
        }
    }
    service
}
