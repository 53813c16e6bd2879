//! Credentials, and where they may be sent.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::header::AUTHORIZATION;
use url::Url;

use super::Request;
use crate::error::ProviderError;

/// Where iCloud's calendars are.
pub const APPLE_URL: &str = "https://caldav.icloud.com/";

/// One account's credentials, bound to the server that they were given for.
#[derive(Clone)]
pub struct Login {
    server: Url,
    apple: bool,
    header: HeaderValue,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").field("server", &self.server.as_str()).finish_non_exhaustive()
    }
}

impl Login {
    /// For a CalDAV server at the address that the user typed.
    ///
    /// # Errors
    /// [`ProviderError::Permanent`] when the address cannot be used, or the user name holds a colon
    /// (RFC 7617 section 2) or control characters.
    pub fn caldav(server: &Url, user: &str, password: &str) -> Result<Self, ProviderError> {
        if !matches!(server.scheme(), "http" | "https") || server.host_str().is_none() {
            return Err(ProviderError::permanent("the server address must be an https:// URL"));
        }
        if !server.username().is_empty() || server.password().is_some() {
            return Err(ProviderError::permanent(
                "the server address must not hold a user name or password",
            ));
        }
        if user.is_empty() || user.contains(':') || user.chars().any(char::is_control) {
            return Err(ProviderError::permanent(
                "the user name must not be empty and must not hold a colon",
            ));
        }
        if password.chars().any(char::is_control) {
            return Err(ProviderError::permanent("the password must not hold control characters"));
        }
        let token = STANDARD.encode(format!("{user}:{password}"));
        let mut header =
            HeaderValue::try_from(format!("Basic {token}")).expect("base 64 is valid in a header");
        header.set_sensitive(true);
        Ok(Self { server: server.clone(), apple: false, header })
    }

    /// For iCloud, with an app-specific password.
    ///
    /// # Errors
    /// [`ProviderError::Permanent`] with an explanation when the password does not look like one of
    /// Apple's app-specific passwords (`xxxx-xxxx-xxxx-xxxx`).
    pub fn apple(user: &str, password: &str) -> Result<Self, ProviderError> {
        let server = Url::parse(APPLE_URL).expect("a constant address");
        let password = password.trim();
        if !is_app_password(password) {
            return Err(ProviderError::permanent(
                "this is not an app-specific password: iCloud does not accept the Apple account's \
                 own password here. Create one at account.apple.com under Sign-In and Security, \
                 App-Specific Passwords; it has the form xxxx-xxxx-xxxx-xxxx",
            ));
        }
        Ok(Self { apple: true, ..Self::caldav(&server, user, password)? })
    }

    /// The server's address, where discovery begins.
    pub fn server(&self) -> &Url {
        &self.server
    }

    /// Adds the credentials to `request`.
    ///
    /// # Errors
    /// [`ProviderError::Permanent`] when the request goes to another origin than the one that the
    /// credentials were given for (for iCloud: any of its own hosts). It must then not be sent.
    pub fn authorize(&self, request: &mut Request) -> Result<(), ProviderError> {
        if !self.trusts(&request.url) {
            return Err(ProviderError::permanent(format!(
                "the calendar server {} points to {}; the password is not sent there. If you trust \
                 it, connect the account with that address",
                self.server.origin().ascii_serialization(),
                request.url.origin().ascii_serialization(),
            )));
        }
        request.headers.insert(AUTHORIZATION, self.header.clone());
        Ok(())
    }

    /// Whether the credentials may be sent to `url`.
    pub fn trusts(&self, url: &Url) -> bool {
        let same_origin = url.origin() == self.server.origin();
        let icloud = url.scheme() == "https"
            && url.port_or_known_default() == Some(443)
            && url.host_str().is_some_and(|host| host.ends_with(".icloud.com"));
        same_origin || (self.apple && icloud)
    }
}

fn is_app_password(password: &str) -> bool {
    let groups: Vec<&str> = password.split('-').collect();
    groups.len() == 4
        && groups
            .iter()
            .all(|group| group.len() == 4 && group.bytes().all(|b| b.is_ascii_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::caldav::probe;

    #[test]
    fn the_password_goes_to_its_own_origin_only() {
        let typed = Url::parse("https://dav.example.com/u/").unwrap();
        let caldav = Login::caldav(&typed, "u", "pw").unwrap();
        let apple = Login::apple("u@example.com", "abcd-efgh-ijkl-mnop").unwrap();
        for (login, url, trusted) in [
            (&caldav, "https://dav.example.com/other/", true),
            (&caldav, "https://dav.example.com:443/", true),
            (&caldav, "http://dav.example.com/", false),
            (&caldav, "https://dav.example.com:8443/", false),
            (&caldav, "https://p42-caldav.icloud.com/", false),
            (&caldav, "https://example.com/", false),
            (&apple, "https://p42-caldav.icloud.com:443/1/calendars/", true),
            (&apple, "https://caldav.icloud.com/", true),
            (&apple, "http://p42-caldav.icloud.com/", false),
            (&apple, "https://p42-caldav.icloud.com:444/", false),
            (&apple, "https://icloud.com.example.com/", false),
            (&apple, "https://evilicloud.com/", false),
        ] {
            let mut request = probe::request(&Url::parse(url).unwrap());
            assert_eq!(login.authorize(&mut request).is_ok(), trusted, "{url}");
            assert_eq!(request.headers.contains_key(AUTHORIZATION), trusted, "{url}");
        }
    }

    #[test]
    fn credentials_stay_out_of_debug_output() {
        let typed = Url::parse("https://dav.example.com/").unwrap();
        let login = Login::caldav(&typed, "alice", "secret").unwrap();
        let mut request = probe::request(&typed);
        login.authorize(&mut request).unwrap();
        let shown = format!("{login:?} {request:?}");
        assert!(!shown.contains("alice") && !shown.contains("YWxpY2U6c2VjcmV0"), "{shown}");
    }

    #[test]
    fn unusable_credentials_are_explained() {
        let typed = Url::parse("https://dav.example.com/").unwrap();
        assert!(Login::caldav(&typed, "a:b", "x").is_err());
        assert!(Login::caldav(&typed, "", "x").is_err());
        assert!(Login::caldav(&typed, "a", "x\r\ny").is_err());
        assert!(Login::caldav(&Url::parse("file:///etc").unwrap(), "a", "x").is_err());
        assert!(Login::caldav(&Url::parse("https://a:b@c.example/").unwrap(), "a", "x").is_err());
        let refused = Login::apple("u@example.com", "my main password").unwrap_err();
        assert!(refused.to_string().contains("app-specific password"), "{refused}");
    }
}
