use axum::http::HeaderMap;
use standardwebhooks::Webhook;

/// Whether this body came from whoever has the secret, within the last five minutes.
pub fn is_genuine(body: &[u8], headers: &HeaderMap, secret: &str) -> bool {
    Webhook::new(secret).is_ok_and(|webhook| webhook.verify(body, headers).is_ok())
}
