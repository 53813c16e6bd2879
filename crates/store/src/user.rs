//! End users of an app.

mod deleting;

use serde_json::Value as Json;
use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;
use tidings_core::id::UserId;

use crate::app::bits;
use crate::sql::{Row, Sql, Value, values};
use crate::{AuditEntry, Error, Result, Store, app, audit, journal};

/// No external id begins with it: names hold no control characters.
const UNNAMED: char = '\u{1}';

/// An end user of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndUser {
    /// Store key.
    pub user_no: i64,
    /// Its id.
    pub id: UserId,
    /// The id that the app itself uses; unique in the app.
    pub external_id: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// What its dialect keeps with it: a JSON object.
    pub details: Json,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last updated.
    pub updated_at: Timestamp,
}

/// An end user to create.
#[derive(Clone, Debug)]
pub struct NewEndUser {
    /// Its id.
    pub id: UserId,
    /// Store key of its app.
    pub app_no: i64,
    /// The id that the app itself uses.
    pub external_id: Option<String>,
    /// What people call it.
    pub name: Option<String>,
    /// What its dialect keeps with it: a JSON object.
    pub details: Json,
    /// Its password, hashed, as a PHC string.
    pub password: Option<String>,
}

/// What to change about an end user; what is absent stays, an inner `None` clears.
#[derive(Clone, Debug, Default)]
pub struct EndUserUpdate {
    /// The id that the app itself uses.
    pub external_id: Option<Option<String>>,
    /// What people call it.
    pub name: Option<Option<String>>,
    /// What its dialect keeps with it: a JSON object.
    pub details: Option<Json>,
    /// Its password, hashed, as a PHC string.
    pub password: Option<String>,
    /// The user as it must still be.
    pub expected: Option<EndUser>,
}

const USER: &str =
    "SELECT user_no, id, external_id, name, details, created_at, coalesce(updated_at, created_at)
     FROM end_user WHERE deleted_at IS NULL AND";

fn from_row(row: &Row<'_>) -> Result<EndUser> {
    Ok(EndUser {
        user_no: row.get(0)?,
        id: UserId(bits(row, 1)?),
        external_id: external_id(row, 2)?,
        name: row.get(3)?,
        details: serde_json::from_str(&row.get::<String>(4)?)?,
        created_at: Timestamp(row.get(5)?),
        updated_at: Timestamp(row.get(6)?),
    })
}

/// Reads the external id of an end user.
pub(crate) fn external_id(row: &Row<'_>, column: usize) -> Result<Option<String>> {
    Ok(row.get::<Option<String>>(column)?.filter(|id| !id.starts_with(UNNAMED)))
}

/// What a user without an external id has in its place.
fn unnamed(id: UserId) -> String {
    format!("{UNNAMED}{id}")
}

fn find(sql: &Sql<'_>, condition: &str, values: &[Value<'_>]) -> Result<Option<EndUser>> {
    sql.row(&format!("{USER} {condition}"), values, from_row)
}

/// An end user by id, as the job's transaction sees it.
pub(crate) fn get(sql: &Sql<'_>, id: UserId) -> Result<Option<EndUser>> {
    find(sql, "id = ?1", values![id.0.to_bytes()])
}

/// Checks, inside the job that writes something of an end user's, that the user is not deleted.
pub(crate) fn must_live(sql: &Sql<'_>, user_no: Option<i64>) -> Result<()> {
    let Some(user_no) = user_no else { return Ok(()) };
    let text = "SELECT 1 FROM end_user WHERE user_no = ?1 AND deleted_at IS NULL";
    let lives = sql.row(text, values![user_no], |row| row.get::<i64>(0))?;
    lives.map(drop).ok_or(Error::not_found("user"))
}

/// Inserts an end user unless there is one with its external id; says whether it did.
pub(crate) fn insert(sql: &Sql<'_>, new: &NewEndUser, now: Timestamp) -> Result<bool> {
    let external_id = new.external_id.clone().unwrap_or_else(|| unnamed(new.id));
    let inserted = sql.run(
        "INSERT INTO end_user (id, app_no, external_id, name, details, password, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (app_no, external_id) DO NOTHING",
        values![
            new.id.0.to_bytes(),
            new.app_no,
            external_id,
            &new.name,
            new.details.to_string(),
            &new.password,
            now.0
        ],
    )?;
    Ok(inserted == 1)
}

impl Store {
    /// Creates an end user and appends `changes`, which are about it, or finds the one with this external id; says which.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn create_user(
        &self,
        new: NewEndUser,
        mut changes: Vec<NewChange>,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<(EndUser, bool)> {
        self.write(3 + 2 * changes.len(), move |tx| {
            let created = insert(&tx.sql, &new, now)?;
            let user = match &new.external_id {
                Some(name) => {
                    find(&tx.sql, "app_no = ?1 AND external_id = ?2", values![new.app_no, name])?
                }
                None => get(&tx.sql, new.id)?,
            };
            let user = user.ok_or(Error::failed())?;
            if created {
                for change in &mut changes {
                    change.subject.user_no = Some(user.user_no);
                }
                journal::append_for(tx, Some(new.app_no), changes, now)?;
                audit::insert(&tx.sql, Some(new.app_no), &entry, now)?;
            }
            Ok((user, created))
        })
        .await
    }

    /// An end user of an app by id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn user_by_id(&self, app_no: i64, id: UserId) -> Result<Option<EndUser>> {
        self.read(move |sql| find(sql, "app_no = ?1 AND id = ?2", values![app_no, id.0.to_bytes()]))
            .await
    }

    /// An end user of an app by the id that the app itself uses.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn user_named(&self, app_no: i64, external_id: String) -> Result<Option<EndUser>> {
        self.read(move |sql| {
            let found =
                find(sql, "app_no = ?1 AND external_id = ?2", values![app_no, external_id])?;
            Ok(found.filter(|user| user.external_id.is_some()))
        })
        .await
    }

    /// An end user by store key.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn user(&self, user_no: i64) -> Result<Option<EndUser>> {
        self.read(move |sql| find(sql, "user_no = ?1", values![user_no])).await
    }

    /// End users of an app after store key `after`, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn users(&self, app_no: i64, after: i64, limit: u32) -> Result<Vec<EndUser>> {
        self.read(move |sql| {
            sql.rows(
                &format!("{USER} app_no = ?1 AND user_no > ?2 ORDER BY user_no LIMIT ?3"),
                values![app_no, after, limit],
                from_row,
            )
        })
        .await
    }

    /// Those of these end users that the app has, in one reading.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn users_by_id(&self, app_no: i64, ids: Vec<UserId>) -> Result<Vec<EndUser>> {
        self.read(move |sql| {
            let mut found = Vec::new();
            for id in ids {
                let values = values![app_no, id.0.to_bytes()];
                found.extend(find(sql, "app_no = ?1 AND id = ?2", values)?);
            }
            Ok(found)
        })
        .await
    }

    /// At which providers the app's end users with ids from `first` to `last` have accounts.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn providers_of_users(
        &self,
        app_no: i64,
        first: UserId,
        last: UserId,
    ) -> Result<Vec<(UserId, String)>> {
        self.read(move |sql| {
            sql.rows(
                "SELECT DISTINCT u.id, a.provider FROM account a JOIN end_user u ON u.user_no = a.user_no
                 WHERE a.app_no = ?1 AND a.deleted_at IS NULL AND u.id >= ?2 AND u.id <= ?3",
                values![app_no, first.0.to_bytes(), last.0.to_bytes()],
                |row| Ok((UserId(bits(row, 0)?), row.get(1)?)),
            )
        })
        .await
    }

    /// The hash of an end user's password, as a PHC string.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn user_password(&self, user_no: i64) -> Result<Option<String>> {
        self.read(move |sql| {
            let found = sql.row(
                "SELECT password FROM end_user WHERE user_no = ?1 AND deleted_at IS NULL",
                values![user_no],
                |row| row.get::<Option<String>>(0),
            )?;
            Ok(found.flatten())
        })
        .await
    }

    /// Changes an end user and appends `changes` to the app's journal.
    ///
    /// # Errors
    /// Not found; stale when it is not as expected; conflict when another user of the app has the external id.
    pub async fn update_user(
        &self,
        user_no: i64,
        update: EndUserUpdate,
        changes: Vec<NewChange>,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<EndUser> {
        self.write(3 + 2 * changes.len(), move |tx| {
            let user = find(&tx.sql, "user_no = ?1", values![user_no])?;
            let user = user.ok_or(Error::not_found("user"))?;
            if update.expected.is_some_and(|expected| expected != user) {
                return Err(Error::stale_at(None));
            }
            let external_id = update.external_id.unwrap_or(user.external_id);
            let app_no = tx.sql.row(
                "UPDATE end_user SET external_id = ?2, name = ?3, details = ?4,
                   password = coalesce(?5, password), updated_at = ?6
                 WHERE user_no = ?1 RETURNING app_no",
                values![
                    user_no,
                    external_id.unwrap_or_else(|| unnamed(user.id)),
                    update.name.unwrap_or(user.name),
                    update.details.unwrap_or(user.details).to_string(),
                    update.password,
                    now.0
                ],
                |row| row.get::<i64>(0),
            );
            let app_no = app_no
                .map_err(|error| app::taken(error, "another user has this external id"))?
                .ok_or(Error::failed())?;
            journal::append_for(tx, Some(app_no), changes, now)?;
            audit::insert(&tx.sql, Some(app_no), &entry, now)?;
            find(&tx.sql, "user_no = ?1", values![user_no])?.ok_or(Error::not_found("user"))
        })
        .await
    }
}
