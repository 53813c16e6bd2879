//! OAuth flows under way: a state goes out with the browser and comes back once.

use tidings_core::clock::Timestamp;

use crate::sql::values;
use crate::{AuditEntry, Result, Store, audit};

/// A flow that was begun.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OAuthState {
    /// Store key of the app that began it.
    pub app_no: i64,
    /// Store key of the end user whose account it will be.
    pub user_no: Option<i64>,
    /// Where the browser went.
    pub provider: String,
    /// Store key of the account to connect again.
    pub account_no: Option<i64>,
    /// The PKCE verifier and where to return to, sealed.
    pub sealed: Vec<u8>,
    /// When it is of no use any more.
    pub expires_at: Timestamp,
}

impl Store {
    /// Writes down a flow under the SHA-256 of its state.
    ///
    /// # Errors
    /// Conflict when there is one under this hash.
    pub async fn create_oauth_state(
        &self,
        state_hash: [u8; 32],
        flow: OAuthState,
        entry: AuditEntry,
        now: Timestamp,
    ) -> Result<()> {
        self.write(2, move |tx| {
            tx.sql.run(
                "INSERT INTO oauth_state (state_hash, app_no, user_no, provider, account_no, sealed,
                   created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                values![
                    state_hash,
                    flow.app_no,
                    flow.user_no,
                    &flow.provider,
                    flow.account_no,
                    &flow.sealed,
                    now.0,
                    flow.expires_at.0
                ],
            )?;
            audit::insert(&tx.sql, Some(flow.app_no), &entry, now)
        })
        .await
    }

    /// Takes a flow out: the second time, and once it has expired or its app was deleted, there is none.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn take_oauth_state(
        &self,
        state_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<Option<OAuthState>> {
        self.write(1, move |tx| {
            let taken = tx.sql.row(
                "DELETE FROM oauth_state WHERE state_hash = ?1
                 RETURNING app_no, user_no, provider, account_no, sealed, expires_at",
                values![state_hash],
                |row| {
                    Ok(OAuthState {
                        app_no: row.get(0)?,
                        user_no: row.get(1)?,
                        provider: row.get(2)?,
                        account_no: row.get(3)?,
                        sealed: row.get(4)?,
                        expires_at: Timestamp(row.get(5)?),
                    })
                },
            )?;
            let Some(flow) = taken.filter(|flow| flow.expires_at > now) else { return Ok(None) };
            let app = tx.sql.row(
                "SELECT 1 FROM app WHERE app_no = ?1 AND deleted_at IS NULL",
                values![flow.app_no],
                |_| Ok(()),
            )?;
            Ok(app.map(|()| flow))
        })
        .await
    }
}
