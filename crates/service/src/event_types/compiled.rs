//! Compiled schemas, so that a publish reads and compiles nothing that it has met before.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tidings_core::limits;
use tidings_store::Store;

use super::schema::Schema;
use crate::Result;

/// What is known of a type: absent when it is not in the catalogue; it may be there without a schema.
type Known = Option<Option<Arc<Schema>>>;

/// Types met lately, by app and name. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Compiled(Arc<Mutex<Types>>);

#[derive(Debug, Default)]
struct Types {
    /// How often something was forgotten: what was read before the last time may be out of date.
    forgotten: u64,
    met: HashMap<i64, HashMap<String, Known>>,
    count: usize,
}

impl Compiled {
    /// The schema of a type.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn find(&self, store: &Store, app_no: i64, name: &str) -> Result<Known> {
        let forgotten = {
            let types = self.lock();
            if let Some(known) = types.met.get(&app_no).and_then(|app| app.get(name)) {
                return Ok(known.clone());
            }
            types.forgotten
        };
        let row = store.event_type(app_no, name.to_owned()).await?;
        // What was accepted once and is refused by a newer library judges nothing.
        let compile = |text: String| Schema::compile(&text).ok().map(Arc::new);
        let known = row.map(|row| row.written.schema.and_then(compile));
        let mut types = self.lock();
        if types.forgotten == forgotten {
            if types.count >= limits::SCHEMAS_KEPT_MAX {
                types.met.clear();
                types.count = 0;
            }
            types.count += 1;
            types.met.entry(app_no).or_default().insert(name.to_owned(), known.clone());
        }
        Ok(known)
    }

    /// Forgets a type: it has changed.
    pub(super) fn forget(&self, app_no: i64, name: &str) {
        let mut types = self.lock();
        types.forgotten += 1;
        if let Some(app) = types.met.get_mut(&app_no) {
            app.remove(name);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Types> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
