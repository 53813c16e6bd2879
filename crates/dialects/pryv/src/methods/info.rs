//! `getAccessInfo` and `auth.logout`.

use serde_json::json;

use crate::answer::Answer;
use crate::call::Call;
use crate::refusal::Refusal;

/// What the token that calls stands for.
pub(super) fn access(call: &Call) -> Answer {
    let mut answer = Answer::ok([
        ("token", json!(call.token.as_str())),
        ("user", json!({ "username": call.username })),
    ]);
    answer.body.extend(call.access.to_json());
    answer.body.insert("permissions".into(), call.access.permissions.to_json());
    answer
}

/// Ends the session of a personal access.
pub(super) async fn logout(call: &Call) -> Result<Answer, Refusal> {
    if !call.access.is_personal() {
        return Err(Refusal::method_forbidden("auth.logout"));
    }
    super::accesses::end_session(call, &call.access).await?;
    Ok(Answer::ok([]))
}
