//! The token endpoint (RFC 6749 sections 4.1.3 and 6, RFC 7636) and revocation (RFC 7009).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{Grant, Manners, OAuth, State, TokenFailure};
use crate::server::{Answer, Call, lock};

/// An error of RFC 6749 section 5.2 and what it says.
type Refused = (&'static str, &'static str);

impl OAuth {
    /// Turns a code or a refresh token into tokens.
    pub fn token(&self, call: &Call) -> Answer {
        let mut state = lock(&self.0.state);
        let failure = (!state.rules.failures.is_empty()).then(|| state.rules.failures.remove(0));
        match failure {
            Some(TokenFailure::Error(error)) => {
                state.counts.refusals += 1;
                return self.error(&error, "as ordered");
            }
            Some(TokenFailure::Status(status)) => return Answer::text(status, "as ordered"),
            Some(TokenFailure::Lost) | None => {}
        }
        let outcome =
            self.client_is_known(call).and_then(|()| match call.field("grant_type").as_deref() {
                Some("authorization_code") => self.exchange(&mut state, call),
                Some("refresh_token") => self.refresh(&mut state, call),
                _ => Err(("unsupported_grant_type", "Invalid grant_type")),
            });
        match outcome {
            Ok(_) if failure == Some(TokenFailure::Lost) => Answer::text(503, "as ordered"),
            Ok(tokens) => Answer::json(200, &tokens).with("cache-control", "no-store"),
            Err((error, why)) => {
                state.counts.refusals += 1;
                self.error(error, why)
            }
        }
    }

    /// Ends a token and what belongs to it; the token is in the body or the query.
    pub fn revoke(&self, call: &Call) -> Answer {
        let token = call.field("token").or_else(|| call.parameter("token")).unwrap_or_default();
        let mut state = lock(&self.0.state);
        let grant = state.refresh.get(&token).cloned();
        let grant = grant.or_else(|| state.access.get(&token).map(|access| access.grant.clone()));
        let Some(grant) = grant else {
            return self.error("invalid_token", "Token expired or revoked");
        };
        state.counts.revocations += 1;
        let email = grant.person.email;
        state.access.retain(|_, access| access.grant.person.email != email);
        state.refresh.retain(|_, grant| grant.person.email != email);
        state.consented.remove(&email);
        match self.0.manners {
            Manners::Zoom => Answer::json(200, &json!({ "status": "success" })),
            Manners::Google | Manners::Microsoft => Answer::json(200, &json!({})),
        }
    }

    /// Secret and id, in the body or as Basic authorization (Zoom: only so).
    fn client_is_known(&self, call: &Call) -> Result<(), Refused> {
        let (id, secret) = self.client();
        let basic = format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")));
        let in_head = call.header("authorization") == Some(&basic);
        let in_body = call.field("client_id").as_deref() == Some(id)
            && call.field("client_secret").as_deref() == Some(secret);
        match in_head || (in_body && self.0.manners != Manners::Zoom) {
            true => Ok(()),
            false => Err(("invalid_client", "The OAuth client was not found.")),
        }
    }

    fn exchange(&self, state: &mut State, call: &Call) -> Result<Value, Refused> {
        let code = call.field("code").unwrap_or_default();
        // Taken out whatever comes of it: a code is good for one try.
        let code = state.codes.remove(&code).ok_or(("invalid_grant", "Bad Request"))?;
        if code.expires_at <= self.0.clock.now() {
            return Err(("invalid_grant", "Code was expired"));
        }
        if call.field("redirect_uri").as_deref() != Some(&code.redirect_uri) {
            return Err(("redirect_uri_mismatch", "Bad Request"));
        }
        let verifier = call.field("code_verifier").unwrap_or_default();
        let proof = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
        if code.challenge.is_some_and(|challenge| challenge != proof) {
            return Err(("invalid_grant", "Invalid code verifier."));
        }
        state.counts.exchanges += 1;
        let refresh = code.offline.then(|| self.secret("refresh"));
        if let Some(refresh) = &refresh {
            state.refresh.insert(refresh.clone(), code.grant.clone());
        }
        Ok(self.tokens(state, &code.grant, refresh))
    }

    fn refresh(&self, state: &mut State, call: &Call) -> Result<Value, Refused> {
        let old = call.field("refresh_token").unwrap_or_default();
        let why = "Token has been expired or revoked.";
        let grant = state.refresh.get(&old).cloned().ok_or(("invalid_grant", why))?;
        state.counts.refreshes += 1;
        let new = state.rules.rotate.then(|| self.secret("refresh"));
        if let Some(new) = &new {
            state.refresh.remove(&old);
            state.refresh.insert(new.clone(), grant.clone());
        }
        Ok(self.tokens(state, &grant, new))
    }

    fn tokens(&self, state: &mut State, grant: &Grant, refresh: Option<String>) -> Value {
        let mut tokens = json!({
            "access_token": self.access_token(state, grant.clone()),
            "token_type": "Bearer",
            "expires_in": state.rules.access_ms / 1_000,
            "scope": grant.scopes.join(" "),
        });
        if let Some(refresh) = refresh {
            tokens["refresh_token"] = refresh.into();
        }
        if grant.scopes.iter().any(|scope| scope == "openid") {
            tokens["id_token"] = self.id_token(grant).into();
        }
        if self.0.manners == Manners::Microsoft {
            tokens["ext_expires_in"] = tokens["expires_in"].clone();
        }
        tokens
    }

    /// Who it is (OpenID Connect Core section 2). The signature is none: nobody may rely on it.
    fn id_token(&self, grant: &Grant) -> String {
        let person = &grant.person;
        let claims = json!({
            "aud": self.0.client.0, "sub": person.id, "oid": person.id, "email": person.email,
            "email_verified": true, "preferred_username": person.email, "name": person.name,
        });
        let head = json!({ "alg": "RS256", "kid": "simulator", "typ": "JWT" });
        let encode = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        format!("{}.{}.c2ltdWxhdG9y", encode(&head), encode(&claims))
    }

    fn error(&self, error: &str, why: &str) -> Answer {
        let status = if error == "invalid_client" { 401 } else { 400 };
        let mut document = json!({ "error": error, "error_description": why });
        match self.0.manners {
            Manners::Google => {}
            Manners::Microsoft => {
                let code = match error {
                    "invalid_client" => 7_000_215,
                    "interaction_required" => 50_076,
                    "consent_required" => 65_001,
                    "invalid_grant" => 70_000,
                    _ => 900_144,
                };
                document["error_description"] = format!("AADSTS{code}: {why}").into();
                document["error_codes"] = json!([code]);
            }
            Manners::Zoom => {
                document = json!({ "error": error, "reason": why });
            }
        }
        Answer::json(status, &document)
    }
}
