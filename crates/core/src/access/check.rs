//! What an access may say. URLs and certificates are judged elsewhere: that needs policy and TLS.

use super::{Access, Auth, CertificateError, ClientCredentials, Hidden};
use crate::limits::{
    ACCESS_HEADER_BYTES_MAX, ACCESS_HEADERS_MAX, ACCESS_PEM_BYTES_MAX, ACCESS_VALUE_BYTES_MAX,
};

/// Headers that say what is sent, or that belong to one connection (RFC 9110 §7.6.1): ours to set.
const RESERVED: [&str; 15] = [
    "accept-encoding",
    "alt-svc",
    "connection",
    "date",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "via",
];
const RESERVED_PREFIXES: [&str; 5] = ["webhook-", "content-", "proxy-", "ce-", "tidings-"];

/// One thing of an access that is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRefusal {
    /// JSON pointer within the access: `/headers/x-key`, `/auth/token`.
    pub pointer: String,
    /// A stable code for programs.
    pub code: &'static str,
    /// What is wrong and what to give instead, without the value.
    pub why: String,
}

impl Access {
    /// Everything that is wrong with it.
    pub fn refusals(&self) -> Vec<AccessRefusal> {
        let mut found = Refusals(Vec::new());
        found.headers(self);
        match &self.auth {
            Some(Auth::Basic { username, password }) => {
                found.text("/auth/username", username, |c| c != ':' && !c.is_control());
                found.text("/auth/password", password, |c| !c.is_control());
            }
            Some(Auth::Bearer { token }) => found.text("/auth/token", token, is_visible),
            Some(Auth::Oauth2(client)) => found.client(client),
            None => {}
        }
        if let Some(identity) = &self.client_certificate {
            for (part, pem) in
                [("certificate", &identity.certificate), ("private_key", &identity.private_key)]
            {
                if pem.reveal().len() > ACCESS_PEM_BYTES_MAX {
                    let why = format!("must be at most {ACCESS_PEM_BYTES_MAX} bytes");
                    found.refuse(format!("/client_certificate/{part}"), "too_long", why);
                    return found.0;
                }
            }
            if let Err(error) = identity.certified_key() {
                let part = match error {
                    CertificateError::Certificate => "certificate",
                    CertificateError::Key | CertificateError::Mismatch => "private_key",
                };
                let pointer = format!("/client_certificate/{part}");
                found.refuse(pointer, "certificate", error.to_string());
            }
        }
        found.0
    }
}

struct Refusals(Vec<AccessRefusal>);

impl Refusals {
    fn refuse(&mut self, pointer: impl Into<String>, code: &'static str, why: impl Into<String>) {
        self.0.push(AccessRefusal { pointer: pointer.into(), code, why: why.into() });
    }

    fn headers(&mut self, access: &Access) {
        let headers = &access.headers;
        if headers.len() > ACCESS_HEADERS_MAX {
            let why = format!("must name at most {ACCESS_HEADERS_MAX} headers");
            self.refuse("/headers", "count", why);
        }
        let bytes: usize =
            headers.iter().map(|(name, value)| name.len() + value.reveal().len()).sum();
        if bytes > ACCESS_HEADER_BYTES_MAX {
            let why = format!("must have at most {ACCESS_HEADER_BYTES_MAX} bytes together");
            self.refuse("/headers", "too_long", why);
        }
        for (place, (name, value)) in headers.iter().enumerate() {
            let lower = name.to_ascii_lowercase();
            // The name is repeated only when it is harmless, escaped for a JSON pointer.
            let pointer = if is_token(name) {
                format!("/headers/{}", name.replace('~', "~0"))
            } else {
                "/headers".to_owned()
            };
            if !is_token(name) {
                let why = "a header name has only letters, digits and !#$%&'*+-.^_`|~";
                self.refuse(pointer, "header_name", why);
            } else if is_reserved(&lower) {
                self.refuse(pointer, "header_reserved", "tidings sets this header itself");
            } else if lower == "authorization" && access.auth.is_some() {
                self.refuse(pointer, "header_reserved", "give either this header or auth");
            } else if headers[..place].iter().any(|(earlier, _)| earlier.eq_ignore_ascii_case(name))
            {
                self.refuse(pointer, "header_twice", "is there twice");
            } else if !is_header_value(value.reveal()) {
                let why = "must be visible ASCII; blanks only between other characters";
                self.refuse(pointer, "header_value", why);
            }
        }
    }

    fn client(&mut self, client: &ClientCredentials) {
        self.text("/auth/client_id", &client.client_id, is_visible_or_blank);
        self.text("/auth/client_secret", &client.client_secret, is_visible_or_blank);
        if let Some(scope) = &client.scope {
            let scope = Hidden::from(scope.clone());
            self.text("/auth/scope", &scope, |c| is_visible_or_blank(c) && c != '"' && c != '\\');
        }
        if let Some(audience) = &client.audience {
            self.text("/auth/audience", &Hidden::from(audience.clone()), is_visible_or_blank);
        }
    }

    /// A value of at least one character, bounded, of these characters only.
    fn text(&mut self, pointer: &str, value: &Hidden, allowed: fn(char) -> bool) {
        let value = value.reveal();
        if value.is_empty() {
            self.refuse(pointer, "blank", "must not be empty");
        } else if value.len() > ACCESS_VALUE_BYTES_MAX {
            let why = format!("must be at most {ACCESS_VALUE_BYTES_MAX} bytes");
            self.refuse(pointer, "too_long", why);
        } else if !value.chars().all(allowed) {
            self.refuse(pointer, "characters", "has characters that must not be there");
        }
    }
}

/// Why a header with this name, in lower case, and value may not be added to a delivery, if so.
pub fn header_refusal(name: &str, value: &str) -> Option<&'static str> {
    if !is_token(name) || name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Some("is no header name in lower case")
    } else if is_reserved(name) {
        Some("is set by tidings or belongs to the connection")
    } else if !is_header_value(value) {
        Some("has a value that is empty or holds more than visible ASCII characters")
    } else {
        None
    }
}

/// A token (RFC 9110 §5.6.2).
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

fn is_reserved(lower: &str) -> bool {
    RESERVED.contains(&lower) || RESERVED_PREFIXES.iter().any(|prefix| lower.starts_with(prefix))
}

fn is_header_value(value: &str) -> bool {
    !value.is_empty() && value.trim() == value && value.chars().all(is_visible_or_blank)
}

fn is_visible(c: char) -> bool {
    c.is_ascii_graphic()
}

fn is_visible_or_blank(c: char) -> bool {
    c.is_ascii_graphic() || c == ' '
}

#[cfg(test)]
mod tests {
    use super::super::ClientCertificate;
    use super::*;

    fn hidden(text: impl Into<String>) -> Hidden {
        Hidden::from(text.into())
    }

    fn codes(access: &Access) -> Vec<String> {
        let refusals = access.refusals();
        refusals.iter().map(|refused| format!("{} {}", refused.pointer, refused.code)).collect()
    }

    #[test]
    fn hostile_headers_are_refused_and_honest_ones_are_not() {
        let long = "a".repeat(ACCESS_HEADER_BYTES_MAX);
        for (name, value, expected) in [
            ("x-api-key", "s3cret", ""),
            ("X-Tenant", "a b", ""),
            ("Authorization", "ApiKey 1", ""),
            ("x~y", "1", ""),
            ("", "1", "/headers header_name"),
            ("x key", "1", "/headers header_name"),
            ("x-key:", "1", "/headers header_name"),
            ("x\r\nhost", "1", "/headers header_name"),
            ("x-ключ", "1", "/headers header_name"),
            (":authority", "1", "/headers header_name"),
            ("Host", "evil", "/headers/Host header_reserved"),
            ("content-length", "0", "/headers/content-length header_reserved"),
            ("Content-Type", "text/html", "/headers/Content-Type header_reserved"),
            ("Transfer-Encoding", "chunked", "/headers/Transfer-Encoding header_reserved"),
            ("Connection", "close", "/headers/Connection header_reserved"),
            ("TE", "trailers", "/headers/TE header_reserved"),
            ("Proxy-Authorization", "Basic eA", "/headers/Proxy-Authorization header_reserved"),
            ("Webhook-Signature", "v1,AA", "/headers/Webhook-Signature header_reserved"),
            ("webhook-id", "x", "/headers/webhook-id header_reserved"),
            ("user-agent", "curl", "/headers/user-agent header_reserved"),
            ("x-key", "", "/headers/x-key header_value"),
            ("x-key", "a\r\nhost: b", "/headers/x-key header_value"),
            ("x-key", "a\nb", "/headers/x-key header_value"),
            ("x-key", "a\0b", "/headers/x-key header_value"),
            ("x-key", " a", "/headers/x-key header_value"),
            ("x-key", "ü", "/headers/x-key header_value"),
            ("x-key", "a\tb", "/headers/x-key header_value"),
            ("x-key", &long, "/headers too_long"),
        ] {
            let headers = vec![(name.to_owned(), hidden(value))];
            let access = Access { headers, ..Access::default() };
            assert_eq!(codes(&access).join(", "), expected, "{name:?}: {value:?}");
        }
    }

    #[test]
    fn headers_together_are_bounded_and_do_not_contradict() {
        let named = |names: &[&str]| Access {
            headers: names.iter().map(|name| ((*name).to_owned(), hidden("1"))).collect(),
            ..Access::default()
        };
        assert_eq!(codes(&named(&["x-a", "X-A"])), ["/headers/X-A header_twice"]);
        let many: Vec<String> = (0..=ACCESS_HEADERS_MAX).map(|n| format!("x-{n}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(codes(&named(&many)), ["/headers count"]);
        let auth = Some(Auth::Bearer { token: hidden("t") });
        let both = Access { auth, ..named(&["authorization"]) };
        assert_eq!(codes(&both), ["/headers/authorization header_reserved"]);
    }

    #[test]
    fn hostile_credentials_are_refused_and_honest_ones_are_not() {
        let basic = |username: &str, password: &str| Auth::Basic {
            username: hidden(username),
            password: hidden(password),
        };
        let bearer = |token: &str| Auth::Bearer { token: hidden(token) };
        let oauth2 = |id: &str, scope: &str| {
            Auth::Oauth2(ClientCredentials {
                token_url: String::new(),
                client_id: hidden(id),
                client_secret: hidden("s"),
                scope: Some(scope.into()),
                audience: None,
            })
        };
        let long = "a".repeat(ACCESS_VALUE_BYTES_MAX + 1);
        for (auth, expected) in [
            (basic("ada", "pä ss:wörd"), ""),
            (basic("a:b", "p"), "/auth/username characters"),
            (basic("", "p"), "/auth/username blank"),
            (basic("a", "p\r\nx"), "/auth/password characters"),
            (bearer("abc.def-_~+/="), ""),
            (bearer("a b"), "/auth/token characters"),
            (bearer("a\r\nx: y"), "/auth/token characters"),
            (bearer(""), "/auth/token blank"),
            (bearer(&long), "/auth/token too_long"),
            (oauth2("id", "a b"), ""),
            (oauth2("i\nd", "a"), "/auth/client_id characters"),
            (oauth2("id", "a\"b"), "/auth/scope characters"),
        ] {
            let access = Access { auth: Some(auth), ..Access::default() };
            assert_eq!(codes(&access).join(", "), expected);
        }
        let identity = ClientCertificate {
            certificate: hidden("a".repeat(ACCESS_PEM_BYTES_MAX + 1)),
            private_key: hidden(""),
        };
        let access = Access { client_certificate: Some(identity), ..Access::default() };
        assert_eq!(codes(&access), ["/client_certificate/certificate too_long"]);
    }
}
