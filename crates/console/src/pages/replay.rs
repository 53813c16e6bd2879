//! `/…/webhooks/{hook}/replay`: what happened is sent again. First it is counted, then confirmed, then watched.

mod form;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use maud::{Markup, html};
use serde::Deserialize;
use tidings_core::clock::Timestamp;
use tidings_core::id::{HookId, ReplayId};
use tidings_service::{Hook, Replay, Service};

use super::hook::{OfHook, crumb, name_of};
use super::side::{Side, faults_of};
use crate::form::{Faults, Form};
use crate::layout::{self, definition, status_badge, time};
use crate::notice::Notice;
use crate::path::Path;
use crate::{Answer, Desk, Refusal, live};

use form::Typed;

pub(crate) fn routes() -> Router<Desk> {
    let of = |base: &str| {
        let path = |rest: &str| format!("{base}/webhooks/{{hook}}{rest}");
        Router::new()
            .route(&path("/replay"), get(begin).post(start))
            .route(&path("/replay/count"), post(count).get(again))
            .route(&path("/replays/{replay}"), get(show))
            .route(&path("/replays/{replay}/live"), get(stream))
            .route(&path("/replays/{replay}/cancel"), post(cancel))
    };
    of("/console/apps/{app}").merge(of("/portal"))
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct OfReplay {
    hook: HookId,
    replay: ReplayId,
}

async fn again(side: Side, Path(OfHook { hook }): Path<OfHook>) -> axum::response::Redirect {
    axum::response::Redirect::to(&side.path(format_args!("/webhooks/{hook}/replay")))
}

async fn begin(
    State(desk): State<Desk>,
    side: Side,
    Path(OfHook { hook }): Path<OfHook>,
) -> Answer {
    let hook = desk.service.hook(&side.caller, hook).await?;
    page(&desk, &side, &hook, &Typed::default(), &Faults::none()).await
}

/// The form, and the replays that there are.
async fn page(
    desk: &Desk,
    side: &Side,
    hook: &Hook,
    typed: &Typed,
    wrong: &Faults,
) -> Result<Response, Refusal> {
    let mut replays = desk.service.replays(&side.caller, hook.id).await?;
    replays.reverse();
    let body = html! {
        h1 { "Replay" }
        p {
            "Sends again what this webhook selected in the past. Deliveries keep their ids, so that a receiver that \
             knows them can pass them over."
        }
        @if side.may_change() { (form::shown(side, hook, typed, wrong)) }
        @if !replays.is_empty() {
            h2 { "Replays" }
            (table(side, &replays, desk.service.now()))
        }
    };
    let page = side.page("Replay", &[crumb(hook)], body);
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    Ok((status, page).into_response())
}

fn table(side: &Side, replays: &[Replay], now: Timestamp) -> Markup {
    html! {
        table.cards {
            caption.unseen { "Replays" }
            thead { tr { th scope="col" { "Begun" } th scope="col" { "State" } th.number scope="col" { "Sent" } th scope="col" { "Id" } } }
            tbody {
                @for replay in replays {
                    tr {
                        td data-name="Begun" { (time(replay.created_at, now)) }
                        td data-name="State" { (status_badge(state(replay))) }
                        td.number data-name="Sent" { (sent(replay)) }
                        td data-name="Id" { a href=(side.path(path_of(replay))) { code { (replay.id) } } }
                    }
                }
            }
        }
    }
}

fn path_of(replay: &Replay) -> String {
    format!("/webhooks/{}/replays/{}", replay.hook, replay.id)
}

fn state(replay: &Replay) -> &'static str {
    match (replay.finished, replay.cancelled_at) {
        (_, Some(_)) => "cancelled",
        (true, None) => "done",
        (false, None) => "running",
    }
}

fn sent(replay: &Replay) -> String {
    match replay.total {
        Some(total) => format!("{} of {total}", replay.sent),
        None => replay.sent.to_string(),
    }
}

/// The dry run: how many changes it would be. Nothing is sent.
async fn count(
    State(desk): State<Desk>,
    side: Side,
    Path(OfHook { hook }): Path<OfHook>,
    Form(typed): Form<Typed>,
) -> Answer {
    side.must_change()?;
    let hook = desk.service.hook(&side.caller, hook).await?;
    // What is confirmed is what was counted, however long somebody thinks about it.
    let typed = typed.fixed(desk.service.now());
    let counted = match typed.input() {
        Ok(input) => desk.service.count_replay(&side.caller, hook.id, input).await,
        Err(wrong) => Err(wrong),
    };
    let counted = match counted {
        Ok(count) => count,
        Err(error) => return page(&desk, &side, &hook, &typed, &faults_of(error)?).await,
    };
    let path = format!("/webhooks/{}/replay", hook.id);
    let body = html! {
        h1 { "Replay" }
        p {
            @match counted {
                0 => { strong { "No change" } " would be sent." }
                1 => { strong { "1 change" } " would be sent to " (name_of(&hook)) "." }
                more => { strong { (more) " changes" } " would be sent to " (name_of(&hook)) "." }
            }
            " Nothing was sent yet."
        }
        div.row {
            @if counted > 0 {
                form.inline method="post" action=(side.path(&path)) {
                    (side.csrf())
                    (typed.kept())
                    button.main type="submit" { "Start replay" }
                }
            }
            a.button.quiet href=(side.path(&path)) { "Choose anew" }
        }
    };
    Ok(side.page("Replay", &[crumb(&hook)], body))
}

async fn start(
    State(desk): State<Desk>,
    side: Side,
    Path(OfHook { hook }): Path<OfHook>,
    Form(typed): Form<Typed>,
) -> Answer {
    side.must_change()?;
    let hook = desk.service.hook(&side.caller, hook).await?;
    let typed = typed.fixed(desk.service.now());
    let begun = match typed.input() {
        Ok(input) => desk.service.create_replay(&side.caller, hook.id, input).await,
        Err(wrong) => Err(wrong),
    };
    match begun {
        Ok(replay) => Ok(layout::went(side.path(path_of(&replay)), Notice::ReplayStarted)),
        Err(error) => page(&desk, &side, &hook, &typed, &faults_of(error)?).await,
    }
}

async fn show(State(desk): State<Desk>, side: Side, Path(at): Path<OfReplay>) -> Answer {
    let hook = desk.service.hook(&side.caller, at.hook).await?;
    let path = format!("/webhooks/{}/replays/{}", at.hook, at.replay);
    let body = html! {
        h1 { "Replay" }
        section data-live=(side.path(format_args!("{path}/live"))) aria-label="Progress" {
            (progress(&desk.service, &side, at).await?)
        }
    };
    Ok(side.page(
        "Progress",
        &[crumb(&hook), (format!("/webhooks/{}/replay", hook.id), "Replay".into())],
        body,
    ))
}

/// The live part.
async fn progress(service: &Service, side: &Side, at: OfReplay) -> Result<Markup, Refusal> {
    let replay = service.replay(&side.caller, at.hook, at.replay).await?;
    let now = service.now();
    let types = if replay.types.is_empty() { "all".into() } else { replay.types.join(", ") };
    let states: Vec<_> = replay.states.iter().map(|state| state.as_str()).collect();
    let percent = match replay.total {
        _ if replay.finished => 100,
        Some(total) if total > 0 => (replay.sent.min(total) * 100) / total,
        _ => 0,
    };
    Ok(html! {
        p { (status_badge(state(&replay))) " " strong { (sent(&replay)) } " sent" }
        @if replay.total.is_some() || replay.finished {
            progress aria-label="Sent" max="100" value=(percent) { (percent) "%" }
        } @else { progress aria-label="Sent" {} }
        (definition(&[
            ("Id", html! { code { (replay.id) } }),
            ("Begun", time(replay.created_at, now)),
            ("Settled up to change", html! { (replay.settled_seq) " of " (replay.until_seq) }),
            ("Types", html! { (types) }),
            ("States", html! { (if states.is_empty() { "all".into() } else { states.join(", ") }) }),
            ("Rate", html! { (replay.rate.map_or("as fast as the webhook takes it".into(), |rate| format!("{rate} a second"))) }),
        ]))
        @if !replay.finished && side.may_change() {
            (side.button(&format!("{}/cancel", path_of(&replay)), "danger", None, "Cancel replay"))
        }
    })
}

async fn stream(State(desk): State<Desk>, side: Side, Path(at): Path<OfReplay>) -> Answer {
    desk.service.replay(&side.caller, at.hook, at.replay).await?;
    let (service, side) = (desk.service.clone(), std::sync::Arc::new(side));
    Ok(live::stream(&desk, side.caller.clone(), move || {
        let (service, side) = (service.clone(), side.clone());
        async move { progress(&service, &side, at).await }
    }))
}

async fn cancel(State(desk): State<Desk>, side: Side, Path(at): Path<OfReplay>) -> Answer {
    side.must_change()?;
    let replay = desk.service.cancel_replay(&side.caller, at.hook, at.replay).await?;
    Ok(layout::went(side.path(path_of(&replay)), Notice::ReplayEnded))
}
