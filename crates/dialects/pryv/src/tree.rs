//! The streams of an account: a forest, kept as one record for each stream.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tidings_core::limits;

/// One stream, as it is stored; on the wire it has its `children` too.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Stream {
    pub(crate) id: String,
    pub(crate) name: String,
    /// `null` for a stream at the root.
    pub(crate) parent_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_data: Option<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) trashed: bool,
    pub(crate) created: f64,
    pub(crate) created_by: String,
    pub(crate) modified: f64,
    pub(crate) modified_by: String,
}

/// The streams by id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree(BTreeMap<String, Stream>);

impl FromIterator<Stream> for Tree {
    fn from_iter<I: IntoIterator<Item = Stream>>(streams: I) -> Self {
        Self(streams.into_iter().map(|stream| (stream.id.clone(), stream)).collect())
    }
}

impl Tree {
    pub(crate) fn get(&self, id: &str) -> Option<&Stream> {
        self.0.get(id)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    /// The stream itself, its parent and so on up to the root. An unknown stream stands alone.
    pub(crate) fn lineage<'a>(&'a self, id: &'a str) -> Vec<&'a str> {
        let mut lineage = vec![id];
        let parent = |id: &str| self.get(id).and_then(|stream| stream.parent_id.as_deref());
        while let Some(above) = parent(lineage[lineage.len() - 1]) {
            // What a hand put in a circle ends where it began.
            if lineage.contains(&above) {
                break;
            }
            lineage.push(above);
        }
        lineage
    }

    /// Whether `id` is `root` or below it.
    pub(crate) fn is_within(&self, id: &str, root: &str) -> bool {
        self.lineage(id).contains(&root)
    }

    /// These streams and all above them, each once, sorted: what a filter looks for a stream in.
    pub(crate) fn reach<'a>(&'a self, ids: impl IntoIterator<Item = &'a str>) -> Vec<String> {
        let mut all: Vec<_> = ids.into_iter().flat_map(|id| self.lineage(id)).collect();
        all.sort_unstable();
        all.dedup();
        all.into_iter().map(str::to_owned).collect()
    }

    /// The stream and all below it.
    pub(crate) fn descent<'a>(&'a self, root: &'a str) -> Vec<&'a str> {
        self.ids().filter(|id| self.is_within(id, root)).collect()
    }

    /// How many streams there are from this one to the deepest below it, both counted; a new one is 1.
    pub(crate) fn height(&self, id: &str) -> usize {
        let depth = |id: &str| self.lineage(id).len();
        let deepest = self.descent(id).into_iter().map(depth).max();
        deepest.map_or(1, |deepest| deepest + 1 - depth(id))
    }

    /// Whether the stream or one above it is in the trash.
    pub(crate) fn is_trashed(&self, id: &str) -> bool {
        self.lineage(id).iter().any(|id| self.get(id).is_some_and(|stream| stream.trashed))
    }

    /// The child of `parent` with this name, other than `except`.
    pub(crate) fn namesake(
        &self,
        parent: Option<&str>,
        name: &str,
        except: &str,
    ) -> Option<&Stream> {
        self.0.values().find(|stream| {
            stream.parent_id.as_deref() == parent && stream.name == name && stream.id != except
        })
    }

    /// The streams under `parent` (none: everything) that `shown` lets through, each with its children,
    /// sorted by name. A stream whose parent is not shown stands at the top.
    pub(crate) fn nested(&self, parent: Option<&str>, shown: &dyn Fn(&Stream) -> bool) -> Value {
        let visible: Vec<_> = self.0.values().filter(|stream| shown(stream)).collect();
        let ids: BTreeSet<_> = visible.iter().map(|stream| stream.id.as_str()).collect();
        let tops = visible.iter().filter(|stream| match (parent, stream.parent_id.as_deref()) {
            (Some(wanted), above) => above == Some(wanted),
            (None, None) => true,
            (None, Some(above)) => !self.lineage(above).into_iter().any(|id| ids.contains(id)),
        });
        let mut below: BTreeMap<&str, Vec<&Stream>> = BTreeMap::new();
        for &stream in &visible {
            if let Some(above) = stream.parent_id.as_deref() {
                below.entry(above).or_default().push(stream);
            }
        }
        level(tops.copied().collect(), &below, limits::PRYV_STREAM_DEPTH_MAX)
    }
}

/// These streams with their children, no deeper than `depth`: a hand may have put them deeper or in a circle.
fn level(mut streams: Vec<&Stream>, below: &BTreeMap<&str, Vec<&Stream>>, depth: usize) -> Value {
    streams.sort_by_key(|stream| (stream.name.to_lowercase(), stream.id.as_str()));
    let whole = |stream: &&Stream| {
        let children = below.get(stream.id.as_str()).filter(|_| depth > 1);
        let mut wire = json!(stream);
        wire["children"] = level(children.cloned().unwrap_or_default(), below, depth - 1);
        wire
    };
    streams.iter().map(whole).collect()
}

/// The identifier that a wish for one becomes: lower case letters, digits, `-`, `_`, and what else Pryv
/// leaves alone; none when nothing is left or the word is reserved.
pub(crate) fn slug(wish: &str) -> Option<String> {
    let mut slug = String::new();
    for letter in wish.trim().chars() {
        match letter {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | ':' | '.' => slug.push(letter),
            _ if slug.ends_with('-') => {}
            _ => slug.push('-'),
        }
    }
    let slug = slug.trim_matches('-').to_owned();
    let reserved = ["null", "undefined", "*"].contains(&slug.as_str());
    (!slug.is_empty() && !reserved).then_some(slug)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A stream of this id under this parent.
    pub(crate) fn stream(id: &str, parent: Option<&str>) -> Stream {
        Stream {
            id: id.into(),
            name: id.to_uppercase(),
            parent_id: parent.map(str::to_owned),
            client_data: None,
            trashed: false,
            created: 1.0,
            created_by: "a".into(),
            modified: 1.0,
            modified_by: "a".into(),
        }
    }

    /// health (blood (white-cells), steps), work.
    pub(crate) fn tree() -> Tree {
        Tree::from_iter([
            stream("health", None),
            stream("steps", Some("health")),
            stream("blood", Some("health")),
            stream("white-cells", Some("blood")),
            stream("work", None),
        ])
    }

    #[test]
    fn a_lineage_leads_to_the_root() {
        let tree = tree();
        for (id, lineage) in [
            ("white-cells", &["white-cells", "blood", "health"][..]),
            ("health", &["health"]),
            ("nowhere", &["nowhere"]),
        ] {
            assert_eq!(tree.lineage(id), lineage);
        }
        assert_eq!(tree.descent("blood"), ["blood", "white-cells"]);
        assert_eq!(tree.reach(["steps", "blood"]), ["blood", "health", "steps"]);
        for (id, height) in [("health", 3), ("blood", 2), ("work", 1), ("nowhere", 1)] {
            assert_eq!(tree.height(id), height, "{id}");
        }
        let circle = Tree::from_iter([stream("a", Some("b")), stream("b", Some("a"))]);
        assert_eq!(circle.lineage("a"), ["a", "b"]);
        assert_eq!(
            circle.nested(Some("a"), &|_| true)[0]["id"],
            "b",
            "a circle is not followed for ever"
        );
    }

    #[test]
    fn streams_are_shown_as_a_tree_sorted_by_name() {
        let tree = tree();
        let names = |value: &Value| {
            let list = value.as_array().unwrap().iter();
            list.map(|stream| stream["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let all = tree.nested(None, &|_| true);
        assert_eq!(names(&all), ["health", "work"]);
        assert_eq!(names(&all[0]["children"]), ["blood", "steps"]);
        assert_eq!(names(&all[0]["children"][0]["children"]), ["white-cells"]);
        assert_eq!(all[0]["parentId"], Value::Null);
        assert_eq!(names(&tree.nested(Some("health"), &|_| true)), ["blood", "steps"]);
        let some = tree.nested(None, &|stream| ["white-cells", "work"].contains(&&*stream.id));
        assert_eq!(
            names(&some),
            ["white-cells", "work"],
            "orphans of what is hidden are at the top"
        );
    }

    #[test]
    fn an_id_is_made_fit_for_urls() {
        for (wish, id) in [
            ("white-cells", Some("white-cells")),
            ("Blood Pressure", Some("Blood-Pressure")),
            ("  a / b ", Some("a-b")),
            (":system:x", Some(":system:x")),
            ("null", None),
            ("é", None),
            ("", None),
        ] {
            assert_eq!(slug(wish).as_deref(), id, "{wish}");
        }
    }
}
