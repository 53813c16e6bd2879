//! Hooks, their versions and secrets.

mod access;
mod find;
mod render;
mod write;

use std::ops::ControlFlow;

use tidings_core::clock::Timestamp;
use tidings_core::hook::{HookStatus, Selection, Service};
use tidings_core::id::{AppId, Bits96, HookId};

use crate::app::bits;
use crate::sql::{Row, Sql, Value, Wanted, values};
use crate::{Error, Result, Store};

pub use find::{ActiveHook, HookLike};
pub(crate) use write::{enable, remove, set_status};

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
    /// The owner was told that it fails: only then recovery is told of.
    pub failing_told: bool,
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
    /// How it gets in at its receiver, sealed.
    pub access: Option<NewSecret>,
    /// Why it begins disabled; absent: it begins active.
    pub disabled: Option<String>,
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
    /// New way in at its receiver, sealed; `None`: none any more.
    pub access: Option<Option<NewSecret>>,
    /// New status with its reason.
    pub status: Option<(HookStatus, Option<String>)>,
    /// Jump the backlog while changing the status, and note why.
    pub skip_backlog: Option<String>,
    /// Give up what waits for its retry, too, for the same reason.
    pub give_up_parked: bool,
}

/// Hooks that `[which]` narrows down, a row for each of their versions.
const SELECT: &str = "SELECT h.hook_no, h.id, h.app_no, a.id, h.owner_grant_no, h.user_no,
    h.external_id, h.description, h.url, h.service, h.status, h.status_reason, h.expires_at, h.runs,
    h.failures, h.consecutive_failures, h.failing_since, h.created_at, h.updated_at,
    v.from_seq, v.selection, h.failing_told
  FROM (SELECT * FROM hook WHERE deleted_at IS NULL AND [which]) h
  JOIN app a ON a.app_no = h.app_no LEFT JOIN hook_version v ON v.hook_no = h.hook_no
  ORDER BY h.hook_no, v.from_seq";

fn from_row(row: &Row<'_>) -> Result<Hook> {
    Ok(Hook {
        hook_no: row.get(0)?,
        id: HookId(bits(row, 1)?),
        app_no: row.get(2)?,
        app_id: AppId(bits(row, 3)?),
        owner_grant_no: row.get(4)?,
        user_no: row.get(5)?,
        external_id: row.get(6)?,
        description: row.get(7)?,
        url: row.get(8)?,
        service: serde_json::from_str(&row.get::<String>(9)?)?,
        status: HookStatus::parse(&row.get::<String>(10)?).ok_or(Error::corrupt("hook"))?,
        status_reason: row.get(11)?,
        expires_at: row.get::<Option<i64>>(12)?.map(Timestamp),
        runs: row.get(13)?,
        failures: row.get(14)?,
        consecutive_failures: row.get(15)?,
        failing_since: row.get::<Option<i64>>(16)?.map(Timestamp),
        failing_told: row.get(21)?,
        created_at: Timestamp(row.get(17)?),
        updated_at: Timestamp(row.get(18)?),
        versions: Vec::new(),
    })
}

fn version_from_row(row: &Row<'_>) -> Result<(u64, Selection)> {
    let from_seq: Option<u64> = row.get(19)?;
    let from_seq = from_seq.ok_or(Error::corrupt("hook version"))?;
    Ok((from_seq, serde_json::from_str(&row.get::<String>(20)?)?))
}

pub(crate) fn list(sql: &Sql<'_>, which: &str, values: &[Value<'_>]) -> Result<Vec<Hook>> {
    let mut hooks: Vec<Hook> = Vec::new();
    sql.each(&SELECT.replace("[which]", which), values, |row| {
        let hook_no: i64 = row.get(0)?;
        let version = version_from_row(row)?;
        match hooks.last_mut() {
            Some(hook) if hook.hook_no == hook_no => hook.versions.push(version),
            _ => hooks.push(Hook { versions: vec![version], ..from_row(row)? }),
        }
        Ok(ControlFlow::Continue(()))
    })?;
    Ok(hooks)
}

pub(crate) fn find(sql: &Sql<'_>, which: &str, values: &[Value<'_>]) -> Result<Option<Hook>> {
    Ok(list(sql, which, values)?.pop())
}

impl Store {
    /// The secrets that sign at `now`, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn hook_secrets(&self, hook_no: i64, now: Timestamp) -> Result<Vec<HookSecret>> {
        self.read(move |sql| {
            sql.rows(
                "SELECT id, sealed, created_at, expires_at FROM hook_secret
                 WHERE hook_no = ?1 AND (expires_at IS NULL OR expires_at > ?2)
                 ORDER BY secret_no DESC",
                values![hook_no, now.0],
                |row| {
                    Ok(HookSecret {
                        id: bits(row, 0)?,
                        sealed: row.get(1)?,
                        created_at: Timestamp(row.get(2)?),
                        expires_at: row.get::<Option<i64>>(3)?.map(Timestamp),
                    })
                },
            )
        })
        .await
    }

    /// One hook of an app.
    ///
    /// # Errors
    /// Not found when the app has no such hook.
    pub async fn hook_by_id(&self, app_no: i64, id: HookId) -> Result<Hook> {
        self.read(move |sql| {
            find(sql, "app_no = ?1 AND id = ?2", values![app_no, id.0.to_bytes()])?
                .ok_or(Error::not_found("hook"))
        })
        .await
    }

    /// One hook by its store key, or `None` when it was deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn hook_by_no(&self, hook_no: i64) -> Result<Option<Hook>> {
        self.read(move |sql| find(sql, "hook_no = ?1", values![hook_no])).await
    }

    /// Hooks of an app, or of one of its end users, in order of creation, after `after_no`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn hooks(
        &self,
        app_no: i64,
        user_no: Option<i64>,
        after_no: i64,
        limit: u32,
    ) -> Result<Vec<Hook>> {
        self.read(move |sql| {
            let mut wanted = Wanted::new("app_no", app_no);
            wanted.also("user_no =", user_no);
            wanted.also("hook_no >", Some(after_no));
            let (which, values) = wanted.page("hook_no", limit);
            list(sql, &which, &values)
        })
        .await
    }

    /// Hooks of an end user with an id in their dialect.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn hooks_of_user(&self, app_no: i64, user_no: i64) -> Result<Vec<Hook>> {
        self.read(move |sql| {
            list(
                sql,
                "app_no = ?1 AND user_no = ?2 AND external_id IS NOT NULL",
                values![app_no, user_no],
            )
        })
        .await
    }

    /// Every hook of the installation: what the engine starts from.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn all_hooks(&self) -> Result<Vec<Hook>> {
        self.read(|sql| list(sql, "1 = 1", values![])).await
    }
}
