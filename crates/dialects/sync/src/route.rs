//! Which endpoint a call is for. Unknown paths and methods are answered in Sync's words: 404.

use axum::extract::{Request, State};
use axum::response::Response;

use crate::answer::Answer;
use crate::call::{Call, Verb};
use crate::objects::Kind;
use crate::refusal::Refusal;
use crate::wire::random_uuid;
use crate::{
    Desk, attachments, catalogues, count, credentials, documents, jobs, listing, sessions,
    subscriptions, users, webhooks,
};

/// Answers every request under `/v1`.
pub(crate) async fn handle(State(desk): State<Desk>, request: Request) -> Response {
    let mut random = [0; 16];
    desk.service.ids().fill(&mut random);
    let rid = random_uuid(random);
    let (parts, body) = request.into_parts();
    let answered = async {
        let call = Call::read(&parts, body).await?;
        answer(&desk, &call).await
    };
    match answered.await {
        Ok(answer) => answer.respond(&rid),
        Err(refusal) => refusal.respond(&rid),
    }
}

async fn answer(desk: &Desk, call: &Call) -> Result<Answer, Refusal> {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["webhooks", "subscriptions", rest @ ..] => subscriptions::answer(desk, call, rest).await,
        ["webhooks", "catalogues", name] => subscriptions::catalogue(desk, call, name).await,
        ["webhooks", "events", uuid, rest @ ..] => {
            documents::of_event(desk, call, uuid, rest).await
        }
        ["webhooks", rest @ ..] => webhooks::answer(desk, call, rest).await,
        ["users", rest @ ..] => users::answer(desk, call, rest).await,
        ["sessions", rest @ ..] => sessions::answer(desk, call, rest).await,
        ["credentials", rest @ ..] => credentials::answer(desk, call, rest).await,
        ["jobs", id_job, rest @ ..] => jobs::answer(desk, call, id_job, rest).await,
        ["catalogues", "webhook3_events"] => subscriptions::catalogue(desk, call, "events").await,
        ["catalogues", rest @ ..] => catalogues::answer(desk, call, rest).await,
        ["documents", "completed"] => documents::completed(desk, call).await,
        ["attachments", id, rest @ ..] if !matches!(*id, "count" | "export") => {
            attachments::answer(desk, call, id, rest).await
        }
        reading => read(desk, call, reading).await,
    }
}

/// The lists of what credentials hold.
async fn read(desk: &Desk, call: &Call, path: &[&str]) -> Result<Answer, Refusal> {
    let (kind, counting) = match path {
        ["accounts"] => (Kind::Account, false),
        ["accounts", "count"] => (Kind::Account, true),
        ["transactions"] => (Kind::Transaction, false),
        ["transactions", "count"] => (Kind::Transaction, true),
        ["attachments"] | ["attachments", "export"] => (Kind::Attachment, false),
        ["attachments", "count"] => (Kind::Attachment, true),
        ["documents"] => (Kind::Document, false),
        _ => return Err(nothing_here()),
    };
    if call.method != Verb::Get {
        return Err(nothing_here());
    }
    let acting = call.presented.reader(&desk.service, &call.params).await?;
    if counting {
        count::count(desk, &acting, kind, &call.params).await
    } else {
        listing::list(desk, &acting, kind, &call.params).await
    }
}

/// The answer to a path, or a method of it, that there is not.
pub(crate) fn nothing_here() -> Refusal {
    Refusal::not_found("endpoint")
}
