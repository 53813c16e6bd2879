//! Examples of changes, and publishing one as if it had happened: for trying out what receives them.

mod schema;

use bytes::Bytes;
use serde_json::Value;
use tidings_core::catalogue::Example;
use tidings_core::change::{NewChange, Origin, Subject, is_operational};
use tidings_core::id::ChangeId;
use tidings_core::{json, limits};

use crate::{Caller, Error, EventType, NewPublication, Receipt, Result, Scope, Service};

/// An example of a type of change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TypeExample {
    /// The type.
    pub kind: String,
    /// What happened, in plain words.
    pub about: String,
    /// The content, JSON.
    pub data: String,
    /// The formats whose documented triggers ask for it, as `name@version`, and those triggers.
    pub asked_by: Vec<(String, &'static str)>,
}

impl Service {
    /// Knows examples of what Tidings and its dialects write.
    #[must_use]
    pub fn with_examples(mut self, examples: Vec<Example>) -> Self {
        self.examples = examples.into();
        self
    }

    /// An example of every type: what Tidings and its dialects write, and the app's own catalogue.
    ///
    /// # Errors
    /// Forbidden.
    pub async fn examples(&self, caller: &Caller) -> Result<Vec<TypeExample>> {
        caller.may_either(Scope::Read, Scope::Publish)?;
        caller.app()?;
        let known = self.examples.iter().map(|example| TypeExample {
            kind: example.kind.to_owned(),
            about: example.about.to_owned(),
            data: example.document(),
            asked_by: self.asked_by(example.kind),
        });
        let mut all: Vec<_> = known.collect();
        for own in self.own_types(caller).await? {
            all.push(TypeExample {
                asked_by: self.asked_by(&own.name),
                data: own_data(&own),
                kind: own.name,
                about: own.description,
            });
        }
        Ok(all)
    }

    /// Publishes an example of a type as if it had happened, with `data` instead of its content if that is
    /// given. Whoever asked for the type receives it. What is about hooks and deliveries needs the scope hooks
    /// too.
    ///
    /// # Errors
    /// Forbidden; not found: there is no example of the type; invalid data.
    pub async fn publish_example(
        &self,
        caller: &Caller,
        kind: &str,
        data: Option<Bytes>,
    ) -> Result<Receipt> {
        caller.may(Scope::Publish)?;
        if let Some(example) = self.examples.iter().find(|example| example.kind == kind) {
            return self.append_example(caller, example, data).await;
        }
        let app_no = caller.app()?.app_no;
        let own = self.store.event_type(app_no, kind.to_owned()).await?;
        let own = EventType::from(own.ok_or(Error::NotFound("example"))?);
        let publication = NewPublication {
            data: data.unwrap_or_else(|| own_data(&own).into()),
            kind: own.name,
            id: None,
            account: None,
            order_key: None,
            occurred_at: None,
        };
        let published = self.publish(caller, publication, None, None).await?;
        published.receipts.into_iter().next().ok_or(Error::Internal)
    }

    /// Nobody but Tidings writes some of these types, and no catalogue knows them: who did is in the audit
    /// log.
    async fn append_example(
        &self,
        caller: &Caller,
        example: &Example,
        data: Option<Bytes>,
    ) -> Result<Receipt> {
        if is_operational(example.kind) {
            caller.may(Scope::Hooks)?;
        }
        let body = data.unwrap_or_else(|| example.document().into());
        if let Err(error) = json::validate(&body) {
            return Err(Error::invalid("/data", "json", error.to_string()));
        }
        self.has_room()?;
        let now = self.now();
        let item = example.item.map(str::to_owned);
        let change = NewChange {
            id: ChangeId(self.ids.next(now)),
            kind: example.kind.to_owned(),
            subject: Subject { item, ..Subject::default() },
            order_key: None,
            occurred_at: now,
            origin: Origin::Api,
            actor: Some(caller.actor()),
            traceparent: None,
            body,
        };
        let entry = caller.did("example.publish", example.kind);
        let appended = self.store.append_audited(caller.app()?.app_no, change, entry, now).await?;
        let change = appended.changes.first().ok_or(Error::Internal)?;
        Ok(Receipt {
            id: change.new.id,
            seq: change.seq,
            kind: change.new.kind.clone(),
            recorded_at: change.recorded_at,
            warnings: Vec::new(),
        })
    }

    fn asked_by(&self, kind: &str) -> Vec<(String, &'static str)> {
        let mut asked = Vec::new();
        for format in self.formats.iter() {
            let triggers = (format.triggers)().into_iter();
            let name = || format!("{}@{}", format.name, format.version);
            asked.extend(
                triggers
                    .filter(|trigger| (format.asks)(trigger, kind))
                    .map(|trigger| (name(), trigger)),
            );
        }
        asked
    }

    /// The app's catalogue, all of it.
    async fn own_types(&self, caller: &Caller) -> Result<Vec<EventType>> {
        let app_no = caller.app()?.app_no;
        let (mut types, mut after) = (Vec::new(), 0);
        loop {
            let found = self.store.event_types(app_no, after, limits::PAGE_MAX).await?;
            let Some(last) = found.last() else { return Ok(types) };
            after = last.type_no;
            types.extend(found.into_iter().map(EventType::from));
        }
    }
}

/// The example that the app gave of its type, else one that follows from its schema.
fn own_data(own: &EventType) -> String {
    let from_schema = || {
        let schema: Value = serde_json::from_str(own.schema.as_deref()?).ok()?;
        Some(schema::example(&schema).to_string())
    };
    own.example.clone().or_else(from_schema).unwrap_or_else(|| "{}".to_owned())
}
