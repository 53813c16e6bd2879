//! Zoom's pushes: one endpoint and one secret for all users, routed by whom they name.

use bytes::Bytes;
use http::HeaderMap;
use tidings_core::limits;
use tidings_providers::zoom::push::{self, Push};
use tidings_store::{AccountStatus, AuditEntry};

use super::{Pushed, digest};
use crate::{Error, Result, Service};

/// The provider's name in the store.
const ZOOM: &str = "zoom";
/// Accounts of any app that one Zoom user's push may concern.
const ACCOUNTS_READ: u32 = 1_000;

/// What to answer to Zoom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ZoomPush {
    /// It is Zoom's.
    Pushed(Pushed),
    /// Zoom asks for a proof that the endpoint is ours: this JSON document is it.
    Proof(Bytes),
    /// It is not known to be Zoom's, and why. Whoever sent it is only told that much.
    Refused(String),
}

impl Service {
    /// Takes a push from Zoom: `body` as it arrived, for its bytes are signed.
    ///
    /// # Errors
    /// Not found when Zoom's pushes are not configured; unavailable when it could not be noted: Zoom must
    /// send it again.
    pub async fn zoom_push(&self, headers: &HeaderMap, body: &[u8]) -> Result<ZoomPush> {
        let settings = self.providers.settings.zoom.as_ref();
        let secret = settings.and_then(|zoom| zoom.webhook_secret.as_ref());
        let secret = secret.ok_or(Error::NotFound("path"))?.reveal();
        let now = self.now();
        let push = match push::read(secret, headers, body, now) {
            Ok(push) => push,
            Err(refused) => return Ok(ZoomPush::Refused(refused.to_string())),
        };
        // A repetition is signed anew over the same bytes.
        let (seen, name) = (&self.providers.pushes.seen, digest(&[ZOOM.as_bytes(), body]));
        let generation = seen.generation();
        let is_question = matches!(push, Push::Validation { .. });
        if !is_question && seen.holds(&name, now) {
            return Ok(ZoomPush::Pushed(Pushed::Ignored("it was noted already")));
        }
        let noted = match push {
            Push::Validation { plain_token } => {
                let proof = push::validation(secret, &plain_token);
                let proof = serde_json::to_vec(&proof).map_err(|_| Error::Internal)?;
                return Ok(ZoomPush::Proof(proof.into()));
            }
            Push::Event { users, .. } => self.wake_zoom_users(users).await?,
            Push::Deauthorized { user_id, .. } => self.end_zoom_user(user_id).await?,
            Push::Ignored => Pushed::Ignored("it concerns nothing that is watched"),
        };
        seen.remember(name, now.plus_ms(limits::PUSH_SEEN_MS), generation, now);
        Ok(ZoomPush::Pushed(noted))
    }

    async fn wake_zoom_users(&self, users: Vec<String>) -> Result<Pushed> {
        let mut noted = Pushed::Ignored("no account is of the users that it names");
        for user in users {
            let accounts =
                self.store.accounts_by_external(ZOOM.into(), user, ACCOUNTS_READ).await?;
            let active = accounts.iter().filter(|account| account.status == AccountStatus::Active);
            for account in active {
                let now = self.now();
                for calendar in self.store.collections(account.account_no).await? {
                    let no = calendar.collection_no;
                    self.store.push_collection(account.account_no, no, now).await?;
                }
                noted = Pushed::Noted;
            }
        }
        Ok(noted)
    }

    /// The user took the permission back at Zoom: the tokens are void, and nothing may be kept.
    async fn end_zoom_user(&self, user: String) -> Result<Pushed> {
        let accounts = self.store.accounts_by_external(ZOOM.into(), user, ACCOUNTS_READ).await?;
        let mut noted = Pushed::Ignored("no account is of the user that it names");
        for account in accounts {
            let entry = AuditEntry {
                actor: "system".into(),
                action: "account.delete",
                object: account.id.to_string(),
                denied: false,
                address: None,
                detail: serde_json::json!({ "why": "its owner took the permission back at zoom" }),
            };
            match self.end_account(&account, None, entry).await {
                // Deleted in the meantime.
                Ok(()) | Err(Error::NotFound(_)) => noted = Pushed::Noted,
                Err(error) => return Err(error),
            }
        }
        Ok(noted)
    }
}
