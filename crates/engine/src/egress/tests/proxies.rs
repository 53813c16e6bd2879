//! The operator's proxy: it is asked for what we vetted, or filters itself, and its troubles are not the
//! receiver's.

use std::net::SocketAddr;
use std::sync::Mutex;

use tidings_testkit::receiver::{Authority, TestReceiver};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::*;

/// A proxy that records what it is asked, and answers with `answer` or by a tunnel to `exit`.
struct TestProxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl TestProxy {
    async fn start(exit: SocketAddr, answer: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let heard = Arc::clone(&asked);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(stream, exit, answer, Arc::clone(&heard)));
            }
        });
        Self { address, asked }
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(
    stream: TcpStream,
    exit: SocketAddr,
    answer: &'static str,
    heard: Arc<Mutex<Vec<String>>>,
) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if stream.read_line(&mut head).await? == 0 {
            return Ok(());
        }
    }
    heard.lock().unwrap().push(head);
    stream.write_all(answer.as_bytes()).await?;
    if answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n") {
        let mut exit = TcpStream::connect(exit).await?;
        tokio::io::copy_bidirectional(&mut stream, &mut exit).await?;
    }
    Ok(())
}

const GO: &str = "HTTP/1.1 200 Connection established\r\nvia: x\r\n\r\n";

fn through(proxy: &TestProxy, filtering: bool, tls: Tls) -> (Egress, Arc<Table>) {
    let table = Arc::new(Table::default());
    let url = format!("http://op:p%40ss@{}", proxy.address);
    let proxy = Proxy::parse(&url, filtering).unwrap();
    let resolver = Resolver::Table(Arc::clone(&table));
    (Egress::new(EgressPolicy::dev(), resolver, tls).through(Some(proxy)), table)
}

#[tokio::test]
async fn the_proxy_is_asked_for_the_vetted_address_and_tls_is_for_the_name() {
    let authority = Authority::new();
    let certificate = authority.certificate("hooks.example.org");
    for tls in [true, false] {
        let receiver = match tls {
            true => TestReceiver::start_tls(certificate.clone()).await,
            false => TestReceiver::start().await,
        };
        let proxy = TestProxy::start(receiver.address(), GO).await;
        let trusted = Tls::with_extra(authority.pem().as_bytes()).unwrap();
        let (egress, table) = through(&proxy, false, trusted);
        table.set("hooks.example.org", &["127.0.0.7".parse().unwrap()]);
        let (scheme, port) = (if tls { "https" } else { "http" }, receiver.address().port());
        let url = format!("{scheme}://hooks.example.org:{port}/x");
        for _ in 0..2 {
            let attempted = post(&egress, &url, ample()).await;
            assert_eq!(attempted.status(), Some(200), "{attempted:?}");
            let vetted = SocketAddr::new("127.0.0.7".parse().unwrap(), port);
            assert_eq!(attempted.address, Some(vetted));
        }
        let target = format!("127.0.0.7:{port}");
        let expected = format!(
            "CONNECT {target} HTTP/1.1\r\nHost: {target}\r\nProxy-Authorization: Basic b3A6cEBzcw==\r\n\r\n"
        );
        assert_eq!(proxy.asked(), [expected]);
        let host = format!("hooks.example.org:{port}");
        let received = receiver.received();
        assert!(received.iter().all(|r| r.header("host") == Some(host.as_str())));
        assert!(received.iter().all(|r| r.header("proxy-authorization").is_none()));
    }
}

#[tokio::test]
async fn nothing_forbidden_is_asked_of_a_proxy() {
    let receiver = TestReceiver::start().await;
    for filtering in [false, true] {
        let proxy = TestProxy::start(receiver.address(), GO).await;
        let (egress, table) = through(&proxy, filtering, Tls::public());
        table.set("inside.example.org", &["10.0.0.5".parse().unwrap()]);
        for (url, expected) in [
            ("http://inside.example.org/", (!filtering).then_some(FailureClass::EgressRefused)),
            ("http://169.254.169.254/", Some(FailureClass::EgressRefused)),
            ("http://10.0.0.5/", Some(FailureClass::EgressRefused)),
        ] {
            // An address that is forbidden as such does not even pass as a URL.
            let Ok(url) = egress.policy().vet_url(url) else { continue };
            let (headers, body, budget) = (HeaderMap::new(), Bytes::new(), ample());
            let request = Request { method: Method::POST, url: &url, headers, body, budget };
            assert_eq!(class_of(&egress.send(request).await), expected, "{url} {filtering}");
        }
        assert_eq!(proxy.asked().len(), usize::from(filtering));
    }
}

#[tokio::test]
async fn a_filtering_proxy_looks_names_up_itself() {
    let receiver = TestReceiver::start().await;
    let proxy = TestProxy::start(receiver.address(), GO).await;
    let (egress, table) = through(&proxy, true, Tls::public());
    let attempted = post(&egress, "http://hooks.example.org:8080/x", ample()).await;
    assert_eq!((attempted.status(), table.lookups()), (Some(200), 0), "{attempted:?}");
    assert!(proxy.asked()[0].starts_with("CONNECT hooks.example.org:8080 HTTP/1.1\r\n"));
    // After a minute it judges anew.
    if let Some(mut connection) = egress.pool.take("http://hooks.example.org:8080") {
        connection.vetted_at = Instant::now().checked_sub(Duration::from_secs(61)).unwrap();
        egress.pool.put("http://hooks.example.org:8080", connection);
    }
    post(&egress, "http://hooks.example.org:8080/x", ample()).await.result.unwrap();
    assert_eq!(proxy.asked().len(), 2);
}

#[tokio::test]
async fn what_a_proxy_answers_is_told_apart() {
    let receiver = TestReceiver::start().await;
    let long: &'static str =
        Box::leak(format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(9_000)).into());
    for (answer, class, words) in [
        ("HTTP/1.1 407 No\r\n\r\n", FailureClass::Proxy, "other credentials"),
        ("HTTP/1.1 403 No\r\ncontent-length: 4\r\n\r\nhush", FailureClass::Proxy, "403"),
        ("HTTP/1.1 502 No\r\n\r\n", FailureClass::Unreachable, "could not reach the receiver"),
        ("HTTP/1.1 504 No\r\n\r\n", FailureClass::ConnectTimeout, "did not answer it"),
        ("HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n", FailureClass::Proxy, "more than its answer"),
        ("SSH-2.0-OpenSSH_9.9\r\n\r\n", FailureClass::Proxy, "does not speak HTTP"),
        ("HTTP/1.1 2x0 OK\r\n\r\n", FailureClass::Proxy, "does not speak HTTP"),
        ("HTTP/1.1 200 OK\r\n", FailureClass::Proxy, "closed the connection"),
        ("", FailureClass::Proxy, "closed the connection"),
        (long, FailureClass::Proxy, "too long"),
    ] {
        let proxy = TestProxy::start(receiver.address(), answer).await;
        let (egress, table) = through(&proxy, false, Tls::public());
        table.set("hooks.example.org", &["127.0.0.1".parse().unwrap()]);
        let failure = post(&egress, "http://hooks.example.org/", ample()).await.result.unwrap_err();
        assert_eq!(failure.class, class, "{answer:.40?}: {failure}");
        assert!(failure.detail.contains(words), "{answer:.40?}: {failure}");
        assert!(!failure.detail.contains("hush") && !failure.detail.contains("p@ss"));
    }
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let egress = client().through(Some(Proxy::parse(&format!("http://{gone}"), false).unwrap()));
    let attempted = post(&egress, &receiver.url("/"), ample()).await;
    assert_eq!(class_of(&attempted), Some(FailureClass::Proxy), "{attempted:?}");
    assert_eq!(receiver.count(), 0);
}

#[test]
fn a_proxy_is_written_as_a_url_that_is_never_shown() {
    for (text, good) in [
        ("http://proxy.corp:3128", true),
        ("http://10.0.0.1:3128/", true),
        ("http://localhost:3128", true),
        ("http://user:hush@proxy.corp:3128", true),
        ("http://[::1]:3128", true),
        ("https://proxy.corp:3128", false),
        ("socks5://proxy.corp:1080", false),
        ("http://", false),
        ("http://proxy.corp:0", false),
        ("http://proxy.corp/path", false),
        ("http://proxy.corp?x", false),
        ("http://us%0d%0aer:hush@proxy.corp:1", false),
        ("http://proxy corp", false),
        ("proxy.corp:3128", false),
    ] {
        let proxy = Proxy::parse(text, false);
        assert_eq!(proxy.is_ok(), good, "{text}: {proxy:?}");
        assert!(!format!("{proxy:?}").contains("hush"), "{proxy:?}");
        assert!(!proxy.is_err_and(|error| error.to_string().contains("hush")));
    }
}
