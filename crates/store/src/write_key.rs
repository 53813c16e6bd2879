//! Creates at providers that may be repeated: the client's key leads to the one item that it made.

use tidings_core::clock::Timestamp;
use tidings_core::limits::IDEMPOTENCY_TTL_MS;

use crate::sql::values;
use crate::{Idempotency, Result, Store};

/// A create that is about to be asked for.
#[derive(Clone, Debug)]
pub struct WriteClaim {
    /// Store key of the app.
    pub app_no: i64,
    /// The client's key and what it asks for.
    pub idempotency: Idempotency,
    /// Store key of the calendar.
    pub collection_no: i64,
    /// What makes the create idempotent at the provider.
    pub provider_key: String,
}

/// What a claim found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claimed {
    /// It is the first with its key.
    New,
    /// An earlier one did not come to an end, or is not there yet: go on with its key at the provider.
    Unfinished {
        /// The key at the provider.
        provider_key: String,
    },
    /// An earlier one made this item.
    Repeat {
        /// The item's key.
        item_key: String,
    },
    /// The key was used for something else.
    Other,
}

impl Store {
    /// Claims a key for a create. A key is forgotten after [`IDEMPOTENCY_TTL_MS`].
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn claim_write(&self, claim: WriteClaim, now: Timestamp) -> Result<Claimed> {
        self.write(1, move |tx| {
            let Idempotency { key_hash, request_hash } = claim.idempotency;
            tx.sql.run(
                "DELETE FROM write_key WHERE app_no = ?1 AND key_hash = ?2 AND created_at < ?3",
                values![claim.app_no, key_hash, now.0 - IDEMPOTENCY_TTL_MS],
            )?;
            let new = tx.sql.run(
                "INSERT INTO write_key (app_no, key_hash, request_hash, collection_no, provider_key,
                   created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                 ON CONFLICT (app_no, key_hash) DO NOTHING",
                values![
                    claim.app_no,
                    key_hash,
                    request_hash,
                    claim.collection_no,
                    &claim.provider_key,
                    now.0
                ],
            )?;
            if new == 1 {
                return Ok(Claimed::New);
            }
            let earlier = tx.sql.row(
                "SELECT provider_key, item_key FROM write_key WHERE app_no = ?1 AND key_hash = ?2
                   AND request_hash = ?3 AND collection_no = ?4",
                values![claim.app_no, key_hash, request_hash, claim.collection_no],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?;
            Ok(match earlier {
                None => Claimed::Other,
                Some((_, Some(item_key))) => Claimed::Repeat { item_key },
                Some((provider_key, None)) => Claimed::Unfinished { provider_key },
            })
        })
        .await
    }

    /// Writes down which item a create made.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn finish_write(
        &self,
        app_no: i64,
        key_hash: [u8; 32],
        item_key: String,
    ) -> Result<()> {
        self.write(1, move |tx| {
            tx.sql.run(
                "UPDATE write_key SET item_key = ?3 WHERE app_no = ?1 AND key_hash = ?2",
                values![app_no, key_hash, item_key],
            )?;
            Ok(())
        })
        .await
    }

    /// Forgets a claim whose create the provider refused for good: nothing was made.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn release_write(&self, app_no: i64, key_hash: [u8; 32]) -> Result<()> {
        self.write(1, move |tx| {
            tx.sql.run(
                "DELETE FROM write_key WHERE app_no = ?1 AND key_hash = ?2 AND item_key IS NULL",
                values![app_no, key_hash],
            )?;
            Ok(())
        })
        .await
    }
}
