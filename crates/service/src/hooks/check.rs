//! Checking a hook that is to be created.

use tidings_core::access::Access;
use tidings_core::clock::Timestamp;
use tidings_core::filter::Filter;
use tidings_core::format::{Format, FormatRef};
use tidings_core::hook::{self, Named, Providers, Selection};
use tidings_core::id::{AccountId, CollectionId, UserId};
use tidings_core::limits;
use tidings_core::sign::Secret;
use tidings_store as store;

use super::access::Reach;
use super::check_triggers;
use super::selecting::{check_except, check_filter, check_named, check_transform};
use super::serving::{Serving, preset, serving};
use crate::validate::Checks;
use crate::{Caller, Error, Result, Service};

/// The format of a hook that names none.
pub(super) const FORMAT_DEFAULT: &str = "native@1";

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
    /// No changes of these calendars, at most [`limits::HOOK_EXCEPT_MAX`].
    pub except_calendars: Vec<CollectionId>,
    /// Whether it also takes the echoes of writes through our own API; not when absent.
    pub echoes: Option<bool>,
    /// Only changes whose content is like this: a [`tidings_core::filter`], as JSON text.
    pub filter: Option<String>,
    /// Only changes whose content is like at least one of these, at most [`limits::HOOK_NAMED_MAX`], unless
    /// there are none.
    pub named: Vec<NamedFilter>,
    /// A script that reshapes body and headers before they are signed.
    pub transform: Option<String>,
    /// Its id in its dialect.
    pub external_id: Option<String>,
    /// How it is served.
    pub serving: Serving,
    /// How it is signed and let in.
    pub reach: Reach,
    /// Its signing secret, `whsec_…`; made when absent.
    pub secret: Option<String>,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Which changes it receives first.
    pub from: HookFrom,
}

/// A filter with a name, which the hook's format is told with the changes that it takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedFilter {
    /// Its name, unique in the hook.
    pub name: String,
    /// What it takes: a [`tidings_core::filter`], as JSON text.
    pub filter: String,
}

impl From<Named> for NamedFilter {
    fn from(named: Named) -> Self {
        Self { name: named.name, filter: named.filter.into() }
    }
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
    pub(crate) except_calendars: Vec<CollectionId>,
    pub(crate) echoes: bool,
    pub(crate) filter: Option<Filter>,
    pub(crate) named: Vec<Named>,
    pub(crate) transform: Option<String>,
    pub(crate) external_id: Option<String>,
    pub(crate) service: hook::Service,
    pub(crate) access: Access,
    pub(crate) secret: Secret,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) after_seq: Option<u64>,
}

impl Service {
    pub(crate) fn check_new_hook(&self, app: &store::App, input: NewHook) -> Result<Checked> {
        let mut checks = Checks::default();
        let format =
            self.check_format(&mut checks, input.format.as_deref().unwrap_or(FORMAT_DEFAULT));
        match &input.url {
            Some(url) => self.check_url(&mut checks, format, url),
            None if app.webhook_url.is_none() => {
                checks.refuse("/url", "required", "must be given, for the app has no webhook_url");
            }
            None => {}
        }
        checks.text("/description", input.description.as_deref().unwrap_or_default());
        checks.optional_name("/external_id", input.external_id.as_deref());
        checks.future("/expires_at", input.expires_at, self.now());
        if let Some(format) = format {
            check_triggers(&mut checks, format, &input.triggers);
        }
        let filter = input.filter.as_deref().and_then(|filter| check_filter(&mut checks, filter));
        let named = check_named(&mut checks, &input.named);
        check_except(&mut checks, &input.except_calendars);
        if let Some(transform) = &input.transform {
            check_transform(&mut checks, transform);
        }
        let begins = format.map_or_else(hook::Service::default, |format| preset(&format.preset));
        let mut service = serving(&mut checks, begins, format, input.serving);
        let access = Access::default();
        let access = self.check_reach(&mut checks, &mut service, access, input.reach, true);
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
            except_calendars: input.except_calendars,
            echoes: input.echoes.unwrap_or_default(),
            filter,
            named,
            transform: input.transform,
            external_id: input.external_id,
            service,
            access,
            secret: secret.ok_or(Error::Internal)?,
            expires_at: input.expires_at,
            after_seq: match input.from {
                HookFrom::Now => None,
                HookFrom::Seq(seq) => Some(seq.saturating_sub(1)),
            },
        })
    }

    /// A URL that is fit to be sent to, or any text, as the format has it.
    pub(super) fn check_url(&self, checks: &mut Checks, format: Option<&Format>, url: &str) {
        if !format.is_some_and(|format| format.preset.any_url) {
            checks.url("/url", url, &self.egress);
        } else if url.is_empty() || url.len() > limits::URL_BYTES_MAX || url.contains('\0') {
            let why = format!("must be a text of 1 to {} bytes", limits::URL_BYTES_MAX);
            checks.refuse("/url", "length", why);
        }
    }

    pub(super) fn check_format(&self, checks: &mut Checks, text: &str) -> Option<&Format> {
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
            Some(calendar) => Some(self.collection_no(caller, calendar).await?),
            None => None,
        };
        let except = self.collection_nos(caller, &checked.except_calendars).await?;
        Ok(Selection {
            format: checked.format.clone(),
            triggers: checked.triggers.clone(),
            providers: checked.providers,
            user_no,
            account_no,
            collection_no,
            echoes: checked.echoes,
            except,
            left: Vec::new(),
            filter: checked.filter.clone(),
            named: checked.named.clone(),
            transform: checked.transform.clone(),
        })
    }

    /// Store keys of calendars in the caller's app that the caller may know.
    pub(super) async fn collection_nos(
        &self,
        caller: &Caller,
        calendars: &[CollectionId],
    ) -> Result<Vec<i64>> {
        let mut found = Vec::with_capacity(calendars.len());
        for calendar in calendars {
            found.push(self.collection_no(caller, *calendar).await?);
        }
        Ok(found)
    }

    async fn collection_no(&self, caller: &Caller, calendar: CollectionId) -> Result<i64> {
        let (app_no, user_no) = (caller.app()?.app_no, caller.grant.user_no);
        let found = self.store.collection_place(app_no, user_no, calendar).await?;
        found.ok_or(Error::NotFound("calendar"))
    }
}
