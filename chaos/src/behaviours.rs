//! `behaviours`: each receiver of the corpus of hostile receivers (`bad-inputs.json`), at the real server,
//! all at once and beside a healthy one.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tidings_testkit::receiver::{Authority, TestReceiver};
use tokio::net::TcpListener;

use crate::publish::until;
use crate::report::{Report, Tier};
use crate::world::{Plan, World};

mod script;

use script::{End, Script};

const CORPUS: &str = include_str!("../../crates/core/tests/data/bad-inputs.json");
/// Cases that are not about one receiver, or that no receiver here can play, and who deals with them.
const ELSEWHERE: &[(&str, &str)] = &[
    ("receiver-response-024", "engine: a_connection_closed_while_idle_is_replaced"),
    ("receiver-response-025", "engine: an_answer_before_the_request_was_read_counts"),
    ("receiver-response-031", "no key below 2,048 bits can be loaded"),
    ("receiver-response-058", "drill slow"),
    ("receiver-response-059", "engine: simulation"),
    ("receiver-response-060", "drill backlog"),
    ("receiver-response-061", "every drill: a repetition has the same webhook-id"),
];
/// Every attempt is over and every retry made within this time.
const DEADLINE: Duration = Duration::from_secs(60);
/// How much the server may grow, MiB.
const GROWTH_MIB_MAX: u64 = 64;

/// A case under way.
struct Case {
    name: String,
    end: End,
    hook: String,
    receiver: Player,
}

/// Who plays the hostile receiver.
enum Player {
    Scripted(TestReceiver),
    /// Accepts connections and says nothing; not even TLS.
    Mute(#[expect(dead_code, reason = "held open")] TcpListener),
}

/// Each ends as the corpus says, costs its neighbours nothing and the server next to no memory.
///
/// # Errors
/// Says what stood in the way.
pub(crate) async fn run(tier: Tier, seed: u64, planted: &'static str) -> Result<Report, String> {
    let plan = Plan { planted, ..Plan::of(tier, seed) };
    let world = World::start(&plan).await?;
    let publishing = world.publisher.steadily(0, 50);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let before = world.server.memory_mib()?;
    let corpus: Value = serde_json::from_str(CORPUS).map_err(|error| error.to_string())?;
    let receivers = corpus["cases"].as_array().into_iter().flatten();
    let receivers = receivers.filter(|case| case["category"] == "receiver-response");
    let (mut cases, mut elsewhere) = (Vec::new(), 0);
    for case in receivers {
        let id = case["id"].as_str().unwrap_or_default();
        let scenario = case["input"]["scenario"].as_str().unwrap_or_default();
        match script::of(scenario) {
            Some(script) => cases.push(begin(&world, id, scenario, script).await?),
            None if ELSEWHERE.iter().any(|(known, _)| *known == id) => elsewhere += 1,
            None => return Err(format!("nobody plays {id}: {scenario}")),
        }
    }
    let (mut broken, begun) = (Vec::new(), Instant::now());
    for case in &cases {
        if let Err(why) = ended(&world, case, DEADLINE.saturating_sub(begun.elapsed())).await {
            broken.push(format!("{}: {why}", case.name));
        }
    }
    publishing.stop().await?;
    let growth = world.server.peak_memory_mib()?.saturating_sub(before);
    let tally = world.settled_tally().await;
    let mut report = Report::of(tally, 0);
    report.note(format!("{} behaviours, {elsewhere} played elsewhere", cases.len()));
    report.note(format!("the server grew by {growth} MiB (at most {GROWTH_MIB_MAX})"));
    report.promise(growth <= GROWTH_MIB_MAX, format!("the server grew by {growth} MiB"));
    report.broken.extend(broken);
    Ok(world.leave(report))
}

/// A hook to the hostile receiver, and a change for it alone.
async fn begin(world: &World, id: &str, scenario: &str, script: Script) -> Result<Case, String> {
    let (url, receiver, end) = match script {
        Script::Plain(answer, end) => {
            let receiver = TestReceiver::start().await;
            receiver.answer_next(answer);
            (receiver.url("/"), Player::Scripted(receiver), end)
        }
        Script::Always(answer, end) => {
            let receiver = TestReceiver::start().await;
            receiver.answer_always(answer);
            (receiver.url("/"), Player::Scripted(receiver), end)
        }
        Script::Untrusted { chain_bytes } => {
            let chain = Authority::new().certificate_with_long_chain("localhost", chain_bytes);
            let receiver = TestReceiver::start_tls(chain).await;
            (receiver.url("/"), Player::Scripted(receiver), End::NeverConnects)
        }
        Script::NoHandshake => {
            let mute = TcpListener::bind("127.0.0.1:0").await.map_err(|e| e.to_string())?;
            let address = mute.local_addr().map_err(|error| error.to_string())?;
            (format!("https://{address}/"), Player::Mute(mute), End::NeverConnects)
        }
    };
    let kind = format!("hostile.{}", id.replace('-', "_"));
    let hook = json!({"url": url, "triggers": [kind], "retry": [0, 1, 1, 1, 1, 1]});
    let hook = world.clients[0].make("/api/v1/hooks", &hook).await?;
    let change = json!({"type": kind, "data": {"case": id}});
    match world.clients[0].post("/api/v1/changes", &change).await? {
        (202, _) => {}
        (status, answer) => return Err(format!("{id} was not published: {status} {answer}")),
    }
    let hook = hook["hook"]["id"].as_str().unwrap_or_default().to_owned();
    Ok(Case { name: format!("{id} ({scenario})"), end, hook, receiver })
}

/// Waits until the delivery ended as it should, and looks at its attempts.
async fn ended(world: &World, case: &Case, deadline: Duration) -> Result<(), String> {
    let mut last = Value::Null;
    let look = async || {
        let path = format!("/api/v1/deliveries?hook={}", case.hook);
        if let Ok((200, page)) = world.clients[0].get(&path).await {
            last = page["data"][0].clone();
        }
        let tried = last["attempts"].as_u64().unwrap_or(0) >= 1;
        match case.end {
            End::Delivered | End::Retried => last["status"] == "delivered",
            End::NeverConnects | End::Fails => tried,
        }
    };
    let waited = until("it ends as it should", deadline, look).await;
    waited.map_err(|why| format!("{why}; {last}"))?;
    let requests = match &case.receiver {
        Player::Scripted(receiver) => receiver.count(),
        Player::Mute(_) => 0,
    };
    let wanted = match case.end {
        End::Delivered => requests == 1,
        End::Retried => requests >= 2,
        End::Fails => requests >= 1,
        End::NeverConnects => requests == 0,
    };
    if wanted { Ok(()) } else { Err(format!("{requests} requests; {last}")) }
}
