//! Grants, which are the tokens of an installation, app or end user.

mod ending;
mod rotation;

use serde_json::Value as Json;
use tidings_core::change::NewChange;
use tidings_core::clock::Timestamp;
use tidings_core::id::{Bits96, GrantId, UserId};
use tidings_core::limits;

use crate::app::{self, bits};
use crate::sql::{Row, Sql, Value, Wanted, values};
use crate::user::external_id;
use crate::{App, AuditEntry, Error, Result, Store, audit, journal, user};

pub(crate) use ending::revoke_of_user;
pub use rotation::Rotation;

/// A token's last use is written down at most this often, ms.
const LAST_USED_EVERY_MS: i64 = 60_000;

fn use_every_ms(kind: GrantKind) -> i64 {
    if kind == GrantKind::Session { limits::SESSION_WRITTEN_EVERY_MS } else { LAST_USED_EVERY_MS }
}

/// What a grant's token opens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum GrantKind {
    /// The whole installation.
    Owner,
    /// One app, within its scopes.
    #[default]
    App,
    /// The Mobiscroll Connect surface, for one end user.
    Connect,
    /// Nothing by itself: an authorization code, to be traded once.
    Code,
    /// Nothing by itself: a refresh token, to be traded once.
    Refresh,
    /// The Sync surface, for one end user, as long as it is used.
    Session,
    /// The Pryv surface: an access of a person or of what they let in.
    Access,
    /// The portal: the hooks of one end user.
    Portal,
    /// What an operator's role lets them do. Never stored.
    Operator,
}

impl GrantKind {
    const ALL: [Self; 9] = [
        Self::Owner,
        Self::App,
        Self::Connect,
        Self::Code,
        Self::Refresh,
        Self::Session,
        Self::Access,
        Self::Portal,
        Self::Operator,
    ];

    /// The name used in the store and in APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::App => "app",
            Self::Connect => "connect",
            Self::Code => "code",
            Self::Refresh => "refresh",
            Self::Session => "session",
            Self::Access => "access",
            Self::Portal => "portal",
            Self::Operator => "operator",
        }
    }

    /// The reverse of [`GrantKind::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether its tokens let a request in; the others are only traded for such tokens.
    pub fn is_bearer(self) -> bool {
        !matches!(self, Self::Code | Self::Refresh)
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
    /// The id by which the app itself knows its end user.
    pub user_external_id: Option<String>,
    /// Id of the grant that made it.
    pub parent_id: Option<GrantId>,
    /// What it opens.
    pub kind: GrantKind,
    /// What people call it.
    pub name: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// What its dialect keeps with it: a JSON object.
    pub details: Json,
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
    /// What its dialect keeps with it: a JSON object.
    pub details: Json,
    /// Hash of the token.
    pub token_hash: [u8; 32],
    /// The last digits of the token.
    pub hint: String,
    /// When it stops working by itself.
    pub expires_at: Option<Timestamp>,
}

/// What to change about a grant; what is absent stays, an inner `None` clears.
#[derive(Clone, Debug, Default)]
pub struct GrantUpdate {
    /// What people call it.
    pub name: Option<String>,
    /// What it may do.
    pub scopes: Option<Vec<String>>,
    /// What its dialect keeps with it: a JSON object.
    pub details: Option<Json>,
    /// When it stops working by itself.
    pub expires_at: Option<Option<Timestamp>>,
}

const GRANT: &str = "SELECT t.grant_no, t.id, t.app_no, t.user_no, u.id, t.kind, t.name, t.scopes,
    t.hint, t.created_at, t.expires_at, t.last_used_at, t.revoked_at, u.external_id, p.id, t.details
  FROM access_grant t LEFT JOIN end_user u ON u.user_no = t.user_no
  LEFT JOIN access_grant p ON p.grant_no = t.parent_no";

fn grant_from_row(row: &Row<'_>) -> Result<Grant> {
    let user_no: Option<i64> = row.get(3)?;
    Ok(Grant {
        grant_no: row.get(0)?,
        id: GrantId(bits(row, 1)?),
        app_no: row.get(2)?,
        user_no,
        user_id: user_no.map(|_| bits(row, 4).map(UserId)).transpose()?,
        user_external_id: external_id(row, 13)?,
        parent_id: row
            .get::<Option<Vec<u8>>>(14)?
            .and_then(|id| Bits96::from_bytes(&id))
            .map(GrantId),
        kind: GrantKind::parse(&row.get::<String>(5)?).ok_or(Error::corrupt("grant"))?,
        name: row.get(6)?,
        scopes: serde_json::from_str(&row.get::<String>(7)?)?,
        details: serde_json::from_str(&row.get::<String>(15)?)?,
        hint: row.get(8)?,
        created_at: Timestamp(row.get(9)?),
        expires_at: row.get::<Option<i64>>(10)?.map(Timestamp),
        last_used_at: row.get::<Option<i64>>(11)?.map(Timestamp),
        revoked_at: row.get::<Option<i64>>(12)?.map(Timestamp),
    })
}

fn find(sql: &Sql<'_>, condition: &str, values: &[Value<'_>]) -> Result<Option<Grant>> {
    sql.row(&format!("{GRANT} WHERE {condition}"), values, grant_from_row)
}

/// Creates a grant inside a job.
fn insert(sql: &Sql<'_>, new: &NewGrant, now: Timestamp) -> Result<Option<i64>> {
    user::must_live(sql, new.user_no)?;
    let grant_no = sql.row(
        "INSERT INTO access_grant (id, app_no, user_no, parent_no, kind, name, scopes,
           token_hash, hint, created_at, expires_at, details)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
         RETURNING grant_no",
        values![
            new.id.0.to_bytes(),
            new.app_no,
            new.user_no,
            new.parent_no,
            new.kind.as_str(),
            &new.name,
            serde_json::to_string(&new.scopes)?,
            new.token_hash,
            &new.hint,
            now.0,
            new.expires_at.map(|at| at.0),
            new.details.to_string(),
        ],
        |row| row.get::<i64>(0),
    );
    grant_no.map_err(|error| app::taken(error, "this token exists already"))
}

impl Store {
    /// Creates a grant and appends `changes` to its app's journal.
    ///
    /// # Errors
    /// Not found (its end user); conflict when its token exists already.
    pub async fn create_grant(
        &self,
        new: NewGrant,
        changes: Vec<NewChange>,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<Grant> {
        self.write(3 + 2 * changes.len(), move |tx| {
            let grant_no = insert(&tx.sql, &new, now)?;
            journal::append_for(tx, new.app_no, changes, now)?;
            audit::insert(&tx.sql, new.app_no, &entry, now)?;
            find(&tx.sql, "t.grant_no = ?1", values![grant_no])?.ok_or(Error::not_found("key"))
        })
        .await
    }

    /// Finds the grant of a token with its app, when it works at `now`: neither revoked nor expired, and its
    /// app and end user not deleted. A session ends with what made it.
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
                   AND (t.expires_at IS NULL OR t.expires_at > ?2)
                   AND (t.user_no IS NULL OR u.deleted_at IS NULL)
                   AND (t.kind <> 'session' OR p.grant_no IS NULL OR p.revoked_at IS NULL
                     AND (p.expires_at IS NULL OR p.expires_at > ?2))",
                values![token_hash, now.0],
            )?;
            let Some(grant) = found else { return Ok(None) };
            let Some(app_no) = grant.app_no else { return Ok(Some((grant, None))) };
            Ok(app::get(sql, app_no)?.map(|app| (grant, Some(app))))
        })
        .await
    }

    /// The grant of a token, whether it still works or not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn grant_of_token(&self, token_hash: [u8; 32]) -> Result<Option<Grant>> {
        self.read(move |sql| find(sql, "t.token_hash = ?1", values![token_hash])).await
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

    /// The newest key of an app that has this name and is not revoked.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn grant_named(&self, app_no: i64, name: String) -> Result<Option<Grant>> {
        self.read(move |sql| {
            let of_app = app::of(Some(app_no));
            let condition = format!(
                "{of_app} AND t.kind = 'app' AND t.name = ?2 AND t.revoked_at IS NULL
                 ORDER BY t.grant_no DESC LIMIT 1"
            );
            find(sql, &condition, values![app_no, name])
        })
        .await
    }

    /// Grants of an app that are not revoked and of one of `kinds`, oldest first; only those of one end
    /// user when one is given. One that may do nothing has ended, and is not among them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn grants_of_kinds(
        &self,
        app_no: i64,
        user_no: Option<i64>,
        kinds: Vec<GrantKind>,
        limit: usize,
    ) -> Result<Vec<Grant>> {
        let names: Vec<_> = kinds.iter().map(|kind| format!("'{}'", kind.as_str())).collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        self.read(move |sql| {
            let mut wanted = Wanted::new("t.app_no", app_no);
            wanted.also("t.user_no =", user_no);
            let (rest, values) = wanted.page("t.grant_no", limit);
            let text = format!(
                "{GRANT} WHERE t.revoked_at IS NULL AND t.scopes <> '[]' AND t.kind IN ({}) AND {rest}",
                names.join(", ")
            );
            sql.rows(&text, &values, grant_from_row)
        })
        .await
    }

    /// Changes a grant and appends `changes` to its app's journal.
    ///
    /// # Errors
    /// Not found when it does not exist or was revoked.
    pub async fn update_grant(
        &self,
        grant_no: i64,
        update: GrantUpdate,
        changes: Vec<NewChange>,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<Grant> {
        self.write(3 + 2 * changes.len(), move |tx| {
            let found =
                find(&tx.sql, "t.grant_no = ?1 AND t.revoked_at IS NULL", values![grant_no])?;
            let grant = found.ok_or(Error::not_found("token"))?;
            tx.sql.run(
                "UPDATE access_grant SET name = ?2, scopes = ?3, details = ?4, expires_at = ?5
                 WHERE grant_no = ?1",
                values![
                    grant_no,
                    update.name.unwrap_or(grant.name),
                    serde_json::to_string(&update.scopes.unwrap_or(grant.scopes))?,
                    update.details.unwrap_or(grant.details).to_string(),
                    update.expires_at.unwrap_or(grant.expires_at).map(|at| at.0),
                ],
            )?;
            journal::append_for(tx, grant.app_no, changes, now)?;
            audit::insert(&tx.sql, grant.app_no, &entry, now)?;
            find(&tx.sql, "t.grant_no = ?1", values![grant_no])?.ok_or(Error::not_found("token"))
        })
        .await
    }

    /// Whether the last use of a grant is old enough to be written down again.
    pub fn is_use_due(grant: &Grant, now: Timestamp) -> bool {
        grant.last_used_at.is_none_or(|at| now.0 - at.0 >= use_every_ms(grant.kind))
    }

    /// Writes down that a grant was used, unless that was done lately. A session lasts from then on as long
    /// as an idle one may.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn touch_grant(&self, grant: &Grant, now: Timestamp) -> Result<()> {
        let Grant { grant_no, kind, .. } = *grant;
        let until = (kind == GrantKind::Session).then(|| now.plus_ms(limits::SESSION_IDLE_MS).0);
        self.write(1, move |tx| {
            tx.sql.run(
                "UPDATE access_grant SET last_used_at = ?2, expires_at = coalesce(?4, expires_at)
                 WHERE grant_no = ?1 AND coalesce(last_used_at, 0) <= ?3
                   AND (CAST(?4 AS BIGINT) IS NULL OR expires_at > ?2)",
                values![grant_no, now.0, now.0 - use_every_ms(kind), until],
            )?;
            Ok(())
        })
        .await
    }
}
