//! A small HTTP/1.1 client with kept connections.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client as Pool;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

/// Longest wait for an answer; the server that should give it may have been killed.
const ANSWER_DEADLINE: Duration = Duration::from_secs(15);

/// An answer: status and JSON body (null when there is none).
pub(crate) type Answer = (u16, Value);

/// Talks to one server with one key, in one app.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pool: Pool<HttpConnector, Full<Bytes>>,
    base: String,
    key: String,
    app: Option<String>,
}

impl Client {
    pub(crate) fn new(address: SocketAddr, key: &str) -> Self {
        Self {
            pool: Pool::builder(TokioExecutor::new()).build_http(),
            base: format!("http://{address}"),
            key: key.to_owned(),
            app: None,
        }
    }

    /// The same in the app with this id.
    pub(crate) fn in_app(&self, app: &str) -> Self {
        Self { app: Some(app.to_owned()), ..self.clone() }
    }

    /// A GET. Errors are those of the connection, in words.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer, String> {
        self.send("GET", path, None, None).await
    }

    /// A POST of JSON.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Answer, String> {
        self.send("POST", path, Some(body), None).await
    }

    /// A POST that may be repeated: the server does it once.
    pub(crate) async fn post_once(
        &self,
        path: &str,
        body: &Value,
        idempotency_key: &str,
    ) -> Result<Answer, String> {
        self.send("POST", path, Some(body), Some(idempotency_key)).await
    }

    /// What the server made; errors name what was wanted and hide secrets.
    pub(crate) async fn make(&self, path: &str, body: &Value) -> Result<Value, String> {
        match self.post(path, body).await? {
            (201, made) => Ok(made),
            (status, answer) => Err(format!("POST {path}: {status} {}", answer["detail"])),
        }
    }

    async fn send(
        &self,
        method: &str,
        path: &str,
        body: Option<&Value>,
        idempotency_key: Option<&str>,
    ) -> Result<Answer, String> {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.key));
        if let Some(app) = &self.app {
            request = request.header("tidings-app", app);
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        if let Some(key) = idempotency_key {
            request = request.header("idempotency-key", key);
        }
        let bytes = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let request = request.body(Full::new(bytes)).map_err(|error| error.to_string())?;
        let exchange = async {
            let answer = self.pool.request(request).await.map_err(|error| error.to_string())?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await.map_err(|error| error.to_string())?;
            let body = serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null);
            Ok((status, body))
        };
        tokio::time::timeout(ANSWER_DEADLINE, exchange)
            .await
            .map_err(|_| format!("no answer within {ANSWER_DEADLINE:?}"))?
    }
}
