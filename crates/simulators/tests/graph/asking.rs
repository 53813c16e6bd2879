//! Shorter ways to ask.

use serde_json::Value;
use tidings_simulators::server::Call;

use crate::client::{Client, Listener, Reply};

impl Reply {
    /// The id of the event, calendar or subscription.
    pub(crate) fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }

    /// The code of a refusal.
    pub(crate) fn code(&self) -> (u16, &str) {
        (self.status, self.body["error"]["code"].as_str().unwrap_or_default())
    }

    pub(crate) fn link(&self, kind: &str) -> String {
        self.body[format!("@odata.{kind}Link")].as_str().unwrap().to_owned()
    }
}

impl Client {
    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], None).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, &[], Some(body)).await
    }

    /// The values of every page, and the last page.
    pub(crate) async fn pages(&self, path: &str) -> (Vec<Value>, Reply) {
        let mut reply = self.get(path).await;
        let mut values = Vec::new();
        loop {
            assert_eq!(reply.status, 200, "{:?}", reply.body);
            values.extend(reply.body["value"].as_array().unwrap().clone());
            if reply.body.get("@odata.nextLink").is_none() {
                return (values, reply);
            }
            reply = self.get(&reply.link("next")).await;
        }
    }
}

impl Listener {
    /// Requests that it received.
    pub(crate) fn asked(&self) -> Vec<Call> {
        self.server.log().all().into_iter().map(|recorded| recorded.call).collect()
    }
}
