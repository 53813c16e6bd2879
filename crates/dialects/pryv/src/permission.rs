//! What an access may do with which streams.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::tree::Tree;

/// Every stream, at the root.
const ALL: &str = "*";

/// How far an access reaches in a stream and all below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// See the stream, read its events.
    Read,
    /// See the stream, create events in it; not read them.
    CreateOnly,
    /// Read, create, change and delete events.
    Contribute,
    /// As contribute; create, change and delete streams too.
    Manage,
    /// Nothing: takes back what a stream above grants.
    None,
}

/// What one may do with a stream and its events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Act {
    /// See that the stream is there.
    List,
    /// Read its events.
    Read,
    /// Create events in it.
    Create,
    /// Change and delete its events.
    Change,
    /// Change the stream and create streams below it.
    Manage,
}

const ACTS: [Act; 5] = [Act::List, Act::Read, Act::Create, Act::Change, Act::Manage];

impl Level {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Self::Read, Self::CreateOnly, Self::Contribute, Self::Manage, Self::None]
            .into_iter()
            .find(|level| level.as_str() == text)
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::CreateOnly => "create-only",
            Self::Contribute => "contribute",
            Self::Manage => "manage",
            Self::None => "none",
        }
    }

    fn allows(self, act: Act) -> bool {
        match self {
            Self::None => false,
            Self::Read => matches!(act, Act::List | Act::Read),
            Self::CreateOnly => matches!(act, Act::List | Act::Create),
            Self::Contribute => act != Act::Manage,
            Self::Manage => true,
        }
    }

    /// Whether everything that `other` allows is allowed here.
    fn covers(self, other: Self) -> bool {
        ACTS.into_iter().all(|act| self.allows(act) || !other.allows(act))
    }
}

/// The permissions of an access.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Permissions {
    /// A personal access: everything.
    Personal,
    /// The levels of these streams; the nearest above a stream counts.
    Granted {
        /// Stream id, or `*`, to level.
        levels: BTreeMap<String, Level>,
        /// What was granted, in the order in which it was.
        listed: Vec<Value>,
        /// Whether the access may not delete itself.
        no_self_revoke: bool,
    },
}

impl Permissions {
    /// Reads the property `permissions` of an access.
    ///
    /// # Errors
    /// With the place in the list and what is wrong there.
    pub(crate) fn parse(list: &[Value]) -> Result<Self, (usize, &'static str)> {
        let (mut levels, mut listed) = (BTreeMap::new(), Vec::new());
        let mut no_self_revoke = false;
        for (place, item) in list.iter().enumerate() {
            let text = |name: &str| item[name].as_str();
            match (text("streamId"), text("feature")) {
                (Some(stream), None) => {
                    let level = text("level").and_then(Level::parse);
                    let why = "must have a level: read, contribute, manage, create-only or none";
                    let level = level.ok_or((place, why))?;
                    if levels.insert(stream.to_owned(), level).is_some() {
                        return Err((place, "must not name a stream that is named before"));
                    }
                    listed.push(json!({ "streamId": stream, "level": level.as_str() }));
                }
                (None, Some("selfRevoke")) if text("setting") == Some("forbidden") => {
                    no_self_revoke = true;
                    listed.push(json!({ "feature": "selfRevoke", "setting": "forbidden" }));
                }
                _ => {
                    let why = "must have a streamId and a level, or the feature selfRevoke and the \
                               setting forbidden";
                    return Err((place, why));
                }
            }
        }
        Ok(Self::Granted { levels, listed, no_self_revoke })
    }

    /// The property `permissions` of an access.
    pub(crate) fn to_json(&self) -> Value {
        match self {
            Self::Personal => json!([{ "streamId": ALL, "level": "manage" }]),
            Self::Granted { listed, .. } => json!(listed),
        }
    }

    /// The streams that are named, without `*`.
    pub(crate) fn streams(&self) -> Vec<&str> {
        match self {
            Self::Personal => Vec::new(),
            Self::Granted { levels, .. } => {
                levels.keys().map(String::as_str).filter(|stream| *stream != ALL).collect()
            }
        }
    }

    /// The named streams whose events can be read; `*` for all.
    pub(crate) fn readable_roots(&self) -> Vec<&str> {
        match self {
            Self::Personal => vec![ALL],
            Self::Granted { levels, .. } => {
                let readable = levels.iter().filter(|(_, level)| level.allows(Act::Read));
                readable.map(|(stream, _)| stream.as_str()).collect()
            }
        }
    }

    /// The named streams whose events cannot be read.
    pub(crate) fn hidden_roots(&self) -> Vec<&str> {
        match self {
            Self::Personal => Vec::new(),
            Self::Granted { levels, .. } => {
                let hidden = levels.iter().filter(|(_, level)| !level.allows(Act::Read));
                hidden.map(|(stream, _)| stream.as_str()).filter(|id| *id != ALL).collect()
            }
        }
    }

    /// Whether the access may delete itself.
    pub(crate) fn may_self_revoke(&self) -> bool {
        !matches!(self, Self::Granted { no_self_revoke: true, .. })
    }

    /// Whether `act` is allowed on a stream.
    pub(crate) fn allow(&self, tree: &Tree, stream: &str, act: Act) -> bool {
        self.level(tree, stream).allows(act)
    }

    /// Whether `act` is allowed on streams at the root, known and new.
    pub(crate) fn allow_root(&self, act: Act) -> bool {
        match self {
            Self::Personal => true,
            Self::Granted { levels, .. } => levels.get(ALL).is_some_and(|level| level.allows(act)),
        }
    }

    /// The level of a stream: of the nearest named one above it.
    fn level(&self, tree: &Tree, stream: &str) -> Level {
        let Self::Granted { levels, .. } = self else { return Level::Manage };
        let named = tree.lineage(stream).into_iter().find_map(|id| levels.get(id));
        *named.or_else(|| levels.get(ALL)).unwrap_or(&Level::None)
    }

    /// Whether `other` reaches no further than this, on the streams as they are now.
    pub(crate) fn cover(&self, other: &Self, tree: &Tree) -> bool {
        let Self::Granted { levels: own, .. } = self else { return true };
        let Self::Granted { levels: asked, .. } = other else { return false };
        let within = |id: &str| match id {
            ALL => own.get(ALL).copied().unwrap_or(Level::None),
            id => self.level(tree, id),
        };
        // What is taken back here below a granted stream must be taken back there too.
        asked.iter().all(|(id, level)| within(id).covers(*level))
            && own
                .iter()
                .filter(|(id, _)| *id != ALL)
                .all(|(id, level)| level.covers(other.level(tree, id)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    fn granted(list: &[(&str, &str)]) -> Permissions {
        let item = |(id, level): &(&str, &str)| json!({ "streamId": id, "level": level });
        Permissions::parse(&list.iter().map(item).collect::<Vec<_>>()).unwrap()
    }

    #[test]
    fn the_nearest_permission_above_a_stream_counts() {
        let tree = tree();
        let allowed = |permissions: &Permissions, stream: &str| {
            let allowed = ACTS.into_iter().filter(|act| permissions.allow(&tree, stream, *act));
            allowed.map(|act| format!("{act:?}")).collect::<Vec<_>>().join(" ")
        };
        const EVERYTHING: &str = "List Read Create Change Manage";
        for (permissions, stream, acts) in [
            (Permissions::Personal, "work", EVERYTHING),
            (granted(&[]), "work", ""),
            (granted(&[("*", "read")]), "white-cells", "List Read"),
            (granted(&[("health", "contribute")]), "health", "List Read Create Change"),
            (granted(&[("health", "contribute")]), "white-cells", "List Read Create Change"),
            (granted(&[("health", "contribute")]), "work", ""),
            (granted(&[("health", "manage"), ("blood", "read")]), "white-cells", "List Read"),
            (granted(&[("health", "manage"), ("blood", "read")]), "steps", EVERYTHING),
            (granted(&[("health", "manage"), ("blood", "none")]), "white-cells", ""),
            (granted(&[("steps", "create-only")]), "steps", "List Create"),
            (granted(&[("*", "manage"), ("steps", "create-only")]), "steps", "List Create"),
            (granted(&[("*", "manage")]), "not-there", EVERYTHING),
        ] {
            assert_eq!(allowed(&permissions, stream), acts, "{permissions:?} {stream}");
        }
        assert!(granted(&[("*", "manage")]).allow_root(Act::Manage));
        assert!(!granted(&[("health", "manage")]).allow_root(Act::Manage));
    }

    #[test]
    fn a_shared_access_reaches_no_further_than_its_creator() {
        let tree = tree();
        for (own, asked, covers) in [
            (&[("health", "contribute")][..], &[("health", "read")][..], true),
            (&[("health", "contribute")], &[("blood", "contribute")], true),
            (&[("health", "contribute")], &[("health", "create-only")], true),
            (&[("health", "contribute")], &[("health", "manage")], false),
            (&[("health", "contribute")], &[("work", "read")], false),
            (&[("health", "contribute")], &[("*", "read")], false),
            (&[("*", "read")], &[("*", "read"), ("work", "read")], true),
            (&[("*", "read")], &[("not-there", "read")], true),
            (&[("health", "read")], &[("steps", "create-only")], false),
            (&[("health", "create-only")], &[("health", "read")], false),
            (&[("health", "manage"), ("blood", "read")], &[("health", "manage")], false),
            (
                &[("health", "manage"), ("blood", "read")],
                &[("health", "manage"), ("blood", "read")],
                true,
            ),
            (&[("*", "manage"), ("blood", "none")], &[("*", "read")], false),
            (&[("*", "manage"), ("blood", "none")], &[("steps", "read")], true),
        ] {
            assert_eq!(granted(own).cover(&granted(asked), &tree), covers, "{own:?} {asked:?}");
        }
        assert!(Permissions::Personal.cover(&granted(&[("*", "manage")]), &tree));
        assert!(!granted(&[("*", "manage")]).cover(&Permissions::Personal, &tree));
    }

    #[test]
    fn permissions_read_back_as_they_were_written() {
        let list = json!([
            { "streamId": "inbox", "level": "create-only" },
            { "feature": "selfRevoke", "setting": "forbidden" },
            { "streamId": "diary", "level": "read" },
        ]);
        let permissions = Permissions::parse(list.as_array().unwrap()).unwrap();
        assert_eq!(permissions.to_json(), list);
        assert!(!permissions.may_self_revoke());
        assert_eq!(permissions.streams(), ["diary", "inbox"]);
        for wrong in [
            json!([{ "streamId": "a" }]),
            json!([{ "streamId": "a", "level": "write" }]),
            json!([{ "streamId": "a", "level": "none" }, { "streamId": "a", "level": "read" }]),
            json!([{ "level": "read" }]),
            json!([{ "feature": "selfRevoke", "setting": "allowed" }]),
            json!(["a"]),
        ] {
            assert!(Permissions::parse(wrong.as_array().unwrap()).is_err(), "{wrong}");
        }
    }
}
