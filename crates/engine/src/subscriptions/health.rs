//! Whether an account's changes reach us without asking.

use tidings_core::clock::Timestamp;
use tidings_core::limits::{
    SUBSCRIPTION_EXPIRY_MARGIN_MS, SUBSCRIPTION_NEW_MS, SUBSCRIPTION_SILENCE_MS,
};
use tidings_store::{Account, Store, Subscription, SubscriptionStatus};

/// Whether every calendar of the account has a subscription that works. Only then may polling slow down.
pub(crate) async fn all_pushed(
    store: &Store,
    account: &Account,
    now: Timestamp,
) -> tidings_store::Result<bool> {
    let subscriptions = store.subscriptions_of(account.account_no).await?;
    if subscriptions.is_empty() {
        return Ok(false);
    }
    let collections = store.collections(account.account_no).await?;
    let is_pushed = |no: i64| {
        let of = subscriptions.iter().filter(|subscription| subscription.collection_no == Some(no));
        of.into_iter().any(|subscription| is_healthy(subscription, now))
    };
    Ok(collections.iter().all(|collection| is_pushed(collection.collection_no)))
}

/// Active, not near its end, and heard of within a day or just made: a channel that was never heard of
/// proves nothing.
fn is_healthy(subscription: &Subscription, now: Timestamp) -> bool {
    let within = |at: Timestamp, ms: i64| now.0 - at.0 < ms;
    let lasts =
        subscription.expires_at.is_some_and(|at| at.0 - now.0 > SUBSCRIPTION_EXPIRY_MARGIN_MS);
    let heard = subscription.delivered_at.is_some_and(|at| within(at, SUBSCRIPTION_SILENCE_MS));
    let is_new = within(subscription.created_at, SUBSCRIPTION_NEW_MS);
    subscription.status == SubscriptionStatus::Active && lasts && (heard || is_new)
}

#[cfg(test)]
mod tests {
    use tidings_core::id::{Ids, SubscriptionId};

    use super::*;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_channel_is_healthy_if_active_far_from_its_end_and_heard_of() {
        let now = Timestamp(1_795_000_000_000);
        let good = Subscription {
            subscription_no: 1,
            id: SubscriptionId(Ids::seeded(1).next(now)),
            app_no: 1,
            account_no: 1,
            collection_no: Some(1),
            provider: "google".into(),
            external_id: None,
            resource_id: None,
            token_hash: None,
            status: SubscriptionStatus::Active,
            expires_at: Some(now.plus_ms(24 * HOUR)),
            renew_at: None,
            created_at: now.plus_ms(-48 * HOUR),
            delivered_at: Some(now.plus_ms(-23 * HOUR)),
            failures: 0,
            next_try_at: now,
            error: None,
        };
        assert!(is_healthy(&good, now));
        let made_now = Subscription { created_at: now, delivered_at: None, ..good.clone() };
        assert!(is_healthy(&made_now, now));
        for (what, bad) in [
            ("retiring", Subscription { status: SubscriptionStatus::Retiring, ..good.clone() }),
            ("ends soon", Subscription { expires_at: Some(now.plus_ms(1)), ..good.clone() }),
            ("no end", Subscription { expires_at: None, ..good.clone() }),
            ("never heard", Subscription { delivered_at: None, ..good.clone() }),
            ("silent", Subscription { delivered_at: Some(now.plus_ms(-25 * HOUR)), ..good }),
        ] {
            assert!(!is_healthy(&bad, now), "{what}");
        }
    }
}
