//! Hosts of persons: a request to `{username}.{domain}` is one to `/pryv/{username}`.

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use http::Uri;
use http::header::HOST;
use http::uri::PathAndQuery;
use tower::ServiceExt;

/// The host that stands for the platform itself.
const PLATFORM: &str = "reg";

/// Everything in `inside`, and the hosts of persons below `domain`.
pub(super) fn of_persons(inside: Router, domain: String) -> Router {
    Router::new().fallback(move |request: Request| {
        let inside = inside.clone();
        let request = rewritten(request, &domain);
        async move {
            let Ok(response): Result<Response, std::convert::Infallible> =
                inside.oneshot(request).await;
            response
        }
    })
}

fn rewritten(mut request: Request, domain: &str) -> Request {
    let named = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let host = request.uri().host().or(named).map(str::to_ascii_lowercase);
    let place = host.and_then(|host| place(&host, domain));
    if let Some(uri) = place.and_then(|place| below(request.uri(), &place)) {
        *request.uri_mut() = uri;
    }
    request
}

/// The path that a host stands for; none when it is no person's.
fn place(host: &str, domain: &str) -> Option<String> {
    let host = host.split(':').next().unwrap_or_default();
    let name = host.strip_suffix(domain)?.strip_suffix('.')?;
    match name {
        "" => None,
        PLATFORM => Some("/pryv".into()),
        name => (!name.contains('.')).then(|| format!("/pryv/{name}")),
    }
}

/// The same below another path.
fn below(uri: &Uri, place: &str) -> Option<Uri> {
    let path = uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(format!("{place}{path}").parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn a_persons_host_stands_for_a_path() {
        for (host, uri, path) in [
            ("ana-test.pryv.example", "/events?limit=1", "/pryv/ana-test/events?limit=1"),
            ("Ana-Test.Pryv.Example:8080", "/", "/pryv/ana-test/"),
            ("reg.pryv.example", "/users", "/pryv/users"),
            ("pryv.example", "/healthz", "/healthz"),
            ("a.b.pryv.example", "/healthz", "/healthz"),
            ("notpryv.example", "/healthz", "/healthz"),
            (".pryv.example", "/healthz", "/healthz"),
            ("other.example", "/pryv/ana-test/events", "/pryv/ana-test/events"),
            ("other.example", "http://ana-test.pryv.example/events", "/pryv/ana-test/events"),
        ] {
            let request = Request::get(uri).header(HOST, host).body(Body::empty()).unwrap();
            let uri = rewritten(request, "pryv.example").uri().clone();
            assert_eq!(uri.path_and_query().unwrap().as_str(), path, "{host}");
        }
    }
}
