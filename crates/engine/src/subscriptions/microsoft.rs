//! Subscriptions at Microsoft Graph: one for each calendar, renewed in place; Graph names them.

use tidings_core::clock::Timestamp;
use tidings_providers::error::ProviderError;
use tidings_providers::microsoft::follow;
use tidings_providers::microsoft::subscription::{self, Lifetime, Subscription as Found, Watch};
use tidings_store::{Account, Subscription, SubscriptionStatus};

use super::life::{Made, Unwatched, Wish};
use crate::sync::client::Client;
use crate::sync::{Providers, Stop};

/// Asks Graph to push a calendar's changes. It calls us with a validation token meanwhile.
pub(super) async fn start(
    providers: &Providers,
    client: &Client<'_>,
    wish: &Wish<'_>,
) -> Result<Made, Unwatched> {
    let Some(collection) = wish.collection else {
        return Err(Unwatched::unsupported("only polled: Microsoft does not push calendar lists"));
    };
    let (mut lifetime, mut evicted) = (Lifetime::Usual, false);
    loop {
        let watch = Watch {
            calendar: &collection.external_id,
            notification_url: &wish.address,
            lifecycle_url: &wish.address,
            client_state: &wish.token,
            expires_at: lifetime.from(wish.now),
        };
        let made = async {
            let request = subscription::create_request(providers.microsoft()?, &watch);
            client.ask(request, subscription::parse).await
        };
        match made.await.map_err(Stop::explained) {
            Ok(made) => {
                let (external_id, expires_at) = (made.id, made.expires_at);
                return Ok(Made { external_id, resource_id: None, expires_at });
            }
            Err(Stop::Provider(ProviderError::Invalid { .. })) if lifetime == Lifetime::Usual => {
                lifetime = Lifetime::Short;
            }
            // Left behind by an answer that was lost: only one is allowed.
            Err(Stop::Provider(ProviderError::Conflict { .. })) if !evicted => {
                evicted = true;
                let resource = subscription::resource(&collection.external_id);
                let is_it = |found: &Found| found.resource.ends_with(&resource);
                if let Err(stop) = end_unknown(providers, client, is_it, None).await {
                    tracing::debug!(?stop, "a subscription that nobody knows was not ended");
                }
            }
            Err(Stop::Provider(ProviderError::Forbidden { why })) => {
                let why = format!("only polled: Microsoft does not push this calendar ({why})");
                return Err(Unwatched::unsupported(why));
            }
            Err(Stop::Provider(error)) => return Err(Unwatched::of(&error)),
            Err(_) => return Err(Unwatched::of(&ProviderError::retry("it was interrupted"))),
        }
    }
}

/// Moves a subscription's end; answers the new one.
pub(super) async fn renew(
    providers: &Providers,
    account: &Account,
    old: &Subscription,
) -> Result<Timestamp, Stop> {
    let client = Client::new(providers, account)?;
    let id = old.external_id.as_deref().unwrap_or_default();
    let settings = providers.microsoft()?;
    let prolong = async |lifetime: Lifetime| {
        let end = lifetime.from(providers.clock.now());
        let request = subscription::renew_request(settings, id, end);
        client.ask(request, subscription::parse).await.map(|renewed| renewed.expires_at)
    };
    match prolong(Lifetime::Usual).await {
        Err(Stop::Provider(ProviderError::Invalid { .. })) => prolong(Lifetime::Short).await,
        other => other,
    }
}

/// Ends a subscription.
pub(super) async fn stop(providers: &Providers, client: &Client<'_>, id: &str) -> Result<(), Stop> {
    let request = subscription::delete_request(providers.microsoft()?, id);
    client.ask(request, subscription::parse_deleted).await
}

/// Ends what pushes to us from the account's mailbox and that nobody here knows: left behind by a crash,
/// or by a database that was restored.
pub(super) async fn sweep(providers: &Providers, account: &Account) -> tidings_store::Result<()> {
    let swept = async {
        let client = Client::new(providers, account)?;
        end_unknown(providers, &client, |_| true, Some(account)).await
    };
    match swept.await {
        Ok(()) | Err(Stop::AccountGone | Stop::TooLarge | Stop::Provider(_)) => Ok(()),
        Err(Stop::Store(error)) => Err(error),
    }
}

/// Whether a subscription in the same mailbox is being made, whose id nobody knows yet.
async fn registering(providers: &Providers, account: &Account) -> tidings_store::Result<bool> {
    let store = &providers.store;
    let mut sharing = match &account.external_id {
        Some(id) => store.accounts_by_external(account.provider.clone(), id.clone(), 100).await?,
        None => Vec::new(),
    };
    sharing.push(account.clone());
    for account in sharing {
        let known = store.subscriptions_of(account.account_no).await?;
        if known.iter().any(|known| known.status == SubscriptionStatus::Registering) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Ends those that push to us, that `is_meant` accepts, and that nobody knows. With an account: not while
/// one is being made in its mailbox.
async fn end_unknown(
    providers: &Providers,
    client: &Client<'_>,
    is_meant: impl Fn(&Found) -> bool,
    unless_registering: Option<&Account>,
) -> Result<(), Stop> {
    let settings = providers.microsoft()?;
    let ours = providers.settings.public_url.as_ref().map(|url| {
        tidings_providers::http::below(url, &["providers", "microsoft", "notifications"])
    });
    let Some(ours) = ours else { return Ok(()) };
    let mut next = Some(subscription::list_request(settings));
    while let Some(request) = next {
        let page = client.ask(request, subscription::parse_list).await?;
        // What is listed has a row by now: active, or still registering, and then its id is not known.
        if let Some(account) = unless_registering
            && registering(providers, account).await?
        {
            return Ok(());
        }
        let is_ours = |found: &&Found| found.notification_url.as_deref() == Some(ours.as_str());
        for found in page.subscriptions.iter().filter(is_ours).filter(|found| is_meant(found)) {
            let known =
                providers.store.subscription_by_channel("microsoft".into(), found.id.clone());
            if known.await?.is_none() {
                tracing::info!("ends a subscription at Microsoft that nobody knows");
                stop(providers, client, &found.id).await?;
            }
        }
        next = page.next.map(|link| follow(settings, &link)).transpose()?;
    }
    Ok(())
}
