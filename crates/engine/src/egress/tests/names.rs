//! What names resolve to: judged at every attempt, and dialled as judged.

use std::net::IpAddr;

use tidings_testkit::receiver::{Answer, TestReceiver};

use super::*;

const LOOPBACK: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const INSIDE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(10, 0, 0, 5));

fn with_table(policy: EgressPolicy) -> (Egress, Arc<Table>) {
    let table = Arc::new(Table::default());
    (Egress::new(policy, Resolver::Table(Arc::clone(&table)), Tls::public()), table)
}

fn url_at(receiver: &TestReceiver) -> String {
    format!("http://hooks.example.org:{}/", receiver.address().port())
}

#[tokio::test]
async fn forbidden_answers_of_the_corpus_are_never_dialled() {
    let (egress, table) = with_table(EgressPolicy::public_only());
    let mut ran = 0;
    for case in cases("ssrf-dns") {
        let Some(answers) = case["input"]["answers"].as_array() else { continue };
        let host = case["input"]["host"].as_str().unwrap();
        let records = answers.iter().filter(|record| record[0] != "CNAME");
        let addresses: Vec<IpAddr> =
            records.map(|record| record[1].as_str().unwrap().parse().unwrap()).collect();
        table.set(host, &addresses);
        egress.lookups.forget();
        let attempted = post(&egress, &format!("https://{host}/"), ample()).await;
        assert_eq!(class_of(&attempted), Some(FailureClass::EgressRefused), "{case}");
        assert_eq!(attempted.address, None, "{case}");
        ran += 1;
    }
    assert!(ran >= 9, "only {ran} cases");
}

#[tokio::test]
async fn names_without_an_address_fail_as_dns() {
    let (egress, table) = with_table(EgressPolicy::public_only());
    table.set("empty.example.org", &[]);
    for host in ["empty.example.org", "missing.example.org"] {
        let attempted = post(&egress, &format!("https://{host}/"), ample()).await;
        assert_eq!(class_of(&attempted), Some(FailureClass::Dns), "{host}");
        assert!(attempted.timings.dns_us.is_some());
    }
}

#[tokio::test]
async fn the_vetted_address_is_dialled_without_a_second_look_up() {
    let receiver = TestReceiver::start().await;
    let (egress, table) = with_table(EgressPolicy::dev());
    table.set("hooks.example.org", &[LOOPBACK]);
    let attempted = post(&egress, &url_at(&receiver), ample()).await;
    assert_eq!((attempted.status(), table.lookups()), (Some(200), 1));
    assert_eq!(attempted.address, Some(receiver.address()));
    let authority = format!("hooks.example.org:{}", receiver.address().port());
    assert_eq!(receiver.received()[0].header("host"), Some(authority.as_str()));
}

#[tokio::test]
async fn a_name_that_moves_inside_between_attempts_is_refused() {
    let receiver = TestReceiver::start().await;
    receiver.answer_always(Answer::status(200).header("connection", "close").then_close());
    let (egress, table) = with_table(EgressPolicy::dev());
    table.set("hooks.example.org", &[LOOPBACK]);
    assert_eq!(post(&egress, &url_at(&receiver), ample()).await.status(), Some(200));
    assert_eq!(egress.idle_connections(), 0);
    table.set("hooks.example.org", &[LOOPBACK, INSIDE]);
    egress.lookups.forget();
    let attempted = post(&egress, &url_at(&receiver), ample()).await;
    assert_eq!(class_of(&attempted), Some(FailureClass::EgressRefused));
    assert_eq!((receiver.connections(), attempted.address), (1, None));
}

#[tokio::test]
async fn an_idle_connection_is_vetted_anew_after_a_minute() {
    let receiver = TestReceiver::start().await;
    let (egress, table) = with_table(EgressPolicy::dev());
    table.set("hooks.example.org", &[LOOPBACK]);
    for (answers, expected, connections) in [
        (vec![LOOPBACK], None, 1),
        (vec![LOOPBACK], None, 1),
        (vec![LOOPBACK, INSIDE], Some(FailureClass::EgressRefused), 1),
        (vec![LOOPBACK], None, 2),
        (vec!["127.0.0.2".parse().unwrap()], Some(FailureClass::ConnectRefused), 2),
    ] {
        table.set("hooks.example.org", &answers);
        egress.lookups.forget();
        age_idle_connection(&egress, &receiver);
        let attempted = post(&egress, &url_at(&receiver), ample()).await;
        assert_eq!(class_of(&attempted), expected, "{answers:?}: {attempted:?}");
        assert_eq!(receiver.connections(), connections, "{answers:?}");
    }
    assert_eq!(table.lookups(), 5);
}

#[tokio::test]
async fn at_most_sixteen_addresses_are_tried() {
    let receiver = TestReceiver::start().await;
    for (position, expected) in [(15, None), (16, Some(FailureClass::ConnectRefused))] {
        let (egress, table) = with_table(EgressPolicy::dev());
        let mut answers: Vec<IpAddr> =
            (0..=999_u16).map(|n| [127, 1, (n >> 8) as u8, n as u8].into()).collect();
        answers[position] = LOOPBACK;
        table.set("hooks.example.org", &answers);
        let attempted = post(&egress, &url_at(&receiver), ample()).await;
        assert_eq!(class_of(&attempted), expected, "receiver at position {position}");
    }
}

#[tokio::test]
async fn a_flood_of_attempts_is_not_a_flood_of_look_ups() {
    let receiver = TestReceiver::start().await;
    receiver.answer_always(Answer::status(200).header("connection", "close").then_close());
    let (egress, table) = with_table(EgressPolicy::dev());
    table.set("hooks.example.org", &[LOOPBACK]);
    let url = url_at(&receiver);
    let attempts = (0..20).map(|_| post(&egress, &url, ample()));
    for attempted in futures_util::future::join_all(attempts).await {
        assert_eq!(attempted.status(), Some(200));
    }
    assert_eq!((receiver.connections(), table.lookups()), (20, 1));
}

#[tokio::test]
async fn the_system_resolver_finds_localhost() {
    let receiver = TestReceiver::start().await;
    let url = format!("http://localhost:{}/", receiver.address().port());
    let attempted = post(&client(), &url, ample()).await;
    assert_eq!(attempted.status(), Some(200), "{attempted:?}");
}

fn origin(receiver: &TestReceiver) -> String {
    format!("http://hooks.example.org:{}", receiver.address().port())
}

fn age_idle_connection(egress: &Egress, receiver: &TestReceiver) {
    if let Some(mut connection) = egress.pool.take(&origin(receiver)) {
        connection.vetted_at = Instant::now().checked_sub(Duration::from_secs(61)).unwrap();
        egress.pool.put(&origin(receiver), connection);
    }
}
