//! What needs no access: the service information, registration of persons, login.

use http::{Method, StatusCode};
use serde_json::{Value, json};
use tidings_core::clock::Timestamp;
use tidings_service::{Caller, Error, GrantKind, NewPerson, NewToken, Scope, TokenText};
use zeroize::Zeroizing;

use crate::answer::Answer;
use crate::params::Reader;
use crate::refusal::Refusal;
use crate::request::Asked;
use crate::{API_VERSION, Desk, seconds};

/// How long a personal access works, ms: the 14 days of the documentation, from login.
const PERSONAL_MS: i64 = 14 * 86_400_000;

/// Names that paths under `/pryv` have for themselves.
const RESERVED: [&str; 3] = ["service", "users", "access"];

/// Where the platform is, as the client knows it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    /// Scheme and host; persons' hosts are below the domain when the request came to one.
    site: String,
    domain: Option<String>,
    name: String,
}

impl Place {
    pub(crate) fn of(desk: &Desk, asked: &Asked) -> Self {
        let host = asked.host.split(':').next().unwrap_or_default();
        let below = |domain: &&String| {
            host == domain.as_str()
                || host.strip_suffix(domain.as_str()).is_some_and(|n| n.ends_with('.'))
        };
        let domain = desk.options.domain.as_ref().filter(below).cloned();
        let name = desk.options.name.clone().unwrap_or_else(|| "Tidings".into());
        Self { site: asked.site.clone(), domain, name }
    }

    /// The address of a person's account, with the token when there is one.
    pub(crate) fn endpoint(&self, username: &str, token: Option<&str>) -> String {
        let api = self.api().replace("{username}", username);
        match (token, api.split_once("://")) {
            (Some(token), Some((scheme, rest))) => format!("{scheme}://{token}@{rest}"),
            _ => api,
        }
    }

    /// The form of all such addresses.
    fn api(&self) -> String {
        let Some(domain) = &self.domain else { return format!("{}/pryv/{{username}}/", self.site) };
        let (scheme, host) = self.site.split_once("://").unwrap_or(("https", &self.site));
        let port = host.split_once(':').map(|(_, port)| format!(":{port}")).unwrap_or_default();
        format!("{scheme}://{{username}}.{domain}{port}/")
    }

    /// `service.info`.
    pub(crate) fn info(&self) -> Answer {
        let site = &self.site;
        Answer::ok([
            ("register", json!(format!("{site}/pryv/"))),
            ("access", json!(format!("{site}/pryv/access/"))),
            ("api", json!(self.api())),
            ("name", json!(self.name)),
            ("home", json!(format!("{site}/"))),
            ("support", json!(format!("{site}/docs"))),
            ("terms", json!("")),
            ("eventTypes", json!("https://api.pryv.com/event-types/flat.json")),
            ("version", json!(API_VERSION)),
            ("features", json!({ "noHF": true })),
        ])
    }
}

/// Answers what needs no access; none when an access is needed.
pub(crate) async fn answer(
    desk: &Desk,
    asked: &Asked,
    now: Timestamp,
) -> Option<Result<Answer, Refusal>> {
    let path: Vec<_> = asked.path.iter().map(String::as_str).collect();
    let (get, post) = (asked.method == Method::GET, asked.method == Method::POST);
    match path.as_slice() {
        ["service", "info"] | [_, "service", "info"] if get => {
            Some(Ok(Place::of(desk, asked).info()))
        }
        ["users"] if post => Some(register(desk, asked, now).await),
        [username, "auth", "login"] if post => Some(login(desk, asked, username, now).await),
        [username, "check_username"] if get => Some(check_username(desk, username).await),
        [username, "server"] if post => Some(server(desk, asked, username).await),
        [] if get => Some(Ok(Place::of(desk, asked).info())),
        _ => None,
    }
}

/// Whether a name is taken.
async fn check_username(desk: &Desk, username: &str) -> Result<Answer, Refusal> {
    let taken = desk.service.person(&username.to_lowercase()).await?.is_some();
    let reserved = taken || RESERVED.contains(&username);
    Ok(Answer::ok([("reserved", json!(reserved))]))
}

/// Which server holds a person's account: this one.
async fn server(desk: &Desk, asked: &Asked, username: &str) -> Result<Answer, Refusal> {
    match desk.service.person(&username.to_lowercase()).await? {
        Some(_) => Ok(Answer::ok([("server", json!(asked.host))])),
        None => Err(Refusal::unknown("user", username)),
    }
}

/// Creates a person's account, as far as the operator lets persons come.
async fn register(desk: &Desk, asked: &Asked, now: Timestamp) -> Result<Answer, Refusal> {
    let fields = asked.fields()?;
    let mut reader = Reader::lenient(&fields);
    let app = reader.required_text("appId");
    let username = reader.required_text("username").map(|name| name.to_lowercase());
    let password = reader.required_text("password").map(Zeroizing::new);
    let email = reader.required_text("email");
    if username.as_deref().is_some_and(|name| RESERVED.contains(&name)) {
        reader.fault("username", "RESERVED", "is a word of the platform; choose another");
    }
    let language = reader.text("languageCode").or_else(|| reader.text("language"));
    let invitation = reader.text("invitationToken");
    reader.finish()?;
    let (username, password) = (username.unwrap_or_default(), password.unwrap_or_default());
    let new = NewPerson {
        username: username.clone(),
        password: password.clone(),
        email,
        language,
        invitation,
    };
    match desk.service.register_person(new).await {
        Err(Error::Conflict(_)) => return Err(Refusal::exists("user", &[("username", &username)])),
        Err(Error::Refused(_)) => {
            let message = "Invalid invitation token";
            let status = StatusCode::BAD_REQUEST;
            return Err(Refusal::new(status, "invitationToken-invalid", message)
                .with_data(json!({ "param": "invitationToken" })));
        }
        made => drop(made?),
    }
    let caller = desk.service.login_person(&username, &password).await?;
    let token = open_session(desk, &caller, &app.unwrap_or_default(), now).await?;
    let endpoint = Place::of(desk, asked).endpoint(&username, Some(&token));
    let body = Answer::ok([("username", json!(username)), ("apiEndpoint", json!(endpoint))]);
    Ok(Answer { status: StatusCode::CREATED, ..body })
}

/// Lets a person in by password, for an app at an origin that the operator trusts.
async fn login(desk: &Desk, asked: &Asked, owner: &str, now: Timestamp) -> Result<Answer, Refusal> {
    let fields = asked.fields()?;
    let mut reader = Reader::strict(&fields, &["username", "password", "appId"]);
    let username = reader.required_text("username").map(|name| name.to_lowercase());
    let password = reader.required_text("password").map(Zeroizing::new);
    let app = reader.required_text("appId");
    reader.finish()?;
    let (username, app) = (username.unwrap_or_default(), app.unwrap_or_default());
    if !desk.options.trust(asked.origin.as_deref()) {
        let why = "The app id (\"appId\") is either missing or not trusted.";
        return Err(Refusal::credentials(why));
    }
    let owner = owner.to_lowercase();
    let Some(person) = desk.service.person(&owner).await? else {
        return Err(Refusal::unknown("user", &owner));
    };
    let wrong = || Refusal::credentials("The given username/password pair is invalid.");
    if username != owner {
        return Err(wrong());
    }
    let caller = match desk.service.login_person(&owner, &password.unwrap_or_default()).await {
        Err(Error::Unauthenticated) => return Err(wrong()),
        caller => caller?,
    };
    let token = open_session(desk, &caller, &app, now).await?;
    let endpoint = Place::of(desk, asked).endpoint(&owner, Some(&token));
    let language = person.details.get("language").and_then(Value::as_str).unwrap_or("en");
    Ok(Answer::ok([
        ("apiEndpoint", json!(endpoint)),
        ("token", json!(token.as_str())),
        ("preferredLanguage", json!(language)),
    ]))
}

/// Mints a personal access.
async fn open_session(
    desk: &Desk,
    caller: &Caller,
    app: &str,
    now: Timestamp,
) -> Result<Zeroizing<String>, Refusal> {
    let at = seconds::of(now);
    let details = json!({
        "type": "personal",
        "name": app,
        "created": at,
        "createdBy": "system",
        "modified": at,
        "modifiedBy": "system",
    });
    let new = NewToken {
        kind: GrantKind::Access,
        user: caller.user_id(),
        parent: None,
        name: app.to_owned(),
        scopes: vec![Scope::Read, Scope::Records, Scope::Hooks, Scope::Accounts],
        details,
        expires_at: Some(now.plus_ms(PERSONAL_MS)),
        text: TokenText::Made,
    };
    Ok(desk.service.mint_token(caller, new, Vec::new()).await?.1)
}
