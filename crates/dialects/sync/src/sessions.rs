//! `/v1/sessions`: short-lived tokens that act as one user.

use serde_json::{Map, Value, json};
use tidings_core::id::UserId;
use tidings_service::{GrantKind, NewToken, Scope, TokenText};

use crate::Desk;
use crate::answer::Answer;
use crate::call::{Call, Verb};
use crate::refusal::Refusal;
use crate::route::nothing_here;
use crate::wire::bits;

/// What a session may do, of its own user's things only.
const SCOPES: [Scope; 3] = [Scope::Read, Scope::Accounts, Scope::Records];

pub(crate) async fn answer(desk: &Desk, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
    match (call.method, rest) {
        (Verb::Post, []) => create(desk, call).await,
        // Whoever holds a token needs nothing else to ask about it or to end it.
        (Verb::Get, [token, "verify"]) => {
            desk.service.authenticate_text(token, None, &[GrantKind::Session]).await?;
            Answer::done()
        }
        (Verb::Delete, [token]) => {
            let ended = desk.service.take_token(token, GrantKind::Session).await?;
            ended.map_or_else(|| Err(Refusal::unauthorized()), |_| Answer::done())
        }
        _ => Err(nothing_here()),
    }
}

async fn create(desk: &Desk, call: &Call) -> Result<Answer, Refusal> {
    let caller = call.presented.key_holder(&desk.service).await?;
    let user = UserId(bits(&call.params.text("id_user")?, "user")?);
    let new = NewToken {
        kind: GrantKind::Session,
        user: Some(user),
        parent: None,
        name: "session".into(),
        scopes: SCOPES.to_vec(),
        details: Value::Object(Map::new()),
        expires_at: None,
        text: TokenText::Hex64,
    };
    let (_, token) = desk.service.mint_token(&caller, new, Vec::new()).await?;
    Answer::of(&json!({ "token": token.as_str() }))
}
