//! Apps, the tenants.

mod erasing;

use tidings_core::catalogue::Validation;
use tidings_core::clock::Timestamp;
use tidings_core::id::{AppId, Bits96};
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

/// Counts the hooks of an app, also inside the transaction that adds to them.
pub(crate) fn hooks(sql: &Sql<'_>, app_no: i64) -> Result<u32> {
    let text = "SELECT count(*) FROM hook WHERE app_no = ?1 AND deleted_at IS NULL";
    sql.row(text, values![app_no], |row| row.get(0))?.ok_or(Error::failed())
}

/// Counts the accounts of an app, also inside the transaction that adds to them.
pub(crate) fn accounts(sql: &Sql<'_>, app_no: i64) -> Result<u32> {
    let text = "SELECT count(*) FROM account WHERE app_no = ?1 AND deleted_at IS NULL";
    sql.row(text, values![app_no], |row| row.get(0))?.ok_or(Error::failed())
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
        self.read(move |sql| {
            Ok(AppCounts { hooks: hooks(sql, app_no)?, accounts: accounts(sql, app_no)? })
        })
        .await
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
}

/// Says which uniqueness was violated.
pub(crate) fn taken(error: Error, why: &'static str) -> Error {
    if error.is_conflict() { Error::conflict(why) } else { error }
}
