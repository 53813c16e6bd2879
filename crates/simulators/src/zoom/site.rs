//! The API: who asks, for what, and what Zoom answers.

use serde_json::{Value, json};

use super::occurrence::utc;
use super::webhook::Webhook;
use super::world::{Made, World};
use super::{ACCOUNT, Problem};
use crate::oauth::{OAuth, Person};
use crate::server::{self, Answer, Call};

/// Everything behind the listener.
#[derive(Debug)]
pub(super) struct Site {
    pub(super) oauth: OAuth,
    pub(super) world: World,
    pub(super) webhook: Webhook,
}

impl server::Site for Site {
    async fn answer(&self, call: &Call) -> Answer {
        let segments = call.segments();
        let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
        match (call.method.as_str(), segments.as_slice()) {
            ("GET", ["oauth", "authorize"]) => self.oauth.authorize(call),
            ("POST", ["oauth", "token"]) => self.oauth.token(call),
            ("POST", ["oauth", "revoke"]) => self.oauth.revoke(call),
            (_, ["v2", rest @ ..]) => self.api(call, rest),
            _ => Answer::empty(404),
        }
    }
}

impl Site {
    /// Pushes what happened to a meeting; API writes are pushed like all others.
    pub(super) fn tell(&self, operator: &Person, made: &Made) {
        self.webhook.meeting(operator, made, self.world.updates_name_host());
    }

    fn api(&self, call: &Call, path: &[&str]) -> Answer {
        let Ok((user, scopes)) = self.oauth.bearer(call) else {
            return problem(&Problem {
                status: 401,
                code: 124,
                message: "Invalid access token.".into(),
            });
        };
        if let Some(needed) = missing(call, path, &scopes) {
            return problem(&Problem {
                status: 400,
                code: 4711,
                message: format!("Invalid access token, does not contain scopes:[{needed}]."),
            });
        }
        let answered = match (call.method.as_str(), path) {
            ("GET", ["users", "me"]) => Ok(Answer::json(200, &me(&user))),
            ("GET", ["users", "me", "meetings"]) => self.list(call, &user),
            ("POST", ["users", "me", "meetings"]) => self.create(call, &user),
            (_, ["meetings", id]) => match id.parse() {
                Ok(id) => self.meeting(call, &user, id),
                Err(_) => Err(Problem::invalid("Invalid meeting id.")),
            },
            _ => Ok(Answer::empty(404)),
        };
        answered.unwrap_or_else(|refused| problem(&refused))
    }

    fn list(&self, call: &Call, user: &Person) -> Result<Answer, Problem> {
        let size = call.parameter("page_size").unwrap_or_else(|| "30".into());
        let size = size.parse().ok().filter(|size| (1..=300).contains(size));
        let size = size.ok_or_else(|| Problem::invalid("Invalid page_size."))?;
        let kind = call.parameter("type").unwrap_or_else(|| "scheduled".into());
        if kind != "upcoming" {
            return Err(Problem::invalid("The simulator lists what is upcoming only."));
        }
        let token = call.parameter("next_page_token");
        let page = self.world.page(user, size, token.as_deref())?;
        Ok(Answer::json(200, &page))
    }

    fn create(&self, call: &Call, user: &Person) -> Result<Answer, Problem> {
        let body = call.json().filter(Value::is_object);
        let body = body.ok_or_else(|| Problem::invalid("Request Body should be a valid JSON."))?;
        if !matches!(body.get("type").and_then(Value::as_u64), None | Some(1 | 2 | 3 | 8 | 10)) {
            return Err(Problem::invalid("Invalid type."));
        }
        if let Err(limit) = self.world.count_write(user) {
            return Ok(limited(limit));
        }
        let made = self.world.create(user, &body)?;
        self.tell(user, &made);
        let mut document = self.world.read(made.id, user, false)?;
        // The answer is not the whole meeting.
        if let Some(members) = document.as_object_mut() {
            for name in ["settings", "uuid", "host_id", "status"] {
                members.remove(name);
            }
        }
        Ok(Answer::json(201, &document))
    }

    fn meeting(&self, call: &Call, user: &Person, id: u64) -> Result<Answer, Problem> {
        self.world.owned(id, user)?;
        let occurrence = call.parameter("occurrence_id");
        match call.method.as_str() {
            "GET" => {
                let previous = call.parameter("show_previous_occurrences");
                let document = self.world.read(id, user, previous.as_deref() == Some("true"))?;
                Ok(Answer::json(200, &document))
            }
            "PATCH" => {
                let body = call.json().filter(Value::is_object);
                let body = body.ok_or_else(|| Problem::invalid("Validation Failed."))?;
                if let Err(limit) = self.world.count_write(user) {
                    return Ok(limited(limit));
                }
                let made = self.world.update(id, occurrence.as_deref(), &body)?;
                self.tell(user, &made);
                Ok(Answer::empty(204))
            }
            "DELETE" => {
                let made = self.world.delete(id, occurrence.as_deref())?;
                self.tell(user, &made);
                Ok(Answer::empty(204))
            }
            _ => Ok(Answer::empty(405)),
        }
    }
}

/// The scope that the request needs and the token lacks. A token without any is the app's own affair.
fn missing(call: &Call, path: &[&str], scopes: &[String]) -> Option<&'static str> {
    let needed = match (call.method.as_str(), path) {
        ("GET", ["users", "me"]) => "user:read:user",
        ("GET", ["users", ..]) => "meeting:read:list_meetings",
        ("POST", _) => "meeting:write:meeting",
        ("PATCH", _) => "meeting:update:meeting",
        ("DELETE", _) => "meeting:delete:meeting",
        _ => "meeting:read:meeting",
    };
    let has = |name: &str| scopes.iter().any(|scope| scope == name);
    (!scopes.is_empty() && !has(needed)).then_some(needed)
}

fn me(user: &Person) -> Value {
    json!({
        "id": user.id, "email": user.email, "first_name": user.name, "last_name": "",
        "display_name": user.name, "type": 2, "timezone": "UTC", "account_id": ACCOUNT,
        "status": "active",
    })
}

fn problem(problem: &Problem) -> Answer {
    Answer::json(problem.status, &problem.document())
}

/// The limit of a day; `Retry-After` is a moment in RFC 3339.
fn limited((limit, until): (u32, tidings_core::clock::Timestamp)) -> Answer {
    let message = format!(
        "You have exceeded the daily rate limit ({limit}) of Meeting Create/Update API requests permitted for \
         this user."
    );
    Answer::json(429, &json!({ "code": 429, "message": message }))
        .with("x-ratelimit-type", "Daily-limit")
        .with("x-ratelimit-category", "Light")
        .with("x-ratelimit-limit", &limit.to_string())
        .with("x-ratelimit-remaining", "0")
        .with("retry-after", &utc(until))
}
