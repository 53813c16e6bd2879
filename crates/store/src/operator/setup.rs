//! The one-time link that makes the first operator.

use tidings_core::clock::Timestamp;

use super::{NewOperator, session};
use crate::sql::{Sql, values};
use crate::{AuditEntry, NewSession, OperatorSession, Result, Store, audit};

/// Whether there is an operator, inside a job.
fn any(sql: &Sql<'_>) -> Result<bool> {
    let text = "SELECT 1 FROM operator LIMIT 1";
    Ok(sql.row(text, values![], |row| row.get::<i64>(0))?.is_some())
}

impl Store {
    /// Whether there is an operator.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn has_operators(&self) -> Result<bool> {
        self.read(any).await
    }

    /// Keeps the hash of a new set-up token in place of any earlier one; `false` when there is an operator.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn begin_setup(&self, token_hash: [u8; 32], expires_at: Timestamp) -> Result<bool> {
        self.write(1, move |tx| {
            if any(&tx.sql)? {
                return Ok(false);
            }
            tx.sql.run(
                "INSERT INTO operator_setup (setup_no, token_hash, expires_at) VALUES (1, ?1, ?2)
                 ON CONFLICT (setup_no) DO UPDATE SET token_hash = ?1, expires_at = ?2",
                values![token_hash, expires_at.0],
            )?;
            Ok(true)
        })
        .await
    }

    /// Whether this is the set-up token that works now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn is_setup(&self, token_hash: [u8; 32], now: Timestamp) -> Result<bool> {
        self.read(move |sql| Ok(!any(sql)? && works(sql, token_hash, now)?)).await
    }

    /// Makes the first operator and signs them in; the token works once. `None` when it does not work, or not
    /// any more.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn finish_setup(
        &self,
        token_hash: [u8; 32],
        new: NewOperator,
        session: NewSession,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<Option<OperatorSession>> {
        self.write(5, move |tx| {
            if any(&tx.sql)? || !works(&tx.sql, token_hash, now)? {
                return Ok(None);
            }
            tx.sql.run("DELETE FROM operator_setup", values![])?;
            let operator = super::insert(&tx.sql, &new, now)?;
            let session = session::insert(&tx.sql, operator.operator_no, &session, now)?;
            audit::insert(&tx.sql, None, &entry, now)?;
            Ok(Some(session))
        })
        .await
    }
}

fn works(sql: &Sql<'_>, token_hash: [u8; 32], now: Timestamp) -> Result<bool> {
    let text = "SELECT 1 FROM operator_setup WHERE token_hash = ?1 AND expires_at > ?2";
    Ok(sql.row(text, values![token_hash, now.0], |row| row.get::<i64>(0))?.is_some())
}
