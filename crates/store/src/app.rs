//! Apps, the tenants.

use tidings_core::catalogue::Validation;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, Bits96};
use tidings_core::limits;
use tidings_core::retention::AppRetention;
use tidings_core::settings::AppSettings;

use crate::sql::{Row, Sql, values};
use crate::writer::Tx;
use crate::{
    AuditEntry, Committed, EndUser, Error, NewEndUser, Result, Store, audit, retention, user,
};

/// An app that is not deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct App {
    /// Store key.
    pub app_no: i64,
    /// Its id.
    pub id: AppId,
    /// What people call it.
    pub name: String,
    /// Its id elsewhere; unique in the installation.
    pub external_id: Option<String>,
    /// Where hooks without a URL of their own deliver.
    pub webhook_url: Option<String>,
    /// `seq` of the newest change.
    pub seq: u64,
    /// Changes up to this `seq` are no longer kept.
    pub floor_seq: u64,
    /// What it keeps, where it says so itself.
    pub retention: AppRetention,
    /// What happens to changes that are not as its catalogue says.
    pub validation: Validation,
    /// What its dialects read.
    pub settings: AppSettings,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last updated.
    pub updated_at: Timestamp,
}

/// An app to create.
#[derive(Clone, Debug)]
pub struct NewApp {
    /// Its id.
    pub id: AppId,
    /// What people call it.
    pub name: String,
    /// Its id elsewhere.
    pub external_id: Option<String>,
    /// Where hooks without a URL of their own deliver.
    pub webhook_url: Option<String>,
    /// Now.
    pub created_at: Timestamp,
}

/// What to change about an app; what is absent stays, an inner `None` clears.
#[derive(Clone, Debug, Default)]
pub struct AppUpdate {
    /// A new name.
    pub name: Option<String>,
    /// A new id elsewhere.
    pub external_id: Option<Option<String>>,
    /// A new address for hooks without a URL.
    pub webhook_url: Option<Option<String>>,
    /// What it keeps from now on.
    pub retention: Option<AppRetention>,
    /// What happens to changes that are not as its catalogue says.
    pub validation: Option<Validation>,
    /// What its dialects read from now on.
    pub settings: Option<AppSettings>,
}

/// How much of what is limited an app has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AppCounts {
    /// Hooks that are not deleted.
    pub hooks: u32,
    /// Accounts that are not deleted.
    pub accounts: u32,
}

const COLUMNS: &str =
    "app_no, id, name, external_id, webhook_url, seq, floor_seq, created_at, updated_at,
    retention, validation, settings";

pub(crate) fn from_row(row: &Row<'_>) -> Result<App> {
    Ok(App {
        app_no: row.get(0)?,
        id: AppId(bits(row, 1)?),
        name: row.get(2)?,
        external_id: row.get(3)?,
        webhook_url: row.get(4)?,
        seq: row.get(5)?,
        floor_seq: row.get(6)?,
        retention: retention::own(row, 9)?,
        validation: Validation::parse(&row.get::<String>(10)?).ok_or(Error::corrupt("app"))?,
        settings: serde_json::from_str(&row.get::<String>(11)?)?,
        created_at: Timestamp(row.get(7)?),
        updated_at: Timestamp(row.get(8)?),
    })
}

/// Reads an id.
pub(crate) fn bits(row: &Row<'_>, column: usize) -> Result<Bits96> {
    Bits96::from_bytes(&row.get::<Vec<u8>>(column)?).ok_or(Error::corrupt("id"))
}

/// A condition on rows `t`: those of the app `?1`, or of none when it is absent. (`IS ?1` would say both,
/// but PostgreSQL does not find such rows by an index.)
pub(crate) fn of(app_no: Option<i64>) -> &'static str {
    match app_no {
        Some(_) => "t.app_no = ?1",
        None => "t.app_no IS NULL AND CAST(?1 AS BIGINT) IS NULL",
    }
}

/// Finds an app by its store key.
pub(crate) fn get(sql: &Sql<'_>, app_no: i64) -> Result<Option<App>> {
    sql.row(
        &format!("SELECT {COLUMNS} FROM app WHERE app_no = ?1 AND deleted_at IS NULL"),
        values![app_no],
        from_row,
    )
}

/// Counts what is limited, inside the transaction that adds to it.
pub(crate) fn counts(sql: &Sql<'_>, app_no: i64) -> Result<AppCounts> {
    let counts = sql.row(
        "SELECT (SELECT count(*) FROM hook WHERE app_no = ?1 AND deleted_at IS NULL),
                (SELECT count(*) FROM account WHERE app_no = ?1 AND deleted_at IS NULL)",
        values![app_no],
        |row| Ok(AppCounts { hooks: row.get(0)?, accounts: row.get(1)? }),
    )?;
    counts.ok_or(Error::failed())
}

/// Creates an app inside a job.
fn insert(tx: &mut Tx<'_>, new: &NewApp) -> Result<App> {
    let app = tx
        .sql
        .row(
            &format!(
                "INSERT INTO app (id, name, external_id, webhook_url, created_at, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?5) RETURNING {COLUMNS}"
            ),
            values![
                new.id.0.to_bytes(),
                &new.name,
                &new.external_id,
                &new.webhook_url,
                new.created_at.0
            ],
            from_row,
        )
        .map_err(|error| taken(error, "another app has this external id"))?
        .ok_or(Error::failed())?;
    tx.announce.push(Committed::App(app.app_no));
    Ok(app)
}

impl Store {
    /// Creates an app.
    ///
    /// # Errors
    /// Conflict when the external id is taken.
    pub async fn create_app(&self, new: NewApp, entry: AuditEntry) -> Result<App> {
        self.write(2, move |tx| {
            let app = insert(tx, &new)?;
            audit::insert(&tx.sql, Some(app.app_no), &entry, new.created_at)?;
            Ok(app)
        })
        .await
    }

    /// Creates a person: an app and its one end user, in one commit.
    ///
    /// # Errors
    /// Conflict when the external id of the app is taken.
    pub async fn create_person(
        &self,
        app: NewApp,
        user: NewEndUser,
        entry: AuditEntry,
    ) -> Result<(App, EndUser)> {
        self.write(3, move |tx| {
            let now = app.created_at;
            let app = insert(tx, &app)?;
            let new = NewEndUser { app_no: app.app_no, ..user };
            user::insert(&tx.sql, &new, now)?;
            audit::insert(&tx.sql, Some(app.app_no), &entry, now)?;
            let user = user::get(&tx.sql, new.id)?.ok_or(Error::failed())?;
            Ok((app, user))
        })
        .await
    }

    /// Finds an app by its id elsewhere.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn app_named(&self, external_id: String) -> Result<Option<App>> {
        self.read(move |sql| {
            sql.row(
                &format!("SELECT {COLUMNS} FROM app WHERE external_id = ?1 AND deleted_at IS NULL"),
                values![external_id],
                from_row,
            )
        })
        .await
    }

    /// Finds an app by its id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn app_by_id(&self, id: AppId) -> Result<Option<App>> {
        self.read(move |sql| {
            sql.row(
                &format!("SELECT {COLUMNS} FROM app WHERE id = ?1 AND deleted_at IS NULL"),
                values![id.0.to_bytes()],
                from_row,
            )
        })
        .await
    }

    /// Finds an app by its store key.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn app(&self, app_no: i64) -> Result<Option<App>> {
        self.read(move |sql| get(sql, app_no)).await
    }

    /// Apps after store key `after`, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn apps(&self, after: i64, limit: u32) -> Result<Vec<App>> {
        self.read(move |sql| {
            sql.rows(
                &format!(
                    "SELECT {COLUMNS} FROM app WHERE app_no > ?1 AND deleted_at IS NULL
                     ORDER BY app_no LIMIT ?2"
                ),
                values![after, limit],
                from_row,
            )
        })
        .await
    }

    /// Counts an app's hooks and accounts.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn app_counts(&self, app_no: i64) -> Result<AppCounts> {
        self.read(move |sql| counts(sql, app_no)).await
    }

    /// Updates an app.
    ///
    /// # Errors
    /// Not found; conflict when the external id is taken.
    pub async fn update_app(
        &self,
        app_no: i64,
        update: AppUpdate,
        now: Timestamp,
        entry: AuditEntry,
    ) -> Result<App> {
        self.write(2, move |tx| {
            let app = get(&tx.sql, app_no)?.ok_or_else(|| Error::not_found("app"))?;
            let keeps = update.retention.unwrap_or(app.retention);
            let keeps = (keeps != AppRetention::default()).then(|| serde_json::to_string(&keeps));
            let app = tx
                .sql
                .row(
                    &format!(
                        "UPDATE app SET name = ?2, external_id = ?3, webhook_url = ?4,
                           updated_at = ?5, retention = ?6, validation = ?7, settings = ?8
                         WHERE app_no = ?1 RETURNING {COLUMNS}"
                    ),
                    values![
                        app_no,
                        update.name.unwrap_or(app.name),
                        update.external_id.unwrap_or(app.external_id),
                        update.webhook_url.unwrap_or(app.webhook_url),
                        now.0,
                        keeps.transpose()?,
                        update.validation.unwrap_or(app.validation).as_str(),
                        serde_json::to_string(&update.settings.unwrap_or(app.settings))?
                    ],
                    from_row,
                )
                .map_err(|error| taken(error, "another app has this external id"))?
                .ok_or(Error::failed())?;
            audit::insert(&tx.sql, Some(app_no), &entry, now)?;
            tx.announce.push(Committed::App(app_no));
            Ok(app)
        })
        .await
    }

    /// Marks an app deleted: from this commit on nothing of it is found. Its content is erased
    /// afterwards by [`Store::erase_app_step`].
    ///
    /// # Errors
    /// Not found.
    pub async fn delete_app(&self, app_no: i64, now: Timestamp, entry: AuditEntry) -> Result<()> {
        self.write(2, move |tx| {
            let deleted = tx.sql.run(
                "UPDATE app SET deleted_at = ?2, updated_at = ?2, external_id = NULL,
                   webhook_url = NULL WHERE app_no = ?1 AND deleted_at IS NULL",
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
    "UPDATE access_grant SET revoked_at = coalesce(revoked_at, ?3), details = '{}' WHERE grant_no IN
       (SELECT grant_no FROM access_grant
        WHERE app_no = ?1 AND (revoked_at IS NULL OR details <> '{}') LIMIT ?2)",
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

/// What is erased then, in this order: ?1 the app, ?2 the most rows.
const ERASURES: [&str; 15] = [
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
    "DELETE FROM record WHERE (collection_no, ordinal, gen) IN
       (SELECT r.collection_no, r.ordinal, r.gen FROM account a JOIN collection c USING (account_no)
        JOIN record r USING (collection_no) WHERE a.app_no = ?1 LIMIT ?2)",
    "DELETE FROM change_body WHERE app_no = ?1 AND seq IN
       (SELECT seq FROM change_body WHERE app_no = ?1 ORDER BY seq LIMIT ?2)",
];

/// One step of each kind until the budget of a commit is used.
fn erase_some(tx: &mut Tx<'_>, app_no: i64, now: Timestamp) -> Result<bool> {
    let mut budget = limits::COMMIT_ROWS_MAX as u64;
    for text in ENDINGS {
        budget -= tx.sql.run(text, values![app_no, budget, now.0])?;
    }
    for text in ERASURES {
        budget -= tx.sql.run(text, values![app_no, budget])?;
    }
    Ok(budget == 0)
}

/// Says which uniqueness was violated.
pub(crate) fn taken(error: Error, why: &'static str) -> Error {
    if error.is_conflict() { Error::conflict(why) } else { error }
}

#[cfg(test)]
mod tests {
    use tidings_core::id::Ids;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_248_000_000);

    fn entry() -> AuditEntry {
        AuditEntry {
            actor: "system".into(),
            action: "app.test",
            object: String::new(),
            denied: false,
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
