//! The parts of a change's body that Sync's receivers are told about.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use tidings_core::id::{AccountId, UserId};
use tidings_core::limits;

use crate::holdings::Details;

/// The body of a change about a credential.
#[derive(Deserialize)]
pub(super) struct Content {
    account: Account,
    user: Option<User>,
    credential: Option<Site>,
    job: Option<Job>,
    /// Of a bulk job: what each collection holds now.
    #[serde(default)]
    pub(super) counts: BTreeMap<String, Count>,
    refresh: Option<Refresh>,
    pub(super) documents: Option<Documents>,
}

#[derive(Deserialize)]
struct Account {
    id: AccountId,
    /// As they are kept: the application may have written anything there.
    #[serde(default)]
    details: Value,
}

#[derive(Deserialize)]
struct User {
    id: UserId,
    external_id: Option<String>,
}

/// Where the data of a credential comes from.
#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Site {
    pub(super) id_site: Option<String>,
    pub(super) id_site_organization: Option<String>,
    pub(super) id_site_organization_type: Option<String>,
    pub(super) is_executing: Option<u8>,
}

impl From<Details> for Site {
    fn from(details: Details) -> Self {
        let Details { id_site, id_site_organization, id_site_organization_type, .. } = details;
        Self { id_site, id_site_organization, id_site_organization_type, is_executing: None }
    }
}

/// A pull.
#[derive(Clone, Deserialize)]
pub(super) struct Job {
    pub(super) id_job: String,
    pub(super) id_job_uuid: String,
}

#[derive(Deserialize)]
pub(super) struct Count {
    pub(super) total: u64,
}

#[derive(Deserialize)]
struct Refresh {
    id: String,
}

/// An announcement of documents.
#[derive(Deserialize)]
pub(super) struct Documents {
    pub(super) uuid: String,
    pub(super) total: u64,
    /// How many are on a page.
    page: Option<u64>,
}

impl Documents {
    pub(super) fn page(&self) -> u64 {
        self.page.unwrap_or(limits::SYNC_DOCUMENTS_PAGE).clamp(1, limits::SYNC_DOCUMENTS_PAGE)
    }
}

impl Content {
    pub(super) fn id_credential(&self) -> String {
        self.account.id.0.to_hex24()
    }

    pub(super) fn id_user(&self) -> Option<String> {
        self.user.as_ref().map(|user| user.id.0.to_hex24())
    }

    pub(super) fn id_external(&self) -> Option<&str> {
        self.user.as_ref()?.external_id.as_deref()
    }

    pub(super) fn site(&self) -> Site {
        self.credential.clone().unwrap_or_else(|| Details::of(&self.account.details).into())
    }

    /// The pull that it belongs to: the one it names, else the last that was asked for when a bulk job
    /// began, else the bulk job itself.
    pub(super) fn job(&self) -> Option<Job> {
        let asked = || {
            let last = Details::of(&self.account.details).jobs.pop()?;
            Some(Job { id_job: last.id_job, id_job_uuid: last.id_job_uuid })
        };
        let own = || {
            let id = &self.refresh.as_ref()?.id;
            Some(Job { id_job: id.clone(), id_job_uuid: id.clone() })
        };
        self.job.clone().or_else(asked).or_else(own)
    }
}
