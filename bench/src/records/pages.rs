//! Reading everything back, page by page: as the webhook tells the application of Sync to, and natively.

use std::time::Instant;

use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::upload::told;
use crate::latency::Latencies;
use crate::moment::now_us;
use crate::world::World;

/// What reading came to.
pub(super) struct Pages {
    pub(super) pages: u64,
    pub(super) seconds: f64,
    /// Of the answers alone.
    pub(super) latencies: Latencies,
}

/// Follows the pages that a webhook lists, one after the other, and checks that all transactions come once.
///
/// # Errors
/// One does not, or is another one than was sent.
pub(super) async fn follow(world: &World, webhook: &[u8], count: u64) -> Result<Pages, String> {
    let webhook: Value = serde_json::from_slice(webhook).unwrap_or_default();
    let listed = webhook["endpoints"]["transactions"].as_array();
    let listed = listed.ok_or_else(|| format!("the webhook lists no transactions: {webhook}"))?;
    let paths = listed.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let items = |page: &Value| page["response"].as_array().cloned();
    read(world, paths, count, items).await
}

/// Reads the same by pages of `page` records of the native API.
///
/// # Errors
/// As [`follow`].
pub(super) async fn native(
    world: &World,
    account: &str,
    count: u64,
    page: u64,
) -> Result<Pages, String> {
    let path = |number: u64| {
        let skip = number * page;
        format!(
            "/api/v1/accounts/{account}/records?collection=transactions&skip={skip}&limit={page}"
        )
    };
    let items = |page: &Value| {
        let records = page["data"].as_array()?;
        Some(records.iter().map(|record| record["data"].clone()).collect())
    };
    read(world, (0..count.div_ceil(page)).map(path).collect(), count, items).await
}

async fn read(
    world: &World,
    paths: Vec<String>,
    count: u64,
    items: impl Fn(&Value) -> Option<Vec<Value>>,
) -> Result<Pages, String> {
    let (mut latencies, mut answering) = (Latencies::new(), 0.0);
    let (mut found, mut sum) = (0, Checksum::default());
    for path in &paths {
        let (asked_us, asked) = (now_us(), Instant::now());
        let (status, body): (u16, Bytes) = world.api.get_bytes(path).await?;
        answering += asked.elapsed().as_secs_f64();
        latencies.record(asked_us, now_us());
        let page: Value = serde_json::from_slice(&body).unwrap_or_default();
        let items = items(&page).ok_or_else(|| format!("GET {path} was answered {status}"))?;
        for item in items {
            let text = |name: &str| match &item[name] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            sum.add(&["id_transaction", "amount", "description"].map(text));
            found += 1;
        }
    }
    let mut sent = Checksum::default();
    (1..=count).for_each(|n| sent.add(&told(n, 0)));
    if found != count || sum != sent {
        let pages = paths.len();
        return Err(format!("{found} of {count} transactions came in {pages} pages, or others"));
    }
    Ok(Pages { pages: paths.len() as u64, seconds: answering, latencies })
}

/// Of transactions in any order: one that is missing, comes twice or is another one shows.
#[derive(Debug, Default, PartialEq, Eq)]
struct Checksum(u64);

impl Checksum {
    fn add(&mut self, told: &[String; 3]) {
        let digest = Sha256::digest(told.join("\n"));
        let word = digest[..8].try_into().expect("a digest is longer");
        self.0 = self.0.wrapping_add(u64::from_be_bytes(word));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_tells_whatever_is_missing_twice_or_other() {
        let of = |numbers: &[u64], changed| {
            let mut sum = Checksum::default();
            numbers.iter().for_each(|n| sum.add(&told(*n, changed)));
            sum
        };
        assert_eq!(of(&[1, 2, 3], 0), of(&[3, 1, 2], 0));
        for (numbers, changed) in
            [(&[1, 2][..], 0), (&[1, 2, 2], 0), (&[1, 2, 3, 3], 0), (&[1, 2, 3], 2)]
        {
            assert_ne!(of(numbers, changed), of(&[1, 2, 3], 0), "{numbers:?} {changed}");
        }
    }
}
