//! The first start: an owner key and an app.

use std::fmt::Display;

use serde_json::json;
use tidings_core::id::{AppId, GrantId};
use tidings_core::key::{Token, TokenKind};
use tidings_store::{AuditEntry, GrantKind, NewApp, NewGrant};

use crate::{Error, Result, Service};

/// Name of the app that the first start creates.
const APP_NAME: &str = "default";

/// What the first start made.
#[derive(Clone, Debug)]
pub struct Bootstrap {
    /// The owner key that was generated: show it once, it is not kept. Absent when there was one already
    /// or when it was given.
    pub generated: Option<Token>,
    /// The app that was created; absent when there had been one.
    pub created_app: Option<AppId>,
}

impl Service {
    /// Makes sure that there is an owner key, and an app on the first start. `wanted` is a key that the
    /// operator chose; it is added when it is not there. A key revoked in the meantime stays revoked.
    ///
    /// # Errors
    /// Invalid when `wanted` is not an API key; when the store fails.
    pub async fn bootstrap(&self, wanted: Option<&str>) -> Result<Bootstrap> {
        let generated = match wanted {
            Some(text) => {
                self.add_owner(given(text)?).await?;
                None
            }
            None if self.store.grants(None, 0, 1).await?.is_empty() => {
                let token = Token::generate(TokenKind::ApiKey, &self.ids);
                self.add_owner(token.clone()).await?;
                Some(token)
            }
            None => None,
        };
        Ok(Bootstrap { generated, created_app: self.first_app().await? })
    }

    async fn add_owner(&self, token: Token) -> Result<()> {
        let now = self.now();
        if self.store.grant_of_token(token.hash()).await?.is_some() {
            return Ok(());
        }
        let id = GrantId(self.ids.next(now));
        let new = NewGrant {
            id,
            app_no: None,
            user_no: None,
            parent_no: None,
            kind: GrantKind::Owner,
            name: "owner".into(),
            scopes: Vec::new(),
            details: json!({}),
            token_hash: token.hash(),
            hint: token.hint().to_owned(),
            expires_at: None,
        };
        self.store.create_grant(new, Vec::new(), by_system("key.create", id), now).await?;
        Ok(())
    }

    async fn first_app(&self) -> Result<Option<AppId>> {
        let any = !self.store.apps(0, 1).await?.is_empty();
        if any || !self.store.deleted_apps().await?.is_empty() {
            return Ok(None);
        }
        let now = self.now();
        let id = AppId(self.ids.next(now));
        let new = NewApp {
            id,
            name: APP_NAME.into(),
            external_id: None,
            webhook_url: None,
            created_at: now,
        };
        self.store.create_app(new, by_system("app.create", id)).await?;
        Ok(Some(id))
    }
}

fn given(text: &str) -> Result<Token> {
    match Token::parse(text) {
        Some((TokenKind::ApiKey, token)) => Ok(token),
        _ => Err(Error::invalid(
            "bootstrap_key",
            "key",
            "must be an API key: tdk_, 30 base-62 digits and their 6-digit checksum",
        )),
    }
}

fn by_system(action: &'static str, object: impl Display + Copy) -> AuditEntry {
    AuditEntry {
        actor: "system".into(),
        action,
        object: object.to_string(),
        denied: false,
        address: None,
        detail: json!({}),
    }
}
