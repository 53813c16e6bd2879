//! How a hook gets in at its receiver: extra headers, credentials, a client certificate. All of it is
//! secret: stored sealed as one JSON document, told of only as an [`AccessSummary`].

mod certificate;
mod check;
mod hidden;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

pub use certificate::CertificateError;
pub use check::{AccessRefusal, header_refusal};
pub use hidden::Hidden;

/// What a hook's requests carry to be let in. `Debug` shows no value.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Access {
    /// Extra headers: name and value.
    pub headers: Vec<(String, Hidden)>,
    /// What goes into `authorization`.
    pub auth: Option<Auth>,
    /// The certificate shown to the receiver in the TLS handshake.
    pub client_certificate: Option<ClientCertificate>,
}

/// What goes into the header `authorization`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum Auth {
    /// `Basic` (RFC 7617).
    Basic {
        /// Without a colon.
        username: Hidden,
        /// The password.
        password: Hidden,
    },
    /// `Bearer` (RFC 6750) with a token that does not change.
    Bearer {
        /// The token.
        token: Hidden,
    },
    /// `Bearer` with a token fetched from an authorization server.
    Oauth2(ClientCredentials),
}

/// The client credentials grant (RFC 6749 §4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCredentials {
    /// Where tokens are fetched.
    pub token_url: String,
    /// Who we are there.
    pub client_id: Hidden,
    /// Our secret there, sent by HTTP Basic (RFC 6749 §2.3.1).
    pub client_secret: Hidden,
    /// What is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// For whom, where the server wants to know.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}

/// A certificate chain and its private key, PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientCertificate {
    /// The certificate, then those that lead to its authority.
    pub certificate: Hidden,
    /// The private key, not encrypted.
    pub private_key: Hidden,
}

/// What may be told of an [`Access`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccessSummary {
    /// Names of the extra headers.
    pub headers: Vec<String>,
    /// Kind of the credentials.
    pub auth: Option<AuthKind>,
    /// Whether there is a client certificate.
    pub client_certificate: bool,
}

/// A kind of [`Auth`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AuthKind {
    /// [`Auth::Basic`].
    Basic,
    /// [`Auth::Bearer`].
    Bearer,
    /// [`Auth::Oauth2`].
    Oauth2,
}

impl Access {
    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What may be told of it.
    pub fn summary(&self) -> AccessSummary {
        AccessSummary {
            headers: self.headers.iter().map(|(name, _)| name.clone()).collect(),
            auth: self.auth.as_ref().map(|auth| match auth {
                Auth::Basic { .. } => AuthKind::Basic,
                Auth::Bearer { .. } => AuthKind::Bearer,
                Auth::Oauth2(_) => AuthKind::Oauth2,
            }),
            client_certificate: self.client_certificate.is_some(),
        }
    }

    /// The document to be sealed.
    pub fn to_json(&self) -> zeroize::Zeroizing<Vec<u8>> {
        serde_json::to_vec(self).expect("access has only text fields").into()
    }

    /// The reverse of [`Access::to_json`]; `None` when it is no such document.
    pub fn from_json(document: &[u8]) -> Option<Self> {
        serde_json::from_slice(document).ok()
    }
}

impl AccessSummary {
    /// Whether there is nothing to tell.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Auth {
    /// The value of `authorization`, unless it has to be fetched first.
    pub fn authorization(&self) -> Option<Hidden> {
        match self {
            Self::Basic { username, password } => Some(basic(username.reveal(), password.reveal())),
            Self::Bearer { token } => Some(Hidden::from(format!("Bearer {}", token.reveal()))),
            Self::Oauth2(_) => None,
        }
    }
}

impl ClientCredentials {
    /// The value of `authorization` for the token endpoint: both are form-encoded first.
    pub fn authorization(&self) -> Hidden {
        let encode = |text: &Hidden| -> String {
            url::form_urlencoded::byte_serialize(text.reveal().as_bytes()).collect()
        };
        basic(&encode(&self.client_id), &encode(&self.client_secret))
    }

    /// The form that asks for a token.
    pub fn form(&self) -> String {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "client_credentials");
        for (name, value) in [("scope", &self.scope), ("audience", &self.audience)] {
            if let Some(value) = value {
                form.append_pair(name, value);
            }
        }
        form.finish()
    }
}

fn basic(username: &str, password: &str) -> Hidden {
    Hidden::from(format!("Basic {}", STANDARD.encode(format!("{username}:{password}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn oauth2() -> ClientCredentials {
        ClientCredentials {
            token_url: "https://id.example.org/token".into(),
            client_id: "tid ings".to_owned().into(),
            client_secret: "s:ü".to_owned().into(),
            scope: Some("hooks write".into()),
            audience: Some("https://api.example.org".into()),
        }
    }

    #[test]
    fn documents_round_trip_and_debug_shows_no_value() {
        let access = Access {
            headers: vec![("x-key".into(), "hush-header".to_owned().into())],
            auth: Some(Auth::Oauth2(oauth2())),
            client_certificate: Some(ClientCertificate {
                certificate: "hush-cert".to_owned().into(),
                private_key: "hush-key".to_owned().into(),
            }),
        };
        assert_eq!(Access::from_json(&access.to_json()), Some(access.clone()));
        assert_eq!(Access::from_json(b"1"), None);
        let shown = format!("{access:?}");
        assert!(shown.contains("x-key") && !shown.contains("hush") && !shown.contains("s:ü"));
        let told = serde_json::to_string(&access.summary()).unwrap();
        assert_eq!(told, r#"{"headers":["x-key"],"auth":"oauth2","client_certificate":true}"#);
        assert!(!access.is_empty() && Access::default().is_empty());
        assert!(Access::default().summary().is_empty());
    }

    #[test]
    fn credentials_are_put_as_the_rfcs_say() {
        let hidden = |text: &str| Hidden::from(text.to_owned());
        for (auth, expected) in [
            (
                Auth::Basic { username: hidden("Aladdin"), password: hidden("open sesame") },
                Some("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="),
            ),
            (Auth::Bearer { token: hidden("mF_9.B5f-4.1JqM") }, Some("Bearer mF_9.B5f-4.1JqM")),
            (Auth::Oauth2(oauth2()), None),
        ] {
            let value = auth.authorization();
            assert_eq!(value.as_ref().map(Hidden::reveal), expected);
        }
        let expected = format!("Basic {}", STANDARD.encode("tid+ings:s%3A%C3%BC"));
        assert_eq!(oauth2().authorization().reveal(), expected);
        assert_eq!(
            oauth2().form(),
            "grant_type=client_credentials&scope=hooks+write&audience=https%3A%2F%2Fapi.example.org"
        );
    }
}
