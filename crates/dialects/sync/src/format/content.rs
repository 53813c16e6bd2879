//! The parts of a change's body that Sync's receivers are told about.

use std::collections::BTreeMap;

use serde::Deserialize;
use tidings_core::id::{AccountId, UserId};

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
    details: Option<Site>,
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
    /// Only in an account's details: the pulls that were asked for.
    jobs: Vec<Job>,
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
        self.credential.clone().or_else(|| self.account.details.clone()).unwrap_or_default()
    }

    /// The pull that it belongs to: the one it names, else the last that was asked for when a bulk job
    /// began, else the bulk job itself.
    pub(super) fn job(&self) -> Option<Job> {
        let asked = self.account.details.as_ref().and_then(|details| details.jobs.last());
        let own = self
            .refresh
            .as_ref()
            .map(|refresh| Job { id_job: refresh.id.clone(), id_job_uuid: refresh.id.clone() });
        self.job.clone().or_else(|| asked.cloned()).or(own)
    }
}
