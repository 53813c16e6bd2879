//! The portal: a short-lived link with which an app's end user manages their own hooks, and sees nothing else.

use std::fmt;

use serde_json::json;
use tidings_core::clock::Timestamp;
use tidings_core::id::UserId;
use tidings_core::limits;
use tidings_store::GrantKind;

use crate::validate::Checks;
use crate::{Caller, NewHook, NewToken, Result, Scope, Service, TokenText};

/// A link into the portal to make.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PortalInput {
    /// Whose hooks it opens.
    pub user: UserId,
    /// How long it works, seconds: 60 to 86,400.
    pub ttl_s: u32,
}

/// A link into the portal. `Debug` does not show the token.
#[derive(Clone, PartialEq, Eq)]
pub struct PortalLink {
    /// What stands behind `/portal/`; it is not kept.
    pub token: String,
    /// When it stops working, and whatever was opened with it.
    pub expires_at: Timestamp,
}

impl fmt::Debug for PortalLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortalLink").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl Service {
    /// Makes a link into the portal for one end user. Needs the scopes `accounts` and `hooks`: nobody gives away
    /// more than they have. It ends by itself, with the key that made it when that is revoked as a token, and
    /// with its end user; the hooks that were made through it stay.
    ///
    /// # Errors
    /// Forbidden; not found (the user); invalid.
    pub async fn portal_link(&self, caller: &Caller, input: PortalInput) -> Result<PortalLink> {
        let may = caller.may_grant(Some(input.user), &[Scope::Hooks]);
        self.note_refusal(caller, may, "token.create", input.user).await?;
        let mut checks = Checks::default();
        if !(limits::PORTAL_S_MIN..=limits::PORTAL_S_MAX).contains(&input.ttl_s) {
            let why =
                format!("must be {} to {} seconds", limits::PORTAL_S_MIN, limits::PORTAL_S_MAX);
            checks.refuse("/ttl_s", "range", why);
        }
        checks.done()?;
        let expires_at = self.now().plus_ms(i64::from(input.ttl_s) * 1_000);
        let new = NewToken {
            kind: GrantKind::Portal,
            user: Some(input.user),
            parent: None,
            name: "portal".into(),
            scopes: vec![Scope::Hooks],
            details: json!({}),
            expires_at: Some(expires_at),
            text: TokenText::Made,
        };
        let (_, token) = self.mint_token(caller, new, Vec::new()).await?;
        Ok(PortalLink { token: token.to_string(), expires_at })
    }

    /// A path of this server as a URL that others reach; the path alone when `public_url` is not configured.
    pub fn public_link(&self, path: &str) -> String {
        let url = self.public_url().and_then(|url| url.join(path).ok());
        url.map_or_else(|| path.to_owned(), String::from)
    }

    /// Lets in whoever has a link into the portal.
    ///
    /// # Errors
    /// Unauthenticated, the same for a malformed, unknown, revoked and expired link.
    pub async fn portal_caller(&self, token: &str) -> Result<Caller> {
        self.authenticate_text(token, None, &[GrantKind::Portal]).await
    }

    /// Checks a hook that is made through the portal: it has a receiver of its own, and its end user has few.
    pub(crate) async fn check_portal_hook(&self, caller: &Caller, new: &NewHook) -> Result<()> {
        let (GrantKind::Portal, Some(user_no)) = (caller.kind(), caller.grant.user_no) else {
            return Ok(());
        };
        let mut checks = Checks::default();
        if new.url.is_none() {
            checks.refuse("/url", "required", "must be given");
        }
        checks.done()?;
        let limit = limits::PORTAL_HOOKS_MAX as u32;
        let app_no = caller.app()?.app_no;
        if self.store.hooks(app_no, Some(user_no), 0, limit).await?.len() >= limit as usize {
            return Err(crate::Error::limit("webhooks of one person"));
        }
        Ok(())
    }
}
