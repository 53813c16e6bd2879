//! Beside the work: what is old is removed, and publishing stops before the disk is full.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tidings_core::limits;
use tidings_service::{Retainer, Service};
use tokio::sync::watch;

/// Removes what is old until `stop` becomes true.
pub(crate) async fn run(mut retainer: Retainer, mut stop: watch::Receiver<bool>) {
    loop {
        let began = Instant::now();
        let pause = match retainer.step().await {
            // Others have the store for twice as long.
            Ok(true) => 2 * began.elapsed(),
            Ok(false) => Duration::from_millis(limits::RETENTION_LOOK_MS),
            Err(error) => {
                tracing::warn!(%error, "what is old could not be removed; trying again");
                Duration::from_millis(limits::RETENTION_LOOK_MS)
            }
        };
        if tokio::time::timeout(pause, stop.wait_for(|stopping| *stopping)).await.is_ok() {
            return;
        }
    }
}

/// Lets publishes be refused while the disk of the embedded store has less than `reserve` bytes free.
pub(crate) async fn watch_disk(
    service: Service,
    directory: PathBuf,
    reserve: u64,
    mut stop: watch::Receiver<bool>,
) {
    let mut was_low = false;
    loop {
        let low = free_bytes(&directory).is_some_and(|free| free < reserve);
        if low != was_low {
            tracing::warn!(low, reserve, "free space of the disk passed disk_reserve");
        }
        was_low = low;
        service.set_disk_low(low);
        let pause = Duration::from_millis(limits::DISK_LOOK_MS);
        if tokio::time::timeout(pause, stop.wait_for(|stopping| *stopping)).await.is_ok() {
            return;
        }
    }
}

/// What we may still write there; `None` when the system does not say.
pub(crate) fn free_bytes(directory: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(directory).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_has_room_and_what_is_no_disk_does_not_say() {
        let directory = tempfile::tempdir().unwrap();
        assert!(free_bytes(directory.path()).is_some_and(|free| free > 0));
        assert_eq!(free_bytes(Path::new("/none/of/it")), None);
    }
}
