//! Signing in: a password, a code for those who have an authenticator, and a session.

use tidings_core::id::SessionId;
use tidings_core::key::{self, Token, TokenKind};
use tidings_core::limits;
use tidings_store::{self as store, AuditEntry, NewSession, OperatorSecrets};
use zeroize::Zeroizing;

use super::{OperatorSession, Origin, SignIn, SignedIn, normal};
use crate::{Error, Result, Service};

impl Service {
    /// Lets an operator in. For a wrong password, an unknown address and an operator who was disabled, the answer
    /// and the time it takes are the same.
    ///
    /// # Errors
    /// Unauthenticated; limit exceeded when the operator or the address failed too often lately; unavailable
    /// when too many come at once.
    pub async fn sign_in(
        &self,
        email: &str,
        password: &str,
        code: Option<&str>,
        origin: &Origin,
    ) -> Result<SignIn> {
        let email = normal(email);
        if email.len() > limits::EMAIL_BYTES_MAX || password.len() > limits::PASSWORD_BYTES_MAX {
            return Err(Error::Unauthenticated);
        }
        let attempt = self.sign_ins.begin(origin.address, self.now())?;
        let found = self.store.operator_by_email(email.clone()).await?;
        let found = found.filter(|(operator, _)| operator.disabled_at.is_none());
        let stored = found.as_ref().map(|(_, secrets)| secrets.password.clone());
        let password = Zeroizing::new(password.to_owned());
        let name = password_name(&email);
        let right = self.passwords.check(&name, password, stored, &self.clock).await?;
        let Some((operator, secrets)) = found.filter(|_| right) else {
            attempt.failed();
            self.note_failed(email, origin);
            return Err(Error::Unauthenticated);
        };
        match self.second_factor(&operator, &secrets, code).await? {
            Some(true) => Ok(SignIn::In(self.begin_session(&operator, origin).await?)),
            Some(false) => {
                attempt.failed();
                self.note_failed(email, origin);
                Err(Error::Unauthenticated)
            }
            None => Ok(SignIn::NeedsCode),
        }
    }

    /// Whether the code is right; right, too, when none is needed. `None`: one is needed and none was given.
    pub(super) async fn second_factor(
        &self,
        operator: &store::Operator,
        secrets: &OperatorSecrets,
        code: Option<&str>,
    ) -> Result<Option<bool>> {
        match (&secrets.totp, code) {
            (None, _) => Ok(Some(true)),
            (Some(_), None) => Ok(None),
            (Some(sealed), Some(code)) => Ok(Some(self.check_totp(operator, sealed, code).await?)),
        }
    }

    async fn begin_session(&self, operator: &store::Operator, origin: &Origin) -> Result<SignedIn> {
        let now = self.now();
        let (token, new) = self.new_session(origin);
        let entry = AuditEntry {
            actor: operator.id.to_string(),
            action: "operator.sign_in",
            object: new.id.to_string(),
            denied: false,
            address: origin.address_text(),
            detail: serde_json::json!({}),
        };
        let begun = self.store.begin_session(operator, new, entry, now).await;
        let session = begun.map_err(|error| match error.is_not_found() {
            true => Error::Unauthenticated,
            false => error.into(),
        })?;
        Ok(SignedIn { token, session: OperatorSession::from(session) })
    }

    /// A token, and the session that it will open.
    pub(super) fn new_session(&self, origin: &Origin) -> (String, NewSession) {
        let now = self.now();
        let token = Token::generate(TokenKind::Operator, &self.ids);
        let new = NewSession {
            id: SessionId(self.ids.next(now)),
            token_hash: token.hash(),
            csrf: key::hex64(&self.ids).to_string(),
            expires_at: now.plus_ms(limits::OPERATOR_SESSION_MS),
            address: origin.address_text(),
            agent: origin.agent_text(),
        };
        (token.reveal().to_owned(), new)
    }

    /// Writes down that a sign-in failed: of an operator into the audit log, of a stranger only into the log of
    /// the process, for strangers must not fill the store. Nobody waits for it, and so nobody can measure it.
    fn note_failed(&self, email: String, origin: &Origin) {
        let (store, address, now) = (self.store.clone(), origin.address_text(), self.now());
        tokio::spawn(async move {
            let Ok(Some((operator, _))) = store.operator_by_email(email).await else {
                tracing::info!(?address, "a sign-in with an unknown e-mail address failed");
                return;
            };
            let entry = AuditEntry {
                actor: "nobody".into(),
                action: "operator.sign_in",
                object: operator.id.to_string(),
                denied: true,
                address,
                detail: serde_json::json!({}),
            };
            if let Err(error) = store.audit(None, entry, now).await {
                tracing::error!(%error, "a failed sign-in could not be written down");
            }
        });
    }
}

/// The name under which wrong passwords of an operator are counted. No person's name has a space.
fn password_name(email: &str) -> String {
    format!("operator {email}")
}
