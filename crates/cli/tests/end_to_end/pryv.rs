//! Pryv against the binary: the vendor's client through the story of its guide, and a webhook's life as the
//! vendor's own tests have it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidings_core::clock::Clock;
use tidings_testkit::receiver::{Answer, Received, TestReceiver};

use crate::tidings::{PATIENCE, Tidings};
use crate::vendor::root;

const ANA: &str = "ana-test";
const PASSWORD: &str = "correct horse";
const OPEN: (&str, &str) = ("TIDINGS_PRYV__REGISTRATION", "open");
/// The documentation leaves the pace of webhooks to the platform's administrator: this one is not patient.
const QUICK: [(&str, &str); 2] =
    [("TIDINGS_PRYV__MIN_INTERVAL_MS", "200"), ("TIDINGS_PRYV__RUNS_SIZE", "3")];

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

/// The platform with Ana, and the pace that is documented.
async fn platform() -> Tidings {
    with_ana(Tidings::start_with(&[OPEN]).await).await
}

/// The same at a quick pace.
async fn quick_platform() -> Tidings {
    with_ana(Tidings::start_with(&[&[OPEN][..], &QUICK].concat()).await).await
}

async fn with_ana(tidings: Tidings) -> Tidings {
    let person = json!({
        "appId": "my-app-id", "username": ANA, "password": PASSWORD, "email": "ana@example.com",
    });
    let (status, body) = tidings.send("POST", "/pryv/users", "", &[], Some(&person)).await;
    assert_eq!(status, 201, "{body}");
    tidings
}

/// Seconds, as Pryv counts them.
fn now() -> f64 {
    Clock::system().now().0 as f64 / 1_000.0
}

fn messages(request: &Received) -> Value {
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    for name in ["apiVersion", "serial"] {
        assert!(body["meta"][name].is_string(), "{body}");
    }
    let age = now() - body["meta"]["serverTime"].as_f64().unwrap();
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
    let tidings = quick_platform().await;
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
    assert_eq!((&body["currentRetries"], &body["maxRetries"]), (&json!(6), &json!(5)));
    assert_eq!(body["runs"].as_array().unwrap().len(), 3, "the platform shows three");
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

/// Ana's account with an app, called without the vendor's client.
struct Account {
    tidings: Tidings,
    /// The token of the app.
    app: String,
}

impl Account {
    async fn open(tidings: Tidings) -> Self {
        let tidings = with_ana(tidings).await;
        let credentials = json!({ "username": ANA, "password": PASSWORD, "appId": "my-app-id" });
        let origin = tidings.server.base_url.clone();
        let path = format!("/pryv/{ANA}/auth/login");
        let trusted = [("origin", origin.as_str())];
        let (status, body) = tidings.send("POST", &path, "", &trusted, Some(&credentials)).await;
        assert_eq!(status, 200, "{body}");
        let account = Self { tidings, app: body["token"].as_str().unwrap().to_owned() };
        let health =
            json!({ "streamId": "health", "defaultName": "Health", "level": "contribute" });
        let access = json!({ "name": "steps", "type": "app", "permissions": [health] });
        let access = account.call("POST", "/accesses", access).await;
        Self { app: access["access"]["token"].as_str().unwrap().to_owned(), ..account }
    }

    /// A call that must succeed.
    async fn call(&self, method: &str, path: &str, body: Value) -> Value {
        let path = format!("/pryv/{ANA}{path}");
        let body = (!body.is_null()).then_some(&body);
        let (status, answer) = self.tidings.send(method, &path, &self.app, &[], body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {answer}");
        answer
    }

    /// Creates a webhook; the path of it.
    async fn webhook(&self, url: &str) -> String {
        let made = self.call("POST", "/webhooks", json!({ "url": url })).await;
        format!("/webhooks/{}", made["webhook"]["id"].as_str().unwrap())
    }

    async fn record(&self) {
        let steps = json!({ "streamId": "health", "type": "count/steps", "content": 10000 });
        self.call("POST", "/events", steps).await;
    }

    /// Waits until a webhook has run so often.
    async fn run(&self, path: &str, times: u64) -> Value {
        let begun = Instant::now();
        loop {
            let webhook = self.call("GET", path, Value::Null).await["webhook"].take();
            if webhook["runCount"] == times {
                return webhook;
            }
            assert!(begun.elapsed() < PATIENCE, "{webhook}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// The vendor's tests of its running service: YD6N, UM4T, 3TMH, 7N4L, EXQD, 904D, FYOR.
#[tokio::test(flavor = "multi_thread")]
async fn webhooks_are_told_of_changes_and_of_a_restart_as_long_as_they_are_active() {
    let quick = [&[OPEN][..], &QUICK].concat();
    let mut account = Account::open(Tidings::start_logged(&quick).await).await;
    let receiver = TestReceiver::start().await;
    for status in [200, 200, 201, 202] {
        receiver.answer_next(Answer::status(status));
    }
    // Created while the service runs, and called at the next change.
    let doomed = account.webhook(&receiver.url("/doomed")).await;
    let begun = now();
    account.record().await;
    let run = account.run(&doomed, 1).await;
    assert_eq!((&run["runs"], &run["runs"][0]), (&json!([run["lastRun"]]), &run["lastRun"]));
    assert_eq!((&run["lastRun"]["status"], &run["failCount"]), (&json!(200), &json!(0)));
    let at = run["lastRun"]["timestamp"].as_f64().unwrap();
    assert!((begun - 0.001..=now()).contains(&at), "{at}");
    account.call("DELETE", &doomed, Value::Null).await;

    let active = account.webhook(&receiver.url("/active/my-secret?key=my-other-secret")).await;
    let inactive = account.webhook(&receiver.url("/inactive")).await;
    account.call("PUT", &inactive, json!({ "state": "inactive" })).await;
    account.record().await;
    account.run(&active, 1).await;

    account.tidings.server.restart().await;
    account.run(&active, 2).await;
    for runs in 3..=4 {
        account.record().await;
        account.run(&active, runs).await;
    }
    let told: Vec<_> =
        receiver.received().iter().map(|call| (call.path.clone(), messages(call))).collect();
    let call = |path: &str, message: &str| (path.to_owned(), json!([message]));
    let of_active = |message| call("/active/my-secret?key=my-other-secret", message);
    let expected = [
        call("/doomed", "eventsChanged"),
        of_active("eventsChanged"),
        of_active("webhooksServiceBoot"),
        of_active("eventsChanged"),
        of_active("eventsChanged"),
    ];
    assert_eq!(told, expected);
    // The ring of runs turns, newest first.
    let webhook = account.run(&active, 4).await;
    let statuses = [0, 1, 2].map(|n| webhook["runs"][n]["status"].clone());
    assert_eq!(json!(statuses), json!([200, 202, 201]));
    assert_eq!((&webhook["runs"][3], &webhook["lastRun"]), (&Value::Null, &webhook["runs"][0]));
    let webhook = account.run(&inactive, 0).await;
    assert_eq!((&webhook["state"], &webhook["runs"]), (&json!("inactive"), &json!([])));
    drop(account.call("GET", &format!("/events?auth={}", account.app), Value::Null).await);
    let log = account.tidings.log();
    assert!(log.contains("serving"), "{log}");
    for secret in [&account.app, PASSWORD, "my-secret", "my-other-secret"] {
        assert!(!log.contains(secret), "the log has {secret}");
    }
}
