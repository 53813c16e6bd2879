//! Apps: created and deleted by owner keys and operators, tended by their admins.

use tidings_core::catalogue::Validation;
use tidings_core::clock::Timestamp;
use tidings_core::id::AppId;
use tidings_core::limits;
use tidings_core::retention::AppRetention;
use tidings_core::settings::AppSettings;
use tidings_store as store;
use url::Url;

use crate::cursor::List;
use crate::validate::Checks;
use crate::{Caller, Error, Page, PageInput, Result, Scope, Service};

/// An app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Its id.
    pub id: AppId,
    /// What people call it.
    pub name: String,
    /// Its id elsewhere.
    pub external_id: Option<String>,
    /// Where hooks without a URL of their own deliver.
    pub webhook_url: Option<String>,
    /// `seq` of the newest change; 0 before the first.
    pub seq: u64,
    /// The first `seq` that the journal still holds or will hold.
    pub oldest_seq: u64,
    /// What it keeps, where it says so itself.
    pub retention: AppRetention,
    /// What happens to changes that are not as its catalogue of event types says.
    pub validation: Validation,
    /// What its dialects read.
    pub settings: AppSettings,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last updated.
    pub updated_at: Timestamp,
}

impl From<store::App> for App {
    fn from(app: store::App) -> Self {
        Self {
            id: app.id,
            name: app.name,
            external_id: app.external_id,
            webhook_url: app.webhook_url,
            seq: app.seq,
            oldest_seq: app.floor_seq + 1,
            retention: app.retention,
            validation: app.validation,
            settings: app.settings,
            created_at: app.created_at,
            updated_at: app.updated_at,
        }
    }
}

/// An app to create.
#[derive(Clone, Debug, Default)]
pub struct NewApp {
    /// What people call it.
    pub name: String,
    /// Its id elsewhere; unique in the installation.
    pub external_id: Option<String>,
    /// Where hooks without a URL of their own deliver.
    pub webhook_url: Option<String>,
}

/// What to change about an app; what is absent stays, an inner `None` clears.
#[derive(Clone, Debug, Default)]
pub struct AppChanges {
    /// A new name.
    pub name: Option<String>,
    /// A new id elsewhere.
    pub external_id: Option<Option<String>>,
    /// A new address for hooks without a URL.
    pub webhook_url: Option<Option<String>>,
    /// What it keeps from now on; what is absent in it is as the installation has it.
    pub retention: Option<AppRetention>,
    /// What happens to changes that are not as its catalogue of event types says.
    pub validation: Option<Validation>,
    /// What its dialects read from now on.
    pub settings: Option<AppSettings>,
}

const APPS: List = List("apps", 0);

impl Service {
    /// Creates an app. Owner keys, and operators who are no viewers, only.
    ///
    /// # Errors
    /// Forbidden; invalid; conflict when the external id is taken.
    pub async fn create_app(&self, caller: &Caller, input: NewApp) -> Result<App> {
        let now = self.now();
        let id = AppId(self.ids.next(now));
        self.note_refusal(caller, caller.may_manage_apps(), "app.create", id).await?;
        let mut checks = Checks::default();
        checks.name("/name", &input.name);
        checks.optional_name("/external_id", input.external_id.as_deref());
        if let Some(url) = &input.webhook_url {
            checks.url("/webhook_url", url, &self.egress);
        }
        checks.done()?;
        let new = store::NewApp {
            id,
            name: input.name,
            external_id: input.external_id,
            webhook_url: input.webhook_url,
            created_at: now,
        };
        let app = self.store.create_app(new, caller.did("app.create", id)).await?;
        self.known.forget();
        Ok(app.into())
    }

    /// One app: any for an owner key or an operator, its own for another.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn app(&self, caller: &Caller, id: AppId) -> Result<App> {
        caller.may(Scope::Read)?;
        Ok(self.find_app(caller, id).await?.into())
    }

    /// Apps that the caller can see, oldest first.
    ///
    /// # Errors
    /// Forbidden; invalid.
    pub async fn apps(&self, caller: &Caller, page: &PageInput) -> Result<Page<App>> {
        caller.may(Scope::Read)?;
        let (after, limit) = APPS.begin(page, 0)?;
        let rows = match &caller.app {
            Some(app) if !caller.spans_apps() => {
                let own = self.store.app(app.app_no).await?;
                own.into_iter().filter(|app| app.app_no > after).collect()
            }
            _ => self.store.apps(after, limit).await?,
        };
        Ok(APPS.page(rows, limit, |app| app.app_no, App::from))
    }

    /// Updates an app.
    ///
    /// # Errors
    /// Forbidden; not found; invalid; conflict when the external id is taken.
    pub async fn update_app(&self, caller: &Caller, id: AppId, changes: AppChanges) -> Result<App> {
        self.allow(caller, Scope::Admin, "app.update", id).await?;
        let app = self.find_app(caller, id).await?;
        let mut checks = Checks::default();
        checks.optional_name("/name", changes.name.as_deref());
        checks.optional_name(
            "/external_id",
            changes.external_id.iter().flatten().next().map(String::as_str),
        );
        if let Some(url) = changes.webhook_url.iter().flatten().next() {
            checks.url("/webhook_url", url, &self.egress);
        }
        if let Some(retention) = &changes.retention {
            self.check_retention(&mut checks, caller, retention);
        }
        if let Some(settings) = &changes.settings {
            check_settings(&mut checks, settings);
        }
        checks.done()?;
        let AppChanges { name, external_id, webhook_url, retention, validation, settings } =
            changes;
        let update =
            store::AppUpdate { name, external_id, webhook_url, retention, validation, settings };
        let entry = caller.did("app.update", id);
        let app = self.store.update_app(app.app_no, update, self.now(), entry).await?;
        self.known.forget();
        self.watch_all_for_connect(&app).await?;
        Ok(app.into())
    }

    /// Deletes an app. What watches its accounts at their providers is stopped and their tokens are given
    /// back first, as far as that is done in time. Nothing of the app is found from now on; its content is
    /// erased in the background. Owner keys, and operators who are no viewers, only.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn delete_app(&self, caller: &Caller, id: AppId) -> Result<()> {
        self.note_refusal(caller, caller.may_manage_apps(), "app.delete", id).await?;
        let app = self.find_app(caller, id).await?;
        let detail = self.revoke_all(app.app_no).await;
        let entry = store::AuditEntry { detail, ..caller.did("app.delete", id) };
        self.store.delete_app(app.app_no, self.now(), entry).await?;
        self.known.forget();
        let service = self.clone();
        // An erasure that a crash or a full disk interrupts is taken up by `resume_erasures`.
        tokio::spawn(async move { drop(service.erase_app(app.app_no).await) });
        Ok(())
    }

    /// Finishes erasing the content of deleted apps and accounts, and records that nobody sees any more. Call
    /// it once at start.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn resume_erasures(&self) -> Result<()> {
        for app_no in self.store.deleted_apps().await? {
            self.erase_app(app_no).await?;
        }
        for account_no in self.store.unerased_accounts().await? {
            self.erase_account(account_no).await?;
        }
        self.resume_sweeps().await
    }

    async fn erase_app(&self, app_no: i64) -> Result<()> {
        while self.store.erase_app_step(app_no, self.now()).await? {}
        Ok(())
    }

    pub(crate) async fn erase_account(&self, account_no: i64) -> Result<()> {
        while self.store.erase_account_step(account_no).await? {}
        Ok(())
    }

    pub(crate) async fn find_app(&self, caller: &Caller, id: AppId) -> Result<store::App> {
        let allowed = caller.spans_apps() || caller.app_id() == Some(id);
        let found = if allowed { self.store.app_by_id(id).await? } else { None };
        found.ok_or(Error::NotFound("app"))
    }
}

fn check_settings(checks: &mut Checks, settings: &AppSettings) {
    if settings.redirect_uris.len() > limits::APP_REDIRECT_URIS_MAX {
        let why = format!("must name at most {} addresses", limits::APP_REDIRECT_URIS_MAX);
        checks.refuse("/settings/redirect_uris", "too_many", why);
    }
    for (place, uri) in settings.redirect_uris.iter().enumerate() {
        if !is_redirect_uri(uri) {
            let why = "must be an http or https URL without a fragment (RFC 6749 section 3.1.2)";
            checks.refuse(format!("/settings/redirect_uris/{place}"), "url", why);
        }
    }
}

/// Only a browser goes there, so private addresses are as good as others.
fn is_redirect_uri(uri: &str) -> bool {
    uri.len() <= limits::URL_BYTES_MAX
        && Url::parse(uri).is_ok_and(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.host().is_some()
                && url.fragment().is_none()
        })
}
