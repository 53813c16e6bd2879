//! Reading everything back, page by page.

use std::time::Instant;

use crate::latency::Latencies;
use crate::moment::now_us;
use crate::world::World;

/// What reading came to.
pub(super) struct Pages {
    pub(super) pages: u64,
    pub(super) seconds: f64,
    pub(super) latencies: Latencies,
}

/// Reads `count` transactions and checks that each comes once, in its place.
///
/// # Errors
/// One does not.
pub(super) async fn read(
    world: &World,
    account: &str,
    count: u64,
    page: u64,
) -> Result<Pages, String> {
    let (begun, mut latencies, mut pages, mut ordinal) = (Instant::now(), Latencies::new(), 0, 0);
    while ordinal < count {
        let path = format!(
            "/api/v1/accounts/{account}/records?collection=transactions&skip={ordinal}&limit={page}"
        );
        let asked_us = now_us();
        let (status, answer) = world.api.get(&path).await?;
        latencies.record(asked_us, now_us());
        pages += 1;
        let records = answer["data"].as_array().ok_or(format!("a page was answered {status}"))?;
        if records.is_empty() {
            return Err(format!("the page after {ordinal} is empty"));
        }
        for record in records {
            ordinal += 1;
            let key = format!("{ordinal:024x}");
            if record["ordinal"] != ordinal || record["data"]["id_transaction"] != *key {
                return Err(format!("instead of {ordinal} came {}", record["ordinal"]));
            }
        }
    }
    Ok(Pages { pages, seconds: begun.elapsed().as_secs_f64(), latencies })
}
