//! What the server has planned for its accounts, read from its store once it has ended.

use std::collections::BTreeMap;

use tidings_core::clock::Timestamp;
use tidings_store::{Store, SubscriptionStatus};

use crate::server::Server;

const MINUTE_MS: i64 = 60_000;
/// Later than everything that is planned.
const EVER: Timestamp = Timestamp(i64::MAX);
const MOST: u32 = 1_000_000;

/// How moments lie in time.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) count: usize,
    /// Most of them in one minute of the clock.
    pub(super) most_a_minute: usize,
    /// From the first to the last, hours.
    pub(super) hours: f64,
    /// How many a minute if they were even over that time.
    pub(super) even_a_minute: f64,
}

/// Renewals of subscriptions, and passes over accounts.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) renewals: Spread,
    pub(super) polls: Spread,
}

/// Reads the plan of a server that does not run any more.
pub(super) async fn read(server: &Server) -> Result<Plan, String> {
    let (url, directory) = (server.database_url().map(str::to_owned), server.data_directory());
    let open = move || match url {
        Some(url) => Store::connect(&url),
        None => Store::open(&directory),
    };
    let store = tokio::task::spawn_blocking(open).await.map_err(|error| error.to_string())?;
    let store = store.map_err(|error| error.to_string())?;
    let subscriptions = store.due_subscriptions(EVER, MOST).await;
    let subscriptions = subscriptions.map_err(|error| error.to_string())?;
    let active = subscriptions.iter().filter(|one| one.status == SubscriptionStatus::Active);
    let accounts = store.due_accounts(EVER, MOST).await.map_err(|error| error.to_string())?;
    Ok(Plan {
        renewals: spread(active.filter_map(|one| one.renew_at)),
        polls: spread(accounts.iter().filter_map(|account| account.poll_at)),
    })
}

#[expect(clippy::cast_precision_loss, reason = "minutes and counts are far below 2^53")]
fn spread(moments: impl Iterator<Item = Timestamp>) -> Spread {
    let moments: Vec<i64> = moments.map(|moment| moment.0).collect();
    let mut minutes = BTreeMap::<i64, usize>::new();
    for moment in &moments {
        *minutes.entry(moment.div_euclid(MINUTE_MS)).or_default() += 1;
    }
    let (first, last) = (moments.iter().min(), moments.iter().max());
    let ms = first.zip(last).map_or(0, |(first, last)| last - first);
    let wide = (ms as f64 / MINUTE_MS as f64).max(1.0);
    Spread {
        count: moments.len(),
        most_a_minute: minutes.into_values().max().unwrap_or_default(),
        hours: wide / 60.0,
        even_a_minute: moments.len() as f64 / wide,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_tells_the_fullest_minute_from_an_even_one() {
        let at =
            |minutes: &[i64]| spread(minutes.iter().map(|minute| Timestamp(minute * MINUTE_MS)));
        let found = at(&[0, 30, 30, 60]);
        let even = 4.0 / 60.0;
        let expect = Spread { count: 4, most_a_minute: 2, hours: 1.0, even_a_minute: even };
        assert_eq!(found, expect);
        assert_eq!((at(&[]).count, at(&[]).most_a_minute), (0, 0));
        // All at once: as even as it can be within a minute.
        assert_eq!((at(&[7, 7]).most_a_minute, at(&[7, 7]).even_a_minute), (2, 2.0));
    }
}
