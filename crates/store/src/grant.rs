//! Grants, which are the tokens of an installation, app or end user; and the end users themselves.

use tidings_core::clock::Timestamp;
use tidings_core::id::{GrantId, UserId};

use crate::app::{self, bits};
use crate::sql::{Row, Sql, Value, values};
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

const GRANT: &str = "SELECT t.grant_no, t.id, t.app_no, t.user_no, u.id, t.kind, t.name, t.scopes,
    t.hint, t.created_at, t.expires_at, t.last_used_at, t.revoked_at
  FROM access_grant t LEFT JOIN end_user u ON u.user_no = t.user_no";

const USER: &str = "SELECT user_no, id, external_id, created_at FROM end_user";

fn grant_from_row(row: &Row<'_>) -> Result<Grant> {
    let user_no: Option<i64> = row.get(3)?;
    Ok(Grant {
        grant_no: row.get(0)?,
        id: GrantId(bits(row, 1)?),
        app_no: row.get(2)?,
        user_no,
        user_id: user_no.map(|_| bits(row, 4).map(UserId)).transpose()?,
        kind: GrantKind::parse(&row.get::<String>(5)?).ok_or(Error::corrupt("grant"))?,
        name: row.get(6)?,
        scopes: serde_json::from_str(&row.get::<String>(7)?)?,
        hint: row.get(8)?,
        created_at: Timestamp(row.get(9)?),
        expires_at: row.get::<Option<i64>>(10)?.map(Timestamp),
        last_used_at: row.get::<Option<i64>>(11)?.map(Timestamp),
        revoked_at: row.get::<Option<i64>>(12)?.map(Timestamp),
    })
}

fn user_from_row(row: &Row<'_>) -> Result<EndUser> {
    Ok(EndUser {
        user_no: row.get(0)?,
        id: UserId(bits(row, 1)?),
        external_id: row.get(2)?,
        created_at: Timestamp(row.get(3)?),
    })
}

fn find(sql: &Sql<'_>, condition: &str, values: &[Value<'_>]) -> Result<Option<Grant>> {
    sql.row(&format!("{GRANT} WHERE {condition}"), values, grant_from_row)
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
            let grant_no = tx.sql.row(
                "INSERT INTO access_grant (id, app_no, user_no, parent_no, kind, name, scopes,
                   token_hash, hint, created_at, expires_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
                 RETURNING grant_no",
                values![
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
                |row| row.get::<i64>(0),
            )?;
            audit::insert(&tx.sql, new.app_no, &entry, now)?;
            find(&tx.sql, "t.grant_no = ?1", values![grant_no])?.ok_or(Error::not_found("key"))
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
        self.read(move |sql| {
            let found = find(
                sql,
                "t.token_hash = ?1 AND t.revoked_at IS NULL
                   AND (t.expires_at IS NULL OR t.expires_at > ?2)",
                values![token_hash, now.0],
            )?;
            let Some(grant) = found else { return Ok(None) };
            let Some(app_no) = grant.app_no else { return Ok(Some((grant, None))) };
            Ok(app::get(sql, app_no)?.map(|app| (grant, Some(app))))
        })
        .await
    }

    /// Whether a token was ever granted, whether it still works or not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn is_token_known(&self, token_hash: [u8; 32]) -> Result<bool> {
        self.read(move |sql| Ok(find(sql, "t.token_hash = ?1", values![token_hash])?.is_some()))
            .await
    }

    /// A grant of an app by its id, whether it still works or not. Without an app: one of the
    /// installation.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn grant_by_id(&self, app_no: Option<i64>, id: GrantId) -> Result<Option<Grant>> {
        self.read(move |sql| {
            let of_app = app::of(app_no);
            find(sql, &format!("{of_app} AND t.id = ?2"), values![app_no, id.0.to_bytes()])
        })
        .await
    }

    /// Grants of an app (of the installation when absent) after store key `after`, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn grants(&self, app_no: Option<i64>, after: i64, limit: u32) -> Result<Vec<Grant>> {
        self.read(move |sql| {
            let of_app = app::of(app_no);
            sql.rows(
                &format!("{GRANT} WHERE {of_app} AND t.grant_no > ?2 ORDER BY t.grant_no LIMIT ?3"),
                values![app_no, after, limit],
                grant_from_row,
            )
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
            tx.sql.run(
                "UPDATE access_grant SET revoked_at = ?2 WHERE grant_no = ?1 AND revoked_at IS NULL",
                values![grant_no, now.0],
            )?;
            audit::insert(&tx.sql, app_no, &entry, now)
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
            tx.sql.run(
                "UPDATE access_grant SET last_used_at = ?2
                 WHERE grant_no = ?1 AND coalesce(last_used_at, 0) <= ?3",
                values![grant_no, now.0, now.0 - LAST_USED_EVERY_MS],
            )?;
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
            let created = tx.sql.run(
                "INSERT INTO end_user (id, app_no, external_id, created_at) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (app_no, external_id) DO NOTHING",
                values![id.0.to_bytes(), app_no, &external_id, now.0],
            )? == 1;
            if created {
                audit::insert(&tx.sql, Some(app_no), &entry, now)?;
            }
            let user = tx.sql.row(
                &format!("{USER} WHERE app_no = ?1 AND external_id = ?2"),
                values![app_no, external_id],
                user_from_row,
            )?;
            Ok((user.ok_or(Error::failed())?, created))
        })
        .await
    }

    /// An end user of an app by id.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn user_by_id(&self, app_no: i64, id: UserId) -> Result<Option<EndUser>> {
        self.read(move |sql| {
            sql.row(
                &format!("{USER} WHERE app_no = ?1 AND id = ?2"),
                values![app_no, id.0.to_bytes()],
                user_from_row,
            )
        })
        .await
    }

    /// An end user by store key.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn user(&self, user_no: i64) -> Result<Option<EndUser>> {
        self.read(move |sql| {
            sql.row(&format!("{USER} WHERE user_no = ?1"), values![user_no], user_from_row)
        })
        .await
    }

    /// End users of an app after store key `after`, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn users(&self, app_no: i64, after: i64, limit: u32) -> Result<Vec<EndUser>> {
        self.read(move |sql| {
            sql.rows(
                &format!("{USER} WHERE app_no = ?1 AND user_no > ?2 ORDER BY user_no LIMIT ?3"),
                values![app_no, after, limit],
                user_from_row,
            )
        })
        .await
    }
}
