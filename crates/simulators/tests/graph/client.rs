//! Somebody who asks Graph over HTTP, and an address that takes its notifications.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tidings_simulators::graph::{ADA, Graph};
use tidings_simulators::server::{Answer, Call, Server, Setup, Site};
use tokio::net::TcpStream;
use url::Url;

/// What was answered.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: http::HeaderMap,
    pub(crate) body: Value,
}

/// Ada, signed in.
pub(crate) struct Client {
    pub(crate) graph: Graph,
    token: String,
    /// The `Prefer` header.
    pub(crate) prefer: &'static str,
}

impl Client {
    pub(crate) async fn start() -> Self {
        let graph = Graph::start(&Setup::default()).await.unwrap();
        let (token, _) = graph.tokens_for(ADA);
        Self { graph, token, prefer: "IdType=\"ImmutableId\", outlook.timezone=\"UTC\"" }
    }

    /// `path` is one below `/v1.0/`, or an address that the server gave.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Reply {
        let body = body.map_or_else(Bytes::new, |body| Bytes::from(body.to_string()));
        self.send_bytes(method, path, headers, body).await
    }

    /// The same with a body that need not be JSON.
    pub(crate) async fn send_bytes(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Reply {
        let url = path.parse::<Url>().unwrap_or_else(|_| self.graph.api().join(path).unwrap());
        let address = url.socket_addrs(|| None).unwrap()[0];
        let stream = TcpStream::connect(address).await.unwrap();
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(&url[url::Position::BeforePath..])
            .header("host", address.to_string())
            .header("authorization", format!("Bearer {}", self.token))
            .header("prefer", self.prefer);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = sender.send_request(request.body(Full::new(body)).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let body = serde_json::from_slice(&bytes).unwrap_or_default();
        Reply { status: parts.status.as_u16(), headers: parts.headers, body }
    }
}

/// An address that answers validations and keeps what it is sent.
pub(crate) struct Listener {
    pub(crate) server: Server,
    pub(crate) kept: Arc<Mutex<Vec<Value>>>,
}

struct Keeper(Arc<Mutex<Vec<Value>>>);

impl Site for Keeper {
    async fn answer(&self, call: &Call) -> Answer {
        if let Some(token) = call.parameter("validationToken") {
            return Answer::text(200, token);
        }
        let body = call.json().unwrap();
        self.0.lock().unwrap().push(body);
        Answer::empty(202)
    }
}

impl Listener {
    pub(crate) async fn start() -> Self {
        let kept = Arc::default();
        let keeper = Arc::new(Keeper(Arc::clone(&kept)));
        Self { server: Server::start(&Setup::default(), keeper).await.unwrap(), kept }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        self.server.url().join(path).unwrap().to_string()
    }

    /// The items of all notifications so far.
    pub(crate) fn items(&self) -> Vec<Value> {
        let kept = self.kept.lock().unwrap();
        kept.iter().flat_map(|body| body["value"].as_array().unwrap().clone()).collect()
    }
}
