//! Grants, which are the tokens of an installation, app or end user; and the end users themselves.

use rusqlite::{Connection, OptionalExtension, Row, params};
use tidings_core::clock::Timestamp;
use tidings_core::id::{GrantId, UserId};

use crate::app::{self, bits};
use crate::{App, AuditEntry, Error, Result, Store, audit};

/// A token's last use is written down at most this often, ms.
const LAST_USED_EVERY_MS: i64 = 60_000;

/// What a grant's token opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GrantKind {
    /// The whole installation.
    Owner,
    /// One app, within its scopes.
    App,
    /// The Mobiscroll Connect surface, for one end user.
    Connect,
}

impl GrantKind {
    /// The name used in the store and in APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::App => "app",
            Self::Connect => "connect",
        }
    }

    /// The reverse of [`GrantKind::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Owner, Self::App, Self::Connect].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A stored grant. Its token is not kept, only the token's hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Store key.
    pub grant_no: i64,
    /// Its id.
    pub id: GrantId,
    /// Store key of its app; absent for the whole installation.
    pub app_no: Option<i64>,
    /// Store key of its end user.
    pub user_no: Option<i64>,
    /// Id of its end user.
    pub user_id: Option<UserId>,
    /// What it opens.
    pub kind: GrantKind,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// The last digits of the token.
    pub hint: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it stops working by itself.
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// A grant to create.
#[derive(Clone, Debug)]
pub struct NewGrant {
    /// Its id.
    pub id: GrantId,
    /// Store key of its app; absent for the whole installation.
    pub app_no: Option<i64>,
    /// Store key of its end user.
    pub user_no: Option<i64>,
    /// Store key of the grant that makes it.
    pub parent_no: Option<i64>,
    /// What it opens.
    pub kind: GrantKind,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// Hash of the token.
    pub token_hash: [u8; 32],
    /// The last digits of the token.
    pub hint: String,
    /// When it stops working by itself.
    pub expires_at: Option<Timestamp>,
}

/// An end user of an app.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndUser {
    /// Store key.
    pub user_no: i64,
    /// Its id.
    pub id: UserId,
    /// The id that the app itself uses; unique in the app.
    pub external_id: String,
    /// When it was created.
    pub created_at: Timestamp,
}

const GRANT: &str = "SELECT g.grant_no, g.id, g.app_no, g.user_no, u.id AS user_id, g.kind, g.name,
    g.scopes, g.hint, g.created_at, g.expires_at, g.last_used_at, g.revoked_at
  FROM access_grant g LEFT JOIN end_user u ON u.user_no = g.user_no";

fn grant_from_row(row: &Row<'_>) -> rusqlite::Result<Result<Grant>> {
    let (kind, scopes): (String, String) = (row.get("kind")?, row.get("scopes")?);
    let (Some(kind), Ok(scopes)) = (GrantKind::parse(&kind), serde_json::from_str(&scopes)) else {
        return Ok(Err(Error::corrupt("grant")));
    };
    let user_no: Option<i64> = row.get("user_no")?;
    let user_id = user_no.map(|_| bits(row, "user_id").map(UserId)).transpose()?;
    Ok(Ok(Grant {
        grant_no: row.get("grant_no")?,
        id: GrantId(bits(row, "id")?),
        app_no: row.get("app_no")?,
        user_no,
        user_id,
        kind,
        name: row.get("name")?,
        scopes,
        hint: row.get("hint")?,
        created_at: Timestamp(row.get("created_at")?),
        expires_at: row.get::<_, Option<i64>>("expires_at")?.map(Timestamp),
        last_used_at: row.get::<_, Option<i64>>("last_used_at")?.map(Timestamp),
        revoked_at: row.get::<_, Option<i64>>("revoked_at")?.map(Timestamp),
    }))
}

fn user_from_row(row: &Row<'_>) -> rusqlite::Result<EndUser> {
    Ok(EndUser {
        user_no: row.get("user_no")?,
        id: UserId(bits(row, "id")?),
        external_id: row.get("external_id")?,
        created_at: Timestamp(row.get("created_at")?),
    })
}

fn find(
    conn: &Connection,
    condition: &str,
    values: impl rusqlite::Params,
) -> Result<Option<Grant>> {
    conn.prepare_cached(&format!("{GRANT} WHERE {condition}"))?
        .query_row(values, grant_from_row)
        .optional()?
        .transpose()
}

impl Store {
    /// Creates a grant.
    ///
    /// # Errors
    /// Conflict when its token exists already.
    pub async fn create_grant(
        &self,
        new: NewGrant,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<Grant> {
        self.write(2, move |tx| {
            tx.conn.execute(
                "INSERT INTO access_grant (id, app_no, user_no, parent_no, kind, name, scopes,
                   token_hash, hint, created_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                params![
                    new.id.0.to_bytes(),
                    new.app_no,
                    new.user_no,
                    new.parent_no,
                    new.kind.as_str(),
                    new.name,
                    serde_json::to_string(&new.scopes)?,
                    new.token_hash,
                    new.hint,
                    now.0,
                    new.expires_at.map(|at| at.0),
                ],
            )?;
            let grant_no = tx.conn.last_insert_rowid();
            audit::insert(tx.conn, new.app_no, &entry, now)?;
            find(tx.conn, "g.grant_no = ?1", [grant_no])?.ok_or(Error::not_found("key"))
        })
        .await
    }

    /// Finds the grant of a token with its app, when it works at `now`: neither revoked nor expired,
    /// and its app not deleted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn grant_by_token(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<(Grant, Option<App>)>> {
        self.read(move |conn| {
            let found = find(
                conn,
                "g.token_hash = ?1 AND g.revoked_at IS NULL
                   AND (g.expires_at IS NULL OR g.expires_at > ?2)",
                params![token_hash, now.0],
            )?;
            let Some(grant) = found else { return Ok(None) };
            let Some(app_no) = grant.app_no else { return Ok(Some((grant, None))) };
            Ok(app::get(conn, app_no)?.map(|app| (grant, Some(app))))
        })
        .await
    }

    /// Whether a token was ever granted, whether it still works or not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn is_token_known(&self, token_hash: [u8; 32]) -> Result<bool> {
        self.read(move |conn| Ok(find(conn, "g.token_hash = ?1", [token_hash])?.is_some())).await
    }

    /// A grant of an app by its id, whether it still works or not. Without an app: one of the
    /// installation.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn grant_by_id(&self, app_no: Option<i64>, id: GrantId) -> Result<Option<Grant>> {
        self.read(move |conn| {
            find(conn, "g.app_no IS ?1 AND g.id = ?2", params![app_no, id.0.to_bytes()])
        })
        .await
    }

    /// Grants of an app (of the installation when absent) after store key `after`, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn grants(&self, app_no: Option<i64>, after: i64, limit: u32) -> Result<Vec<Grant>> {
        self.read(move |conn| {
            let mut statement = conn.prepare_cached(&format!(
                "{GRANT} WHERE g.app_no IS ?1 AND g.grant_no > ?2 ORDER BY g.grant_no LIMIT ?3"
            ))?;
            let rows = statement.query_map(params![app_no, after, limit], grant_from_row)?;
            rows.map(|row| row?).collect()
        })
        .await
    }

    /// Revokes a grant.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn revoke_grant(
        &self,
        grant: &Grant,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<()> {
        let (grant_no, app_no) = (grant.grant_no, grant.app_no);
        self.write(2, move |tx| {
            tx.conn.execute(
                "UPDATE access_grant SET revoked_at = ?2 WHERE grant_no = ?1 AND revoked_at IS NULL",
                params![grant_no, now.0],
            )?;
            audit::insert(tx.conn, app_no, &entry, now)
        })
        .await
    }

    /// Whether the last use of a grant is old enough to be written down again.
    pub fn is_use_due(grant: &Grant, now: Timestamp) -> bool {
        grant.last_used_at.is_none_or(|at| now.0 - at.0 >= LAST_USED_EVERY_MS)
    }

    /// Writes down that a grant was used, unless that was done within the last minute.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn touch_grant(&self, grant_no: i64, now: Timestamp) -> Result<()> {
        self.write(1, move |tx| {
            tx.conn
                .prepare_cached(
                    "UPDATE access_grant SET last_used_at = ?2
                     WHERE grant_no = ?1 AND coalesce(last_used_at, 0) <= ?3",
                )?
                .execute(params![grant_no, now.0, now.0 - LAST_USED_EVERY_MS])?;
            Ok(())
        })
        .await
    }

    /// Creates an end user, or finds the one with this external id; says which.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn upsert_user(
        &self,
        app_no: i64,
        id: UserId,
        external_id: String,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<(EndUser, bool)> {
        self.write(2, move |tx| {
            let created = tx.conn.execute(
                "INSERT INTO end_user (id, app_no, external_id, created_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (app_no, external_id) DO NOTHING",
                params![id.0.to_bytes(), app_no, external_id, now.0],
            )? == 1;
            if created {
                audit::insert(tx.conn, Some(app_no), &entry, now)?;
            }
            let user = tx.conn.query_row(
                "SELECT * FROM end_user WHERE app_no = ?1 AND external_id = ?2",
                params![app_no, external_id],
                user_from_row,
            )?;
            Ok((user, created))
        })
        .await
    }

    /// An end user of an app by id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn user_by_id(&self, app_no: i64, id: UserId) -> Result<Option<EndUser>> {
        self.read(move |conn| {
            Ok(conn
                .prepare_cached("SELECT * FROM end_user WHERE app_no = ?1 AND id = ?2")?
                .query_row(params![app_no, id.0.to_bytes()], user_from_row)
                .optional()?)
        })
        .await
    }

    /// An end user by store key.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn user(&self, user_no: i64) -> Result<Option<EndUser>> {
        self.read(move |conn| {
            Ok(conn
                .prepare_cached("SELECT * FROM end_user WHERE user_no = ?1")?
                .query_row([user_no], user_from_row)
                .optional()?)
        })
        .await
    }

    /// End users of an app after store key `after`, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn users(&self, app_no: i64, after: i64, limit: u32) -> Result<Vec<EndUser>> {
        self.read(move |conn| {
            let mut statement = conn.prepare_cached(
                "SELECT * FROM end_user WHERE app_no = ?1 AND user_no > ?2 ORDER BY user_no LIMIT ?3",
            )?;
            let rows = statement.query_map(params![app_no, after, limit], user_from_row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
        .await
    }
}
