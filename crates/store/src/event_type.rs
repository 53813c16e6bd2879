//! Event types: an app's catalogue of what it publishes.

use tidings_core::clock::Timestamp;
use tidings_core::limits;

use crate::app::taken;
use crate::sql::{Row, Sql, values};
use crate::{AuditEntry, Error, Result, Store, audit};

/// A type in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventType {
    /// Store key.
    pub type_no: i64,
    /// What was written.
    pub written: NewEventType,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
}

/// What to write of a type.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewEventType {
    /// Its name, the `type` of its changes; unique in its app.
    pub name: String,
    /// What it means, in plain words.
    pub description: String,
    /// JSON Schema of the data.
    pub schema: Option<String>,
    /// An example of the data, JSON.
    pub example: Option<String>,
    /// Whether it should not be used any more.
    pub deprecated: bool,
}

const COLUMNS: &str =
    "type_no, name, description, schema, example, deprecated, created_at, updated_at";

fn from_row(row: &Row<'_>) -> Result<EventType> {
    Ok(EventType {
        type_no: row.get(0)?,
        written: NewEventType {
            name: row.get(1)?,
            description: row.get(2)?,
            schema: row.get(3)?,
            example: row.get(4)?,
            deprecated: row.get(5)?,
        },
        created_at: Timestamp(row.get(6)?),
        updated_at: Timestamp(row.get(7)?),
    })
}

fn find(sql: &Sql<'_>, app_no: i64, name: &str) -> Result<Option<EventType>> {
    let text = format!("SELECT {COLUMNS} FROM event_type WHERE app_no = ?1 AND name = ?2");
    sql.row(&text, values![app_no, name], from_row)
}

fn write(
    sql: &Sql<'_>,
    text: &str,
    app_no: i64,
    new: &NewEventType,
    now: Timestamp,
) -> Result<Option<EventType>> {
    let NewEventType { name, description, schema, example, deprecated } = new;
    sql.row(text, values![app_no, name, description, schema, example, *deprecated, now.0], from_row)
}

impl Store {
    /// Adds a type to the catalogue.
    ///
    /// # Errors
    /// Conflict when there is one with its name, or the catalogue is full.
    pub async fn create_event_type(
        &self,
        app_no: i64,
        new: NewEventType,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<EventType> {
        self.write(2, move |tx| {
            let text = "SELECT count(*) FROM event_type WHERE app_no = ?1";
            let there: Option<u32> = tx.sql.row(text, values![app_no], |row| row.get(0))?;
            if there.unwrap_or(0) >= limits::APP_EVENT_TYPES_MAX {
                return Err(Error::conflict("app has as many event types as it may have"));
            }
            let text = format!(
                "INSERT INTO event_type (app_no, name, description, schema, example, deprecated,
                   created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7) RETURNING {COLUMNS}"
            );
            let written = write(&tx.sql, &text, app_no, &new, now)
                .map_err(|error| taken(error, "there is an event type with this name"))?;
            audit::insert(&tx.sql, Some(app_no), &entry, now)?;
            written.ok_or(Error::failed())
        })
        .await
    }

    /// Writes a type anew that is in the catalogue.
    ///
    /// # Errors
    /// Not found.
    pub async fn replace_event_type(
        &self,
        app_no: i64,
        new: NewEventType,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<EventType> {
        self.write(2, move |tx| {
            let text = format!(
                "UPDATE event_type SET description = ?3, schema = ?4, example = ?5, deprecated = ?6,
                   updated_at = ?7 WHERE app_no = ?1 AND name = ?2 RETURNING {COLUMNS}"
            );
            let written = write(&tx.sql, &text, app_no, &new, now)?;
            audit::insert(&tx.sql, Some(app_no), &entry, now)?;
            written.ok_or(Error::not_found("event type"))
        })
        .await
    }

    /// Removes a type from the catalogue; changes of that type stay.
    ///
    /// # Errors
    /// Not found.
    pub async fn delete_event_type(
        &self,
        app_no: i64,
        name: String,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<()> {
        self.write(2, move |tx| {
            let text = "DELETE FROM event_type WHERE app_no = ?1 AND name = ?2";
            if tx.sql.run(text, values![app_no, name])? == 0 {
                return Err(Error::not_found("event type"));
            }
            audit::insert(&tx.sql, Some(app_no), &entry, now)
        })
        .await
    }

    /// One type of an app.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn event_type(&self, app_no: i64, name: String) -> Result<Option<EventType>> {
        self.read(move |sql| find(sql, app_no, &name)).await
    }

    /// Types of an app after store key `after`, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn event_types(&self, app_no: i64, after: i64, limit: u32) -> Result<Vec<EventType>> {
        self.read(move |sql| {
            let text = format!(
                "SELECT {COLUMNS} FROM event_type WHERE app_no = ?1 AND type_no > ?2
                 ORDER BY type_no LIMIT ?3"
            );
            sql.rows(&text, values![app_no, after, limit], from_row)
        })
        .await
    }
}
