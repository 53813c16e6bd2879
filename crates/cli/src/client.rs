//! A client of the native API of a server, which may be far away.

mod follow;
mod problem;
mod stream;

use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use serde::Serialize;
use serde_json::Value;
use tidings_core::limits;
use tokio::time::timeout;
use url::Url;

use crate::error::{Error, Result};
use crate::profile::Place;

pub(crate) use follow::{Follow, News};
use stream::Stream;

/// An HTTP client: connections are kept, redirects are answers.
pub(crate) type Http = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// A client of one server, for one app.
#[derive(Clone)]
pub(crate) struct Client {
    http: Http,
    place: Place,
}

impl Client {
    /// A client of the server at `place`. Nothing is asked yet.
    ///
    /// # Errors
    /// Usage: there is no key, or one that fits into no header; the file of certificates cannot be used.
    pub(crate) fn new(place: Place) -> Result<Self> {
        let http = http(place.ca_file.as_deref())?;
        Ok(Self { http, place })
    }

    /// Where the server is.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// What is at a path below `/api/v1`, given by its segments.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value> {
        self.call(Method::GET, path, query, None::<&()>).await
    }

    /// Sends `body` to a path.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn post(&self, path: &[&str], body: &impl Serialize) -> Result<Value> {
        self.call(Method::POST, path, &[], Some(body)).await
    }

    /// Changes what is at a path.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn patch(&self, path: &[&str], body: &impl Serialize) -> Result<Value> {
        self.call(Method::PATCH, path, &[], Some(body)).await
    }

    /// Deletes what is at a path.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn delete(&self, path: &[&str]) -> Result<Value> {
        self.call(Method::DELETE, path, &[], None::<&()>).await
    }

    /// Any call; `null` where the answer has no body.
    ///
    /// # Errors
    /// Unreachable; what the server says, in its words.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&impl Serialize>,
    ) -> Result<Value> {
        self.call_with(method, path, query, &[], body).await
    }

    /// Any call, with headers of its own.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn call_with(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: Option<&impl Serialize>,
    ) -> Result<Value> {
        let body =
            body.map(serde_json::to_vec).transpose().map_err(Error::failed("cannot send"))?;
        let answered = async {
            let response = self.send(method, path, query, headers, body).await?;
            self.whole(response).await
        };
        let budget = Duration::from_millis(limits::CLIENT_DEADLINE_MS);
        let bytes = timeout(budget, answered).await.map_err(|_| self.silent())??;
        if bytes.is_empty() {
            return Ok(Value::Null);
        }
        let unreadable = format!("{} answered what is no JSON", self.place.url);
        serde_json::from_slice(&bytes).map_err(Error::failed(unreadable))
    }

    /// Every item of a list, page after page, at most `most`.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn list(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        most: usize,
    ) -> Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let limit = (most - items.len()).min(limits::PAGE_MAX as usize).to_string();
            let mut asked = query.to_vec();
            asked.push(("limit", &limit));
            asked.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
            let mut page = self.get(path, &asked).await?;
            items.extend(page["data"].as_array_mut().map(std::mem::take).unwrap_or_default());
            cursor = page["next_cursor"].as_str().map(str::to_owned);
            if cursor.is_none() || page["has_more"] != true || items.len() >= most {
                return Ok(items);
            }
        }
    }

    /// Opens a stream of server-sent events. It is dead when nothing is heard for `silence`.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub(crate) async fn stream(
        &self,
        path: &[&str],
        query: &[(&str, &str)],
        silence: Duration,
    ) -> Result<Stream> {
        let budget = Duration::from_millis(limits::CLIENT_DEADLINE_MS).min(silence);
        let response = timeout(budget, self.send(Method::GET, path, query, &[], None)).await;
        let response = response.map_err(|_| self.silent())??;
        Ok(Stream::new(response.into_body(), silence))
    }

    /// Sends a request; an answer that is not a success is an error.
    async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        body: Option<Vec<u8>>,
    ) -> Result<Response<Incoming>> {
        let mut request = Request::builder()
            .method(method)
            .uri(self.url(path, query).as_str())
            .header(AUTHORIZATION, self.bearer()?)
            .header(ACCEPT, "application/json, text/event-stream, application/problem+json")
            .header(USER_AGENT, concat!("tidings-cli/", env!("CARGO_PKG_VERSION")));
        if let Some(app) = &self.place.app {
            request = request.header("tidings-app", app);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if body.is_some() {
            request = request.header(CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::from(body.unwrap_or_default()));
        let unusable = |_| Error::Usage("the app's id, or a key, fits into no header".into());
        let request = request.map_err(unusable)?;
        let response = self.http.request(request).await;
        let response = response.map_err(|error| self.unreachable(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let said = self.whole(response).await.unwrap_or_default();
        Err(problem::error(status, &said, &self.place.url))
    }

    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.place.url.clone();
        url.path_segments_mut()
            .expect("http and https URLs have a path")
            .pop_if_empty()
            .extend(["api", "v1"])
            .extend(path);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    fn bearer(&self) -> Result<HeaderValue> {
        let Some(key) = &self.place.key else {
            return Err(Error::Usage(
                "there is no key: set TIDINGS_KEY, give --key-file, or run `tidings login`".into(),
            ));
        };
        let unusable = |_| Error::Usage("the key fits into no header".into());
        let mut bearer =
            HeaderValue::try_from(format!("Bearer {}", key.as_str())).map_err(unusable)?;
        bearer.set_sensitive(true);
        Ok(bearer)
    }

    async fn whole(&self, response: Response<Incoming>) -> Result<Bytes> {
        let body = Limited::new(response.into_body(), limits::CLIENT_RESPONSE_BYTES_MAX);
        let read = body.collect().await;
        let broken = |error| Error::Unreachable(format!("{}: {error}", self.place.url));
        read.map(http_body_util::Collected::to_bytes).map_err(broken)
    }

    fn silent(&self) -> Error {
        Error::Unreachable(format!("{} does not answer", self.place.url))
    }

    fn unreachable(&self, error: &legacy::Error) -> Error {
        Error::Unreachable(format!("{} cannot be reached: {}", self.place.url, innermost(error)))
    }
}

/// An HTTP client that trusts the public authorities, and those in `ca_file` (PEM) beside them.
///
/// # Errors
/// Usage: the file cannot be used.
pub(crate) fn http(ca_file: Option<&Path>) -> Result<Http> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    if let Some(file) = ca_file {
        let unusable = |why: &dyn std::fmt::Display| {
            Error::Usage(format!("--ca-file {}: {why}", file.display()))
        };
        let certificates = CertificateDer::pem_file_iter(file).map_err(|error| unusable(&error))?;
        for certificate in certificates {
            let certificate = certificate.map_err(|error| unusable(&error))?;
            roots.add(certificate).map_err(|error| unusable(&error))?;
        }
    }
    let provider = rustls::crypto::ring::default_provider();
    let config = ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()
        .map_err(Error::failed("cannot use TLS"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(Duration::from_millis(limits::CLIENT_CONNECT_MS)));
    let connector =
        HttpsConnectorBuilder::new().with_tls_config(config).https_or_http().enable_http1();
    Ok(legacy::Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .build(connector.wrap_connector(tcp)))
}

/// What is at the bottom of an error: "connection refused" rather than "client error".
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut bottom = error;
    while let Some(source) = bottom.source() {
        bottom = source;
    }
    bottom.to_string()
}
