//! `/console/apps/{app}/event-types`: the catalogue of what the app publishes.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{Markup, html};
use serde::Deserialize;
use serde::de::IgnoredAny;
use tidings_core::catalogue::Validation;
use tidings_core::id::AppId;
use tidings_service::{App, EventType, EventTypeInput};
use url::form_urlencoded;

use super::apps::Turn;
use super::document;
use crate::form::{Faults, Form, filled, ticked};
use crate::layout::{
    self, Control, Icon, Place, Tab, Tone, area, badge, checkbox, confirm, csrf_field, definition,
    empty, faults, pager, time,
};
use crate::notice::Notice;
use crate::path::{Path, Query};
use crate::session::Visitor;
use crate::{Answer, Desk};

pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .route("/console/apps/{app}/event-types", get(list))
        .route("/console/apps/{app}/event-types/new", get(begin).post(create))
        .route("/console/apps/{app}/event-types/of/{name}", get(show))
        .route("/console/apps/{app}/event-types/of/{name}/edit", get(edit).post(replace))
        .route("/console/apps/{app}/event-types/of/{name}/delete", get(ask).post(delete))
}

fn base(app: AppId) -> String {
    format!("/console/apps/{app}/event-types")
}

/// The page of a type. Its name consists of letters, digits, dots, `_` and `-`.
fn path(app: AppId, name: &str) -> String {
    format!("{}/of/{name}", base(app))
}

async fn list(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path(id): Path<AppId>,
    Query(turn): Query<Turn>,
) -> Answer {
    let caller = visitor.caller(&desk, id).await?;
    let app = desk.service.app(&caller, id).await?;
    let types = desk.service.event_types(&caller, &turn.input()).await?;
    let now = desk.service.now();
    let new = format!("{}/new", base(id));
    let body = html! {
        div.head {
            h1 { "Event types" }
            @if visitor.may_change() { a.button.main href=(new) { (Icon::Plus) "Create event type" } }
        }
        (validation(&app))
        @if types.items.is_empty() {
            (empty("The catalogue says what this app publishes: each type with what it means, a schema and an example. \
                    Calendars' own types, such as event.created, need no entry. There is none yet.", html! {
                @if visitor.may_change() { a.button href=(new) { "Create the first event type" } }
            }))
        } @else {
            table.cards {
                caption.unseen { "Event types" }
                thead { tr {
                    th scope="col" { "Type" } th scope="col" { "Meaning" } th scope="col" { "Schema" }
                    th scope="col" { "Changed" }
                } }
                tbody { @for kind in &types.items { tr {
                    td data-name="Type" {
                        a href=(path(id, &kind.name)) { (kind.name) }
                        @if kind.deprecated { " " (badge(Tone::Warning, "deprecated")) }
                    }
                    td data-name="Meaning" { (kind.description) }
                    td data-name="Schema" { @if kind.schema.is_some() { "yes" } @else { span.unset { "none" } } }
                    td data-name="Changed" { (time(kind.updated_at, now)) }
                } } }
            }
            (pager(&base(id), types.next.as_deref(), turn.is_first()))
        }
    };
    Ok(layout::page(&visitor, Place::of_app(&app, Tab::EventTypes, "Event types"), body))
}

/// What the catalogue is used for.
fn validation(app: &App) -> Markup {
    let what = match app.validation {
        Validation::Off => "Changes are not compared with the catalogue.",
        Validation::Warn => {
            "A change that is not as the catalogue says is accepted with a warning."
        }
        Validation::Enforce => "A change that is not as the catalogue says is refused.",
    };
    html! {
        p.quiet { (what) " " a href=(format!("/console/apps/{}/settings", app.id)) { "Settings" } }
    }
}

async fn show(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path((id, name)): Path<(AppId, String)>,
) -> Answer {
    let caller = visitor.caller(&desk, id).await?;
    let app = desk.service.app(&caller, id).await?;
    let kind = desk.service.event_type(&caller, name).await?;
    let (now, here) = (desk.service.now(), path(id, &kind.name));
    let query =
        form_urlencoded::Serializer::new(String::new()).append_pair("type", &kind.name).finish();
    let body = html! {
        div.head {
            h1 { (kind.name) @if kind.deprecated { " " (badge(Tone::Warning, "deprecated")) } }
            @if visitor.may_change() {
                div.row {
                    a.button.main href=(format!("{here}/edit")) { "Edit" }
                    a.button.danger href=(format!("{here}/delete")) { "Delete" }
                }
            }
        }
        @if !kind.description.is_empty() { p { (kind.description) } }
        (definition(&[
            ("Created", time(kind.created_at, now)),
            ("Changed", time(kind.updated_at, now)),
            ("Published", html! { a href=(format!("/console/apps/{id}/changes?{query}")) { "Changes of this type" } }),
        ]))
        h2 { "Example" }
        (documented(kind.example.as_deref(), "the example"))
        h2 { "Schema" }
        (documented(kind.schema.as_deref(), "the schema"))
    };
    let place = Place::of_app(&app, Tab::EventTypes, &kind.name).below(base(id), "Event types");
    Ok(layout::page(&visitor, place, body))
}

fn documented(document: Option<&str>, what: &str) -> Markup {
    match document {
        Some(json) => layout::code_block(&document::indented(json), what),
        None => html! { p.unset { "none" } },
    }
}

/// What the form says of a type.
#[derive(Debug, Default, Deserialize)]
struct Typed {
    #[serde(default)]
    name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    schema: String,
    #[serde(default)]
    example: String,
    #[serde(default, deserialize_with = "ticked")]
    deprecated: bool,
}

impl From<EventType> for Typed {
    fn from(kind: EventType) -> Self {
        let json =
            |json: Option<String>| json.as_deref().map(document::indented).unwrap_or_default();
        Self {
            name: kind.name,
            description: kind.description,
            schema: json(kind.schema),
            example: json(kind.example),
            deprecated: kind.deprecated,
        }
    }
}

impl Typed {
    fn input(&self) -> Result<EventTypeInput, Faults> {
        for (pointer, text) in [("/schema", &self.schema), ("/example", &self.example)] {
            let Some(text) = filled(text) else { continue };
            if let Err(error) = serde_json::from_str::<IgnoredAny>(&text) {
                return Err(Faults::one(pointer, format!("is not JSON: {error}")));
            }
        }
        Ok(EventTypeInput {
            description: self.description.trim().to_owned(),
            schema: filled(&self.schema),
            example: filled(&self.example),
            deprecated: self.deprecated,
        })
    }
}

async fn begin(State(desk): State<Desk>, visitor: Visitor, Path(id): Path<AppId>) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    let app = desk.service.app(&caller, id).await?;
    Ok(form(&visitor, &app, None, &Typed::default(), &Faults::none()))
}

async fn create(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path(id): Path<AppId>,
    Form(typed): Form<Typed>,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    let name = typed.name.trim().to_owned();
    let wrong = match typed.input() {
        Err(wrong) => wrong,
        Ok(input) => match desk.service.create_event_type(&caller, name, input).await {
            Ok(kind) => return Ok(layout::went(path(id, &kind.name), Notice::EventTypeSaved)),
            Err(error) => Faults::from_error(error)?,
        },
    };
    let app = desk.service.app(&caller, id).await?;
    Ok(refused(form(&visitor, &app, None, &typed, &wrong)))
}

async fn edit(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path((id, name)): Path<(AppId, String)>,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    let app = desk.service.app(&caller, id).await?;
    let kind = desk.service.event_type(&caller, name.clone()).await?;
    Ok(form(&visitor, &app, Some(&name), &kind.into(), &Faults::none()))
}

async fn replace(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path((id, name)): Path<(AppId, String)>,
    Form(typed): Form<Typed>,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    let wrong = match typed.input() {
        Err(wrong) => wrong,
        Ok(input) => match desk.service.replace_event_type(&caller, name.clone(), input).await {
            Ok(kind) => return Ok(layout::went(path(id, &kind.name), Notice::EventTypeSaved)),
            Err(error) => Faults::from_error(error)?,
        },
    };
    let app = desk.service.app(&caller, id).await?;
    Ok(refused(form(&visitor, &app, Some(&name), &typed, &wrong)))
}

fn refused(page: Response) -> Response {
    (StatusCode::UNPROCESSABLE_ENTITY, page).into_response()
}

/// The form of a new type, or of the one that `name` names.
fn form(
    visitor: &Visitor,
    app: &App,
    name: Option<&str>,
    typed: &Typed,
    wrong: &Faults,
) -> Response {
    let (title, action, back) = match name {
        None => ("Create event type".to_owned(), format!("{}/new", base(app.id)), base(app.id)),
        Some(name) => {
            let here = path(app.id, name);
            (format!("Edit {name}"), format!("{here}/edit"), here)
        }
    };
    let named = Control {
        label: "Type",
        name: "name",
        value: &typed.name,
        hint: "Words with dots between them: invoice.paid.",
        error: wrong.of("/name"),
        required: true,
        ..Control::default()
    };
    let body = html! {
        h1 { (title) }
        (faults(wrong, &["/name", "/description", "/schema", "/example"]))
        form.card method="post" action=(action) {
            (csrf_field(visitor))
            @if name.is_none() { (named.shown()) }
            (area("Meaning", "description", &typed.description, "What has happened, in plain words.",
                wrong.of("/description")))
            (area("Example", "example", &typed.example, "An example of the data, JSON; the schema must accept it.",
                wrong.of("/example")))
            (area("Schema", "schema", &typed.schema, "JSON Schema of the data (2020-12, 2019-09 or draft 7).",
                wrong.of("/schema")))
            (checkbox("Deprecated", "deprecated", "on", typed.deprecated, "It should not be used any more."))
            div.row {
                button.main type="submit" { @if name.is_none() { "Create" } @else { "Save" } }
                a.button.quiet href=(back) { "Cancel" }
            }
        }
    };
    let place = Place::of_app(app, Tab::EventTypes, &title).below(base(app.id), "Event types");
    layout::page(visitor, place, body)
}

async fn ask(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path((id, name)): Path<(AppId, String)>,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    let app = desk.service.app(&caller, id).await?;
    let kind = desk.service.event_type(&caller, name).await?;
    let here = path(id, &kind.name);
    let what = "It goes from the catalogue. Its changes stay, and it can still be published unless the app enforces \
                its catalogue.";
    let body = html! {
        h1 { "Delete " (kind.name) }
        (confirm(&visitor, &format!("{here}/delete"), what, None, "Delete event type", &here, &Faults::none()))
    };
    let place = Place::of_app(&app, Tab::EventTypes, "Delete")
        .below(base(id), "Event types")
        .below(here, kind.name.clone());
    Ok(layout::page(&visitor, place, body))
}

async fn delete(
    State(desk): State<Desk>,
    visitor: Visitor,
    Path((id, name)): Path<(AppId, String)>,
) -> Answer {
    let caller = visitor.changing(&desk, id).await?;
    desk.service.delete_event_type(&caller, name).await?;
    Ok(layout::went(base(id), Notice::EventTypeDeleted))
}
