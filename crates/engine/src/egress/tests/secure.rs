//! TLS: only a valid certificate of a trusted authority for the very name will do.

use tidings_testkit::receiver::{Authority, TestReceiver};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

use super::*;

fn trusting(authority: &Authority) -> (Egress, Arc<Table>) {
    let table = Arc::new(Table::default());
    table.set("hooks.example.org", &["127.0.0.1".parse().unwrap()]);
    let tls = Tls::with_extra(authority.pem().as_bytes()).unwrap();
    (Egress::new(EgressPolicy::dev(), Resolver::Table(Arc::clone(&table)), tls), table)
}

fn url_at(receiver: &TestReceiver) -> String {
    format!("https://hooks.example.org:{}/", receiver.address().port())
}

#[tokio::test]
async fn certificates_are_checked() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let name = "hooks.example.org";
    let (egress, _table) = trusting(&authority);
    for (certificate, expected, what) in [
        (authority.certificate(name), None, "valid"),
        (stranger.certificate(name), Some("invalid peer certificate"), "unknown authority"),
        (authority.certificate("other.example.org"), Some("not valid for name"), "other name"),
        (authority.expired_certificate(name), Some("expired"), "expired"),
        (authority.certificate_with_long_chain(name, 1 << 20), Some("TooLarge"), "1 MiB chain"),
    ] {
        let receiver = TestReceiver::start_tls(certificate).await;
        let attempted = post(&egress, &url_at(&receiver), ample()).await;
        assert_eq!(attempted.address, Some(receiver.address()), "{what}");
        match (attempted.result, expected) {
            (Ok(response), None) => assert_eq!(response.status, 200, "{what}"),
            (Err(failure), Some(words)) => {
                assert_eq!(failure.class, FailureClass::Tls, "{what}");
                assert!(failure.detail.contains(words), "{what}: {failure}");
            }
            (result, _) => panic!("{what}: {result:?}"),
        }
        assert_eq!(receiver.count(), usize::from(expected.is_none()), "{what}");
    }
}

#[tokio::test]
async fn addresses_have_certificates_too_and_connections_are_reused() {
    let authority = Authority::new();
    let receiver = TestReceiver::start_tls(authority.certificate("127.0.0.1")).await;
    let (egress, table) = trusting(&authority);
    let first = post(&egress, &receiver.url("/"), ample()).await;
    assert!(first.status() == Some(200) && first.timings.tls_us.is_some(), "{first:?}");
    let second = post(&egress, &receiver.url("/"), ample()).await;
    assert!(second.status() == Some(200) && second.timings.tls_us.is_none(), "{second:?}");
    assert_eq!((receiver.connections(), table.lookups()), (1, 0));
}

#[tokio::test]
async fn a_receiver_without_tls_fails_as_tls() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://hooks.example.org:{}/", listener.local_addr().unwrap().port());
    let plain = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await.unwrap();
        stream
    });
    let (egress, _table) = trusting(&Authority::new());
    let attempted = post(&egress, &url, ample()).await;
    assert_eq!(class_of(&attempted), Some(FailureClass::Tls), "{attempted:?}");
    drop(plain.await);
}

#[tokio::test]
async fn a_stalled_handshake_fails_at_the_connect_budget() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (egress, _table) = trusting(&Authority::new());
    let url = format!("https://hooks.example.org:{}/", listener.local_addr().unwrap().port());
    let impatient = Budget { connect: Duration::from_millis(100), ..ample() };
    let attempted = post(&egress, &url, impatient).await;
    let failure = attempted.result.unwrap_err();
    assert_eq!(failure.class, FailureClass::Timeout);
    assert_eq!(failure.detail, "gave up after 100 ms while making the TLS connection");
    assert!(attempted.timings.total_us.unwrap() < 2_000_000);
}

#[test]
fn extra_certificates_must_be_certificates() {
    for pem in ["", "hello", "-----BEGIN CERTIFICATE-----\n!!\n-----END CERTIFICATE-----\n"] {
        assert!(matches!(Tls::with_extra(pem.as_bytes()), Err(TlsError::Pem(_))), "{pem:?}");
    }
}
