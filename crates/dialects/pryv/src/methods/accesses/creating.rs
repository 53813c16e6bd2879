//! `accesses.create`.

use serde_json::{Map, Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_service::{Announcement, Error, GrantKind, NewToken, Scope, TokenText};
use zeroize::Zeroizing;

use super::{all, check_unique, within_parent};
use crate::access::{Access, Usage};
use crate::answer::Answer;
use crate::call::Call;
use crate::home::TRIES;
use crate::methods::events::too_busy;
use crate::methods::streams;
use crate::params::Reader;
use crate::permission::Permissions;
use crate::refusal::Refusal;
use crate::seconds;
use crate::tree::{Tree, slug};

/// What a token of an app or of another person may do with the service; the dialect narrows it.
pub(crate) const SCOPES: [Scope; 3] = [Scope::Read, Scope::Records, Scope::Hooks];

/// What a client asks for.
struct Wish {
    usage: Usage,
    name: String,
    token: Option<String>,
    permissions: Permissions,
    expires_at: Option<Timestamp>,
    /// Fields that are kept as they are.
    kept: Map<String, Value>,
}

/// Creates an access that reaches no further than the one that creates it.
pub(in crate::methods) async fn create(
    call: &Call,
    params: &Map<String, Value>,
) -> Result<Answer, Refusal> {
    let wish = read(call, params)?;
    let may = match (call.access.usage, wish.usage) {
        (_, Usage::Personal) | (Usage::Shared, _) | (Usage::App, Usage::App) => false,
        (Usage::Personal, _) | (Usage::App, Usage::Shared) => true,
    };
    if !may {
        return Err(Refusal::permissions());
    }
    let tree = with_default_streams(call, params).await?;
    if !call.access.permissions.cover(&wish.permissions, &tree) {
        let why = "Your access token has insufficient permissions to create this new access.";
        return Err(Refusal::forbidden(why));
    }
    within_parent(Some(&call.access), wish.expires_at)?;
    check_unique(call, &all(call).await?, wish.usage, &wish.kept, None)?;
    mint(call, wish, &tree).await
}

fn read(call: &Call, params: &Map<String, Value>) -> Result<Wish, Refusal> {
    let known = ["name", "type", "permissions", "token", "deviceName", "expireAfter", "clientData"];
    let mut reader = Reader::strict(params, &known);
    let name = reader.required_text("name");
    let usage = reader.choice("type", &["personal", "app", "shared"]);
    let permissions = permissions(&mut reader);
    let permissions = match usage.as_deref() {
        Some("personal") => Some(Permissions::Personal),
        _ => reader.require("permissions", permissions),
    };
    let token = reader.text("token");
    let mut kept = Map::new();
    kept.insert("name".into(), json!(name));
    if let Some(device) = reader.text("deviceName") {
        kept.insert("deviceName".into(), device.into());
    }
    if let Some(data) = reader.object("clientData") {
        kept.insert("clientData".into(), Value::Object(data.clone()));
    }
    let expires_at = expiry(&mut reader, call);
    reader.finish()?;
    let token = match token {
        Some(wish) => Some(slug(&wish).ok_or_else(|| {
            Refusal::item_id("The specified token is not allowed: choose letters and digits.")
        })?),
        None => None,
    };
    Ok(Wish {
        usage: usage.as_deref().and_then(Usage::parse).unwrap_or(Usage::Shared),
        name: name.unwrap_or_default(),
        token,
        permissions: permissions.unwrap_or(Permissions::Personal),
        expires_at,
        kept,
    })
}

/// The parameter `permissions`.
pub(super) fn permissions(reader: &mut Reader<'_>) -> Option<Permissions> {
    let list = reader.list("permissions")?;
    match Permissions::parse(list) {
        Ok(permissions) => Some(permissions),
        Err((place, why)) => {
            reader.fault(&format!("permissions/{place}"), "ONE_OF_MISSING", why);
            None
        }
    }
}

/// When an access is to end, from `expireAfter` (seconds).
pub(super) fn expiry(reader: &mut Reader<'_>, call: &Call) -> Option<Timestamp> {
    let after = reader.number("expireAfter")?;
    if !(0.0..=1e10).contains(&after) {
        reader.fault("expireAfter", "MINIMUM", "must be a number of seconds, zero or positive");
    }
    // Zero is soon: the end must still lie ahead when the access is written.
    Some(call.now.plus_ms(seconds::to_ms(after).max(limits::PRYV_ACCESS_MS_MIN)))
}

/// The streams, with those created that permissions name with a `defaultName`.
async fn with_default_streams(call: &Call, params: &Map<String, Value>) -> Result<Tree, Refusal> {
    let permissions = params.get("permissions").and_then(Value::as_array);
    let text = |item: &Value, name: &str| item[name].as_str().map(str::to_owned);
    let named = permissions.into_iter().flatten().filter_map(|item| {
        let stream = text(item, "streamId").filter(|stream| stream != "*")?;
        Some((stream, text(item, "defaultName")))
    });
    for (stream, name) in named {
        for attempt in 0..=TRIES {
            let home = call.home().await?;
            if home.tree.get(&stream).is_some() {
                break;
            }
            let Some(name) = &name else {
                let named = json!(stream);
                return Err(Refusal::unknown_referenced("stream", "streamId", named));
            };
            if !call.access.permissions.allow_root(crate::permission::Act::Manage) {
                return Err(Refusal::permissions());
            }
            if attempt == TRIES {
                return Err(too_busy());
            }
            let id = slug(&stream).filter(|id| *id == stream);
            let id =
                id.ok_or_else(|| Refusal::item_id(format!("\"{stream}\" cannot be an id.")))?;
            let name = free_name(&home.tree, name);
            if streams::insert(call, &home, &streams::new_stream(call, id, name)).await? {
                break;
            }
        }
    }
    call.tree().await
}

/// A name that no stream at the root has.
fn free_name(tree: &Tree, name: &str) -> String {
    let numbered = (2..).map(|number| format!("{name} ({number})"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    let free = names.find(|name| tree.namesake(None, name, "").is_none());
    free.expect("numbers do not end")
}

async fn mint(call: &Call, wish: Wish, tree: &Tree) -> Result<Answer, Refusal> {
    let now = seconds::of(call.now);
    let mut details = wish.kept;
    for (name, value) in [
        ("type", json!(wish.usage.as_str())),
        ("name", json!(wish.name)),
        ("permissions", wish.permissions.to_json()),
        ("created", json!(now)),
        ("createdBy", json!(call.access.cuid())),
        ("modified", json!(now)),
        ("modifiedBy", json!(call.access.cuid())),
    ] {
        details.insert(name.into(), value);
    }
    let reach = tree.reach(wish.permissions.streams());
    let content = json!({
        "type": wish.usage.as_str(),
        "name": wish.name,
        "permissions": wish.permissions.to_json(),
    });
    let mut told = call.announcement("access.created", None, "", &reach, ("access", content));
    // Its id is not known before it is made.
    told.item = None;
    let new = NewToken {
        kind: GrantKind::Access,
        user: call.caller.user_id(),
        parent: None,
        name: wish.name,
        scopes: SCOPES.to_vec(),
        details: Value::Object(details),
        expires_at: wish.expires_at,
        text: wish.token.map_or(TokenText::Made, |text| TokenText::Given(Zeroizing::new(text))),
    };
    let told: Vec<Announcement> = vec![told];
    let (key, token) = match call.service.mint_token(&call.caller, new, told).await {
        Err(Error::Conflict(_)) => {
            let message = "An access with the given token already exists";
            let status = http::StatusCode::CONFLICT;
            return Err(Refusal::new(status, "item-already-exists", message)
                .with_data(json!({ "token": "(hidden)" })));
        }
        minted => minted?,
    };
    let access = Access::of_key(&key).ok_or_else(too_busy)?;
    let mut wire = access.to_json();
    wire.insert("token".into(), json!(token.as_str()));
    wire.insert("apiEndpoint".into(), json!(call.place.endpoint(&call.username, Some(&token))));
    Ok(Answer::created("access", Value::Object(wire)))
}
