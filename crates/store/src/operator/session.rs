//! Sessions of operators.

use std::fmt;

use tidings_core::clock::Timestamp;
use tidings_core::id::SessionId;
use tidings_core::limits;

use super::Operator;
use crate::app::bits;
use crate::sql::{Row, Sql, Value, values};
use crate::{AuditEntry, Error, Result, Store, audit};

/// A session of an operator. Its token is not kept, only the token's hash; `Debug` does not show what its forms
/// carry.
#[derive(Clone, PartialEq, Eq)]
pub struct OperatorSession {
    /// Store key.
    pub session_no: i64,
    /// Its id.
    pub id: SessionId,
    /// Whose it is, as they are now.
    pub operator: Operator,
    /// What a form of this session carries.
    pub csrf: String,
    /// When it began.
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    pub last_used_at: Timestamp,
    /// When it ends whatever its use.
    pub expires_at: Timestamp,
    /// When the password was last given.
    pub authenticated_at: Timestamp,
    /// Whence it was last used.
    pub address: Option<String>,
    /// The browser, in its own words.
    pub agent: String,
}

impl fmt::Debug for OperatorSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OperatorSession").field("id", &self.id).finish_non_exhaustive()
    }
}

/// A session to begin.
#[derive(Clone)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// Hash of the token.
    pub token_hash: [u8; 32],
    /// What a form of this session carries.
    pub csrf: String,
    /// When it ends whatever its use.
    pub expires_at: Timestamp,
    /// Whence it was begun.
    pub address: Option<String>,
    /// The browser, in its own words.
    pub agent: String,
}

impl fmt::Debug for NewSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewSession").field("id", &self.id).finish_non_exhaustive()
    }
}

const SESSION: &str = "s.session_no, s.id, s.csrf, s.created_at, s.last_used_at, s.expires_at,
    s.authenticated_at, s.address, s.agent";
/// Columns of an operator that come first.
const OPERATOR_COLUMNS: usize = 9;

fn from_row(row: &Row<'_>) -> Result<OperatorSession> {
    let at = |place: usize| OPERATOR_COLUMNS + place;
    Ok(OperatorSession {
        operator: super::from_row(row)?,
        session_no: row.get(at(0))?,
        id: SessionId(bits(row, at(1))?),
        csrf: row.get(at(2))?,
        created_at: Timestamp(row.get(at(3))?),
        last_used_at: Timestamp(row.get(at(4))?),
        expires_at: Timestamp(row.get(at(5))?),
        authenticated_at: Timestamp(row.get(at(6))?),
        address: row.get(at(7))?,
        agent: row.get(at(8))?,
    })
}

/// Sessions that work now (`?1`) and are like `condition`.
fn select(
    sql: &Sql<'_>,
    condition: &str,
    now: Timestamp,
    value: Value<'_>,
) -> Result<Vec<OperatorSession>> {
    let text = format!(
        "SELECT {}, {SESSION} FROM operator_session s JOIN operator o ON o.operator_no = s.operator_no
         WHERE s.ended_at IS NULL AND s.expires_at > ?1 AND s.last_used_at > ?2
           AND o.disabled_at IS NULL AND {condition} ORDER BY s.session_no",
        super::COLUMNS
    );
    let idle_since = now.0 - limits::OPERATOR_IDLE_MS;
    sql.rows(&text, &[now.0.into(), idle_since.into(), value], from_row)
}

/// Begins a session inside a job. Those of the operator that have ended are forgotten, and of too many the oldest.
pub(super) fn insert(
    sql: &Sql<'_>,
    operator_no: i64,
    new: &NewSession,
    now: Timestamp,
) -> Result<OperatorSession> {
    sql.run(
        "DELETE FROM operator_session WHERE operator_no = ?1
           AND (ended_at IS NOT NULL OR expires_at <= ?2 OR last_used_at <= ?3
             OR session_no <= (SELECT o.session_no FROM operator_session o WHERE o.operator_no = ?1
               ORDER BY o.session_no DESC LIMIT 1 OFFSET ?4))",
        values![
            operator_no,
            now.0,
            now.0 - limits::OPERATOR_IDLE_MS,
            limits::OPERATOR_SESSIONS_MAX - 1
        ],
    )?;
    sql.run(
        "INSERT INTO operator_session (id, operator_no, token_hash, csrf, created_at, last_used_at,
           expires_at, authenticated_at, address, agent)
         VALUES (?1, ?2, ?3, ?4, ?5, ?5, ?6, ?5, ?7, ?8)",
        values![
            new.id.0.to_bytes(),
            operator_no,
            new.token_hash,
            &new.csrf,
            now.0,
            new.expires_at.0,
            &new.address,
            &new.agent,
        ],
    )?;
    let id = new.id.0.to_bytes();
    select(sql, "s.id = ?3", now, id.into())?.pop().ok_or(Error::failed())
}

/// Ends the sessions of an operator inside a job, all but the one with the store key `kept`.
pub(super) fn end_all(
    sql: &Sql<'_>,
    operator_no: i64,
    kept: Option<i64>,
    now: Timestamp,
) -> Result<()> {
    sql.run(
        "UPDATE operator_session SET ended_at = ?3
         WHERE operator_no = ?1 AND session_no <> ?2 AND ended_at IS NULL",
        values![operator_no, kept.unwrap_or(0), now.0],
    )?;
    Ok(())
}

impl Store {
    /// Begins a session of an operator who has signed in.
    ///
    /// # Errors
    /// When the commit fails; not found when the operator was deleted, disabled or changed since it was read: what
    /// let them in may not do so any more.
    pub async fn begin_session(
        &self,
        operator: &Operator,
        new: NewSession,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<OperatorSession> {
        let (operator_no, id, read_at) = (operator.operator_no, operator.id, operator.updated_at.0);
        self.write(4, move |tx| {
            let text = "SELECT 1 FROM operator
                        WHERE operator_no = ?1 AND id = ?2 AND updated_at = ?3 AND disabled_at IS NULL";
            let same = values![operator_no, id.0.to_bytes(), read_at];
            let lives = tx.sql.row(text, same, |row| row.get::<i64>(0))?;
            lives.ok_or(Error::not_found("operator"))?;
            let session = insert(&tx.sql, operator_no, &new, now)?;
            audit::insert(&tx.sql, None, &entry, now)?;
            Ok(session)
        })
        .await
    }

    /// The session of a token, while it works.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn session_by_token(
        &self,
        token_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<OperatorSession>> {
        self.read(move |sql| Ok(select(sql, "s.token_hash = ?3", now, token_hash.into())?.pop()))
            .await
    }

    /// A session by id, while it works.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn session_by_id(
        &self,
        id: SessionId,
        now: Timestamp,
    ) -> Result<Option<OperatorSession>> {
        let id = id.0.to_bytes();
        self.read(move |sql| Ok(select(sql, "s.id = ?3", now, id.into())?.pop())).await
    }

    /// The sessions of an operator that work, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn sessions_of(
        &self,
        operator_no: i64,
        now: Timestamp,
    ) -> Result<Vec<OperatorSession>> {
        self.read(move |sql| select(sql, "s.operator_no = ?3", now, operator_no.into())).await
    }

    /// Writes down that a session was used, and whence.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn touch_session(
        &self,
        session_no: i64,
        address: Option<String>,
        agent: String,
        now: Timestamp,
    ) -> Result<()> {
        self.write(1, move |tx| {
            tx.sql.run(
                "UPDATE operator_session SET last_used_at = ?2, address = ?3, agent = ?4
                 WHERE session_no = ?1 AND ended_at IS NULL",
                values![session_no, now.0, address, agent],
            )?;
            Ok(())
        })
        .await
    }

    /// Writes down that the password was given again.
    ///
    /// # Errors
    /// Not found when the session has ended.
    pub async fn session_authenticated(
        &self,
        session_no: i64,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<()> {
        let text = "UPDATE operator_session SET authenticated_at = ?2
                    WHERE session_no = ?1 AND ended_at IS NULL";
        self.write_session(text, session_no, entry, now).await
    }

    /// Ends a session.
    ///
    /// # Errors
    /// Not found when there is none or it has ended.
    pub async fn end_session(
        &self,
        session_no: i64,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<()> {
        let text = "UPDATE operator_session SET ended_at = ?2
                    WHERE session_no = ?1 AND ended_at IS NULL";
        self.write_session(text, session_no, entry, now).await
    }

    /// Writes `now` into a session that has not ended, with its audit line.
    async fn write_session(
        &self,
        text: &'static str,
        session_no: i64,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<()> {
        self.write(2, move |tx| {
            if tx.sql.run(text, values![session_no, now.0])? == 0 {
                return Err(Error::not_found("session"));
            }
            audit::insert(&tx.sql, None, &entry, now)
        })
        .await
    }
}
