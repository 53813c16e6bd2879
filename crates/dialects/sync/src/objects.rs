//! What credentials hold, as Sync shows it: a record's body, completed with ids, times and the documented
//! fields that it lacks. What the body says is passed on byte for byte.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};
use tidings_service::{Deleted, Record};

use crate::holdings::Holding;

/// The fields of an item, by name.
pub(crate) type Object = BTreeMap<String, Box<RawValue>>;

/// A kind of things that a credential holds, each in a collection of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A bank account, not an account of Tidings.
    Account,
    Transaction,
    Attachment,
    Document,
}

impl Kind {
    /// Name of the collection.
    pub(crate) fn collection(self) -> &'static str {
        match self {
            Self::Account => "accounts",
            Self::Transaction => "transactions",
            Self::Attachment => "attachments",
            Self::Document => "documents",
        }
    }

    /// The field with the item's own id, which is the record's key.
    pub(crate) fn id_name(self) -> &'static str {
        match self {
            Self::Account => "id_account",
            Self::Transaction => "id_transaction",
            Self::Attachment => "id_attachment",
            Self::Document => "id_document",
        }
    }

    /// The field with the time of the last change.
    pub(crate) fn refreshed(self) -> &'static str {
        if self == Self::Document { "dt_refreshed" } else { "dt_refresh" }
    }

    /// Whether lists have what was deleted, marked as such: a bank account has no documented mark, so it is left
    /// out.
    pub(crate) fn tombstones(self) -> Deleted {
        if self == Self::Account { Deleted::Without } else { Deleted::With }
    }

    /// The documented filters on ids.
    pub(crate) fn id_filters(self) -> &'static [&'static str] {
        match self {
            Self::Account => &["id_account", "id_account_type"],
            Self::Transaction => &["id_transaction", "id_account"],
            Self::Attachment => {
                &["id_attachment", "id_account", "id_attachment_type", "id_transaction"]
            }
            Self::Document => &["id_document", "id_job", "id_job_uuid", "id_job_webhook"],
        }
    }

    /// Documented fields that a body may lack, and what then stands there.
    fn defaults(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Account => &[
                ("id_account_type", "null"),
                ("id_currency", "null"),
                ("id_external", "\"\""),
                ("is_disable", "0"),
                ("name", "\"\""),
                ("number", "null"),
                ("balance", "null"),
                ("currency", "null"),
                ("account_type", "null"),
                ("extra", "null"),
                ("keywords", "null"),
            ],
            Self::Transaction => &[
                ("id_account", "null"),
                ("id_account_type", "null"),
                ("id_currency", "null"),
                ("id_disable_type", "null"),
                ("id_external", "\"\""),
                ("is_account_disable", "0"),
                ("is_deleted", "0"),
                ("is_disable", "0"),
                ("is_pending", "0"),
                ("description", "\"\""),
                ("amount", "null"),
                ("currency", "null"),
                ("attachments", "[]"),
                ("extra", "null"),
                ("reference", "null"),
                ("keywords", "null"),
                ("dt_transaction", "null"),
                ("dt_disable", "null"),
                ("dt_deleted", "null"),
            ],
            Self::Attachment => &[
                ("id_account", "null"),
                ("id_external", "\"\""),
                ("id_attachment_type", "null"),
                ("id_transaction", "null"),
                ("is_valid", "1"),
                ("file", "null"),
                ("mime", "null"),
                ("keywords", "null"),
            ],
            Self::Document => &[
                ("id_document_status", "null"),
                ("id_document_type", "null"),
                ("id_external", "\"\""),
                ("file", "null"),
                ("identifiers", "null"),
                ("keywords", "null"),
                ("content", "null"),
            ],
        }
    }

    /// The fields that a list leaves out: the content of a file is fetched by itself.
    fn hidden(self) -> &'static [&'static str] {
        match self {
            Self::Attachment => &["content", "extra"],
            _ => &[],
        }
    }

    /// An item as lists show it.
    pub(crate) fn listed(self, holding: &Holding, record: &Record) -> Object {
        let mut object = self.whole(holding, record);
        object.retain(|name, _| !self.hidden().contains(&name.as_str()));
        object
    }

    /// An item with all its fields.
    pub(crate) fn whole(self, holding: &Holding, record: &Record) -> Object {
        // A tombstone may have no body; every other is an object, as was checked when it came.
        let mut object: Object = serde_json::from_slice(&record.body).unwrap_or_default();
        let mut set = |name: &str, value: Box<RawValue>| {
            object.insert(name.to_owned(), value);
        };
        let sites = [
            ("id_site", &holding.details.id_site),
            ("id_site_organization", &holding.details.id_site_organization),
            ("id_site_organization_type", &holding.details.id_site_organization_type),
        ];
        set(self.id_name(), raw(&record.key));
        set("id_credential", raw(&holding.id()));
        set("id_user", raw(&holding.id_user()));
        for (name, id) in sites {
            set(name, raw(id));
        }
        set(self.refreshed(), raw(&record.modified_at.unix_seconds()));
        if let Some(deleted_at) = record.deleted_at {
            set("is_deleted", raw(&1));
            set("dt_deleted", raw(&deleted_at.unix_seconds()));
        }
        self.complete(holding, record, &mut object);
        object
    }

    /// Adds what the body lacks.
    fn complete(self, holding: &Holding, record: &Record, object: &mut Object) {
        let mut offer = |name: &str, value: Box<RawValue>| {
            object.entry(name.to_owned()).or_insert(value);
        };
        match self {
            Self::Account => offer("site", raw(&holding.site())),
            Self::Transaction => {
                if let Some(at) = record.starts_at {
                    offer("dt_transaction", raw(&at.div_euclid(1000)));
                }
            }
            Self::Attachment => offer("url", raw(&format!("/attachments/{}", record.key))),
            Self::Document => offer("dt_created", raw(&record.created_at.unix_seconds())),
        }
        for (name, value) in self.defaults() {
            offer(name, literal(value));
        }
    }
}

/// About how many bytes an item has on the wire.
pub(crate) fn size(object: &Object) -> usize {
    object.iter().map(|(name, value)| name.len() + value.get().len() + 4).sum()
}

/// A value as JSON text.
fn raw(value: &impl Serialize) -> Box<RawValue> {
    to_raw_value(value).expect("texts, numbers and their objects are JSON")
}

fn literal(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).expect("the literals above are JSON")
}
