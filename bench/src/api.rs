//! The few calls of Tidings' HTTP API by which a measurement is set up.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;

const ANSWER_WAIT: Duration = Duration::from_secs(30);

/// Talks to one server with one key.
#[derive(Clone, Debug)]
pub(crate) struct Api {
    client: Client<HttpConnector, Full<Bytes>>,
    base: String,
    key: String,
}

impl Api {
    pub(crate) fn new(address: SocketAddr, key: &str) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, base: format!("http://{address}"), key: key.to_owned() }
    }

    /// A GET. Errors are those of the connection, in words.
    pub(crate) async fn get(&self, path: &str) -> Result<(u16, Value), String> {
        self.send("GET", path, Bytes::new()).await
    }

    /// A GET whose answer is not looked into.
    pub(crate) async fn get_bytes(&self, path: &str) -> Result<(u16, Bytes), String> {
        self.fetch("GET", path, Bytes::new()).await
    }

    /// A POST of JSON that must be answered 2xx.
    pub(crate) async fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        match self.send("POST", path, body.to_string().into()).await? {
            (200..300, answer) => Ok(answer),
            // The title only: a body may hold a secret.
            (status, answer) => {
                Err(format!("POST {path} was answered {status} {}", answer["title"]))
            }
        }
    }

    /// Where a GET of any address without a key sends a browser to.
    pub(crate) async fn sent_on(&self, url: &str) -> Result<String, String> {
        let request = Request::get(url).body(Full::default()).map_err(|error| error.to_string())?;
        let answer = tokio::time::timeout(ANSWER_WAIT, self.client.request(request)).await;
        let answer = answer.map_err(|_| format!("no answer within {ANSWER_WAIT:?}"))?;
        let answer = answer.map_err(|error| error.to_string())?;
        let location = answer.headers().get("location").and_then(|value| value.to_str().ok());
        location.map(str::to_owned).ok_or_else(|| format!("{} sends nobody on", answer.status()))
    }

    async fn send(&self, method: &str, path: &str, body: Bytes) -> Result<(u16, Value), String> {
        let (status, body) = self.fetch(method, path, body).await?;
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    async fn fetch(&self, method: &str, path: &str, body: Bytes) -> Result<(u16, Bytes), String> {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header("authorization", format!("Bearer {}", self.key))
            .header("content-type", "application/json")
            .body(Full::new(body))
            .map_err(|error| error.to_string())?;
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|error| error.to_string())?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await.map_err(|error| error.to_string())?;
            Ok((status, body.to_bytes()))
        };
        let late = |_| format!("{method} {path} was not answered within {ANSWER_WAIT:?}");
        tokio::time::timeout(ANSWER_WAIT, exchange).await.map_err(late)?
    }
}
