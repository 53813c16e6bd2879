//! The dialects in this binary. Each is a feature, so that leaving one out is leaving out its lines.

use axum::Router;
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
