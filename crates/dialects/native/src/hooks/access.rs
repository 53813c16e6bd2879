//! How a hook gets in at its receiver, on the wire. Secrets go in and never come out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tidings_core::access::{
    AccessSummary, Auth, AuthKind, ClientCertificate, ClientCredentials, Hidden,
};
use tidings_core::sign::Scheme;
use tidings_service::{AccessChanges, Reach, Verify};
use utoipa::ToSchema;

use crate::answers::nullable;

/// What a hook's requests carry to be let in; absent stays, `null` clears. Nothing of it is shown again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"headers": {"x-api-key": "s3cret"},
    "auth": {"kind": "bearer", "token": "mF_9.B5f-4.1JqM"}}))]
pub(crate) struct AccessInput {
    /// Extra headers, all of them, by name: at most 20, of 8192 bytes in all. Not those that Tidings sets itself.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    headers: Option<Option<BTreeMap<String, String>>>,
    /// What goes into `authorization`.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<AuthInput>)]
    auth: Option<Option<AuthInput>>,
    /// The certificate shown to receivers that ask for one.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<ClientCertificateInput>)]
    client_certificate: Option<Option<ClientCertificateInput>>,
}

/// Without the values, which are secrets.
impl std::fmt::Debug for AccessInput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AccessInput(…)")
    }
}

/// Credentials.
#[derive(Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub(crate) enum AuthInput {
    /// `Basic` (RFC 7617).
    Basic {
        /// Without a colon.
        username: String,
        /// The password.
        password: String,
    },
    /// `Bearer` (RFC 6750).
    Bearer {
        /// The token.
        token: String,
    },
    /// `Bearer` with a token of the client credentials grant (RFC 6749 §4.4), fetched when it is needed.
    Oauth2 {
        /// Where tokens are fetched.
        #[schema(max_length = 2048)]
        token_url: String,
        /// Who the hook is there.
        client_id: String,
        /// Its secret there; sent by HTTP Basic.
        client_secret: String,
        /// What is asked for.
        scope: Option<String>,
        /// For whom, where the server wants to know.
        audience: Option<String>,
    },
}

/// A certificate chain and its key, PEM.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ClientCertificateInput {
    /// The certificate, then those that lead to its authority.
    #[schema(max_length = 32768)]
    certificate: String,
    /// The private key, not encrypted.
    #[schema(max_length = 32768)]
    private_key: String,
}

impl From<AccessInput> for AccessChanges {
    fn from(input: AccessInput) -> Self {
        let list = |headers: BTreeMap<String, String>| {
            headers.into_iter().map(|(name, value)| (name, Hidden::from(value))).collect()
        };
        Self {
            headers: input.headers.map(|headers| headers.map(list).unwrap_or_default()),
            auth: input.auth.map(|auth| auth.map(Auth::from)),
            client_certificate: input.client_certificate.map(|pem| {
                pem.map(|pem| ClientCertificate {
                    certificate: pem.certificate.into(),
                    private_key: pem.private_key.into(),
                })
            }),
        }
    }
}

impl From<AuthInput> for Auth {
    fn from(input: AuthInput) -> Self {
        match input {
            AuthInput::Basic { username, password } => {
                Self::Basic { username: username.into(), password: password.into() }
            }
            AuthInput::Bearer { token } => Self::Bearer { token: token.into() },
            AuthInput::Oauth2 { token_url, client_id, client_secret, scope, audience } => {
                Self::Oauth2(ClientCredentials {
                    token_url,
                    client_id: client_id.into(),
                    client_secret: client_secret.into(),
                    scope,
                    audience,
                })
            }
        }
    }
}

/// How a receiver's consent is sought.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum VerifyInput {
    /// It is not.
    None,
    /// By the `OPTIONS` handshake of CloudEvents.
    Options,
}

/// What a request says about signing and access; an access of `null` clears all of it.
pub(super) fn reach(
    signing: Option<Vec<Scheme>>,
    access: Option<Option<AccessInput>>,
    verify: Option<VerifyInput>,
) -> Reach {
    let nothing =
        AccessInput { headers: Some(None), auth: Some(None), client_certificate: Some(None) };
    Reach {
        signing,
        access: access.map(|access| access.unwrap_or(nothing).into()).unwrap_or_default(),
        verify: verify.map(|verify| match verify {
            VerifyInput::None => Verify::None,
            VerifyInput::Options => Verify::Options,
        }),
    }
}

/// What is set of a hook's access.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"headers": ["x-api-key"], "auth": "bearer", "client_certificate": false}))]
pub(crate) struct AccessAnswer {
    /// Names of the extra headers.
    headers: Vec<String>,
    /// `basic`, `bearer` or `oauth2`.
    #[schema(value_type = Option<String>)]
    auth: Option<AuthKind>,
    /// Whether there is a client certificate.
    client_certificate: bool,
}

impl From<AccessSummary> for AccessAnswer {
    fn from(summary: AccessSummary) -> Self {
        let AccessSummary { headers, auth, client_certificate } = summary;
        Self { headers, auth, client_certificate }
    }
}
