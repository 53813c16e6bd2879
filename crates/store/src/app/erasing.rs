//! The end of an app: it is gone at once, its content is erased in bounded steps.

use tidings_core::clock::Timestamp;
use tidings_core::limits;

use crate::sql::values;
use crate::writer::Tx;
use crate::{AuditEntry, Committed, Error, Result, Store, audit};

impl Store {
    /// Marks an app deleted: from this commit on nothing of it is found. Its content is erased
    /// afterwards by [`Store::erase_app_step`].
    ///
    /// # Errors
    /// Not found.
    pub async fn delete_app(&self, app_no: i64, now: Timestamp, entry: AuditEntry) -> Result<()> {
        self.write(2, move |tx| {
            let deleted = tx.sql.run(
                "UPDATE app SET deleted_at = ?2, updated_at = ?2, external_id = NULL, name = '',
                   webhook_url = NULL, settings = '{}' WHERE app_no = ?1 AND deleted_at IS NULL",
                values![app_no, now.0],
            )?;
            if deleted == 0 {
                return Err(Error::not_found("app"));
            }
            audit::insert(&tx.sql, Some(app_no), &entry, now)?;
            tx.announce.push(Committed::App(app_no));
            Ok(())
        })
        .await
    }

    /// Erases some content of a deleted app in one bounded commit; `false` once nothing is left.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn erase_app_step(&self, app_no: i64, now: Timestamp) -> Result<bool> {
        self.write(limits::COMMIT_ROWS_MAX, move |tx| erase_some(tx, app_no, now)).await
    }

    /// Store keys of deleted apps, whose erasure a crash may have interrupted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn deleted_apps(&self) -> Result<Vec<i64>> {
        self.read(|sql| {
            sql.rows("SELECT app_no FROM app WHERE deleted_at IS NOT NULL", values![], |row| {
                row.get(0)
            })
        })
        .await
    }
}

/// What ends with an app, in this order: ?1 the app, ?2 the most rows, ?3 now.
const ENDINGS: [&str; 4] = [
    "UPDATE access_grant SET revoked_at = coalesce(revoked_at, ?3), name = '', details = '{}'
     WHERE grant_no IN (SELECT grant_no FROM access_grant
        WHERE app_no = ?1 AND (revoked_at IS NULL OR name <> '' OR details <> '{}') LIMIT ?2)",
    "UPDATE hook SET deleted_at = ?3, url = NULL, description = '' WHERE hook_no IN
       (SELECT hook_no FROM hook WHERE app_no = ?1 AND deleted_at IS NULL LIMIT ?2)",
    "UPDATE account SET deleted_at = ?3, status = 'deleted', name = '', credential = NULL,
       username = NULL, server_url = NULL, home_url = NULL, last_error = NULL, details = '{}',
       staging_gen = NULL, staged_at = NULL WHERE account_no IN
       (SELECT account_no FROM account WHERE app_no = ?1 AND status <> 'deleted' LIMIT ?2)",
    "UPDATE collection SET deleted_at = ?3, name = NULL, details = '{}' WHERE collection_no IN
       (SELECT c.collection_no FROM account a JOIN collection c USING (account_no)
        WHERE a.app_no = ?1 AND c.deleted_at IS NULL LIMIT ?2)",
];

/// The erasure of records, which may be large.
const RECORDS: &str = "DELETE FROM record WHERE (collection_no, ordinal, gen) IN
   (SELECT r.collection_no, r.ordinal, r.gen FROM account a JOIN collection c USING (account_no)
    JOIN record r USING (collection_no) WHERE a.app_no = ?1 LIMIT ?2)";

/// What is erased then, in this order: ?1 the app, ?2 the most rows.
const ERASURES: [&str; 16] = [
    "UPDATE end_user SET external_id = 'erased ' || user_no, name = NULL, details = '{}', password = NULL
     WHERE user_no IN
       (SELECT user_no FROM end_user
        WHERE app_no = ?1 AND external_id <> 'erased ' || user_no LIMIT ?2)",
    "DELETE FROM hook_secret WHERE secret_no IN (SELECT s.secret_no
       FROM hook h JOIN hook_secret s USING (hook_no) WHERE h.app_no = ?1 LIMIT ?2)",
    "DELETE FROM hook_access WHERE hook_no IN (SELECT s.hook_no
       FROM hook h JOIN hook_access s USING (hook_no) WHERE h.app_no = ?1 LIMIT ?2)",
    "DELETE FROM signing_key WHERE key_no IN
       (SELECT key_no FROM signing_key WHERE app_no = ?1 LIMIT ?2)",
    "DELETE FROM event_type WHERE type_no IN
       (SELECT type_no FROM event_type WHERE app_no = ?1 LIMIT ?2)",
    "DELETE FROM parked WHERE (hook_no, cursor_no, first_seq, group_key) IN
       (SELECT p.hook_no, p.cursor_no, p.first_seq, p.group_key
        FROM hook h JOIN parked p USING (hook_no) WHERE h.app_no = ?1 LIMIT ?2)",
    "DELETE FROM cursor WHERE (hook_no, cursor_no) IN (SELECT c.hook_no, c.cursor_no
       FROM hook h JOIN cursor c USING (hook_no) WHERE h.app_no = ?1 LIMIT ?2)",
    "DELETE FROM attempt WHERE attempt_no IN (SELECT t.attempt_no
       FROM hook h JOIN attempt t USING (hook_no) WHERE h.app_no = ?1 LIMIT ?2)",
    "DELETE FROM subscription WHERE subscription_no IN
       (SELECT subscription_no FROM subscription WHERE app_no = ?1 LIMIT ?2)",
    "DELETE FROM oauth_state WHERE state_hash IN
       (SELECT state_hash FROM oauth_state WHERE app_no = ?1 LIMIT ?2)",
    "DELETE FROM write_key WHERE (app_no, key_hash) IN
       (SELECT app_no, key_hash FROM write_key WHERE app_no = ?1 LIMIT ?2)",
    "DELETE FROM superseded WHERE (collection_no, item_key, etag) IN
       (SELECT s.collection_no, s.item_key, s.etag FROM account a JOIN collection c USING (account_no)
        JOIN superseded s USING (collection_no) WHERE a.app_no = ?1 LIMIT ?2)",
    "DELETE FROM item WHERE (collection_no, item_key) IN
       (SELECT i.collection_no, i.item_key FROM account a JOIN collection c USING (account_no)
        JOIN item i USING (collection_no) WHERE a.app_no = ?1 LIMIT ?2)",
    RECORDS,
    "DELETE FROM record_shown WHERE (collection_no, gen) IN
       (SELECT s.collection_no, s.gen FROM account a JOIN collection c USING (account_no)
        JOIN record_shown s USING (collection_no) WHERE a.app_no = ?1 LIMIT ?2)",
    "DELETE FROM change_body WHERE app_no = ?1 AND seq IN
       (SELECT seq FROM change_body WHERE app_no = ?1 ORDER BY seq LIMIT ?2)",
];

/// One step of each kind until the budget of a commit is used.
fn erase_some(tx: &mut Tx<'_>, app_no: i64, now: Timestamp) -> Result<bool> {
    let mut budget = limits::COMMIT_ROWS_MAX as u64;
    for text in ENDINGS {
        budget -= tx.sql.run(text, values![app_no, budget, now.0])?;
    }
    let mut is_full = budget == 0;
    for text in ERASURES {
        let cap =
            if text == RECORDS { limits::RECORD_COMMIT_ROWS } else { limits::COMMIT_ROWS_MAX };
        let most = budget.min(cap as u64);
        let erased = tx.sql.run(text, values![app_no, most])?;
        is_full |= erased == most;
        budget -= erased;
    }
    Ok(is_full)
}

#[cfg(test)]
mod tests {
    use tidings_core::id::{AppId, Ids};

    use super::*;
    use crate::{App, NewApp};

    const NOW: Timestamp = Timestamp(1_795_248_000_000);

    fn entry() -> AuditEntry {
        AuditEntry {
            actor: "system".into(),
            action: "app.test",
            object: String::new(),
            denied: false,
            address: None,
            detail: serde_json::json!({}),
        }
    }

    async fn new_app(store: &Store, ids: &Ids, name: &str) -> App {
        let new = NewApp {
            id: AppId(ids.next(NOW)),
            name: name.into(),
            external_id: None,
            webhook_url: None,
            created_at: NOW,
        };
        store.create_app(new, entry()).await.unwrap()
    }

    /// Gives an app `count` end users, accounts and change bodies, without ceremony.
    async fn fill(store: &Store, ids: &Ids, app_no: i64, count: usize) {
        let ids = ids.clone();
        store
            .write(1, move |tx| {
                for n in 1..=count {
                    let (user, account) = (ids.next(NOW).to_bytes(), ids.next(NOW).to_bytes());
                    tx.sql.run(
                        "INSERT INTO end_user (id, app_no, external_id, created_at)
                         VALUES (?1, ?2, ?3, 0)",
                        values![user, app_no, format!("ada {n}")],
                    )?;
                    tx.sql.run(
                        "INSERT INTO account (id, app_no, provider, name, credential, status,
                           next_sync_at, created_at, updated_at)
                         VALUES (?1, ?2, 'caldav', 'ada', ?3, 'active', 0, 0, 0)",
                        values![account, app_no, b"sealed"],
                    )?;
                    tx.sql.run(
                        "INSERT INTO change_body (app_no, seq, body) VALUES (?1, ?2, ?3)",
                        values![app_no, n, b"{}"],
                    )?;
                }
                Ok(())
            })
            .await
            .unwrap();
    }

    /// What is left of an app's content.
    async fn left(store: &Store, app_no: i64) -> (i64, i64, i64) {
        store
            .read(move |sql| {
                let count = |from: &str| {
                    let text = format!("SELECT count(*) FROM {from} AND app_no = ?1");
                    sql.row(&text, values![app_no], |row| row.get(0)).map(Option::unwrap)
                };
                Ok((
                    count("end_user WHERE external_id LIKE 'ada%'")?,
                    count("account WHERE credential IS NOT NULL")?,
                    count("change_body WHERE seq > 0")?,
                ))
            })
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn an_app_is_erased_in_bounded_steps_and_its_neighbour_kept() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        let ids = Ids::seeded(1);
        let (app, neighbour) = (new_app(&store, &ids, "a").await, new_app(&store, &ids, "b").await);
        let count = limits::COMMIT_ROWS_MAX - 500;
        fill(&store, &ids, app.app_no, count).await;
        fill(&store, &ids, neighbour.app_no, 3).await;
        store.delete_app(app.app_no, NOW, entry()).await.unwrap();
        assert_eq!(store.app_by_id(app.id).await.unwrap(), None);
        let mut steps = 0;
        while store.erase_app_step(app.app_no, NOW).await.unwrap() {
            steps += 1;
        }
        assert_eq!(
            steps,
            3 * count / limits::COMMIT_ROWS_MAX,
            "a step was not as full as it may be"
        );
        assert_eq!(left(&store, app.app_no).await, (0, 0, 0));
        assert_eq!(left(&store, neighbour.app_no).await, (3, 3, 3));
        let again = store.delete_app(app.app_no, NOW, entry()).await;
        assert!(again.is_err_and(|error| error.is_not_found()));
    }
}
