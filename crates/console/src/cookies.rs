//! The cookies of the console: their names, their attributes, reading and setting them.
//!
//! Handlers hand a cookie to [`set`] or [`clear`]; the guard writes the header, because only it knows how
//! browsers come here. By https the names begin with `__Host-`, which a browser takes from this host alone
//! (RFC 6265bis section 4.1.3.2), and no other name is read.

use axum::response::Response;
use http::HeaderMap;
use http::header::COOKIE;
use tidings_core::limits;

/// A cookie of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// The token of an operator's session.
    Session,
    /// The token of an end user's link to the portal.
    Portal,
    /// What forms carry before anybody is signed in.
    Form,
    /// Which notice the next page shows.
    Notice,
    /// The chosen theme.
    Theme,
}

impl Cookie {
    fn name(self, secure: bool) -> &'static str {
        match (self, secure) {
            (Self::Session, true) => "__Host-tidings",
            (Self::Session, false) => "tidings",
            (Self::Portal, true) => "__Host-tidings-portal",
            (Self::Portal, false) => "tidings-portal",
            (Self::Form, true) => "__Host-tidings-form",
            (Self::Form, false) => "tidings-form",
            (Self::Notice, true) => "__Host-notice",
            (Self::Notice, false) => "notice",
            (Self::Theme, true) => "__Host-theme",
            (Self::Theme, false) => "theme",
        }
    }

    /// How long the browser keeps it, seconds; none: until it is closed.
    fn max_age_s(self) -> Option<u32> {
        match self {
            Self::Session | Self::Portal | Self::Form => None,
            Self::Notice => Some(limits::CONSOLE_NOTICE_S),
            Self::Theme => Some(limits::CONSOLE_THEME_S),
        }
    }

    /// Its value in a request. One that is there twice with different values was put there by somebody
    /// else, and is not read.
    pub(crate) fn read(self, headers: &HeaderMap, secure: bool) -> Option<&str> {
        let name = self.name(secure);
        let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';'));
        let mut values = pairs.filter_map(|pair| {
            let (found, value) = pair.trim().split_once('=')?;
            (found == name).then_some(value)
        });
        let first = values.next().filter(|value| !value.is_empty())?;
        values.all(|value| value == first).then_some(first)
    }

    fn baked(self, value: &str, secure: bool) -> String {
        let age = match (value, self.max_age_s()) {
            ("", _) => "; Max-Age=0".to_owned(),
            (_, Some(seconds)) => format!("; Max-Age={seconds}"),
            (_, None) => String::new(),
        };
        let tls = if secure { "; Secure" } else { "" };
        format!("{}={value}; Path=/; HttpOnly; SameSite=Lax{age}{tls}", self.name(secure))
    }
}

/// The cookies that an answer sets.
#[derive(Clone, Debug, Default)]
struct Jar(Vec<(Cookie, String)>);

/// Sets a cookie. The value must be made of letters, digits, `-`, `_`, `.` and `+` only, which tokens are.
pub(crate) fn set(mut response: Response, cookie: Cookie, value: impl Into<String>) -> Response {
    let jar = response.extensions_mut().get_or_insert_default::<Jar>();
    jar.0.retain(|(other, _)| *other != cookie);
    jar.0.push((cookie, value.into()));
    response
}

/// Has the browser forget a cookie.
pub(crate) fn clear(response: Response, cookie: Cookie) -> Response {
    set(response, cookie, "")
}

/// Whether the answer says something about this cookie.
pub(crate) fn is_set(response: &Response, cookie: Cookie) -> bool {
    let jar = response.extensions().get::<Jar>();
    jar.is_some_and(|jar| jar.0.iter().any(|(set, _)| *set == cookie))
}

/// The values of the headers `set-cookie` of an answer.
pub(crate) fn headers(response: &mut Response, secure: bool) -> Vec<String> {
    let jar = response.extensions_mut().remove::<Jar>().unwrap_or_default();
    jar.0.iter().map(|(cookie, value)| cookie.baked(value, secure)).collect()
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;
    use http::HeaderValue;

    use super::*;

    #[test]
    fn asvs_3_3_1_cookies_are_bound_to_host_and_channel() {
        for (cookie, value, secure, header) in [
            (
                Cookie::Session,
                "abc",
                true,
                "__Host-tidings=abc; Path=/; HttpOnly; SameSite=Lax; Secure",
            ),
            (Cookie::Session, "abc", false, "tidings=abc; Path=/; HttpOnly; SameSite=Lax"),
            (
                Cookie::Portal,
                "",
                true,
                "__Host-tidings-portal=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0; Secure",
            ),
            (
                Cookie::Theme,
                "dark",
                false,
                "theme=dark; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000",
            ),
        ] {
            let mut response = set(().into_response(), cookie, value);
            assert!(is_set(&response, cookie));
            assert_eq!(headers(&mut response, secure), [header]);
        }
    }

    #[test]
    fn only_the_cookie_of_this_host_is_read_and_only_when_it_is_one() {
        for (sent, secure, read) in [
            ("__Host-tidings=a", true, Some("a")),
            ("tidings=a", true, None),
            ("__Host-tidings=a", false, None),
            ("other=1; tidings=a", false, Some("a")),
            ("tidings=a; tidings=a", false, Some("a")),
            ("tidings=a; tidings=b", false, None),
            ("tidings=", false, None),
            ("xtidings=a", false, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(COOKIE, HeaderValue::from_static(sent));
            assert_eq!(Cookie::Session.read(&headers, secure), read, "{sent} {secure}");
        }
    }
}
