//! Filters and transforms of hooks: checked when they are given, and tried out on a sample.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;
use tidings_core::change::{Change, NewChange, Origin, Subject, is_type, types};
use tidings_core::filter::{Filter, Reading};
use tidings_core::format::{Format, FormatRef, RenderInput, Rendered};
use tidings_core::hook::Named;
use tidings_core::id::{ChangeId, CollectionId, DeliveryId, HookId};
use tidings_core::limits;
use tidings_transform::{Script, TransformError};

use super::check::{FORMAT_DEFAULT, NamedFilter};
use crate::validate::Checks;
use crate::{Caller, Error, Result, Scope, Service};

/// A filter and a transform to try out on a sample change.
#[derive(Clone, Debug, Default)]
pub struct PreviewInput {
    /// The format that renders the sample, `native@1` when absent.
    pub format: Option<String>,
    /// A filter, as JSON text.
    pub filter: Option<String>,
    /// A transform.
    pub transform: Option<String>,
    /// The sample's type.
    pub kind: String,
    /// The sample's content, as JSON text.
    pub data: String,
}

/// What a hook would make of the sample.
#[derive(Clone, Debug)]
pub struct Preview {
    /// Whether the filter takes it.
    pub selected: bool,
    /// What would be signed and sent, or why not.
    pub made: std::result::Result<Made, TransformError>,
}

/// A request as it would be signed.
#[derive(Clone, Debug)]
pub struct Made {
    /// `content-type`.
    pub content_type: Option<String>,
    /// Headers of the format and of the transform.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Service {
    /// Tries a filter and a transform on a sample. Nothing is stored or sent.
    ///
    /// # Errors
    /// Forbidden; invalid, also when the transform does not compile.
    pub async fn preview_transform(&self, caller: &Caller, input: PreviewInput) -> Result<Preview> {
        self.allow(caller, Scope::Hooks, "transform.preview", "").await?;
        let mut checks = Checks::default();
        let format =
            self.check_format(&mut checks, input.format.as_deref().unwrap_or(FORMAT_DEFAULT));
        let filter = input.filter.as_deref().and_then(|filter| check_filter(&mut checks, filter));
        let script = input.transform.as_deref().and_then(|text| check_transform(&mut checks, text));
        if !is_type(&input.kind) {
            checks.refuse("/type", "type", "must be a type such as invoice.paid");
        }
        checks.done()?;
        let change = self.sample(input.kind, input.data.into());
        let selected = filter.is_none_or(|filter| filter.holds(&Reading::new(&change)));
        let rendered = self.render(caller, format.ok_or(Error::Internal)?, &change)?;
        let made = self.make(script.as_ref(), rendered, change).await;
        Ok(Preview { selected, made })
    }

    /// Runs a new transform once, on a test event. It may fail there, for the changes to come look
    /// otherwise; but one that uses up its limits even there is refused.
    pub(super) async fn dry_run(
        &self,
        caller: &Caller,
        format: &FormatRef,
        transform: Option<&str>,
    ) -> Result<()> {
        let Some(script) = transform.and_then(|source| Script::compile(source).ok()) else {
            return Ok(());
        };
        let format = self.formats.get(format).ok_or(Error::Internal)?;
        let body = json!({ "message": "this is a test event" }).to_string();
        let change = self.sample(types::HOOK_TEST.into(), body.into());
        // Not every format has a form for a test event.
        let Ok(rendered) = self.render(caller, format, &change) else { return Ok(()) };
        match self.make(Some(&script), rendered, change).await {
            Err(error) if error.over_limit => {
                let mut checks = Checks::default();
                checks.refuse("/transform", "transform", error.to_string());
                checks.done()
            }
            _ => Ok(()),
        }
    }

    fn sample(&self, kind: String, body: Bytes) -> Change {
        let now = self.now();
        let new = NewChange {
            id: ChangeId(self.ids.next(now)),
            kind,
            subject: Subject::default(),
            order_key: None,
            occurred_at: now,
            origin: Origin::Api,
            actor: None,
            traceparent: None,
            body,
        };
        Change { seq: 1, recorded_at: now, new }
    }

    fn render(&self, caller: &Caller, format: &Format, change: &Change) -> Result<Rendered> {
        let now = self.now();
        let input = RenderInput {
            app: caller.app()?.id,
            hook: HookId(self.ids.next(now)),
            hook_external_id: None,
            delivery: DeliveryId(self.ids.next(now)),
            changes: std::slice::from_ref(change),
            named: &[],
            now,
        };
        (format.render)(&input).map_err(|error| Error::Conflict(error.to_string()))
    }

    async fn make(
        &self,
        script: Option<&Script>,
        rendered: Rendered,
        change: Change,
    ) -> std::result::Result<Made, TransformError> {
        match script {
            None => Ok(Made::of(rendered, Vec::new())),
            Some(script) => {
                let changes = [Arc::new(change)];
                let (rendered, added) = self.sandbox.reshape(script, rendered, &changes).await?;
                Ok(Made::of(rendered, added))
            }
        }
    }
}

impl Made {
    /// What was rendered, and the headers that a transform added.
    pub(crate) fn of(rendered: Rendered, added: Vec<(String, String)>) -> Self {
        let own = rendered.headers.into_iter().map(|(name, value)| (name.to_owned(), value));
        Self {
            content_type: rendered.content_type.map(str::to_owned),
            headers: own.chain(added).collect(),
            body: rendered.body,
        }
    }
}

pub(super) fn check_filter(checks: &mut Checks, source: &str) -> Option<Filter> {
    match Filter::parse(source) {
        Ok(filter) => Some(filter),
        Err(error) => {
            checks.refuse(format!("/filter{}", error.pointer), "filter", error.why);
            None
        }
    }
}

/// Checks named filters: few, each with a name of its own.
pub(super) fn check_named(checks: &mut Checks, named: &[NamedFilter]) -> Vec<Named> {
    if named.len() > limits::HOOK_NAMED_MAX {
        let why = format!("must be at most {}", limits::HOOK_NAMED_MAX);
        checks.refuse("/named", "count", why);
        return Vec::new();
    }
    let mut checked: Vec<Named> = Vec::with_capacity(named.len());
    for (place, NamedFilter { name, filter }) in named.iter().enumerate() {
        let at = format!("/named/{place}");
        checks.name(&format!("{at}/name"), name);
        if checked.iter().any(|before| before.name == *name) {
            checks.refuse(format!("{at}/name"), "unique", "is given twice");
        }
        match Filter::parse(filter) {
            Ok(filter) => checked.push(Named { name: name.clone(), filter }),
            Err(error) => {
                checks.refuse(format!("{at}/filter{}", error.pointer), "filter", error.why);
            }
        }
    }
    checked
}

/// Checks the calendars that a hook leaves out: few.
pub(super) fn check_except(checks: &mut Checks, calendars: &[CollectionId]) {
    if calendars.len() > limits::HOOK_EXCEPT_MAX {
        let why = format!("must be at most {}", limits::HOOK_EXCEPT_MAX);
        checks.refuse("/except_calendars", "count", why);
    }
}

pub(super) fn check_transform(checks: &mut Checks, source: &str) -> Option<Script> {
    match Script::compile(source) {
        Ok(script) => Some(script),
        Err(error) => {
            let code =
                if source.len() > limits::TRANSFORM_BYTES_MAX { "too_long" } else { "transform" };
            checks.refuse("/transform", code, error.to_string());
            None
        }
    }
}
