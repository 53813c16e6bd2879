//! Subscriptions: our watches at providers, from before the provider is asked until they have ended.
//!
//! A subscription is `registering` (its row is committed before the provider is asked, for its first push
//! may come before the answer), `active`, `retiring` (to be stopped at the provider; its pushes still
//! count) and `ended`. Each that has not ended must be looked at again at a time of its own, which
//! [`Store::due_subscriptions`] reads: what fails once is tried again from what is stored.

mod life;

use tidings_core::clock::Timestamp;
use tidings_core::id::SubscriptionId;

use crate::app::bits;
use crate::sql::{Row, Sql, Value, values};
use crate::{Collection, Committed, Error, Result, Store, mirror};

pub(crate) use life::retire_all;

/// Where a subscription stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubscriptionStatus {
    /// The provider is being asked, or did not answer.
    Registering,
    /// The provider pushes.
    Active,
    /// It must be stopped at the provider.
    Retiring,
    /// It is no more.
    Ended,
}

impl SubscriptionStatus {
    /// The name used in the store and in APIs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Registering => "registering",
            Self::Active => "active",
            Self::Retiring => "retiring",
            Self::Ended => "ended",
        }
    }

    /// The reverse of [`SubscriptionStatus::as_str`].
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Registering, Self::Active, Self::Retiring, Self::Ended]
            .into_iter()
            .find(|s| s.as_str() == text)
    }
}

/// A stored subscription.
#[derive(Clone, Debug)]
pub struct Subscription {
    /// Store key.
    pub subscription_no: i64,
    /// Its id.
    pub id: SubscriptionId,
    /// Store key of its app.
    pub app_no: i64,
    /// Store key of its account.
    pub account_no: i64,
    /// Store key of the calendar; absent: the account's calendar list.
    pub collection_no: Option<i64>,
    /// `google` or `microsoft`.
    pub provider: String,
    /// Google's channel, Graph's subscription; absent until Graph has given it.
    pub external_id: Option<String>,
    /// Google's resource, needed to stop it.
    pub resource_id: Option<String>,
    /// SHA-256 of the token that each push must carry; absent once it has ended.
    pub token_hash: Option<[u8; 32]>,
    /// Where it stands.
    pub status: SubscriptionStatus,
    /// When it ends at the provider unless it is renewed.
    pub expires_at: Option<Timestamp>,
    /// When it is to be renewed.
    pub renew_at: Option<Timestamp>,
    /// When its row was made.
    pub created_at: Timestamp,
    /// When the last push came.
    pub delivered_at: Option<Timestamp>,
    /// What failed in a row.
    pub failures: u32,
    /// When it must be looked at.
    pub next_try_at: Timestamp,
    /// What is wrong, in plain words.
    pub error: Option<String>,
}

/// A subscription that a provider is about to be asked for.
#[derive(Clone, Debug)]
pub struct NewSubscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Store key of its account.
    pub account_no: i64,
    /// Store key of the calendar; absent: the account's calendar list.
    pub collection_no: Option<i64>,
    /// Google's channel, which we name; absent when the provider names it.
    pub external_id: Option<String>,
    /// SHA-256 of the token that each push must carry.
    pub token_hash: [u8; 32],
    /// When it is looked at again if it was not answered for, see
    /// [`tidings_core::limits::SUBSCRIPTION_ANSWER_MS`].
    pub next_try_at: Timestamp,
}

const SELECT: &str =
    "SELECT s.subscription_no, s.id, s.app_no, s.account_no, s.collection_no, s.provider,
    s.external_id, s.resource_id, s.token_hash, s.status, s.expires_at, s.renew_at, s.created_at,
    s.delivered_at, s.failures, s.next_try_at, s.error
  FROM subscription s JOIN account a ON a.account_no = s.account_no AND a.deleted_at IS NULL";

fn from_row(row: &Row<'_>) -> Result<Subscription> {
    let status = SubscriptionStatus::parse(&row.get::<String>(9)?);
    let time = |index| Ok::<_, Error>(row.get::<Option<i64>>(index)?.map(Timestamp));
    Ok(Subscription {
        subscription_no: row.get(0)?,
        id: SubscriptionId(bits(row, 1)?),
        app_no: row.get(2)?,
        account_no: row.get(3)?,
        collection_no: row.get(4)?,
        provider: row.get(5)?,
        external_id: row.get(6)?,
        resource_id: row.get(7)?,
        token_hash: row.get(8)?,
        status: status.ok_or(Error::corrupt("subscription"))?,
        expires_at: time(10)?,
        renew_at: time(11)?,
        created_at: Timestamp(row.get(12)?),
        delivered_at: time(13)?,
        failures: row.get(14)?,
        next_try_at: Timestamp(row.get(15)?),
        error: row.get(16)?,
    })
}

fn list(sql: &Sql<'_>, rest: &str, values: &[Value<'_>]) -> Result<Vec<Subscription>> {
    sql.rows(&format!("{SELECT} WHERE {rest}"), values, from_row)
}

impl Store {
    /// Subscriptions that must be looked at, the longest due first: not answered for, to be renewed, to be
    /// stopped, failed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn due_subscriptions(&self, now: Timestamp, limit: u32) -> Result<Vec<Subscription>> {
        self.read(move |sql| {
            let due = "s.status <> 'ended' AND s.next_try_at <= ?1 ORDER BY s.next_try_at LIMIT ?2";
            list(sql, due, values![now.0, limit])
        })
        .await
    }

    /// The subscriptions of an account that have not ended, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn subscriptions_of(&self, account_no: i64) -> Result<Vec<Subscription>> {
        self.read(move |sql| {
            let of = "s.account_no = ?1 AND s.status <> 'ended' ORDER BY s.subscription_no";
            list(sql, of, values![account_no])
        })
        .await
    }

    /// A subscription by store key, ended or not.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn subscription(&self, subscription_no: i64) -> Result<Option<Subscription>> {
        self.read(move |sql| {
            Ok(list(sql, "s.subscription_no = ?1", values![subscription_no])?.pop())
        })
        .await
    }

    /// The subscription behind a provider's channel or subscription id, unless it has ended.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn subscription_by_channel(
        &self,
        provider: String,
        external_id: String,
    ) -> Result<Option<Subscription>> {
        self.read(move |sql| {
            let of = "s.provider = ?1 AND s.external_id = ?2 AND s.status <> 'ended'
                ORDER BY s.subscription_no";
            Ok(list(sql, of, values![provider, external_id])?.pop())
        })
        .await
    }

    /// Collections of active accounts that nobody watches and that could be watched, the longest waiting
    /// first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn unwatched_collections(
        &self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Collection>> {
        self.read(move |sql| mirror::unwatched(sql, now, limit)).await
    }

    /// Takes note of a push: raises the generation of what it is about and of its account, whose next pass
    /// is due at once. `false`, and nothing happens, when the subscription has ended or its account is
    /// not active.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn push(&self, subscription_no: i64, now: Timestamp) -> Result<bool> {
        self.write(3, move |tx| {
            let heard = tx.sql.row(
                "UPDATE subscription SET delivered_at = ?2
                 WHERE subscription_no = ?1 AND status <> 'ended'
                 RETURNING account_no, collection_no",
                values![subscription_no, now.0],
                |row| Ok((row.get(0)?, row.get::<Option<i64>>(1)?)),
            )?;
            let Some((account_no, collection_no)) = heard else { return Ok(false) };
            let woken = dirty(&tx.sql, account_no, collection_no, now)?;
            if woken {
                tx.announce.push(Committed::Account(account_no));
            }
            Ok(woken)
        })
        .await
    }

    /// As [`Store::push`] for a collection that is pushed about without a subscription of its own, as
    /// Zoom's are.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn push_collection(
        &self,
        account_no: i64,
        collection_no: i64,
        now: Timestamp,
    ) -> Result<bool> {
        self.write(2, move |tx| {
            let woken = dirty(&tx.sql, account_no, Some(collection_no), now)?;
            if woken {
                tx.announce.push(Committed::Account(account_no));
            }
            Ok(woken)
        })
        .await
    }

    /// Notes that a push came which says nothing of a change, as Google's first: it arrives.
    ///
    /// # Errors
    /// When the commit fails.
    pub async fn hear_subscription(&self, subscription_no: i64, now: Timestamp) -> Result<()> {
        self.write(1, move |tx| {
            tx.sql.run(
                "UPDATE subscription SET delivered_at = ?2
                 WHERE subscription_no = ?1 AND status <> 'ended'",
                values![subscription_no, now.0],
            )?;
            Ok(())
        })
        .await
    }
}

/// Raises the generations and makes the account due; `false` when it is not active.
fn dirty(
    sql: &Sql<'_>,
    account_no: i64,
    collection_no: Option<i64>,
    now: Timestamp,
) -> Result<bool> {
    let woken = sql.run(
        "UPDATE account SET dirty_gen = dirty_gen + 1, list_gen = list_gen + ?3,
           next_sync_at = CASE WHEN next_sync_at < ?2 THEN next_sync_at ELSE ?2 END
         WHERE account_no = ?1 AND status = 'active' AND deleted_at IS NULL",
        values![account_no, now.0, collection_no.is_none()],
    )?;
    if let (1, Some(collection_no)) = (woken, collection_no) {
        sql.run(
            "UPDATE collection SET dirty_gen = dirty_gen + 1
             WHERE collection_no = ?1 AND account_no = ?2 AND deleted_at IS NULL",
            values![collection_no, account_no],
        )?;
    }
    Ok(woken == 1)
}
