//! Events: what is stored of one, and what is shown.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

/// One event, as it is stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Event {
    pub(crate) id: String,
    /// Seconds.
    pub(crate) time: f64,
    /// Seconds of a period; `null`: it is running. Absent: a moment.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) duration: Option<Option<f64>>,
    pub(crate) stream_ids: Vec<String>,
    pub(crate) tags: Vec<String>,
    #[serde(rename = "type")]
    pub(crate) kind: String,
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) content: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) client_data: Option<Map<String, Value>>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) trashed: bool,
    pub(crate) created: f64,
    pub(crate) created_by: String,
    pub(crate) modified: f64,
    pub(crate) modified_by: String,
}

/// A property that is there, even when it is `null`.
fn present<'de, T, D>(deserializer: D) -> Result<Option<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    T::deserialize(deserializer).map(Some)
}

impl Event {
    /// As clients see it: with `streamId`, the first of its streams, for older ones.
    pub(crate) fn to_json(&self) -> Value {
        let mut wire = json!(self);
        wire["streamId"] = json!(self.stream_ids.first());
        wire
    }

    /// Whether it is a period that has not ended.
    pub(crate) fn is_running(&self) -> bool {
        self.duration == Some(None)
    }

    /// Whether it takes place in some part of `from..to` (seconds; none: open).
    pub(crate) fn is_within(&self, from: Option<f64>, to: Option<f64>) -> bool {
        let ends_after = |from: f64| match self.duration {
            Some(None) => true,
            Some(Some(length)) => self.time + length >= from,
            None => self.time >= from,
        };
        from.is_none_or(ends_after) && to.is_none_or(|to| self.time <= to)
    }
}

/// Puts changed keys over those that are there; `null` takes a key away.
pub(crate) fn merge_client_data(old: &mut Option<Map<String, Value>>, new: &Map<String, Value>) {
    let merged = old.get_or_insert_with(Map::new);
    for (key, value) in new {
        if value.is_null() {
            merged.remove(key);
        } else {
            merged.insert(key.clone(), value.clone());
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// An event of this time in these streams.
    pub(crate) fn event(time: f64, streams: &[&str]) -> Event {
        Event {
            id: "e".into(),
            time,
            duration: None,
            stream_ids: streams.iter().map(|id| (*id).to_owned()).collect(),
            tags: Vec::new(),
            kind: "note/txt".into(),
            content: None,
            description: None,
            client_data: None,
            trashed: false,
            created: time,
            created_by: "a".into(),
            modified: time,
            modified_by: "a".into(),
        }
    }

    #[test]
    fn what_is_stored_reads_back_the_same() {
        for (duration, content) in
            [(None, None), (Some(None), Some(Value::Null)), (Some(Some(1.5)), Some(json!(10_000)))]
        {
            let event = Event { duration, content, ..event(1_586_254_000.167, &["health"]) };
            let stored = serde_json::to_string(&event).unwrap();
            assert_eq!(serde_json::from_str::<Event>(&stored).unwrap(), event, "{stored}");
        }
        assert_eq!(event(1.0, &["a", "b"]).to_json()["streamId"], "a");
    }

    #[test]
    fn a_period_takes_place_until_it_ends() {
        let lasting = |duration| Event { duration, ..event(100.0, &[]) };
        for (event, from, to, within) in [
            (lasting(None), Some(100.0), Some(100.0), true),
            (lasting(None), Some(101.0), None, false),
            (lasting(None), None, Some(99.0), false),
            (lasting(Some(Some(10.0))), Some(105.0), None, true),
            (lasting(Some(Some(10.0))), Some(111.0), None, false),
            (lasting(Some(None)), Some(9e9), None, true),
            (lasting(Some(None)), None, Some(50.0), false),
        ] {
            assert_eq!(event.is_within(from, to), within, "{event:?} {from:?} {to:?}");
        }
    }

    #[test]
    fn client_data_is_merged_key_by_key() {
        let mut data = json!({"a": 1, "b": 2}).as_object().cloned();
        merge_client_data(&mut data, json!({"b": null, "c": 3}).as_object().unwrap());
        assert_eq!(json!(data), json!({"a": 1, "c": 3}));
    }
}
