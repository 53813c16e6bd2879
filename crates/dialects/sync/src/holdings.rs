//! The credentials that a call is about: record accounts of Tidings, with what Sync keeps in their details.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidings_core::id::AccountId;
use tidings_core::limits;
use tidings_service::{PageInput, RecordAccount};

use crate::Desk;
use crate::auth::Acting;
use crate::catalogues;
use crate::params::Params;
use crate::refusal::Refusal;
use crate::wire::bits;

/// A credential, and what it says of itself.
#[derive(Clone, Debug)]
pub(crate) struct Holding {
    pub(crate) account: RecordAccount,
    pub(crate) details: Details,
}

/// What Sync keeps in a record account's details. Login data is not among it.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Details {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id_site: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id_site_organization: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id_site_organization_type: Option<String>,
    /// Masked: `t**t`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) username: Option<String>,
    /// The last pulls that were asked for, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) jobs: Vec<Job>,
    /// The last announcements of documents, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) document_events: Vec<DocumentEvent>,
    /// What the application itself keeps there.
    #[serde(flatten)]
    pub(crate) others: Map<String, Value>,
}

/// A pull.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub(crate) struct Job {
    pub(crate) id_job: String,
    pub(crate) id_job_uuid: String,
    /// When it was asked for, ms since the Unix epoch.
    #[serde(default)]
    pub(crate) at: i64,
}

/// An announcement of documents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default)]
pub(crate) struct DocumentEvent {
    pub(crate) uuid: String,
    /// The job whose documents they are.
    pub(crate) id_job: String,
    /// How many.
    pub(crate) total: u64,
    /// Ordinal of the first of them.
    pub(crate) first: u64,
    /// Ordinal of the last.
    pub(crate) last: u64,
}

impl Details {
    /// Reads an account's details; the application may have written anything there, and what does not fit is
    /// as if it were not there.
    pub(crate) fn of(value: &Value) -> Self {
        let mut others = value.as_object().cloned().unwrap_or_default();
        let mut text = |name: &str| match others.remove(name) {
            Some(Value::String(text)) => Some(text),
            _ => None,
        };
        Self {
            id_site: text("id_site"),
            id_site_organization: text("id_site_organization"),
            id_site_organization_type: text("id_site_organization_type"),
            username: text("username"),
            jobs: entries(others.remove("jobs")),
            document_events: entries(others.remove("document_events")),
            others,
        }
    }

    /// The reverse of [`Details::of`].
    pub(crate) fn to_value(&self) -> Value {
        serde_json::to_value(self).expect("details are texts, numbers and JSON")
    }

    /// When the first of these jobs was asked for, ms since the Unix epoch; `None` unless all are known.
    pub(crate) fn asked_for(&self, ids: &BTreeSet<String>) -> Option<i64> {
        let at = |id: &String| self.jobs.iter().find(|job| job.id_job == *id).map(|job| job.at);
        ids.iter().map(at).collect::<Option<Vec<_>>>()?.into_iter().min()
    }

    /// Remembers a job, and forgets the oldest beyond [`limits::SYNC_JOBS_KEPT`].
    pub(crate) fn remember(&mut self, job: Job) {
        self.jobs.push(job);
        let surplus = self.jobs.len().saturating_sub(limits::SYNC_JOBS_KEPT);
        self.jobs.drain(..surplus);
    }

    /// As [`Details::remember`], for an announcement of documents.
    pub(crate) fn remember_documents(&mut self, event: DocumentEvent) {
        self.document_events.push(event);
        let surplus = self.document_events.len().saturating_sub(limits::SYNC_JOBS_KEPT);
        self.document_events.drain(..surplus);
    }
}

/// Those of a list's entries that can be read.
fn entries<T: DeserializeOwned>(value: Option<Value>) -> Vec<T> {
    let Some(Value::Array(entries)) = value else { return Vec::new() };
    entries.into_iter().filter_map(|entry| serde_json::from_value(entry).ok()).collect()
}

impl From<RecordAccount> for Holding {
    fn from(account: RecordAccount) -> Self {
        let details = Details::of(&account.details);
        Self { account, details }
    }
}

impl Holding {
    /// `id_credential`.
    pub(crate) fn id(&self) -> String {
        self.account.id.0.to_hex24()
    }

    /// `id_user`; none for what the application keeps for nobody.
    pub(crate) fn id_user(&self) -> Option<String> {
        self.account.user.map(|user| user.0.to_hex24())
    }

    /// The site, as bank accounts show it.
    pub(crate) fn site(&self) -> Value {
        let known = self.details.id_site.as_deref().and_then(catalogues::site);
        json!({
            "id_site": self.details.id_site,
            "id_site_organization": self.details.id_site_organization,
            "id_site_organization_type": self.details.id_site_organization_type,
            "name": known.map_or(self.account.name.as_str(), |site| site.name),
            "organization": known.map(|_| catalogues::ORGANIZATION_NAME),
            "avatar": null,
            "cover": null,
            "small_cover": null,
            "time_zone": "UTC",
        })
    }

    /// Whether filters on the site, its organization and the type of that hold; an empty one does.
    fn is_at(&self, wanted: &[BTreeSet<String>; 3]) -> bool {
        let Details { id_site, id_site_organization, id_site_organization_type, .. } =
            &self.details;
        let own = [id_site, id_site_organization, id_site_organization_type];
        let holds = |(wanted, own): (&BTreeSet<String>, &Option<String>)| {
            wanted.is_empty() || own.as_ref().is_some_and(|own| wanted.contains(own))
        };
        wanted.iter().zip(own).all(holds)
    }
}

/// One credential of those that the caller sees.
pub(crate) async fn one(desk: &Desk, acting: &Acting, id: &str) -> Result<Holding, Refusal> {
    let id = AccountId(bits(id, "credential")?);
    let account = desk.service.record_account(&acting.caller, id).await?;
    match acting.user {
        Some(user) if account.user != Some(user) => Err(Refusal::not_found("credential")),
        _ => Ok(account.into()),
    }
}

/// The credentials that a list call reads from: those it names, else all that the caller sees.
pub(crate) async fn all(
    desk: &Desk,
    acting: &Acting,
    params: &Params,
) -> Result<Vec<Holding>, Refusal> {
    let sites = [
        params.set("id_site")?,
        params.set("id_site_organization")?,
        params.set("id_site_organization_type")?,
    ];
    let mut found: Vec<Holding> = Vec::new();
    let named = params.list("id_credential")?;
    for id in &named {
        found.push(one(desk, acting, id).await?);
    }
    let mut page = PageInput { cursor: None, limit: Some(limits::PAGE_MAX) };
    while named.is_empty() {
        let accounts = desk.service.record_accounts(&acting.caller, acting.user, &page).await?;
        found.extend(accounts.items.into_iter().map(Holding::from));
        page.cursor = accounts.next;
        if page.cursor.is_none() {
            break;
        }
        if found.len() >= limits::SYNC_CREDENTIALS_MAX {
            let why = "there are too many credentials to read them all; name some in id_credential";
            return Err(Refusal::field("id_credential", why));
        }
    }
    found.retain(|holding| holding.is_at(&sites));
    Ok(found)
}
