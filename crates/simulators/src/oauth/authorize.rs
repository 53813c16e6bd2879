//! The authorization endpoint (RFC 6749 section 4.1.1, RFC 7636).

use url::Url;

use super::{Code, Grant, Manners, OAuth, Person, State};
use crate::server::{Answer, Call, lock};

impl OAuth {
    /// Sends the browser back with a code at once, or shows a page that does so on a click.
    pub fn authorize(&self, call: &Call) -> Answer {
        let asked = |name| call.parameter(name).unwrap_or_default();
        let mut state = lock(&self.0.state);
        let redirect_uri = asked("redirect_uri");
        let known = &state.rules.redirect_uris;
        let Ok(mut back) = redirect_uri.parse::<Url>() else {
            return Answer::html(400, "Error 400: redirect_uri_mismatch");
        };
        if !known.is_empty() && !known.contains(&redirect_uri) {
            return Answer::html(400, "Error 400: redirect_uri_mismatch");
        }
        if asked("client_id") != self.0.client.0 {
            return Answer::html(401, "Error 401: invalid_client");
        }
        if state.rules.ask && asked("yes").is_empty() {
            return page(call, &person(&state, &asked("login_hint")));
        }
        let outcome = self.consent(&mut state, call, redirect_uri);
        back.query_pairs_mut().append_pair("state", &asked("state"));
        match outcome {
            Ok((code, scope)) => {
                back.query_pairs_mut().append_pair("code", &code).append_pair("scope", &scope);
            }
            Err(error) => {
                back.query_pairs_mut().append_pair("error", error);
            }
        }
        Answer::redirect(&back)
    }

    /// A code and the granted scopes, or an error of RFC 6749 section 4.1.2.1.
    fn consent(
        &self,
        state: &mut State,
        call: &Call,
        redirect_uri: String,
    ) -> Result<(String, String), &'static str> {
        let asked = |name| call.parameter(name).unwrap_or_default();
        if asked("response_type") != "code" {
            return Err("unsupported_response_type");
        }
        let challenge = call.parameter("code_challenge");
        let method = asked("code_challenge_method");
        if (state.rules.pkce && challenge.is_none()) || (challenge.is_some() && method != "S256") {
            return Err("invalid_request");
        }
        if state.rules.refuse {
            return Err("access_denied");
        }
        let person = person(state, &asked("login_hint"));
        let asked_scopes = asked("scope");
        let asked_scopes: Vec<String> = asked_scopes.split_whitespace().map(Into::into).collect();
        if asked_scopes.is_empty() && self.0.manners != Manners::Zoom {
            return Err("invalid_scope");
        }
        let offline = match self.0.manners {
            Manners::Google => {
                let first = state.consented.insert(person.email.clone());
                asked("access_type") == "offline" && (first || asked("prompt").contains("consent"))
            }
            Manners::Microsoft => asked_scopes.iter().any(|scope| scope == "offline_access"),
            Manners::Zoom => true,
        };
        let granted = state.rules.scopes.clone().unwrap_or(asked_scopes);
        let scope = granted.join(" ");
        let code = self.secret("code");
        let expires_at = self.0.clock.now().plus_ms(state.rules.code_ms);
        let grant = Grant { person, scopes: granted };
        let kept = Code { grant, redirect_uri, challenge, offline, expires_at };
        state.codes.insert(code.clone(), kept);
        Ok((code, scope))
    }
}

fn person(state: &State, hint: &str) -> Person {
    let found = state.people.iter().find(|person| person.email == hint || person.id == hint);
    found.or(state.people.first()).expect("a server has somebody").clone()
}

fn page(call: &Call, person: &Person) -> Answer {
    let link = format!("{}?{}&yes=1", call.path, call.query).replace('&', "&amp;");
    let email = person.email.replace('&', "&amp;").replace('<', "&lt;");
    Answer::html(
        200,
        format!(
            "<!doctype html><title>Sign in</title><p>This is a simulator. Let Tidings see the calendars \
             of {email}?</p><p><a href=\"{link}\">Yes</a></p>"
        ),
    )
}
