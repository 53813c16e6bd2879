//! JSON Web Tokens (RFC 7519) as Connect's tokens look: HS256, with the documented claims.
//!
//! Whether a token works is decided by its hash in the store, as for every other token; the signature
//! lets nobody make one up that looks like ours.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::Serialize;
use sha2::Sha256;
use zeroize::Zeroizing;

/// The claims of an access token, or of a refresh token.
#[derive(Serialize)]
pub(super) struct Claims<'a> {
    /// The application's own id of the end user.
    pub(super) sub: &'a str,
    /// The app.
    pub(super) aud: &'a str,
    /// The app once more.
    #[serde(rename = "projectId")]
    pub(super) project_id: &'a str,
    /// `refresh` in a refresh token.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    /// Makes every token another one.
    pub(super) jti: &'a str,
    /// When it was made, seconds since the Unix epoch.
    pub(super) iat: i64,
    /// When it ends; a refresh token ends by being used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exp: Option<i64>,
}

/// The token.
pub(super) fn signed(claims: &Claims<'_>, key: &[u8]) -> Zeroizing<String> {
    let claims = serde_json::to_vec(claims).expect("claims are plain fields");
    let head = URL_SAFE_NO_PAD.encode(br#"{"alg":"HS256","typ":"JWT"}"#);
    let text = format!("{head}.{}", URL_SAFE_NO_PAD.encode(claims));
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes());
    Zeroizing::new(format!("{text}.{signature}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_has_the_documented_claims_and_a_signature() {
        let mut claims = Claims {
            sub: "user-456",
            aud: "proj-123",
            project_id: "proj-123",
            kind: None,
            jti: "j",
            iat: 1_234_564_290,
            exp: Some(1_234_567_890),
        };
        let token = signed(&claims, b"key");
        let parts: Vec<_> = token.split('.').collect();
        assert!(token.starts_with("eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."), "as documented");
        let read = |part: &str| String::from_utf8(URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap();
        let expected = concat!(
            r#"{"sub":"user-456","aud":"proj-123","projectId":"proj-123","jti":"j","#,
            r#""iat":1234564290,"exp":1234567890}"#,
        );
        assert_eq!((parts.len(), &*read(parts[1])), (3, expected));
        assert_ne!(token, signed(&claims, b"other key"));
        (claims.kind, claims.exp) = (Some("refresh"), None);
        let refresh = signed(&claims, b"key");
        let expected = concat!(
            r#"{"sub":"user-456","aud":"proj-123","projectId":"proj-123","type":"refresh","#,
            r#""jti":"j","iat":1234564290}"#,
        );
        assert_eq!(read(refresh.split('.').nth(1).unwrap()), expected);
    }
}
