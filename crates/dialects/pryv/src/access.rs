//! Accesses: who may do what in an account. An access is a grant whose details are the access's fields.

use serde_json::{Map, Value, json};
use tidings_core::clock::Timestamp;
use tidings_core::id::GrantId;
use tidings_service::{Caller, Key};

use crate::permission::Permissions;
use crate::seconds;

/// What an access is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Usage {
    /// A person who logged in.
    Personal,
    /// An app.
    App,
    /// Another person or service.
    Shared,
}

impl Usage {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Personal, Self::App, Self::Shared].into_iter().find(|usage| usage.as_str() == text)
    }

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Personal => "personal",
            Self::App => "app",
            Self::Shared => "shared",
        }
    }
}

/// One access.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    pub(crate) id: GrantId,
    pub(crate) usage: Usage,
    pub(crate) permissions: Permissions,
    /// `type`, `name`, `deviceName`, `permissions`, `clientData`, `created`, `createdBy`, `modified`,
    /// `modifiedBy`.
    pub(crate) details: Map<String, Value>,
    pub(crate) expires_at: Option<Timestamp>,
}

impl Access {
    /// Of the grant that calls; none when it is no access.
    pub(crate) fn of_caller(caller: &Caller) -> Option<Self> {
        Self::read(caller.grant_id(), caller.details(), caller.expires_at())
    }

    /// Of a grant; none when it is no access.
    pub(crate) fn of_key(key: &Key) -> Option<Self> {
        Self::read(key.id, &key.details, key.expires_at)
    }

    fn read(id: GrantId, details: &Value, expires_at: Option<Timestamp>) -> Option<Self> {
        let details = details.as_object()?.clone();
        let usage = Usage::parse(details.get("type")?.as_str()?)?;
        let permissions = match usage {
            Usage::Personal => Permissions::Personal,
            _ => Permissions::parse(details.get("permissions")?.as_array()?).ok()?,
        };
        Some(Self { id, usage, permissions, details, expires_at })
    }

    /// Its id, as Pryv prints it.
    pub(crate) fn cuid(&self) -> String {
        cuid(self.id)
    }

    pub(crate) fn is_personal(&self) -> bool {
        self.usage == Usage::Personal
    }

    pub(crate) fn text(&self, name: &str) -> &str {
        self.details.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// As clients see it, without the token.
    pub(crate) fn to_json(&self) -> Map<String, Value> {
        let mut wire = self.details.clone();
        wire.insert("id".into(), self.cuid().into());
        if self.is_personal() {
            wire.remove("permissions");
        }
        if let Some(at) = self.expires_at {
            wire.insert("expires".into(), json!(seconds::of(at)));
        }
        wire
    }

    /// What a filter of changes and the application's own hooks may know of it.
    pub(crate) fn to_change(&self) -> Value {
        json!({
            "id": self.cuid(),
            "type": self.usage.as_str(),
            "name": self.text("name"),
            "permissions": self.permissions.to_json(),
        })
    }
}

/// The id of a grant, as Pryv prints it.
pub(crate) fn cuid(id: GrantId) -> String {
    id.0.to_cuid25()
}
