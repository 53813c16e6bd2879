//! The dialects in this binary. Each is a feature, so that leaving one out is leaving out its lines.

use axum::Router;
use tidings_core::catalogue::Example;
use tidings_core::format::Format;
use tidings_service::Service;

use crate::config::Platform;

/// The paths of every dialect but the native one.
pub(super) fn routes(service: &Service, platform: &Platform) -> Router {
    let dialects: &[fn(Service) -> Router] = &[
        #[cfg(feature = "connect")]
        tidings_connect::routes,
        #[cfg(feature = "pyas")]
        tidings_pyas::routes,
        #[cfg(feature = "sync")]
        tidings_sync::routes,
        #[cfg(feature = "vyte")]
        tidings_vyte::routes,
    ];
    let mounted =
        |router: Router, routes: fn(Service) -> Router| router.merge(routes(service.clone()));
    dialects.iter().copied().fold(of_persons(service, platform), mounted)
}

/// The dialect whose users come by themselves, and so must be told what the platform is.
#[cfg(feature = "pryv")]
fn of_persons(service: &Service, platform: &Platform) -> Router {
    let Platform { domain, trusted_origins, name, .. } = platform.clone();
    let usual = tidings_pryv::Pace::default();
    let pace = tidings_pryv::Pace {
        min_interval_ms: platform.min_interval_ms.unwrap_or(usual.min_interval_ms),
        max_retries: platform.max_retries.unwrap_or(usual.max_retries),
        runs_size: platform.runs_size.unwrap_or(usual.runs_size),
    };
    let options = tidings_pryv::Options { domain, trusted_origins, name, pace };
    tidings_pryv::routes_of(service.clone(), options)
}

#[cfg(not(feature = "pryv"))]
fn of_persons(_: &Service, _: &Platform) -> Router {
    Router::new()
}

/// An example of every type of change that Tidings and its dialects write.
pub(crate) fn examples() -> Vec<Example> {
    let examples: &[&[Example]] = &[
        tidings_core::catalogue::EXAMPLES,
        #[cfg(feature = "pryv")]
        tidings_pryv::EXAMPLES,
        #[cfg(feature = "sync")]
        tidings_sync::EXAMPLES,
        #[cfg(feature = "vyte")]
        tidings_vyte::EXAMPLES,
    ];
    examples.concat()
}

/// Every format that a hook can pin.
pub(crate) fn formats() -> Vec<Format> {
    vec![
        tidings_native::NATIVE,
        tidings_native::CLOUDEVENTS,
        #[cfg(feature = "connect")]
        tidings_connect::FORMAT,
        #[cfg(feature = "pryv")]
        tidings_pryv::FORMAT,
        #[cfg(feature = "pyas")]
        tidings_pyas::FORMAT,
        #[cfg(feature = "sync")]
        tidings_sync::V1,
        #[cfg(feature = "sync")]
        tidings_sync::V3,
        #[cfg(feature = "vyte")]
        tidings_vyte::FORMAT,
        #[cfg(feature = "vyte")]
        tidings_vyte::FORMAT_ARRAY,
    ]
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use serde_json::Value;
    use tidings_core::change::{Change, NewChange, Origin, Subject};
    use tidings_core::clock::Timestamp;
    use tidings_core::format::RenderInput;
    use tidings_core::id::{AppId, Bits96, ChangeId, DeliveryId, HookId};

    use super::*;

    fn change(example: &Example) -> Change {
        let new = NewChange {
            id: ChangeId(Bits96::new(1)),
            kind: example.kind.to_owned(),
            subject: Subject { item: example.item.map(str::to_owned), ..Subject::default() },
            order_key: None,
            occurred_at: Timestamp(0),
            origin: Origin::Api,
            actor: None,
            traceparent: None,
            body: Bytes::from(example.document()),
        };
        Change { seq: 1, recorded_at: Timestamp(0), new }
    }

    #[test]
    fn every_documented_trigger_of_every_format_has_an_example_that_it_renders() {
        let examples = examples();
        for example in &examples {
            let document = example.document();
            assert!(!document.contains('\n'), "{document}");
            assert!(serde_json::from_str::<Value>(&document).is_ok_and(|data| data.is_object()));
            let same = examples.iter().filter(|other| other.kind == example.kind);
            assert_eq!(same.count(), 1, "{}", example.kind);
        }
        for format in formats() {
            let name = format!("{}@{}", format.name, format.version);
            let triggers = (format.triggers)();
            assert!(!triggers.is_empty(), "{name}");
            for trigger in triggers {
                let asked: Vec<_> = examples
                    .iter()
                    .filter(|example| (format.asks)(trigger, example.kind))
                    .collect();
                assert!(!asked.is_empty(), "{name} {trigger} has no example");
                for example in asked {
                    let rendered = (format.render)(&RenderInput {
                        app: AppId(Bits96::new(1)),
                        hook: HookId(Bits96::new(2)),
                        hook_external_id: None,
                        delivery: DeliveryId(Bits96::new(3)),
                        changes: &[change(example)],
                        named: &[],
                        now: Timestamp(0),
                    });
                    assert!(rendered.is_ok(), "{name} {trigger} {}: {rendered:?}", example.kind);
                }
            }
        }
    }
}
