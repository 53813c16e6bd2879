//! Event types: an app's catalogue of what it publishes, and what its schemas say of a change.

mod compiled;
mod schema;

use tidings_core::catalogue::Validation;
use tidings_core::change::{is_operational, is_type};
use tidings_core::clock::Timestamp;
use tidings_core::limits;
use tidings_store as store;

pub(crate) use compiled::Compiled;

use crate::cursor::List;
use crate::validate::Checks;
use crate::{Caller, Error, Field, NewPublication, Page, PageInput, Result, Scope, Service};
use schema::{Refused, Schema};

/// A type in the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventType {
    /// Its name, the `type` of its changes.
    pub name: String,
    /// What it means, in plain words.
    pub description: String,
    /// JSON Schema of the data.
    pub schema: Option<String>,
    /// An example of the data, JSON.
    pub example: Option<String>,
    /// Whether it should not be used any more.
    pub deprecated: bool,
    /// When it was created.
    pub created_at: Timestamp,
    /// When it was last written.
    pub updated_at: Timestamp,
}

impl From<store::EventType> for EventType {
    fn from(row: store::EventType) -> Self {
        let store::NewEventType { name, description, schema, example, deprecated } = row.written;
        let (created_at, updated_at) = (row.created_at, row.updated_at);
        Self { name, description, schema, example, deprecated, created_at, updated_at }
    }
}

/// What to write of a type.
#[derive(Clone, Debug, Default)]
pub struct EventTypeInput {
    /// What it means, in plain words.
    pub description: String,
    /// JSON Schema of the data (2020-12, 2019-09 or draft 7), as JSON.
    pub schema: Option<String>,
    /// An example of the data, JSON.
    pub example: Option<String>,
    /// Whether it should not be used any more.
    pub deprecated: bool,
}

impl EventTypeInput {
    fn named(self, name: String) -> store::NewEventType {
        let Self { description, schema, example, deprecated } = self;
        store::NewEventType { name, description, schema, example, deprecated }
    }
}

impl Service {
    /// Adds a type to the catalogue. Needs the scope admin.
    ///
    /// # Errors
    /// Forbidden; invalid: a schema that cannot be used, an example that it refuses; conflict when there is
    /// one with its name, or the catalogue is full.
    pub async fn create_event_type(
        &self,
        caller: &Caller,
        name: String,
        input: EventTypeInput,
    ) -> Result<EventType> {
        self.allow(caller, Scope::Admin, "event_type.create", &name).await?;
        let mut checks = Checks::default();
        check_name(&mut checks, &name);
        check(&mut checks, &input);
        checks.done()?;
        let (app_no, entry) = (caller.app()?.app_no, caller.did("event_type.create", &name));
        let new = input.named(name.clone());
        let row = self.store.create_event_type(app_no, new, entry, self.now()).await?;
        self.compiled.forget(app_no, &name);
        Ok(row.into())
    }

    /// Writes a type of the catalogue anew. Needs the scope admin.
    ///
    /// # Errors
    /// Forbidden; not found; invalid as for [`Service::create_event_type`].
    pub async fn replace_event_type(
        &self,
        caller: &Caller,
        name: String,
        input: EventTypeInput,
    ) -> Result<EventType> {
        self.allow(caller, Scope::Admin, "event_type.replace", &name).await?;
        let mut checks = Checks::default();
        check(&mut checks, &input);
        checks.done()?;
        let (app_no, entry) = (caller.app()?.app_no, caller.did("event_type.replace", &name));
        let new = input.named(name.clone());
        let row = self.store.replace_event_type(app_no, new, entry, self.now()).await?;
        self.compiled.forget(app_no, &name);
        Ok(row.into())
    }

    /// Removes a type from the catalogue; its changes stay. Needs the scope admin.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn delete_event_type(&self, caller: &Caller, name: String) -> Result<()> {
        self.allow(caller, Scope::Admin, "event_type.delete", &name).await?;
        let (app_no, entry) = (caller.app()?.app_no, caller.did("event_type.delete", &name));
        self.store.delete_event_type(app_no, name.clone(), entry, self.now()).await?;
        self.compiled.forget(app_no, &name);
        Ok(())
    }

    /// One type of the catalogue.
    ///
    /// # Errors
    /// Forbidden; not found.
    pub async fn event_type(&self, caller: &Caller, name: String) -> Result<EventType> {
        caller.may(Scope::Read)?;
        let found = self.store.event_type(caller.app()?.app_no, name).await?;
        found.map(EventType::from).ok_or(Error::NotFound("event type"))
    }

    /// The types of the catalogue, oldest first.
    ///
    /// # Errors
    /// Forbidden; invalid.
    pub async fn event_types(&self, caller: &Caller, page: &PageInput) -> Result<Page<EventType>> {
        caller.may(Scope::Read)?;
        let app_no = caller.app()?.app_no;
        let list = List("event_types", app_no);
        let (after, limit) = list.begin(page, 0)?;
        let rows = self.store.event_types(app_no, after, limit).await?;
        Ok(list.page(rows, limit, |row| row.type_no, EventType::from))
    }

    /// What the catalogue has against each of the changes to publish. Nothing is looked at, and nothing read,
    /// when the app's validation is off.
    ///
    /// # Errors
    /// Invalid when the app enforces its catalogue.
    pub(crate) async fn judge(
        &self,
        caller: &Caller,
        inputs: &[(String, NewPublication)],
    ) -> Result<Vec<Vec<Field>>> {
        let app = caller.app()?;
        if app.validation == Validation::Off {
            return Ok(Vec::new());
        }
        let mut found = Vec::with_capacity(inputs.len());
        for (place, input) in inputs {
            let known = self.compiled.find(&self.store, app.app_no, &input.kind).await?;
            found.push(match known {
                None => {
                    let why = "is not in the catalogue of event types";
                    vec![Field::new(format!("{place}/type"), "unknown_type", why)]
                }
                Some(schema) => faults(schema.as_deref(), &format!("{place}/data"), &input.data),
            });
        }
        if app.validation == Validation::Enforce && found.iter().any(|faults| !faults.is_empty()) {
            return Err(Error::Invalid(found.into_iter().flatten().collect()));
        }
        Ok(found)
    }
}

/// What a schema has against `data`, which stands at `pointer`.
fn faults(schema: Option<&Schema>, pointer: &str, data: &[u8]) -> Vec<Field> {
    let faults = schema.map(|schema| schema.faults(data)).unwrap_or_default();
    faults
        .into_iter()
        .map(|(at, why)| Field::new(format!("{pointer}{at}"), "schema", why))
        .collect()
}

fn check_name(checks: &mut Checks, name: &str) {
    if !is_type(name) {
        let why = "must be words of letters, digits, _ and - separated by dots";
        checks.refuse("/name", "type", why);
    } else if is_operational(name) {
        checks.refuse("/name", "reserved", "must not begin with hook. or delivery.");
    }
}

fn check(checks: &mut Checks, input: &EventTypeInput) {
    let most = limits::EVENT_TYPE_TEXT_BYTES_MAX;
    for (pointer, text) in
        [("/description", Some(&input.description)), ("/example", input.example.as_ref())]
    {
        if text.is_some_and(|text| text.len() > most) {
            checks.refuse(pointer, "too_long", format!("must be at most {most} bytes"));
        }
    }
    match input.schema.as_deref().map(Schema::compile).transpose() {
        Err(Refused { at, why }) => checks.refuse(format!("/schema{at}"), "schema", why),
        Ok(schema) => {
            let example = input.example.as_deref().unwrap_or_default();
            if !example.is_empty() {
                for fault in faults(schema.as_ref(), "/example", example.as_bytes()) {
                    checks.refuse(fault.pointer, fault.code, fault.why);
                }
            }
        }
    }
}
