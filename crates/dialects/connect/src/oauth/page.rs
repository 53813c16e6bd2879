//! The pages: plain HTML without scripts. Everything that comes from elsewhere is escaped.

use axum::response::{IntoResponse, Response};
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, StatusCode};
use tidings_service::{Authorization, ConnectAccess, Connecting};
use url::Url;

/// How often a page that waits for an account looks again, seconds.
const LOOK_AGAIN_S: u32 = 3;

/// The page that sends a person on to their provider.
const LEAVE: &str = "leave";

/// What the word free-busy does not limit: deliveries go to the application's server, not to who has the token.
const TOLD_ANYWAY: &str = "<p class=\"quiet\">The application's own server may be told of changes to your \
    events with their details.</p>\n";

const STYLE: &str = "\
body { font: 16px/1.5 system-ui, sans-serif; margin: 0; background: #f4f4f5; color: #18181b }
main { max-width: 26rem; margin: 3rem auto; padding: 2rem; background: #fff; border-radius: 0.75rem }
h1 { font-size: 1.25rem; margin-top: 0 }
ul { list-style: none; padding: 0 }
li { margin: 0.5rem 0 }
a.provider, button { display: block; width: 100%; box-sizing: border-box; padding: 0.65rem 1rem;
  border: 1px solid #d4d4d8; border-radius: 0.5rem; background: #fff; color: inherit; font: inherit;
  text-decoration: none; text-align: left; cursor: pointer }
button { background: #18181b; color: #fff; text-align: center; margin-top: 1rem }
label { display: block; margin-top: 0.75rem }
input { display: block; width: 100%; box-sizing: border-box; padding: 0.5rem; font: inherit }
.problem { color: #b91c1c }
.quiet { color: #71717a }
@media (prefers-color-scheme: dark) {
  :root { color-scheme: dark }
  body { background: #18181b; color: #f4f4f5 }
  main, a.provider { background: #27272a }
  a.provider { border-color: #52525b }
  button { background: #f4f4f5; color: #18181b }
  .problem { color: #fca5a5 }
  .quiet { color: #a1a1aa }
}
";

/// What a person has typed, to be shown again; never the password.
#[derive(Default)]
pub(super) struct Typed {
    pub(super) server: String,
    pub(super) username: String,
}

pub(super) async fn style() -> Response {
    let headers = [(CONTENT_TYPE, "text/css"), (CACHE_CONTROL, "public, max-age=3600")];
    (headers, STYLE).into_response()
}

/// The choice of providers, and what has been connected so far.
pub(super) fn selection(flow: &Authorization, problem: Option<&str>) -> Response {
    let mut body = format!(
        "<h1>{} asks to {}</h1>\n",
        escaped(&flow.app),
        match flow.access {
            ConnectAccess::FreeBusy => "see when you are busy",
            ConnectAccess::Read => "read your calendars",
            ConnectAccess::ReadWrite => "read and change your calendars",
        }
    );
    if flow.access == ConnectAccess::FreeBusy {
        body.push_str(TOLD_ANYWAY);
    }
    if let Some(problem) = problem {
        body.push_str(&format!("<p class=\"problem\">{}</p>\n", escaped(problem)));
    }
    if !flow.accounts.is_empty() {
        let lines = flow.accounts.iter().map(account).collect::<String>();
        body.push_str(&format!("<ul>\n{lines}</ul>\n"));
    }
    body.push_str("<p>Choose a calendar to connect:</p>\n<ul>\n");
    for provider in &flow.providers {
        let (page, name) = (page_of(provider), name_of(provider));
        // What the link begins is begun by this page only.
        let csrf = if page == LEAVE { format!("&amp;csrf={}", flow.csrf) } else { String::new() };
        body.push_str(&format!(
            "<li><a class=\"provider\" href=\"{page}?provider={provider}{csrf}\">{name}</a></li>\n"
        ));
    }
    body.push_str("</ul>\n");
    if flow.accounts.iter().any(|account| account.works != Some(false)) {
        body.push_str(&format!(
            "<form method=\"post\" action=\"finish\">\n{}<button>Continue</button>\n</form>\n",
            hidden("csrf", &flow.csrf)
        ));
    }
    body.push_str("<p><a class=\"quiet\" href=\"cancel\">Cancel</a></p>\n");
    let waits = flow.accounts.iter().any(|account| account.works.is_none());
    page(StatusCode::OK, "Connect your calendars", &body, waits, Some(&flow.redirect_uri))
}

/// The form for a server and a password.
pub(super) fn login(
    status: StatusCode,
    flow: &Authorization,
    provider: &str,
    typed: &Typed,
    problem: Option<&str>,
) -> Response {
    let mut body = format!("<h1>Connect {}</h1>\n", name_of(provider));
    if let Some(problem) = problem {
        body.push_str(&format!("<p class=\"problem\">{}</p>\n", escaped(problem)));
    }
    let server = match provider {
        "caldav" => format!(
            "<label>Server address\n<input name=\"server\" type=\"url\" required value=\"{}\" \
             placeholder=\"https://calendar.example.com/\"></label>\n",
            escaped(&typed.server)
        ),
        _ => "<p class=\"quiet\">Apple wants a password made for one app: make one at \
              account.apple.com, under sign-in and security.</p>\n"
            .to_owned(),
    };
    body.push_str(&format!(
        "<form method=\"post\" action=\"login\">\n{}{}{server}\
         <label>User name\n<input name=\"username\" required autocomplete=\"username\" \
         value=\"{}\"></label>\n\
         <label>App password\n<input name=\"password\" type=\"password\" required \
         autocomplete=\"off\"></label>\n<button>Connect</button>\n</form>\n\
         <p><a class=\"quiet\" href=\"select\">Back</a></p>\n",
        hidden("csrf", &flow.csrf),
        hidden("provider", provider),
        escaped(&typed.username),
    ));
    page(status, "Connect a calendar", &body, false, None)
}

/// Something is wrong that no form on the page can mend.
pub(super) fn wrong(status: StatusCode, why: &str) -> Response {
    let body = format!("<h1>This did not work</h1>\n<p>{}</p>\n", escaped(why));
    page(status, "This did not work", &body, false, None)
}

/// What to say of a code with which a connection ended: a closed list, for a link can hold any words.
pub(super) fn problem(code: &str) -> &'static str {
    match code {
        "access_denied" => "The consent was not given. You can try again.",
        "missing_scopes" => {
            "The permission for calendars was left out. Try again and tick every box."
        }
        "provider_unavailable" => "The provider cannot now. Try again later.",
        "limit_exceeded" => "This application may connect no more accounts.",
        "not_configured" => "This server is not configured rightly for the provider.",
        _ => "The account was not connected. Try again.",
    }
}

fn account(account: &Connecting) -> String {
    let name = escaped(&account.name);
    let provider = name_of(&account.provider);
    let why = account.why.as_deref().unwrap_or_default();
    let state = match account.works {
        Some(true) => "connected".to_owned(),
        None if why.is_empty() => "is being read …".to_owned(),
        None => format!("is not read yet: {}", escaped(why)),
        Some(false) => format!("does not work: {}", escaped(why)),
    };
    let class = if account.works == Some(false) { " class=\"problem\"" } else { "" };
    format!("<li{class}>{provider}, {name}: {state}</li>\n")
}

fn name_of(provider: &str) -> &'static str {
    match provider {
        "google" => "Google Calendar",
        "microsoft" => "Microsoft Outlook",
        "apple" => "Apple Calendar",
        _ => "CalDAV",
    }
}

fn page_of(provider: &str) -> &'static str {
    if ["apple", "caldav"].contains(&provider) { "login" } else { LEAVE }
}

fn hidden(name: &str, value: &str) -> String {
    format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", escaped(value))
}

/// A page. `leads_to` is where its form ends up, which browsers hold against the policy too.
fn page(
    status: StatusCode,
    title: &str,
    body: &str,
    look_again: bool,
    leads_to: Option<&str>,
) -> Response {
    let again = match look_again {
        true => format!("<meta http-equiv=\"refresh\" content=\"{LOOK_AGAIN_S};url=select\">\n"),
        false => String::new(),
    };
    let html = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n{again}\
         <title>{title}</title>\n<link rel=\"stylesheet\" href=\"style.css\">\n</head>\n\
         <body>\n<main>\n{body}</main>\n</body>\n</html>\n"
    );
    let policy = format!(
        "default-src 'none'; style-src 'self'; form-action 'self'{}; frame-ancestors 'none'; \
         base-uri 'none'",
        leads_to.and_then(source).map(|source| format!(" {source}")).unwrap_or_default()
    );
    let headers: [(HeaderName, String); 5] = [
        (CONTENT_TYPE, "text/html; charset=utf-8".into()),
        (CONTENT_SECURITY_POLICY, policy),
        (CACHE_CONTROL, "no-store".into()),
        (REFERRER_POLICY, "no-referrer".into()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff".into()),
    ];
    (status, headers, html).into_response()
}

/// What a policy calls the origin of a URL; the scheme of one without an origin (an app's own scheme).
fn source(url: &str) -> Option<String> {
    let url = Url::parse(url).ok()?;
    let origin = url.origin();
    Some(if origin.is_tuple() {
        origin.ascii_serialization()
    } else {
        format!("{}:", url.scheme())
    })
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_from_elsewhere_are_no_markup() {
        assert_eq!(escaped("<a href='\"&'>"), "&lt;a href=&#39;&quot;&amp;&#39;&gt;");
    }

    #[test]
    fn the_policy_lets_a_form_end_at_the_app_and_nowhere_else() {
        for (url, expected) in [
            ("https://app.example.com/callback?x=1", Some("https://app.example.com")),
            ("http://127.0.0.1:5173/cb", Some("http://127.0.0.1:5173")),
            ("myapp://callback", Some("myapp:")),
            ("no url", None),
        ] {
            assert_eq!(source(url).as_deref(), expected, "{url}");
        }
    }
}
