//! `/console/apps/{app}`: how the app fares, and the first steps of a new one.

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use tidings_core::clock::Timestamp;
use tidings_core::id::AppId;
use tidings_service::{About, App, AppOverview, Caller, Point, Span, Stats, Trouble};

use crate::chart::{self, Bar, Chart, Series, ranking};
use crate::layout::{self, Icon, Place, Tab, Tone, badge, code_block, duration_ms, time, time_or};
use crate::path::{Path, Query};
use crate::session::Visitor;
use crate::{Answer, Desk, Refusal, live};

pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/console/apps/{app}", get(overview))
        .route("/console/apps/{app}/overview/live", get(follow))
}

#[derive(Debug, Default, Deserialize)]
struct Asked {
    span: Option<String>,
}

impl Asked {
    fn span(&self) -> Span {
        self.span.as_deref().and_then(Span::parse).unwrap_or_default()
    }
}

async fn overview(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path(id): Path<AppId>,
    Query(asked): Query<Asked>,
) -> Answer {
    let caller = visitor.caller(&desk, id).await?;
    let app = desk.service.app(&caller, id).await?;
    let base = format!("/console/apps/{id}");
    let span = asked.span();
    let shown = shown(&desk, &caller, &app, span, visitor.may_change()).await?;
    let body = html! {
        div.head {
            h1 { (app.name) }
            @if visitor.may_change() {
                a.button.main href=(format!("{base}/webhooks/new")) { (Icon::Plus) "Create Webhook" }
            }
        }
        (spans(&base, span))
        section data-live=(format!("{base}/overview/live?span={}", span.as_str())) { (shown) }
    };
    Ok(layout::page(&visitor, Place::of_app(&app, Tab::Overview, &app.name), body))
}

async fn follow(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path(id): Path<AppId>,
    Query(asked): Query<Asked>,
) -> Answer {
    let caller = visitor.caller(&desk, id).await?;
    let (of_page, span, may_change) = (desk.clone(), asked.span(), visitor.may_change());
    Ok(live::stream(&desk, caller.clone(), move || {
        let (desk, caller) = (of_page.clone(), caller.clone());
        async move {
            let app = desk.service.app(&caller, id).await?;
            shown(&desk, &caller, &app, span, may_change).await
        }
    }))
}

fn spans(base: &str, open: Span) -> Markup {
    html! {
        nav.row aria-label="Time span" {
            @for span in Span::ALL {
                a.button.quiet href=(format!("{base}?span={}", span.as_str()))
                    aria-current=[(span == open).then_some("true")] { (last(span)) }
            }
        }
    }
}

fn last(span: Span) -> &'static str {
    match span {
        Span::Hour => "Last hour",
        Span::Day => "Last day",
        Span::Week => "Last week",
    }
}

/// What keeps itself up to date.
async fn shown(
    desk: &Desk,
    caller: &Caller,
    app: &App,
    span: Span,
    may_change: bool,
) -> Result<Markup, Refusal> {
    let overview = desk.service.app_overview(caller, span).await?;
    let now = desk.service.now();
    let origin = desk.service.public_url().map_or("http://127.0.0.1:8480", |url| url.as_str());
    Ok(html! {
        (first_steps(app, &overview, may_change, origin))
        (trouble(app.id, &overview.trouble, now))
        (numbers(&overview, now))
        (charts(&overview.stats))
        (rankings(app.id, &overview))
    })
}

/// The way from nothing to a delivered webhook; gone once one was delivered.
fn first_steps(app: &App, overview: &AppOverview, may_change: bool, origin: &str) -> Markup {
    let base = format!("/console/apps/{}", app.id);
    let has_hook = overview.hooks.iter().sum::<u64>() > 0;
    let has_source = app.seq > 0 || overview.accounts_active > 0 || overview.accounts_record > 0;
    let has_delivered = overview.stats.total.delivered > 0;
    let publish = format!(
        "curl {}/api/v1/changes \\\n  -H 'authorization: Bearer YOUR_KEY' -H 'tidings-app: {}' \\\n  \
         -H 'content-type: application/json' \\\n  -d '{{\"type\":\"invoice.paid\",\"data\":{{\"invoice\":\"in_1\"}}}}'",
        origin.trim_end_matches('/'),
        app.id
    );
    if (has_hook && has_source) || has_delivered || !may_change {
        return html! {};
    }
    html! {
        section.card aria-labelledby="first-steps" {
            h2 id="first-steps" { "First steps" }
            ol.steps {
                li {
                    (step(has_hook)) " " a href=(format!("{base}/webhooks/new")) { "Create a webhook" }
                    ": the URL that is called, and what it is called for. No receiver yet? An "
                    a href=(format!("{base}/inboxes")) { "inbox" } " shows what arrives."
                }
                li {
                    (step(has_source)) " " a href=(format!("{base}/accounts/connect")) { "Connect a calendar" }
                    ", and every change in it becomes a webhook. Or publish changes of your own, with a "
                    a href=(format!("{base}/keys")) { "key" } ":"
                    (code_block(&publish, "the command that publishes a change"))
                }
                li {
                    (step(false)) " Send a test: open the webhook under "
                    a href=(format!("{base}/webhooks")) { "Webhooks" } " and press "
                    strong { "Send test" } ". Each attempt is shown, with what to do when one fails."
                }
            }
        }
    }
}

fn step(done: bool) -> Markup {
    if done { badge(Tone::Good, "done") } else { badge(Tone::Plain, "to do") }
}

fn trouble(app: AppId, trouble: &[Trouble], now: Timestamp) -> Markup {
    html! {
        @if !trouble.is_empty() {
            section.card aria-labelledby="trouble" {
                h2 id="trouble" { "Needs attention" }
                ul.trouble {
                    @for one in trouble {
                        @let (kind, path, name) = about(app, &one.about);
                        li {
                            (badge(Tone::Bad, kind)) " " a href=(path) { (name) } " " (one.why)
                            @if let Some(at) = one.at { " · " span.quiet { (time(at, now)) } }
                        }
                    }
                }
            }
        }
    }
}

fn about(app: AppId, about: &About) -> (&'static str, String, String) {
    let base = format!("/console/apps/{app}");
    match about {
        About::Hook { id, url } => {
            let name = url.clone().unwrap_or_else(|| id.to_string());
            ("webhook", format!("{base}/webhooks/{id}"), name)
        }
        About::Delivery { id, .. } => {
            ("delivery", format!("{base}/deliveries/{id}"), id.to_string())
        }
        About::Account { id, name, provider } => {
            ("account", format!("{base}/accounts/{id}"), format!("{name} ({provider})"))
        }
    }
}

fn numbers(overview: &AppOverview, now: Timestamp) -> Markup {
    let Point { delivered, failed, p50_ms, p95_ms, .. } = overview.stats.total;
    let [active, paused, disabled] = overview.hooks;
    let latency = |ms: Option<u64>| ms.map_or("–".to_owned(), milliseconds);
    let lag = overview.sync_lag_ms.map_or("–".to_owned(), |ms| duration_ms(ms as f64));
    let rows = [
        ("Delivered", html! { (delivered) }),
        ("Failed attempts", html! { (failed) }),
        ("Latency, median", html! { (latency(p50_ms)) }),
        ("Latency, 95th percentile", html! { (latency(p95_ms)) }),
        ("Backlog, changes", html! { (overview.backlog + overview.unmatched) }),
        ("Wait for a retry", html! { (overview.parked) }),
        ("Given up", html! { (overview.exhausted) }),
        ("Oldest owed", time_or(overview.oldest_owed_at, now, "nothing")),
        (
            "Webhooks active",
            html! { (active) @if paused + disabled > 0 {
                small.quiet { " + " (paused) " paused, " (disabled) " disabled" }
            } },
        ),
        (
            "Accounts active",
            html! { (overview.accounts_active) @if overview.accounts_inactive > 0 {
                small.quiet { " + " (overview.accounts_inactive) " inactive" }
            } },
        ),
        ("Longest since a sync", html! { (lag) }),
    ];
    html! { dl.stats { @for (name, value) in rows { div { dt { (name) } dd { (value) } } } } }
}

fn charts(stats: &Stats) -> Markup {
    let times: Vec<Timestamp> = stats.points.iter().map(|point| point.at).collect();
    let values = |of: fn(&Point) -> Option<u64>| stats.points.iter().map(of).collect::<Vec<_>>();
    let delivered = || Series {
        name: "delivered",
        class: "delivered",
        values: values(|point| Some(point.delivered)),
    };
    let failed =
        || Series { name: "failed", class: "failed", values: values(|point| Some(point.failed)) };
    let total = stats.total;
    let span = last(stats.span).to_lowercase();
    let deliveries = Chart {
        id: "deliveries",
        title: "Attempts",
        summary: format!(
            "{} delivered and {} failed in the {span}.",
            total.delivered, total.failed
        ),
        times: &times,
        series: vec![delivered(), failed()],
        words: chart::count,
    };
    let failures = Chart {
        id: "failures",
        title: "Failures",
        summary: format!("{} attempts failed in the {span}.", total.failed),
        times: &times,
        series: vec![failed()],
        words: chart::count,
    };
    let latency = Chart {
        id: "latency",
        title: "Latency of what was delivered",
        summary: match (total.p50_ms, total.p95_ms) {
            (Some(p50), Some(p95)) => format!(
                "In the {span} half were answered within {}, 95 of 100 within {}.",
                milliseconds(p50),
                milliseconds(p95)
            ),
            _ => format!("Nothing was delivered in the {span}."),
        },
        times: &times,
        series: vec![
            Series { name: "half within", class: "first", values: values(|point| point.p50_ms) },
            Series { name: "95 % within", class: "second", values: values(|point| point.p95_ms) },
        ],
        words: milliseconds,
    };
    html! { div.grid { (deliveries.bars()) (failures.bars()) (latency.lines()) } }
}

fn rankings(app: AppId, overview: &AppOverview) -> Markup {
    let base = format!("/console/apps/{app}");
    let backlogs: Vec<Bar> = overview
        .backlogs
        .iter()
        .map(|hook| Bar {
            path: format!("{base}/webhooks/{}", hook.id),
            name: hook.url.clone().unwrap_or_else(|| hook.id.to_string()),
            value: hook.behind,
            words: format!("{} changes, {} wait for a retry", hook.behind, hook.parked),
        })
        .collect();
    let syncs: Vec<Bar> = overview
        .syncs
        .iter()
        .map(|sync| Bar {
            path: format!("{base}/accounts/{}", sync.id),
            name: format!("{} ({})", sync.name, sync.provider),
            value: sync.lag_ms.unsigned_abs(),
            words: duration_ms(sync.lag_ms as f64),
        })
        .collect();
    html! {
        div.grid {
            @if !backlogs.is_empty() { (ranking("Backlog by webhook", &backlogs)) }
            @if !syncs.is_empty() { (ranking("Time since the last sync, by account", &syncs)) }
        }
    }
}

fn milliseconds(ms: u64) -> String {
    duration_ms(ms as f64)
}
