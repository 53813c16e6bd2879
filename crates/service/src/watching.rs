//! How a calendar is watched: pushed about, or only polled, and why.

use tidings_core::clock::Timestamp;
use tidings_providers::provider::Provider;
use tidings_store::{Account, AccountStatus, Collection, Subscription, SubscriptionStatus};

/// How a calendar is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// Why it is only polled, in plain words; absent when its provider pushes about it.
    pub polled_because: Option<String>,
    /// Where our subscription at the provider stands: `registering`, `active` or `retiring`.
    pub subscription: Option<&'static str>,
    /// When the subscription ends unless it is renewed.
    pub expires_at: Option<Timestamp>,
    /// When the provider last pushed.
    pub delivered_at: Option<Timestamp>,
    /// When the calendar was last compared with its provider.
    pub synced_at: Option<Timestamp>,
    /// What is wrong, in plain words.
    pub error: Option<String>,
}

impl Watch {
    /// That of a calendar; `subscriptions` are those of its account.
    pub(crate) fn of(
        account: &Account,
        calendar: &Collection,
        subscriptions: &[Subscription],
        now: Timestamp,
    ) -> Self {
        let of_it =
            subscriptions.iter().filter(|s| s.collection_no == Some(calendar.collection_no));
        // While one takes over from another there are two; the newer one counts.
        let newest = of_it.clone().max_by_key(|s| (rank(s.status), s.subscription_no));
        let failing = newest.and_then(|s| s.error.clone());
        Self {
            polled_because: reason(account, calendar, newest, now),
            subscription: newest.map(|s| s.status.as_str()),
            expires_at: newest.and_then(|s| s.expires_at),
            delivered_at: of_it.filter_map(|s| s.delivered_at).max(),
            synced_at: calendar.synced_at,
            error: calendar.error.clone().or(failing),
        }
    }
}

fn rank(status: SubscriptionStatus) -> u8 {
    match status {
        SubscriptionStatus::Active => 2,
        SubscriptionStatus::Registering => 1,
        SubscriptionStatus::Retiring | SubscriptionStatus::Ended => 0,
    }
}

fn reason(
    account: &Account,
    calendar: &Collection,
    subscription: Option<&Subscription>,
    now: Timestamp,
) -> Option<String> {
    if account.status != AccountStatus::Active {
        return Some("the account is inactive: it is not even polled".into());
    }
    match Provider::parse(&account.provider) {
        Some(Provider::Google | Provider::Microsoft) => {}
        // One endpoint for all users, without subscriptions.
        Some(Provider::Zoom) => return calendar.watch_error.clone(),
        Some(Provider::Caldav | Provider::Apple) | None => {
            return Some(format!("{} does not push", account.provider));
        }
    }
    if let Some(why) = &calendar.watch_error {
        return Some(why.clone());
    }
    match subscription {
        Some(s) if s.status == SubscriptionStatus::Active => {
            let expired = s.expires_at.is_some_and(|at| at <= now);
            expired.then(|| "the subscription has expired and is not renewed yet".into())
        }
        Some(s) => Some(s.error.clone().unwrap_or_else(|| "the subscription is being made".into())),
        None => Some("the subscription is not made yet".into()),
    }
}
