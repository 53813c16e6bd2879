//! The dialects in this binary. Each is a feature, so that leaving one out is leaving out its lines.

use axum::Router;
use tidings_core::format::Format;
use tidings_service::Service;

/// The paths of every dialect but the native one.
pub(super) fn routes(service: &Service) -> Router {
    let dialects: &[fn(Service) -> Router] = &[
        #[cfg(feature = "connect")]
        tidings_connect::routes,
        #[cfg(feature = "pryv")]
        tidings_pryv::routes,
        #[cfg(feature = "pyas")]
        tidings_pyas::routes,
        #[cfg(feature = "sync")]
        tidings_sync::routes,
        #[cfg(feature = "vyte")]
        tidings_vyte::routes,
    ];
    let mounted =
        |router: Router, routes: fn(Service) -> Router| router.merge(routes(service.clone()));
    dialects.iter().copied().fold(Router::new(), mounted)
}

/// Every format that a hook can pin.
pub(crate) fn formats() -> Vec<Format> {
    vec![
        tidings_native::NATIVE,
        tidings_native::CLOUDEVENTS,
        #[cfg(feature = "connect")]
        tidings_connect::FORMAT,
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
