//! The Ed25519 keys of apps.

use tidings_core::clock::Timestamp;
use tidings_core::id::Bits96;
use tidings_core::limits;

use crate::app::bits;
use crate::audit::{self, AuditEntry};
use crate::sql::{Sql, values};
use crate::{Committed, Error, Result, Store};

/// A signing key to store.
#[derive(Clone, Debug)]
pub struct NewSigningKey {
    /// Its id, part of what it is sealed for.
    pub id: Bits96,
    /// The public key.
    pub public: [u8; 32],
    /// The sealed private key.
    pub sealed: Vec<u8>,
}

/// A stored signing key.
#[derive(Clone, Debug)]
pub struct SigningKeyRow {
    /// Its id, part of what it is sealed for.
    pub id: Bits96,
    /// The public key.
    pub public: [u8; 32],
    /// The sealed private key.
    pub sealed: Vec<u8>,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it stops signing; absent: the current key.
    pub expires_at: Option<Timestamp>,
}

impl Store {
    /// The keys of an app that sign at `now`, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn signing_keys(&self, app_no: i64, now: Timestamp) -> Result<Vec<SigningKeyRow>> {
        self.read(move |sql| list(sql, app_no, now)).await
    }

    /// Store keys of the apps that have keys which sign at `now`, oldest first, at most `limit`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn apps_that_sign(&self, now: Timestamp, limit: u32) -> Result<Vec<i64>> {
        self.read(move |sql| {
            sql.rows(
                "SELECT DISTINCT k.app_no FROM signing_key k JOIN app a USING (app_no)
                 WHERE a.deleted_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?1)
                 ORDER BY k.app_no LIMIT ?2",
                values![now.0, limit],
                |row| row.get(0),
            )
        })
        .await
    }

    /// Gives an app its first key, unless it has one.
    ///
    /// # Errors
    /// When the store cannot write.
    pub async fn add_first_signing_key(
        &self,
        app_no: i64,
        key: NewSigningKey,
        now: Timestamp,
    ) -> Result<()> {
        self.write(2, move |tx| {
            if list(&tx.sql, app_no, now)?.is_empty() {
                insert(&tx.sql, app_no, &key, now)?;
                tx.announce.push(Committed::App(app_no));
            }
            Ok(())
        })
        .await
    }

    /// Adds a key; the earlier ones go on signing until `overlap_until`.
    ///
    /// # Errors
    /// Conflict when too many keys would sign.
    pub async fn rotate_signing_key(
        &self,
        app_no: i64,
        key: NewSigningKey,
        overlap_until: Timestamp,
        audit: AuditEntry,
        now: Timestamp,
    ) -> Result<()> {
        self.write(4, move |tx| {
            tx.sql.run(
                "DELETE FROM signing_key WHERE app_no = ?1 AND expires_at <= ?2",
                values![app_no, now.0],
            )?;
            tx.sql.run(
                "UPDATE signing_key SET expires_at = ?2
                 WHERE app_no = ?1 AND (expires_at IS NULL OR expires_at > ?2)",
                values![app_no, overlap_until.0],
            )?;
            insert(&tx.sql, app_no, &key, now)?;
            if list(&tx.sql, app_no, now)?.len() > limits::APP_SIGNING_KEYS_MAX {
                return Err(Error::conflict("too many keys sign; wait until an overlap ends"));
            }
            audit::insert(&tx.sql, Some(app_no), &audit, now)?;
            tx.announce.push(Committed::App(app_no));
            Ok(())
        })
        .await
    }
}

fn insert(sql: &Sql<'_>, app_no: i64, key: &NewSigningKey, now: Timestamp) -> Result<()> {
    sql.run(
        "INSERT INTO signing_key (id, app_no, public, sealed, created_at)
         VALUES (?1, ?2, ?3, ?4, ?5)",
        values![key.id.to_bytes(), app_no, key.public, &key.sealed, now.0],
    )?;
    Ok(())
}

fn list(sql: &Sql<'_>, app_no: i64, now: Timestamp) -> Result<Vec<SigningKeyRow>> {
    sql.rows(
        "SELECT id, public, sealed, created_at, expires_at FROM signing_key
         WHERE app_no = ?1 AND (expires_at IS NULL OR expires_at > ?2) ORDER BY key_no DESC",
        values![app_no, now.0],
        |row| {
            let public: Vec<u8> = row.get(1)?;
            Ok(SigningKeyRow {
                id: bits(row, 0)?,
                public: public.try_into().map_err(|_| Error::corrupt("public key"))?,
                sealed: row.get(2)?,
                created_at: Timestamp(row.get(3)?),
                expires_at: row.get::<Option<i64>>(4)?.map(Timestamp),
            })
        },
    )
}
