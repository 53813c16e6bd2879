//! Passwords of people: argon2id, hashed off the async threads, a few at the same time, and guessed slowly.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use argon2::password_hash::{PasswordHash, PasswordHasher, PasswordVerifier, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use sha2::{Digest, Sha256};
use tidings_core::clock::{Clock, Timestamp};
use tidings_core::id::Ids;
use tidings_core::limits;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

use crate::{Error, Result};

const SALT_BYTES: usize = 16;

/// Hashes and checks passwords. Clones share the count of wrong ones.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    hashing: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    wrong: Arc<Mutex<HashMap<[u8; 32], Wrong>>>,
}

/// What is remembered of a name whose password was wrong.
#[derive(Clone, Copy, Debug)]
struct Wrong {
    times: u32,
    again_at: Timestamp,
}

/// A try that was counted before it is made. Unless it is made to count, whoever made it learned nothing, and
/// dropping it takes it back: nobody waits for an answer that could not be given or was not waited for.
#[must_use]
struct Try<'a> {
    passwords: &'a Passwords,
    name: [u8; 32],
    /// Until when it has others wait.
    waits: Timestamp,
    /// Until when it had to wait itself.
    waited: Timestamp,
    counts: bool,
}

impl Try<'_> {
    fn count(mut self) {
        self.counts = true;
    }
}

impl Drop for Try<'_> {
    fn drop(&mut self) {
        if self.counts {
            return;
        }
        if let Some(wrong) = self.passwords.lock().get_mut(&self.name) {
            wrong.times = wrong.times.saturating_sub(1);
            // What a later one has others wait stays.
            if wrong.again_at == self.waits {
                wrong.again_at = self.waited;
            }
        }
    }
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            hashing: Arc::new(Semaphore::new(limits::PASSWORDS_AT_ONCE)),
            waiting: Arc::new(Semaphore::new(limits::PASSWORDS_WAITING_MAX)),
            wrong: Arc::default(),
        }
    }
}

impl Passwords {
    /// The hash to store for a password, as a PHC string.
    ///
    /// # Errors
    /// Unavailable when too many wait.
    pub(crate) async fn hash(&self, password: Zeroizing<String>, ids: &Ids) -> Result<String> {
        let mut salt = [0; SALT_BYTES];
        ids.fill(&mut salt);
        self.work(move || hash_now(&password, &salt)).await?.ok_or(Error::Internal)
    }

    /// Whether `password` is the one of `name`, whose stored hash is `stored`. A name that is not known has
    /// none: that takes as long to find out, and counts the same.
    ///
    /// # Errors
    /// Limit exceeded when `name` was tried too often lately; unavailable when too many wait.
    pub(crate) async fn check(
        &self,
        name: &str,
        password: Zeroizing<String>,
        stored: Option<String>,
        clock: &Clock,
    ) -> Result<bool> {
        let right = self.work(move || match stored {
            Some(stored) => matches_now(&password, &stored),
            // The same work for nothing.
            None => {
                hash_now(&password, &[0; SALT_BYTES]);
                false
            }
        });
        self.check_with(name, clock, right).await
    }

    /// As [`Passwords::check`], for something else that is guessed: `right` says whether it is the right one.
    ///
    /// # Errors
    /// Limit exceeded when `name` was tried too often lately; whatever `right` returns.
    pub(crate) async fn check_with(
        &self,
        name: &str,
        clock: &Clock,
        right: impl Future<Output = Result<bool>>,
    ) -> Result<bool> {
        let name: [u8; 32] = Sha256::digest(name.as_bytes()).into();
        let tried = self.begin(name, clock.now())?;
        let right = right.await?;
        tried.count();
        if right {
            self.lock().remove(&name);
        }
        Ok(right)
    }

    /// Counts a try before it is made, so that those at the same time count too.
    fn begin(&self, name: [u8; 32], now: Timestamp) -> Result<Try<'_>> {
        let mut wrong = self.lock();
        let known = wrong.get(&name).copied();
        if let Some(known) = known.filter(|known| known.again_at > now) {
            let seconds = (known.again_at.0 - now.0).unsigned_abs().div_ceil(1_000);
            return Err(Error::LimitExceeded {
                limit: "wrong passwords for this name; wait before the next try".into(),
                retry_after_s: u32::try_from(seconds).ok(),
            });
        }
        if known.is_none() && wrong.len() >= limits::PASSWORD_NAMES_MAX {
            make_room(&mut wrong, now);
        }
        let times = known.map_or(0, |known| known.times).saturating_add(1);
        let waits = now.plus_ms(wait_ms(times));
        wrong.insert(name, Wrong { times, again_at: waits });
        let waited = known.map_or(Timestamp(0), |known| known.again_at);
        Ok(Try { passwords: self, name, waits, waited, counts: false })
    }

    /// Does heavy work on a thread for it, a few at the same time, not too many waiting.
    async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let busy = Error::Unavailable { retry_after_s: 1 };
        let place = Arc::clone(&self.waiting).try_acquire_owned().map_err(|_| busy.clone())?;
        let slot = Arc::clone(&self.hashing).acquire_owned().await.map_err(|_| busy)?;
        // The thread keeps its places even when nobody waits for it any more.
        let done = tokio::task::spawn_blocking(move || {
            let _held: [OwnedSemaphorePermit; 2] = [place, slot];
            work()
        });
        done.await.map_err(|_| Error::Internal)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Wrong>> {
        self.wrong.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long to wait after so many wrong passwords in a row.
fn wait_ms(times: u32) -> i64 {
    match times.checked_sub(limits::PASSWORD_FAILURES_FREE) {
        None | Some(0) => 0,
        Some(more) => limits::PASSWORD_WAIT_MS
            .saturating_mul(1 << (more - 1).min(30))
            .min(limits::PASSWORD_WAIT_MAX_MS),
    }
}

/// Forgets the names that need not wait, or else the one that waits the shortest.
fn make_room(wrong: &mut HashMap<[u8; 32], Wrong>, now: Timestamp) {
    let before = wrong.len();
    wrong.retain(|_, known| known.again_at > now);
    if wrong.len() == before {
        let first = wrong.iter().min_by_key(|(_, known)| known.again_at).map(|(name, _)| *name);
        first.map(|name| wrong.remove(&name));
    }
}

fn argon2() -> Option<Argon2<'static>> {
    let (memory, passes) = (limits::PASSWORD_MEMORY_KIB, limits::PASSWORD_PASSES);
    let params = Params::new(memory, passes, limits::PASSWORD_LANES, None).ok()?;
    Some(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

fn hash_now(password: &str, salt: &[u8]) -> Option<String> {
    let salt = SaltString::encode_b64(salt).ok()?;
    let hash = argon2()?.hash_password(password.as_bytes(), &salt).ok()?;
    Some(hash.to_string())
}

/// A stored hash names its own parameters, so that they can be raised later.
fn matches_now(password: &str, stored: &str) -> bool {
    let Ok(stored) = PasswordHash::new(stored) else { return false };
    argon2().is_some_and(|argon2| argon2.verify_password(password.as_bytes(), &stored).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_795_248_000_000);

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.into())
    }

    #[tokio::test]
    async fn a_password_is_kept_as_argon2id_with_its_own_salt_and_parameters() {
        let (passwords, ids) = (Passwords::default(), Ids::seeded(1));
        let one = passwords.hash(secret("correct horse"), &ids).await.unwrap();
        let other = passwords.hash(secret("correct horse"), &ids).await.unwrap();
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, other);
        let clock = Clock::manual(NOW);
        for (given, right) in [("correct horse", true), ("correct horse ", false), ("", false)] {
            let found = passwords.check("ada", secret(given), Some(one.clone()), &clock).await;
            assert_eq!(found.unwrap(), right, "{given}");
        }
        let unknown = passwords.check("bob", secret("correct horse"), None, &clock).await;
        assert!(!unknown.unwrap());
    }

    #[test]
    fn waits_grow_with_each_wrong_password_up_to_a_bound() {
        let all: Vec<_> = (0..=16).map(wait_ms).collect();
        assert_eq!(all[..8], [0, 0, 0, 0, 0, 1_000, 2_000, 4_000]);
        assert_eq!(all[16], limits::PASSWORD_WAIT_MAX_MS);
        assert_eq!(wait_ms(u32::MAX), limits::PASSWORD_WAIT_MAX_MS);
    }

    #[tokio::test]
    async fn guessing_is_slowed_for_the_name_only_known_or_not_and_a_right_password_ends_that() {
        let (passwords, ids) = (Passwords::default(), Ids::seeded(2));
        let clock = Clock::manual(NOW);
        let stored = passwords.hash(secret("right"), &ids).await.unwrap();
        for (name, stored) in [("known", Some(stored.clone())), ("unknown", None)] {
            for _ in 0..=limits::PASSWORD_FAILURES_FREE {
                assert!(
                    !passwords.check(name, secret("no"), stored.clone(), &clock).await.unwrap()
                );
            }
            let refused = passwords.check(name, secret("right"), stored, &clock).await;
            assert!(
                matches!(refused, Err(Error::LimitExceeded { retry_after_s: Some(1), .. })),
                "{name}: {refused:?}"
            );
        }
        assert!(!passwords.check("other", secret("no"), None, &clock).await.unwrap());
        clock.advance_ms(1_000);
        assert!(
            passwords.check("known", secret("right"), Some(stored.clone()), &clock).await.unwrap()
        );
        assert!(
            !passwords.check("known", secret("no"), Some(stored.clone()), &clock).await.unwrap()
        );
        assert!(passwords.check("known", secret("right"), Some(stored), &clock).await.unwrap());
    }

    #[tokio::test]
    async fn more_than_may_wait_are_told_to_come_back_and_lose_no_try() {
        let passwords = Passwords::default();
        let clock = Clock::manual(NOW);
        let all = limits::PASSWORDS_WAITING_MAX.try_into().unwrap();
        let places = Arc::clone(&passwords.waiting).acquire_many_owned(all).await.unwrap();
        for _ in 0..20 {
            let busy = passwords.check("ada", secret("no"), None, &clock).await;
            assert!(matches!(busy, Err(Error::Unavailable { .. })), "{busy:?}");
        }
        drop(places);
        assert!(!passwords.check("ada", secret("no"), None, &clock).await.unwrap());
    }

    #[tokio::test]
    async fn a_request_that_nobody_waits_for_any_more_is_no_wrong_try() {
        let passwords = Passwords::default();
        let clock = Clock::manual(NOW);
        let all = limits::PASSWORDS_AT_ONCE.try_into().unwrap();
        let threads = Arc::clone(&passwords.hashing).acquire_many_owned(all).await.unwrap();
        for _ in 0..20 {
            tokio::select! {
                biased;
                answer = passwords.check("ada", secret("no"), None, &clock) => panic!("{answer:?}"),
                () = std::future::ready(()) => {}
            }
        }
        drop(threads);
        for _ in 0..=limits::PASSWORD_FAILURES_FREE {
            assert!(!passwords.check("ada", secret("no"), None, &clock).await.unwrap());
        }
        let refused = passwords.check("ada", secret("no"), None, &clock).await;
        assert!(matches!(refused, Err(Error::LimitExceeded { .. })), "{refused:?}");
    }

    #[test]
    fn names_that_are_remembered_are_bounded_and_those_that_wait_stay() {
        let passwords = Passwords::default();
        let name = |n: usize| -> [u8; 32] { Sha256::digest(n.to_be_bytes()).into() };
        for _ in 0..=limits::PASSWORD_FAILURES_FREE {
            passwords.begin(name(0), NOW).unwrap().count();
        }
        for n in 1..limits::PASSWORD_NAMES_MAX + 10 {
            passwords.begin(name(n), NOW).unwrap().count();
        }
        assert!(passwords.lock().len() <= limits::PASSWORD_NAMES_MAX);
        assert!(passwords.begin(name(0), NOW).is_err(), "a name that must wait was forgotten");
    }
}
