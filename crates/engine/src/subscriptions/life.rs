//! How a subscription begins, goes on and ends. Its row is committed before the provider is asked, since
//! the first push may come before the answer.

use sha2::{Digest, Sha256};
use tidings_core::clock::Timestamp;
use tidings_core::id::SubscriptionId;
use tidings_core::limits::{
    SUBSCRIPTION_ANSWER_MS, SUBSCRIPTION_REFUSED_MS, SUBSCRIPTION_RETRY_MAX_MS,
    SUBSCRIPTION_RETRY_MS, SUBSCRIPTION_UNSUPPORTED_MS,
};
use tidings_providers::error::ProviderError;
use tidings_store::{Account, Collection, NewSubscription, Subscription, SubscriptionStatus};
use url::Url;

use super::{google, microsoft};
use crate::sync::client::Client;
use crate::sync::{Providers, Stop};

/// What a provider is asked to push.
pub(super) struct Wish<'a> {
    /// The calendar; absent: the account's calendar list.
    pub(super) collection: Option<&'a Collection>,
    /// The id that we give it, where the provider lets us.
    pub(super) channel: String,
    /// What each push must carry.
    pub(super) token: String,
    /// Where to push.
    pub(super) address: Url,
    pub(super) now: Timestamp,
}

/// What the provider made.
pub(super) struct Made {
    pub(super) external_id: String,
    pub(super) resource_id: Option<String>,
    pub(super) expires_at: Timestamp,
}

/// Why something is only polled, and for how long it stays so, ms.
pub(super) struct Unwatched {
    pub(super) why: String,
    pub(super) again_ms: i64,
}

impl Unwatched {
    pub(super) fn refused(why: impl Into<String>) -> Self {
        Self { why: why.into(), again_ms: SUBSCRIPTION_REFUSED_MS }
    }

    pub(super) fn unsupported(why: impl Into<String>) -> Self {
        Self { why: why.into(), again_ms: SUBSCRIPTION_UNSUPPORTED_MS }
    }

    pub(super) fn of(error: &ProviderError) -> Self {
        let why = format!("only polled: {error}");
        match error {
            ProviderError::Retry { after_ms, .. } => {
                let asked = after_ms.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0);
                Self { why, again_ms: asked.max(SUBSCRIPTION_RETRY_MS) }
            }
            _ => Self::refused(why),
        }
    }
}

/// Watches a calendar, or the account's calendar list. Answers whether it is watched now; if not, why not
/// is written down.
pub(super) async fn begin(
    providers: &Providers,
    account: &Account,
    collection: Option<&Collection>,
) -> tidings_store::Result<bool> {
    let now = providers.clock.now();
    let collection_no = collection.map(|collection| collection.collection_no);
    let address = match address(providers, account) {
        Ok(address) => address,
        Err(Unwatched { why, again_ms }) => {
            let again_at = Some(now.plus_ms(again_ms));
            providers.store.refuse_watch(account.account_no, collection_no, why, again_at).await?;
            return Ok(false);
        }
    };
    let id = SubscriptionId(providers.ids.next(now));
    let (channel, token) = (random_hex(providers, 16), random_hex(providers, 32));
    let new = NewSubscription {
        id,
        account_no: account.account_no,
        collection_no,
        external_id: (account.provider == "google").then(|| channel.clone()),
        token_hash: Sha256::digest(&token).into(),
        next_try_at: now.plus_ms(SUBSCRIPTION_ANSWER_MS),
    };
    let subscription_no = match providers.store.create_subscription(new, now).await {
        Ok(no) => no,
        // The account or calendar went, or the account became inactive.
        Err(error) if error.is_not_found() || error.is_conflict() => return Ok(false),
        Err(error) => return Err(error),
    };
    let wish = Wish { collection, channel, token, address, now };
    match ask(providers, account, &wish).await {
        Ok(made) => activate(providers, account, subscription_no, id, made).await,
        Err(Unwatched { why, again_ms }) => {
            let again_at = Some(providers.clock.now().plus_ms(again_ms));
            let now = providers.clock.now();
            providers.store.end_subscription(subscription_no, Some(why), again_at, now).await?;
            Ok(false)
        }
    }
}

async fn ask(providers: &Providers, account: &Account, wish: &Wish<'_>) -> Result<Made, Unwatched> {
    let client = Client::new(providers, account).map_err(|error| Unwatched::of(&error))?;
    match account.provider.as_str() {
        "google" => google::start(providers, &client, wish).await,
        _ => microsoft::start(providers, &client, wish).await,
    }
}

async fn activate(
    providers: &Providers,
    account: &Account,
    subscription_no: i64,
    id: SubscriptionId,
    made: Made,
) -> tidings_store::Result<bool> {
    let now = providers.clock.now();
    let renew_at = renew_at(id, now, made.expires_at);
    let Made { external_id, resource_id, expires_at } = made;
    let (channel, resource) = (external_id.clone(), resource_id.clone());
    let activated = providers.store.activate_subscription(
        subscription_no,
        external_id,
        resource_id,
        expires_at,
        renew_at,
        now,
    );
    match activated.await {
        Ok(active) => Ok(active),
        Err(error) if error.is_not_found() => {
            // It ended while the provider made it: what was made is nobody's.
            if let Err(stop) = end_there(providers, account, &channel, resource.as_deref()).await {
                tracing::debug!(?stop, "a subscription that ended early was not stopped");
            }
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// Looks at a subscription that is due.
pub(super) async fn look(
    providers: &Providers,
    subscription: Subscription,
) -> tidings_store::Result<()> {
    let (store, now) = (&providers.store, providers.clock.now());
    let no = subscription.subscription_no;
    let Some(account) = store.account(subscription.account_no).await? else { return Ok(()) };
    match subscription.status {
        SubscriptionStatus::Ended => Ok(()),
        SubscriptionStatus::Retiring => stop(providers, &account, &subscription).await,
        SubscriptionStatus::Registering => {
            let why = "the provider did not answer when it was asked to push".to_owned();
            store.end_subscription(no, Some(why), Some(now), now).await?;
            if account.provider == "microsoft" {
                microsoft::sweep(providers, &account).await?;
            }
            Ok(())
        }
        SubscriptionStatus::Active if subscription.expires_at.is_none_or(|at| at <= now) => {
            let why = "it ended before it could be renewed".to_owned();
            store.end_subscription(no, Some(why), Some(now), now).await
        }
        SubscriptionStatus::Active if account.provider == "microsoft" => {
            prolong(providers, &account, &subscription).await
        }
        SubscriptionStatus::Active => replace(providers, &account, &subscription).await,
    }
}

/// Renews by overlap: another one first, then this one is stopped. Both push meanwhile.
async fn replace(
    providers: &Providers,
    account: &Account,
    old: &Subscription,
) -> tidings_store::Result<()> {
    let (store, now) = (&providers.store, providers.clock.now());
    let others = store.subscriptions_of(account.account_no).await?;
    let is_newer = |other: &Subscription| {
        other.collection_no == old.collection_no
            && other.status == SubscriptionStatus::Active
            && other.subscription_no > old.subscription_no
    };
    let replaced = match (others.iter().any(is_newer), old.collection_no) {
        (true, _) => true,
        (false, None) => begin(providers, account, None).await?,
        (false, Some(no)) => match store.collection(no).await? {
            Some(collection) => begin(providers, account, Some(&collection)).await?,
            None => true,
        },
    };
    if !replaced {
        let why = "it could not be renewed".to_owned();
        return store.fail_subscription(old.subscription_no, why, again(old, now, None)).await;
    }
    store.retire_subscription(old.subscription_no, now).await?;
    stop(providers, account, old).await
}

/// Renews by moving the end. What happened while it was paused was not pushed, so its calendar is dirty.
async fn prolong(
    providers: &Providers,
    account: &Account,
    old: &Subscription,
) -> tidings_store::Result<()> {
    let (store, no) = (&providers.store, old.subscription_no);
    let renewed = microsoft::renew(providers, account, old).await;
    let now = providers.clock.now();
    match renewed {
        Ok(expires_at) => {
            store.renew_subscription(no, expires_at, renew_at(old.id, now, expires_at)).await?;
            if let Some(collection_no) = old.collection_no {
                store.push_collection(old.account_no, collection_no, now).await?;
            }
            microsoft::sweep(providers, account).await
        }
        Err(Stop::Provider(ProviderError::Gone { why })) => {
            store.end_subscription(no, Some(why), Some(now), now).await
        }
        Err(stop) => fail(providers, old, stop).await,
    }
}

/// Stops a subscription at its provider. One that cannot be stopped is given up when it has ended anyway.
async fn stop(
    providers: &Providers,
    account: &Account,
    subscription: &Subscription,
) -> tidings_store::Result<()> {
    let (store, no, now) = (&providers.store, subscription.subscription_no, providers.clock.now());
    let Some(channel) = subscription.external_id.as_deref() else {
        return store.end_subscription(no, None, None, now).await;
    };
    let ended = end_there(providers, account, channel, subscription.resource_id.as_deref()).await;
    let is_over = subscription.expires_at.is_none_or(|at| at <= now);
    match ended {
        Ok(()) => store.end_subscription(no, None, None, now).await,
        Err(Stop::Provider(ProviderError::Retry { .. }) | Stop::TooLarge) if !is_over => {
            let why = "it could not be stopped".to_owned();
            store.fail_subscription(no, why, again(subscription, now, None)).await
        }
        Err(Stop::Store(error)) => Err(error),
        Err(_) => store.end_subscription(no, None, None, now).await,
    }
}

async fn end_there(
    providers: &Providers,
    account: &Account,
    channel: &str,
    resource: Option<&str>,
) -> Result<(), Stop> {
    let client = Client::new(providers, account)?;
    match account.provider.as_str() {
        "google" => google::stop(providers, &client, channel, resource).await,
        _ => microsoft::stop(providers, &client, channel).await,
    }
}

/// Stops everything that an account is subscribed to, once and as far as the provider lets us: its tokens
/// are about to be given back.
pub(crate) async fn stop_all(
    providers: &Providers,
    account: &Account,
) -> tidings_store::Result<()> {
    let now = providers.clock.now();
    for subscription in providers.store.subscriptions_of(account.account_no).await? {
        if let Some(channel) = &subscription.external_id {
            let resource = subscription.resource_id.as_deref();
            if let Err(stop) = end_there(providers, account, channel, resource).await {
                tracing::debug!(?stop, account = %account.id, "a subscription was not stopped");
            }
        }
        providers.store.end_subscription(subscription.subscription_no, None, None, now).await?;
    }
    Ok(())
}

async fn fail(
    providers: &Providers,
    subscription: &Subscription,
    stop: Stop,
) -> tidings_store::Result<()> {
    let error = match stop.explained() {
        Stop::Provider(error) => error,
        Stop::Store(error) => return Err(error),
        Stop::TooLarge | Stop::AccountGone => return Ok(()),
    };
    let asked = if let ProviderError::Retry { after_ms, .. } = &error { *after_ms } else { None };
    let at = again(subscription, providers.clock.now(), asked);
    providers.store.fail_subscription(subscription.subscription_no, error.to_string(), at).await
}

/// When to try again what failed: later with every failure, and not before the provider wants it.
fn again(subscription: &Subscription, now: Timestamp, asked_ms: Option<u64>) -> Timestamp {
    let doublings = subscription.failures.min(16);
    let wait = (SUBSCRIPTION_RETRY_MS << doublings).min(SUBSCRIPTION_RETRY_MAX_MS);
    let asked = asked_ms.and_then(|ms| i64::try_from(ms).ok()).unwrap_or(0);
    now.plus_ms(wait.max(asked))
}

/// When to renew: with 40 to 20 % of its life left, each at a moment of its own, so that those which were
/// made together are not renewed together.
fn renew_at(id: SubscriptionId, now: Timestamp, expires_at: Timestamp) -> Timestamp {
    let digest = Sha256::digest(id.0.to_bytes());
    let share = i64::from(u16::from_be_bytes([digest[0], digest[1]]));
    let life = expires_at.0 - now.0;
    now.plus_ms(life / 10 * 6 + life / 5 * share / i64::from(u16::MAX))
}

/// Where the account's provider can push to.
fn address(providers: &Providers, account: &Account) -> Result<Url, Unwatched> {
    let Some(public_url) = &providers.settings.public_url else {
        let why = "only polled: this server has no public_url that the provider could push to";
        return Err(Unwatched::refused(why));
    };
    let api = match account.provider.as_str() {
        "google" => providers.google().map(|settings| &settings.api),
        _ => providers.microsoft().map(|settings| &settings.api),
    };
    let api = api.map_err(|error| Unwatched::of(&error))?;
    // Providers push to https only; a simulator, which is not on https itself, to anything.
    if public_url.scheme() != "https" && api.scheme() == "https" {
        let why = "only polled: public_url is not https, and providers push to nothing else";
        return Err(Unwatched::refused(why));
    }
    let path = ["providers", account.provider.as_str(), "notifications"];
    Ok(tidings_providers::http::below(public_url, &path))
}

fn random_hex(providers: &Providers, bytes: usize) -> String {
    let mut random = vec![0; bytes];
    providers.ids.fill(&mut random);
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use tidings_core::id::Ids;

    use super::*;

    #[test]
    fn renewals_of_10_000_subscriptions_spread_over_a_fifth_of_their_life() {
        let (ids, now) = (Ids::seeded(7), Timestamp(1_795_000_000_000));
        let life = 7 * 24 * 3_600_000;
        let mut at: Vec<i64> = (0..10_000)
            .map(|_| renew_at(SubscriptionId(ids.next(now)), now, now.plus_ms(life)).0 - now.0)
            .collect();
        at.sort_unstable();
        assert!(at[0] >= life / 10 * 6 && at[9_999] <= life / 10 * 8);
        let minute = 60_000;
        let most = at.chunk_by(|a, b| a / minute == b / minute).map(<[i64]>::len).max();
        assert!(most.unwrap() < 25, "{most:?} in one minute; even would be 5");
    }
}
