//! How a subscription begins, goes on and ends.

use tidings_core::clock::Timestamp;
use tidings_core::limits::{IDEMPOTENCY_TTL_MS, SUBSCRIPTION_ENDED_KEPT_MS, SWEEP_ROWS};

use super::{NewSubscription, dirty};
use crate::account::{AccountStatus, get, refuse};
use crate::sql::{Sql, values};
use crate::{Committed, Error, Result, Store};

/// What a subscription is of, and where it stands.
struct Stand {
    account_no: i64,
    collection_no: Option<i64>,
    status: String,
}

fn stand(sql: &Sql<'_>, subscription_no: i64) -> Result<Stand> {
    let found = sql.row(
        "SELECT account_no, collection_no, status FROM subscription WHERE subscription_no = ?1",
        values![subscription_no],
        |row| {
            Ok(Stand { account_no: row.get(0)?, collection_no: row.get(1)?, status: row.get(2)? })
        },
    )?;
    found.ok_or(Error::not_found("subscription"))
}

impl Store {
    /// Writes a subscription down before its provider is asked, and takes its collection (or list) off
    /// the unwatched ones. Answers its store key.
    ///
    /// # Errors
    /// Not found when the account or the collection is gone; conflict when the account is not active.
    pub async fn create_subscription(&self, new: NewSubscription, now: Timestamp) -> Result<i64> {
        self.write(2, move |tx| {
            let account = get(&tx.sql, new.account_no)?;
            if account.status != AccountStatus::Active {
                return Err(Error::conflict("account is not active"));
            }
            if refuse(&tx.sql, new.account_no, new.collection_no, None, None)? == 0 {
                return Err(Error::not_found("collection"));
            }
            let subscription_no = tx.sql.row(
                "INSERT INTO subscription (id, app_no, account_no, collection_no, provider,
                   external_id, token_hash, status, created_at, next_try_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'registering', ?8, ?9)
                 RETURNING subscription_no",
                values![
                    new.id.0.to_bytes(),
                    account.app_no,
                    account.account_no,
                    new.collection_no,
                    &account.provider,
                    &new.external_id,
                    new.token_hash,
                    now.0,
                    new.next_try_at.0
                ],
                |row| row.get(0),
            )?;
            subscription_no.ok_or(Error::failed())
        })
        .await
    }

    /// Writes down what the provider answered: it pushes from now on, until `expires_at`, and is looked at
    /// again at `renew_at`. What changed before is not pushed, so its collection (or list) is dirty.
    /// `false` when the subscription was retired meanwhile: it must be stopped.
    ///
    /// # Errors
    /// Not found when it was never there or has ended: then what the provider made is nobody's.
    pub async fn activate_subscription(
        &self,
        subscription_no: i64,
        external_id: String,
        resource_id: Option<String>,
        expires_at: Timestamp,
        renew_at: Timestamp,
        now: Timestamp,
    ) -> Result<bool> {
        self.write(4, move |tx| {
            let stand = stand(&tx.sql, subscription_no)?;
            if stand.status == "ended" {
                return Err(Error::not_found("subscription"));
            }
            let retiring = stand.status == "retiring";
            tx.sql.run(
                "UPDATE subscription SET external_id = ?2, resource_id = ?3, expires_at = ?4,
                   renew_at = ?5, failures = 0, error = NULL,
                   status = CASE WHEN status = 'retiring' THEN status ELSE 'active' END,
                   next_try_at = CASE WHEN status = 'retiring' THEN next_try_at ELSE ?5 END
                 WHERE subscription_no = ?1",
                values![subscription_no, external_id, resource_id, expires_at.0, renew_at.0],
            )?;
            if retiring {
                return Ok(false);
            }
            if dirty(&tx.sql, stand.account_no, stand.collection_no, now)? {
                tx.announce.push(Committed::Account(stand.account_no));
            }
            Ok(true)
        })
        .await
    }

    /// Writes down that the provider prolonged a subscription.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn renew_subscription(
        &self,
        subscription_no: i64,
        expires_at: Timestamp,
        renew_at: Timestamp,
    ) -> Result<()> {
        self.write(1, move |tx| {
            tx.sql.run(
                "UPDATE subscription SET expires_at = ?2, renew_at = ?3, next_try_at = ?3,
                   failures = 0, error = NULL WHERE subscription_no = ?1 AND status = 'active'",
                values![subscription_no, expires_at.0, renew_at.0],
            )?;
            Ok(())
        })
        .await
    }

    /// Has a subscription renewed at once, as when the provider asks for it.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn hasten_subscription(&self, subscription_no: i64, now: Timestamp) -> Result<()> {
        self.write(1, move |tx| {
            let hastened = tx.sql.run(
                "UPDATE subscription SET renew_at = ?2, next_try_at = ?2
                 WHERE subscription_no = ?1 AND status = 'active'",
                values![subscription_no, now.0],
            )?;
            if hastened == 1 {
                let account_no = stand(&tx.sql, subscription_no)?.account_no;
                tx.announce.push(Committed::Account(account_no));
            }
            Ok(())
        })
        .await
    }

    /// Has a subscription stopped at the provider, at once. Its pushes count until then.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn retire_subscription(&self, subscription_no: i64, now: Timestamp) -> Result<()> {
        self.write(1, move |tx| {
            tx.sql.run(
                "UPDATE subscription SET status = 'retiring', next_try_at = ?2
                 WHERE subscription_no = ?1 AND status IN ('registering', 'active')",
                values![subscription_no, now.0],
            )?;
            Ok(())
        })
        .await
    }

    /// Notes what went wrong with a subscription and when it is looked at again.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn fail_subscription(
        &self,
        subscription_no: i64,
        error: String,
        next_try_at: Timestamp,
    ) -> Result<()> {
        self.write(1, move |tx| {
            tx.sql.run(
                "UPDATE subscription SET failures = failures + 1, error = ?2, next_try_at = ?3
                 WHERE subscription_no = ?1 AND status <> 'ended'",
                values![subscription_no, error, next_try_at.0],
            )?;
            Ok(())
        })
        .await
    }

    /// Ends a subscription and forgets its token. When no other watches the same, that becomes unwatched
    /// with `error` as its reason, and is to be watched again at `again_at`; never on its own when
    /// absent.
    ///
    /// # Errors
    /// Not found.
    pub async fn end_subscription(
        &self,
        subscription_no: i64,
        error: Option<String>,
        again_at: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<()> {
        self.write(2, move |tx| {
            let stand = stand(&tx.sql, subscription_no)?;
            if stand.status == "ended" {
                return Ok(());
            }
            tx.sql.run(
                "UPDATE subscription SET status = 'ended', ended_at = ?2, token_hash = NULL,
                   error = coalesce(?3, error) WHERE subscription_no = ?1",
                values![subscription_no, now.0, &error],
            )?;
            let other = tx.sql.row(
                "SELECT 1 FROM subscription WHERE account_no = ?1
                   AND coalesce(collection_no, 0) = coalesce(CAST(?2 AS BIGINT), 0)
                   AND status IN ('registering', 'active') LIMIT 1",
                values![stand.account_no, stand.collection_no],
                |_| Ok(()),
            )?;
            if other.is_none() {
                refuse(&tx.sql, stand.account_no, stand.collection_no, error, again_at)?;
            }
            Ok(())
        })
        .await
    }

    /// Forgets what is too old: OAuth flows that never came back, keys of writes, versions that writes
    /// replaced, subscriptions that ended long ago. Bounded; `true` when there may be more.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn sweep_expired(&self, now: Timestamp) -> Result<bool> {
        let found = self.read(move |sql| {
            let text = "SELECT 1 WHERE EXISTS (SELECT 1 FROM oauth_state WHERE expires_at < ?1)
                OR EXISTS (SELECT 1 FROM superseded WHERE expires_at < ?1)
                OR EXISTS (SELECT 1 FROM write_key WHERE created_at < ?2)
                OR EXISTS (SELECT 1 FROM subscription WHERE status = 'ended' AND ended_at < ?3)";
            let old = Old::at(now);
            sql.row(text, values![now.0, old.key, old.ended], |_| Ok(()))
        });
        if found.await?.is_none() {
            return Ok(false);
        }
        self.write(4 * SWEEP_ROWS, move |tx| sweep(&tx.sql, now)).await
    }
}

/// What was made, or ended, before these times is forgotten.
struct Old {
    key: i64,
    ended: i64,
}

impl Old {
    fn at(now: Timestamp) -> Self {
        Self { key: now.0 - IDEMPOTENCY_TTL_MS, ended: now.0 - SUBSCRIPTION_ENDED_KEPT_MS }
    }
}

fn sweep(sql: &Sql<'_>, now: Timestamp) -> Result<bool> {
    let old = Old::at(now);
    let sweeps = [
        (
            "DELETE FROM oauth_state WHERE state_hash IN
               (SELECT state_hash FROM oauth_state WHERE expires_at < ?1 LIMIT ?2)",
            now.0,
        ),
        (
            "DELETE FROM superseded WHERE (collection_no, item_key, etag) IN
               (SELECT collection_no, item_key, etag FROM superseded WHERE expires_at < ?1 LIMIT ?2)",
            now.0,
        ),
        (
            "DELETE FROM write_key WHERE (app_no, key_hash) IN
               (SELECT app_no, key_hash FROM write_key WHERE created_at < ?1 LIMIT ?2)",
            old.key,
        ),
        (
            "DELETE FROM subscription WHERE subscription_no IN (SELECT subscription_no
               FROM subscription WHERE status = 'ended' AND ended_at < ?1 LIMIT ?2)",
            old.ended,
        ),
    ];
    let mut more = false;
    for (text, before) in sweeps {
        more |= sql.run(text, values![before, SWEEP_ROWS])? == SWEEP_ROWS as u64;
    }
    Ok(more)
}

/// Has what watches a collection stopped, for the collection is gone.
pub(crate) fn retire_all(sql: &Sql<'_>, collection_no: i64, now: Timestamp) -> Result<u64> {
    sql.run(
        "UPDATE subscription SET status = 'retiring', next_try_at = ?2
         WHERE collection_no = ?1 AND status IN ('registering', 'active')",
        values![collection_no, now.0],
    )
}
