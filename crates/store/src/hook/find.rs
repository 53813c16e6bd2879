//! Finding hooks by what they are like, and what they did last.

use std::collections::HashMap;
use std::ops::ControlFlow;

use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;
use tidings_core::hook::Selection;
use tidings_core::id::GrantId;

use super::{Hook, list};
use crate::app::bits;
use crate::journal::{Append, append_all};
use crate::sql::{Wanted, values};
use crate::{Result, Store};

/// What hooks of an app are looked for by; what is absent does not matter.
#[derive(Clone, Debug, Default)]
pub struct HookLike {
    /// Store key of the grant that made them.
    pub owner_grant_no: Option<i64>,
    /// Store key of the end user they belong to.
    pub user_no: Option<i64>,
    /// Their URL.
    pub url: Option<String>,
    /// Their id in their dialect.
    pub external_id: Option<String>,
}

/// An active hook and what it selects now.
#[derive(Clone, Debug)]
pub struct ActiveHook {
    /// Store key.
    pub hook_no: i64,
    /// Store key of its app.
    pub app_no: i64,
    /// What it selects.
    pub selection: Selection,
}

impl Store {
    /// Hooks of an app that are like this, in order of creation.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn hooks_like(&self, app_no: i64, like: HookLike, limit: u32) -> Result<Vec<Hook>> {
        let HookLike { owner_grant_no, user_no, url, external_id } = like;
        self.read(move |sql| {
            let mut wanted = Wanted::new("app_no", app_no);
            wanted.also("owner_grant_no =", owner_grant_no);
            wanted.also("user_no =", user_no);
            wanted.also("url =", url.as_deref());
            wanted.also("external_id =", external_id.as_deref());
            let (which, values) = wanted.page("hook_no", limit);
            list(sql, &which, &values)
        })
        .await
    }

    /// Ids of the grants that made hooks, revoked ones included.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn grant_ids(&self, grant_nos: Vec<i64>) -> Result<HashMap<i64, GrantId>> {
        self.read(move |sql| {
            let mut found = HashMap::new();
            for grant_no in grant_nos {
                let text = "SELECT id FROM access_grant WHERE grant_no = ?1";
                if let Some(id) = sql.row(text, values![grant_no], |row| bits(row, 0))? {
                    found.insert(grant_no, GrantId(id));
                }
            }
            Ok(found)
        })
        .await
    }

    /// The attempts of a hook's newest deliveries, of those the last ones first: the status of the answer,
    /// if there was one, and when it began. Test events are left out.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn hook_runs(
        &self,
        hook_no: i64,
        app_no: i64,
        limit: u32,
    ) -> Result<Vec<(Option<u16>, Timestamp)>> {
        self.read(move |sql| {
            sql.rows(
                "SELECT a.status, a.started_at FROM attempt a
                 WHERE a.hook_no = ?1 AND NOT EXISTS (SELECT 1 FROM change c WHERE c.app_no = ?2
                   AND c.seq = a.first_seq AND c.type = 'hook.test' AND a.group_key = '')
                 ORDER BY a.first_seq DESC, a.attempt_no DESC LIMIT ?3",
                values![hook_no, app_no, limit],
                |row| Ok((row.get(0)?, Timestamp(row.get(1)?))),
            )
        })
        .await
    }

    /// Active hooks of all apps with what they select now, in order of creation, after `after_no`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn active_hooks(&self, after_no: i64, limit: u32) -> Result<Vec<ActiveHook>> {
        self.read(move |sql| {
            let mut hooks = Vec::new();
            sql.each(
                "SELECT h.hook_no, h.app_no, v.selection FROM hook h
                 JOIN hook_version v ON v.hook_no = h.hook_no AND v.from_seq =
                   (SELECT max(w.from_seq) FROM hook_version w WHERE w.hook_no = h.hook_no)
                 WHERE h.hook_no > ?1 AND h.status = 'active' AND h.deleted_at IS NULL
                 ORDER BY h.hook_no LIMIT ?2",
                values![after_no, limit],
                |row| {
                    let selection = serde_json::from_str(&row.get::<String>(2)?)?;
                    let (hook_no, app_no) = (row.get(0)?, row.get(1)?);
                    hooks.push(ActiveHook { hook_no, app_no, selection });
                    Ok(ControlFlow::Continue(()))
                },
            )?;
            Ok(hooks)
        })
        .await
    }

    /// Appends one change to the journal of each of some apps, in one commit; apps that are gone by now are
    /// passed over.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn append_to_apps(
        &self,
        changes: Vec<(i64, NewChange)>,
        now: Timestamp,
    ) -> Result<()> {
        self.write(3 * changes.len(), move |tx| {
            let append = |(app_no, change)| Append::new(app_no, vec![change], now);
            let mut appends: Vec<_> = changes.into_iter().map(append).collect();
            for appended in append_all(tx, &mut appends)? {
                match appended {
                    Err(error) if !error.is_not_found() => return Err(error),
                    _ => {}
                }
            }
            Ok(())
        })
        .await
    }
}
