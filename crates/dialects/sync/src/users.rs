//! `/v1/users`: the end users of an API key.

use serde_json::{Map, Value, json};
use tidings_core::id::UserId;
use tidings_core::limits;
use tidings_service::{Caller, NewUser, PageInput, User, UserChanges};

use crate::Desk;
use crate::answer::Answer;
use crate::call::{Call, Verb};
use crate::params::Params;
use crate::query::Window;
use crate::refusal::Refusal;
use crate::route::nothing_here;
use crate::wire::bits;

pub(crate) async fn answer(desk: &Desk, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
    let caller = call.presented.key_holder(&desk.service).await?;
    match (call.method, rest) {
        (Verb::Get, []) => list(desk, &caller, &call.params).await,
        (Verb::Get, [id]) => {
            let user = desk.service.user(&caller, UserId(bits(id, "user")?)).await?;
            Answer::of(&[view(&user)])
        }
        (Verb::Post, []) => create(desk, &caller, &call.params).await,
        (Verb::Put, [id]) => update(desk, &caller, id, &call.params).await,
        (Verb::Delete, [id]) => {
            desk.service.delete_user(&caller, UserId(bits(id, "user")?)).await?;
            Answer::done()
        }
        _ => Err(nothing_here()),
    }
}

/// A user, in the order of the documentation.
fn view(user: &User) -> Value {
    let modified = (user.updated_at != user.created_at).then(|| user.updated_at.unix_seconds());
    json!({
        "id_user": user.id.0.to_hex24(),
        "id_external": user.external_id,
        "name": user.name,
        "dt_create": user.created_at.unix_seconds(),
        "dt_modify": modified,
    })
}

async fn list(desk: &Desk, caller: &Caller, params: &Params) -> Result<Answer, Refusal> {
    let window = Window::read(params)?;
    if let Some(external_id) = params.optional_text("id_external")? {
        let found = desk.service.user_named(caller, &external_id).await?;
        let found: Vec<_> = found.iter().map(view).collect();
        return Answer::of(&window.cut(found));
    }
    if window.skip > limits::SYNC_USERS_SKIPPED_MAX {
        let most = limits::SYNC_USERS_SKIPPED_MAX;
        let why = format!("must be at most {most}; ask for a user by id_external");
        return Err(Refusal::field("skip", why));
    }
    let (mut found, mut skip) = (Vec::new(), window.skip);
    let mut page = PageInput { cursor: None, limit: Some(limits::PAGE_MAX) };
    loop {
        let users = desk.service.users(caller, &page).await?;
        for user in &users.items {
            if skip > 0 {
                skip -= 1;
            } else if found.len() < window.limit {
                found.push(window.keep(view(user)));
            }
        }
        page.cursor = users.next;
        if page.cursor.is_none() || found.len() >= window.limit {
            return Answer::of(&found);
        }
    }
}

async fn create(desk: &Desk, caller: &Caller, params: &Params) -> Result<Answer, Refusal> {
    let new = NewUser {
        external_id: params.optional_text("id_external")?,
        name: Some(params.text("name")?),
        details: Value::Object(Map::new()),
    };
    let (user, _) = desk.service.create_user(caller, new, |_| Vec::new()).await?;
    Answer::of(&view(&user))
}

async fn update(
    desk: &Desk,
    caller: &Caller,
    id: &str,
    params: &Params,
) -> Result<Answer, Refusal> {
    let changes = UserChanges {
        external_id: params.optional_text("id_external")?.map(Some),
        name: params.optional_text("name")?.map(Some),
        ..UserChanges::default()
    };
    let id = UserId(bits(id, "user")?);
    let user = desk.service.update_user(caller, id, changes, |_| Vec::new()).await?;
    Answer::of(&view(&user))
}
