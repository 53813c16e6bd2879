//! Hooks, their versions and secrets.

mod write;

use rusqlite::{Connection, OptionalExtension, Row, params};
use tidings_core::clock::Timestamp;
use tidings_core::hook::{HookStatus, Selection, Service};
use tidings_core::id::{AppId, Bits96, HookId};

use crate::{Error, Result, Store};

pub(crate) use write::set_status;

/// A stored hook.
#[derive(Clone, Debug)]
pub struct Hook {
    /// Store key.
    pub hook_no: i64,
    /// Its id.
    pub id: HookId,
    /// The app's store key.
    pub app_no: i64,
    /// The app's id.
    pub app_id: AppId,
    /// Store key of the grant that made it; absent for those made by an owner key.
    pub owner_grant_no: Option<i64>,
    /// Store key of the end user it belongs to.
    pub user_no: Option<i64>,
    /// Its id in its dialect.
    pub external_id: Option<String>,
    /// Free text.
    pub description: String,
    /// Where it delivers; absent: the app's webhook URL.
    pub url: Option<String>,
    /// How it is served.
    pub service: Service,
    /// Whether its cursor moves.
    pub status: HookStatus,
    /// Why not, in plain words.
    pub status_reason: Option<String>,
    /// When its dialect lets it end.
    pub expires_at: Option<Timestamp>,
    /// What it selects, by the `seq` from which it applies; ascending, never empty.
    pub versions: Vec<(u64, Selection)>,
    /// Attempts made.
    pub runs: u64,
    /// Attempts that failed.
    pub failures: u64,
    /// Failed attempts since the last success.
    pub consecutive_failures: u64,
    /// Since when nothing but failures.
    pub failing_since: Option<Timestamp>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

impl Hook {
    /// The selection in force now.
    pub fn selection(&self) -> &Selection {
        &self.versions.last().expect("a hook has at least one version").1
    }

    /// The selection in force at `seq`; `None` before the hook existed.
    pub fn selection_at(&self, seq: u64) -> Option<&Selection> {
        self.versions.iter().rev().find(|(from, _)| *from <= seq).map(|(_, selection)| selection)
    }
}

/// A hook to create.
#[derive(Clone, Debug)]
pub struct NewHook {
    /// Its id.
    pub id: HookId,
    /// The app's store key.
    pub app_no: i64,
    /// Store key of the grant that makes it.
    pub owner_grant_no: Option<i64>,
    /// Store key of the end user it belongs to.
    pub user_no: Option<i64>,
    /// Its id in its dialect.
    pub external_id: Option<String>,
    /// Free text.
    pub description: String,
    /// Where it delivers; absent: the app's webhook URL.
    pub url: Option<String>,
    /// How it is served.
    pub service: Service,
    /// What it selects.
    pub selection: Selection,
    /// When its dialect lets it end.
    pub expires_at: Option<Timestamp>,
    /// Receive changes with a greater `seq`; absent: from now on.
    pub after_seq: Option<u64>,
}

/// A sealed secret to store.
#[derive(Clone, Debug)]
pub struct NewSecret {
    /// Its id, part of what it is sealed for.
    pub id: Bits96,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
}

/// A stored secret.
#[derive(Clone, Debug)]
pub struct HookSecret {
    /// Its id, part of what it is sealed for.
    pub id: Bits96,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it stops signing; absent: the current secret.
    pub expires_at: Option<Timestamp>,
}

/// What to change of a hook; what is absent stays.
#[derive(Clone, Debug, Default)]
pub struct HookUpdate {
    /// New free text.
    pub description: Option<String>,
    /// New URL.
    pub url: Option<String>,
    /// New way of serving.
    pub service: Option<Service>,
    /// New selection, from the app's next change on.
    pub selection: Option<Selection>,
    /// New status with its reason.
    pub status: Option<(HookStatus, Option<String>)>,
    /// Jump the backlog while changing the status, and note why.
    pub skip_backlog: Option<String>,
}

const SELECT: &str = "SELECT h.hook_no, h.id, h.app_no, a.id, h.owner_grant_no, h.user_no,
    h.external_id, h.description, h.url, h.service, h.status, h.status_reason, h.expires_at, h.runs,
    h.failures, h.consecutive_failures, h.failing_since, h.created_at, h.updated_at
  FROM hook h JOIN app a ON a.app_no = h.app_no";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Result<Hook>> {
    let (id, app_id): (Vec<u8>, Vec<u8>) = (row.get(1)?, row.get(3)?);
    let (service, status): (String, String) = (row.get(9)?, row.get(10)?);
    let (Some(id), Some(app_id), Some(status), Ok(service)) = (
        Bits96::from_bytes(&id),
        Bits96::from_bytes(&app_id),
        HookStatus::parse(&status),
        serde_json::from_str(&service),
    ) else {
        return Ok(Err(Error::corrupt("hook")));
    };
    Ok(Ok(Hook {
        hook_no: row.get(0)?,
        id: HookId(id),
        app_no: row.get(2)?,
        app_id: AppId(app_id),
        owner_grant_no: row.get(4)?,
        user_no: row.get(5)?,
        external_id: row.get(6)?,
        description: row.get(7)?,
        url: row.get(8)?,
        service,
        status,
        status_reason: row.get(11)?,
        expires_at: row.get::<_, Option<i64>>(12)?.map(Timestamp),
        versions: Vec::new(),
        runs: row.get(13)?,
        failures: row.get(14)?,
        consecutive_failures: row.get(15)?,
        failing_since: row.get::<_, Option<i64>>(16)?.map(Timestamp),
        created_at: Timestamp(row.get(17)?),
        updated_at: Timestamp(row.get(18)?),
    }))
}

fn with_versions(conn: &Connection, mut hook: Hook) -> Result<Hook> {
    let mut statement = conn.prepare_cached(
        "SELECT from_seq, selection FROM hook_version WHERE hook_no = ?1 ORDER BY from_seq",
    )?;
    let rows = statement
        .query_map([hook.hook_no], |row| Ok((row.get::<_, u64>(0)?, row.get::<_, String>(1)?)))?;
    for row in rows {
        let (from, selection) = row?;
        hook.versions.push((from, serde_json::from_str(&selection)?));
    }
    if hook.versions.is_empty() { Err(Error::corrupt("hook version")) } else { Ok(hook) }
}

fn find(conn: &Connection, condition: &str, values: impl rusqlite::Params) -> Result<Option<Hook>> {
    let found = conn
        .prepare_cached(&format!("{SELECT} WHERE h.deleted_at IS NULL AND {condition}"))?
        .query_row(values, from_row)
        .optional()?
        .transpose()?;
    found.map(|hook| with_versions(conn, hook)).transpose()
}

fn list(conn: &Connection, condition: &str, values: impl rusqlite::Params) -> Result<Vec<Hook>> {
    let mut statement =
        conn.prepare_cached(&format!("{SELECT} WHERE h.deleted_at IS NULL AND {condition}"))?;
    let rows = statement.query_map(values, from_row)?;
    rows.map(|row| with_versions(conn, row??)).collect()
}
impl Store {
    /// The secrets that sign at `now`, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn hook_secrets(&self, hook_no: i64, now: Timestamp) -> Result<Vec<HookSecret>> {
        self.read(move |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT id, sealed, created_at, expires_at FROM hook_secret
                 WHERE hook_no = ?1 AND (expires_at IS NULL OR expires_at > ?2)
                 ORDER BY secret_no DESC",
            )?;
            let rows = statement.query_map(params![hook_no, now.0], |row| {
                Ok((
                    row.get::<_, Vec<u8>>(0)?,
                    row.get(1)?,
                    row.get(2)?,
                    row.get::<_, Option<i64>>(3)?,
                ))
            })?;
            rows.map(|row| {
                let (id, sealed, created_at, expires_at) = row?;
                Ok(HookSecret {
                    id: Bits96::from_bytes(&id).ok_or(Error::corrupt("secret"))?,
                    sealed,
                    created_at: Timestamp(created_at),
                    expires_at: expires_at.map(Timestamp),
                })
            })
            .collect()
        })
        .await
    }

    /// One hook of an app.
    ///
    /// # Errors
    /// Not found when the app has no such hook.
    pub async fn hook_by_id(&self, app_no: i64, id: HookId) -> Result<Hook> {
        self.read(move |conn| {
            find(conn, "h.app_no = ?1 AND h.id = ?2", params![app_no, id.0.to_bytes()])?
                .ok_or(Error::not_found("hook"))
        })
        .await
    }

    /// One hook by its store key, or `None` when it was deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn hook_by_no(&self, hook_no: i64) -> Result<Option<Hook>> {
        self.read(move |conn| find(conn, "h.hook_no = ?1", [hook_no])).await
    }

    /// Hooks of an app in order of creation, after `after_no`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn hooks(&self, app_no: i64, after_no: i64, limit: u32) -> Result<Vec<Hook>> {
        self.read(move |conn| {
            list(
                conn,
                "h.app_no = ?1 AND h.hook_no > ?2 ORDER BY h.hook_no LIMIT ?3",
                params![app_no, after_no, limit],
            )
        })
        .await
    }

    /// Hooks of an end user with an id in their dialect.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn hooks_of_user(&self, app_no: i64, user_no: i64) -> Result<Vec<Hook>> {
        self.read(move |conn| {
            list(
                conn,
                "h.app_no = ?1 AND h.user_no = ?2 AND h.external_id IS NOT NULL ORDER BY h.hook_no",
                params![app_no, user_no],
            )
        })
        .await
    }

    /// Every hook of the installation: what the engine starts from.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn all_hooks(&self) -> Result<Vec<Hook>> {
        self.read(|conn| list(conn, "1 = 1 ORDER BY h.hook_no", [])).await
    }
}
