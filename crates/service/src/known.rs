//! Callers that were let in lately, so that a busy key costs one look into the store a second.
//!
//! Whatever this process does to keys and apps takes effect at once: the verb forgets everyone after
//! its commit. What another process did takes effect when [`KNOWN_MS`] have passed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidings_core::clock::Timestamp;
use tidings_core::id::AppId;
use tidings_core::limits;
use tidings_store::Store;

use crate::Caller;

/// A caller is asked for again after this time, ms.
const KNOWN_MS: u64 = 1_000;

/// The hash of a token, and the app that the request named.
type Presented = ([u8; 32], Option<AppId>);

/// Callers let in lately. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known(Arc<Mutex<Callers>>);

#[derive(Debug, Default)]
struct Callers {
    /// How often everyone was forgotten: what was read before the last time is out of date.
    forgotten: u64,
    by_token: HashMap<Presented, (Timestamp, Caller)>,
}

impl Known {
    /// The caller, when it was let in lately, still would be, and its use needs no note; else what [`Known::remember`] needs.
    pub(crate) fn find(&self, presented: Presented, now: Timestamp) -> Result<Caller, u64> {
        let callers = self.lock();
        let found = callers.by_token.get(&presented).filter(|(since, caller)| {
            since.0.abs_diff(now.0) < KNOWN_MS
                && caller.grant.expires_at.is_none_or(|expires_at| expires_at > now)
                && !Store::is_use_due(&caller.grant, now)
        });
        found.map(|(_, caller)| caller.clone()).ok_or(callers.forgotten)
    }

    /// Remembers who was found in the store, unless everyone was forgotten since `forgotten`.
    pub(crate) fn remember(
        &self,
        forgotten: u64,
        presented: Presented,
        caller: &Caller,
        now: Timestamp,
    ) {
        let mut callers = self.lock();
        if callers.forgotten != forgotten {
            return;
        }
        if callers.by_token.len() >= limits::CALLERS_KNOWN_MAX {
            callers.by_token.clear();
        }
        callers.by_token.insert(presented, (now, caller.clone()));
    }

    /// Forgets everyone: a key or an app has changed.
    pub(crate) fn forget(&self) {
        let mut callers = self.lock();
        callers.forgotten += 1;
        callers.by_token.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Callers> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
