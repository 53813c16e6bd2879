//! Sessions: found by their token, listed, ended; and the password given again.

use tidings_core::id::SessionId;
use tidings_core::key::{Token, TokenKind};
use tidings_core::limits;
use zeroize::Zeroizing;

use super::{OperatorSession, Origin};
use crate::{Error, Result, Service};

impl Service {
    /// The session of a token, whose use prolongs it: it ends when it was not used for 30 minutes, and 12 hours
    /// after it began.
    ///
    /// # Errors
    /// Unauthenticated, the same for a malformed and an unknown token, and for a session that has ended.
    pub async fn operator_session(&self, token: &str, origin: &Origin) -> Result<OperatorSession> {
        let (mut session, now) = (self.unended_session(token).await?, self.now());
        let (address, agent) = (origin.address_text(), origin.agent_text());
        if now.0 - session.last_used_at.0 >= limits::OPERATOR_WRITTEN_EVERY_MS {
            self.store.touch_session(session.session_no, address, agent.clone(), now).await?;
            session.last_used_at = now;
        }
        Ok(OperatorSession { address: origin.address, agent, ..session.into() })
    }

    /// The session of a token, not prolonged: for what a page asks by itself, so that a page that was left open
    /// keeps nobody signed in.
    ///
    /// # Errors
    /// As [`Service::operator_session`].
    pub async fn glance_at_session(&self, token: &str, origin: &Origin) -> Result<OperatorSession> {
        let session = self.unended_session(token).await?;
        let agent = origin.agent_text();
        Ok(OperatorSession { address: origin.address, agent, ..session.into() })
    }

    async fn unended_session(&self, token: &str) -> Result<tidings_store::OperatorSession> {
        let Some((TokenKind::Operator, token)) = Token::parse(token) else {
            return Err(Error::Unauthenticated);
        };
        let found = self.store.session_by_token(token.hash(), self.now()).await?;
        found.ok_or(Error::Unauthenticated)
    }

    /// The operator's own sessions, oldest first.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn operator_sessions(
        &self,
        session: &OperatorSession,
    ) -> Result<Vec<OperatorSession>> {
        let all = self.store.sessions_of(session.operator_no, self.now()).await?;
        Ok(all.into_iter().map(OperatorSession::from).collect())
    }

    /// Ends one of the operator's own sessions; an owner may end anybody's.
    ///
    /// # Errors
    /// Not found.
    pub async fn end_operator_session(
        &self,
        session: &OperatorSession,
        id: SessionId,
    ) -> Result<()> {
        let now = self.now();
        let found = self.store.session_by_id(id, now).await?;
        let caller = session.caller_of_installation();
        let own = |operator_no| operator_no == session.operator_no || caller.is_owner();
        let found = found.filter(|found| own(found.operator.operator_no));
        let found = found.ok_or(Error::NotFound("session"))?;
        let entry = caller.did("operator.session.end", id);
        Ok(self.store.end_session(found.session_no, entry, now).await?)
    }

    /// Ends the session itself.
    ///
    /// # Errors
    /// When the store fails; a session that has ended meanwhile is no error.
    pub async fn sign_out(&self, session: &OperatorSession) -> Result<()> {
        let entry = session.caller_of_installation().did("operator.sign_out", session.id);
        match self.store.end_session(session.session_no, entry, self.now()).await {
            Err(error) if error.is_not_found() => Ok(()),
            ended => Ok(ended?),
        }
    }

    /// Takes the password once more, and the code of those who have an authenticator, for what asks for it anew:
    /// see [`OperatorSession::recently_authenticated`].
    ///
    /// # Errors
    /// Unauthenticated when one is wrong; invalid when the code is missing; limit exceeded after too many wrong
    /// ones; not found when the session has ended.
    pub async fn reauthenticate(
        &self,
        session: &OperatorSession,
        password: &str,
        code: Option<&str>,
    ) -> Result<()> {
        self.check_own_password(session, password).await?;
        let found = self.store.operator_by_email(session.operator.email.clone()).await?;
        let (operator, secrets) = found.ok_or(Error::Unauthenticated)?;
        match self.second_factor(&operator, &secrets, code).await? {
            Some(true) => {}
            Some(false) => return Err(Error::Unauthenticated),
            None => return Err(Error::invalid("/code", "required", "must be given")),
        }
        let entry = session.did("operator.reauthenticate");
        Ok(self.store.session_authenticated(session.session_no, entry, self.now()).await?)
    }

    /// Checks the password of the operator whose session it is.
    pub(super) async fn check_own_password(
        &self,
        session: &OperatorSession,
        password: &str,
    ) -> Result<()> {
        if password.len() > limits::PASSWORD_BYTES_MAX {
            return Err(Error::Unauthenticated);
        }
        let secrets = self.store.operator_secrets(session.operator_no).await?;
        let stored = secrets.map(|secrets| secrets.password);
        // Counted apart from sign-ins: a stranger who knows the address must not lock out who is in already.
        let name = format!("again {}", session.operator.id);
        let password = Zeroizing::new(password.to_owned());
        match self.passwords.check(&name, password, stored, &self.clock).await? {
            true => Ok(()),
            false => Err(Error::Unauthenticated),
        }
    }
}
