//! The first operator: made by whoever reads the server's terminal.

use serde_json::json;
use tidings_core::id::OperatorId;
use tidings_core::key::{Token, TokenKind};
use tidings_core::limits;
use tidings_store::{self as store, AuditEntry, Role};

use super::{NewOperator, OperatorSession, Origin, SignedIn};
use crate::{Error, Result, Service};

impl Service {
    /// A token that makes the first operator, once and within a day; `None` when there is one. It takes the place
    /// of any earlier token.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn setup_link(&self) -> Result<Option<String>> {
        let token = Token::generate(TokenKind::Operator, &self.ids);
        let expires_at = self.now().plus_ms(limits::SETUP_LINK_MS);
        let made = self.store.begin_setup(token.hash(), expires_at).await?;
        Ok(made.then(|| token.reveal().to_owned()))
    }

    /// Whether this set-up token works now. Asking does not use it up.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn is_setup_link(&self, token: &str) -> Result<bool> {
        match Token::parse(token) {
            Some((TokenKind::Operator, token)) => {
                Ok(self.store.is_setup(token.hash(), self.now()).await?)
            }
            _ => Ok(false),
        }
    }

    /// Whether nobody can sign in yet.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn needs_setup(&self) -> Result<bool> {
        Ok(!self.store.has_operators().await?)
    }

    /// Makes the first operator, an owner, and signs them in.
    ///
    /// # Errors
    /// Not found when the token does not work, or not any more; invalid.
    pub async fn set_up(&self, token: &str, new: NewOperator, origin: &Origin) -> Result<SignedIn> {
        const UNKNOWN: Error = Error::NotFound("set-up link");
        if !self.is_setup_link(token).await? {
            return Err(UNKNOWN);
        }
        let Some((_, setup)) = Token::parse(token) else { return Err(UNKNOWN) };
        let new = self.check_new_operator(new)?;
        let now = self.now();
        let id = OperatorId(self.ids.next(now));
        let made = store::NewOperator {
            id,
            email: new.email,
            name: new.name,
            role: Role::Owner,
            password: self.passwords.hash(new.password, &self.ids).await?,
        };
        let entry = AuditEntry {
            actor: id.to_string(),
            action: "operator.set_up",
            object: id.to_string(),
            denied: false,
            address: origin.address_text(),
            detail: json!({ "role": Role::Owner.as_str() }),
        };
        let (token, session) = self.new_session(origin);
        let begun = self.store.finish_setup(setup.hash(), made, session, entry, now).await?;
        Ok(SignedIn { token, session: OperatorSession::from(begun.ok_or(UNKNOWN)?) })
    }
}
