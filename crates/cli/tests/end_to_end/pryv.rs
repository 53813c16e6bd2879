//! Pryv against the binary: the vendor's client through the story of its guide, and a webhook's life as the
//! vendor's own tests have it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidings_testkit::receiver::{Answer, Received, TestReceiver};

use crate::tidings::{PATIENCE, Tidings};
use crate::vendor::root;

const ANA: &str = "ana-test";
const PASSWORD: &str = "correct horse";
const OPEN: (&str, &str) = ("TIDINGS_PRYV__REGISTRATION", "open");
const TRUSTING: (&str, &str) = ("TIDINGS_PRYV__TRUSTED_ORIGINS", "*");

/// The vendor's client in a process of its own, asked step by step.
struct Client {
    child: Child,
    asks: ChildStdin,
    says: BufReader<ChildStdout>,
}

impl Client {
    fn start(tidings: &Tidings, hook: &str) -> Self {
        let mut child = Command::new("node")
            .arg(root().join("tests/vendor/pryv_client.mjs"))
            .env("PRYV_SERVICE", tidings.url("/pryv/service/info"))
            .env("PRYV_USER", ANA)
            .env("PRYV_PASSWORD", PASSWORD)
            .env("PRYV_HOOK", hook)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("run ./test once, which installs it");
        let asks = child.stdin.take().unwrap();
        let says = BufReader::new(child.stdout.take().unwrap());
        Self { child, asks, says }
    }

    fn step(&mut self, name: &str) -> Value {
        writeln!(self.asks, "{name}").unwrap();
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        assert!(!line.is_empty(), "the client gave up at {name}; see its complaint above");
        let mut said: Value = serde_json::from_str(&line).unwrap();
        assert_eq!(said["step"], name);
        said["value"].take()
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The platform with Ana.
async fn platform() -> Tidings {
    let tidings = Tidings::start_with(&[OPEN, TRUSTING]).await;
    let person = json!({
        "appId": "my-app-id", "username": ANA, "password": PASSWORD, "email": "ana@example.com",
    });
    let (status, body) = tidings.send("POST", "/pryv/users", "", &[], Some(&person)).await;
    assert_eq!(status, 201, "{body}");
    tidings
}

fn messages(request: &Received) -> Value {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    for name in ["apiVersion", "serial"] {
        assert!(body["meta"][name].is_string(), "{body}");
    }
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let age = now.as_secs_f64() - body["meta"]["serverTime"].as_f64().unwrap();
    assert!((0.0..PATIENCE.as_secs_f64()).contains(&age), "{body}");
    body["messages"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_vendors_client_goes_through_the_guide() {
    let tidings = platform().await;
    let receiver = TestReceiver::start().await;
    let hook = receiver.url(&format!("/{ANA}/my-secret/?param1=value1&param2=value2"));
    let mut client = Client::start(&tidings, &hook);

    let begun = client.step("begin");
    assert_eq!(begun["exists"], true);
    assert_eq!((&begun["username"], &begun["personal"]), (&json!(ANA), &json!("personal")));
    assert_eq!(begun["webhook"]["state"], "active");
    let recorded = client.step("record");
    let request = receiver.wait_for(1, PATIENCE).await.remove(0);
    assert_eq!(request.path, format!("/{ANA}/my-secret/?param1=value1&param2=value2"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(messages(&request), json!(["eventsChanged"]));

    let fetched = client.step("fetch");
    assert_eq!(fetched["events"], json!([recorded]));
    assert_eq!(
        (&fetched["eventDeletions"], &fetched["streamed"]),
        (&json!([]), &json!([recorded]))
    );
    client.step("forget");
    let request = receiver.wait_for(2, PATIENCE).await.remove(1);
    assert_eq!(messages(&request), json!(["eventsChanged"]));
    let fetched = client.step("fetch");
    assert_eq!(fetched["events"], json!([]));
    assert_eq!(fetched["eventDeletions"][0]["id"], recorded["id"]);

    let webhook = until(&mut client, |webhook| webhook["runCount"] == 2).await;
    assert_eq!(webhook["failCount"], 0);
    assert_eq!(webhook["lastRun"], webhook["runs"][0]);
    assert_eq!(webhook["runs"][0]["status"], 200);
    let tested = client.step("test");
    assert_eq!(tested["webhook"]["runCount"], 2, "a test is not counted");
    assert_eq!(messages(&receiver.wait_for(3, PATIENCE).await[2]), json!(["test"]));
    let refused = json!(["forbidden", "item-already-exists", "forbidden", "invalid-access-token"]);
    assert_eq!(client.step("refuse"), refused);
    let ended = client.step("end");
    assert_eq!(ended["deleted"]["id"], webhook["id"]);
    assert_eq!((&ended["left"], &ended["again"]), (&json!([]), &json!("invalid-access-token")));
}

/// Waits until the client's webhook is so.
async fn until(client: &mut Client, so: impl Fn(&Value) -> bool) -> Value {
    let begun = Instant::now();
    loop {
        let webhook = client.step("webhook");
        if so(&webhook) {
            return webhook;
        }
        assert!(begun.elapsed() < 3 * PATIENCE, "{webhook}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_fails_is_tried_six_times_then_inactive_until_it_is_started() {
    let tidings = platform().await;
    let receiver = TestReceiver::start().await;
    receiver.answer_always(Answer::status(400));
    let mut client = Client::start(&tidings, &receiver.url("/"));
    client.step("begin");
    let (status, body) = {
        client.step("record");
        receiver.wait_for(6, 3 * PATIENCE).await;
        let webhook = until(&mut client, |webhook| webhook["state"] == "inactive").await;
        (webhook["runCount"].clone(), webhook)
    };
    assert_eq!((status, &body["failCount"]), (json!(6), &json!(6)), "{body}");
    assert_eq!(body["currentRetries"], 6);
    assert!(body["runs"].as_array().unwrap().iter().all(|run| run["status"] == 400), "{body}");

    // What happens meanwhile is not sent, also not later.
    client.step("record");
    receiver.answer_always(Answer::status(200));
    let webhook = client.step("reactivate");
    assert_eq!((&webhook["state"], &webhook["currentRetries"]), (&json!("active"), &json!(0)));
    assert_eq!(receiver.count(), 6);
    client.step("record");
    let received = receiver.wait_for(7, PATIENCE).await;
    assert_eq!(messages(&received[6]), json!(["eventsChanged"]));
    let webhook = until(&mut client, |webhook| webhook["runCount"] == 7).await;
    assert_eq!((&webhook["runs"][0]["status"], &webhook["failCount"]), (&json!(200), &json!(6)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_cannot_be_called_fails_as_a_run_and_as_a_test() {
    let tidings = platform().await;
    let mut client = Client::start(&tidings, "yololo");
    client.step("begin");
    let tested = client.step("test");
    let error = json!({
        "id": "unknown-referenced-resource",
        "message": "Unknown referenced webhook \"yololo\"",
        "data": { "url": "yololo" },
    });
    assert_eq!(tested["error"], error);
    client.step("record");
    let webhook = until(&mut client, |webhook| webhook["failCount"] != 0).await;
    assert_eq!((&webhook["lastRun"]["status"], &webhook["currentRetries"]), (&json!(0), &json!(1)));
}
