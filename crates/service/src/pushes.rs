//! What providers push. A push is only a wake-up: once it is known to be the provider's, what it is about
//! is dirty, and the engine reads the truth. Nothing here asks a provider.

mod google;
mod microsoft;
mod recent;
mod zoom;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_store::{Committed, Subscription};
use tokio::sync::broadcast;

use crate::{Result, Service};
use recent::Recent;

pub use zoom::ZoomPush;

/// What became of a push.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// What it is about will be looked at.
    Noted,
    /// It changed nothing, and why. Whoever sent it is not told.
    Ignored(&'static str),
}

/// What is remembered of pushes, in memory only. Clones share it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Pushes {
    /// Channels that nobody knows, so that a flood of pushes to one costs no look-ups.
    unknown: Recent,
    /// Pushes that were noted already.
    seen: Recent,
}

impl Pushes {
    /// Forgets which channels were unknown whenever one may have been activated.
    pub(crate) fn watching(mut committed: broadcast::Receiver<Committed>) -> Self {
        let pushes = Self::default();
        let unknown = pushes.unknown.clone();
        tokio::spawn(async move {
            loop {
                match committed.recv().await {
                    Ok(Committed::Account(_) | Committed::Elsewhere)
                    | Err(broadcast::error::RecvError::Lagged(_)) => unknown.forget(),
                    Ok(_) => {}
                    Err(broadcast::error::RecvError::Closed) => return,
                }
            }
        });
        pushes
    }
}

impl Service {
    /// The subscription behind a channel that a push names, unless nobody knows it.
    async fn pushed_subscription(
        &self,
        provider: &'static str,
        channel: &str,
        now: Timestamp,
    ) -> Result<Option<Subscription>> {
        let unknown = &self.providers.pushes.unknown;
        let name = digest(&[provider.as_bytes(), channel.as_bytes()]);
        let generation = unknown.generation();
        if unknown.holds(&name, now) {
            return Ok(None);
        }
        let found = self.store.subscription_by_channel(provider.into(), channel.into()).await?;
        if found.is_none() {
            unknown.remember(name, now.plus_ms(limits::PUSH_UNKNOWN_MS), generation, now);
        }
        Ok(found)
    }
}

/// Why a push that names `subscription` is not its provider's; `None` when it is.
fn fault(subscription: &Subscription, token: &str, now: Timestamp) -> Option<&'static str> {
    let given: [u8; 32] = Sha256::digest(token.as_bytes()).into();
    let is_ours = subscription.token_hash.is_some_and(|known| bool::from(known.ct_eq(&given)));
    if !is_ours {
        return Some("the token is not that of the channel");
    }
    subscription.expires_at.is_some_and(|at| at <= now).then_some("the channel has expired")
}

/// The hash of some texts, each with its length so that none can pass for another.
fn digest(parts: &[&[u8]]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}
