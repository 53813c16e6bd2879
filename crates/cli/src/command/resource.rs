//! What the commands for each noun of the API have in common.

use std::io::Read;

use clap::Args;
use serde_json::{Map, Value, json};

use crate::client::Client;
use crate::error::{Error, Result};
use crate::output::Printer;

/// A noun of the API.
pub(super) struct Resource {
    /// Its path below `/api/v1`.
    pub(super) path: &'static str,
    /// What people see of it in a list: headings, and JSON pointers.
    pub(super) columns: &'static [(&'static str, &'static str)],
    /// What to do while there is none.
    pub(super) empty: &'static str,
}

/// How much of a list is shown.
#[derive(Args, Debug)]
pub(super) struct ListArgs {
    /// Show at most so many
    #[arg(long, default_value_t = 1_000, value_name = "N")]
    limit: usize,
}

impl Resource {
    /// Prints the list.
    pub(super) async fn list(
        &self,
        client: &Client,
        printer: &mut Printer<'_>,
        args: &ListArgs,
        query: &[(&str, &str)],
    ) -> Result<()> {
        let found = client.list(&[self.path], query, args.limit).await?;
        printer.list(&found, self.columns, self.empty)
    }

    /// Prints one.
    pub(super) async fn show(
        &self,
        client: &Client,
        printer: &mut Printer<'_>,
        id: &str,
    ) -> Result<()> {
        printer.object(&client.get(&[self.path, id], &[]).await?)
    }

    /// Changes one, and prints it as it is then.
    pub(super) async fn update(
        &self,
        client: &Client,
        printer: &mut Printer<'_>,
        id: &str,
        changes: &Fields,
    ) -> Result<()> {
        if changes.0.is_empty() {
            return Err(Error::Usage("say what to change; --help lists it".into()));
        }
        printer.object(&client.patch(&[self.path, id], &changes.0).await?)
    }

    /// Deletes one.
    pub(super) async fn delete(
        &self,
        client: &Client,
        printer: &mut Printer<'_>,
        id: &str,
    ) -> Result<()> {
        client.delete(&[self.path, id]).await?;
        printer.answer(&json!({"deleted": id}), format!("{id} is deleted"))
    }
}

/// The fields of a request: those that were given.
#[derive(Default)]
pub(super) struct Fields(pub(super) Map<String, Value>);

impl Fields {
    /// Sets a field if there is a value for it.
    pub(super) fn set(mut self, name: &str, value: Option<impl Into<Value>>) -> Self {
        if let Some(value) = value {
            self.0.insert(name.to_owned(), value.into());
        }
        self
    }

    /// Sets a list unless it is empty.
    pub(super) fn list(self, name: &str, values: &[String]) -> Self {
        self.set(name, (!values.is_empty()).then(|| json!(values)))
    }

    /// Sets what `--set FIELD=JSON` names. Text that is no JSON stands for itself.
    ///
    /// # Errors
    /// Usage: an equals sign is missing.
    pub(super) fn assigned(mut self, assignments: &[String]) -> Result<Self> {
        for assignment in assignments {
            let Some((name, text)) = assignment.split_once('=') else {
                return Err(Error::Usage(format!("--set {assignment}: write FIELD=JSON")));
            };
            let value = serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
            self.0.insert(name.to_owned(), value);
        }
        Ok(self)
    }
}

/// Refuses to erase what cannot be brought back unless that was said.
pub(super) fn certain(yes: bool, what: &str) -> Result<()> {
    if yes {
        return Ok(());
    }
    Err(Error::Usage(format!("this erases {what} for good: say --yes if you mean it")))
}

/// Text that is given itself, as `@FILE`, or as `@-` for standard input.
///
/// # Errors
/// Usage: it cannot be read.
pub(super) fn text(given: &str) -> Result<String> {
    let Some(file) = given.strip_prefix('@') else { return Ok(given.to_owned()) };
    String::from_utf8(bytes(file)?).map_err(|_| Error::Usage(format!("{file} is not UTF-8")))
}

/// A JSON document that is given as [`text`] is.
///
/// # Errors
/// Usage: it cannot be read, or is no JSON.
pub(super) fn document(given: &str) -> Result<Value> {
    let text = text(given)?;
    serde_json::from_str(&text).map_err(|error| Error::Usage(format!("this is no JSON: {error}")))
}

/// The bytes of a file, or of standard input when it is `-`.
///
/// # Errors
/// Usage: it cannot be read.
pub(super) fn bytes(file: &str) -> Result<Vec<u8>> {
    let read = if file == "-" {
        let mut bytes = Vec::new();
        std::io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    read.map_err(|error| Error::Usage(format!("cannot read {file}: {error}")))
}
