//! A bulk load as a client would send it: lines in chunks, made while they are sent.

use std::io;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::moment::now_us;
use crate::server::Server;
use crate::wire::Reader;

/// How a load was answered.
pub(super) struct Answered {
    pub(super) answer: Value,
    /// When its last byte was sent, on the monotonic clock.
    pub(super) uploaded_us: u64,
}

/// Lines that are sent at once.
const LINES: u64 = 200;

/// Sends `count` transactions; every `changed`th has other content than with 0.
///
/// # Errors
/// The connection broke, or the answer is no success.
pub(super) async fn run(
    server: &Server,
    account: &str,
    count: u64,
    changed: u64,
) -> Result<Answered, String> {
    let broken = |error: io::Error| format!("the load broke off: {error}");
    let mut stream = TcpStream::connect(server.address).await.map_err(broken)?;
    let head = format!(
        "POST /api/v1/accounts/{account}/records?whole=true HTTP/1.1\r\nhost: {}\r\n\
         authorization: Bearer {}\r\ncontent-type: application/x-ndjson\r\n\
         transfer-encoding: chunked\r\n\r\n",
        server.address, server.key
    );
    stream.write_all(head.as_bytes()).await.map_err(broken)?;
    let mut first = 1;
    while first <= count {
        let last = count.min(first + LINES - 1);
        let lines: String = (first..=last).map(|n| line(n, changed)).collect();
        let chunk = format!("{:x}\r\n{lines}\r\n", lines.len());
        stream.write_all(chunk.as_bytes()).await.map_err(broken)?;
        first = last + 1;
    }
    stream.write_all(b"0\r\n\r\n").await.map_err(broken)?;
    let uploaded_us = now_us();
    let mut reader = Reader::new();
    let answer = reader.next(&mut stream).await.map_err(broken)?;
    let answer = answer.ok_or("the load was not answered")?;
    let status = String::from_utf8_lossy(reader.subject(&answer)).into_owned();
    let body: Value = serde_json::from_slice(reader.body(&answer)).unwrap_or_default();
    if status.starts_with('2') {
        Ok(Answered { answer: body, uploaded_us })
    } else {
        Err(format!("the load was answered {status}: {body}"))
    }
}

/// A transaction as a bank tells it, about 500 bytes.
fn line(n: u64, changed: u64) -> String {
    let at = 1_700_000_000 + n;
    let [id, amount, description] = told(n, changed);
    format!(
        "{{\"collection\":\"transactions\",\"key\":\"{id}\",\
         \"starts_at\":\"2026-01-{:02}T{:02}:00:00.000Z\",\
         \"data\":{{\"id_transaction\":\"{id}\",\"id_account\":\"{:024x}\",\
         \"id_user\":\"5f5e1000a1b2c3d4e5f60718\",\"id_currency\":\"MXN\",\"is_disable\":0,\
         \"description\":\"{description}\",\"amount\":{amount},\
         \"currency\":\"MXN\",\"reference\":\"{n:012}\",\"dt_transaction\":{at},\"dt_refresh\":{at},\
         \"dt_disable\":null,\"extra\":{{\"spei\":null,\"branch\":\"{:04}\",\"note\":\"\"}}}}}}\n",
        n % 28 + 1,
        n % 24,
        n % 7,
        n % 1_000,
    )
}

/// What of a transaction is compared when it is read: its id, its amount and its description.
pub(super) fn told(n: u64, changed: u64) -> [String; 3] {
    let other = if changed > 0 && n.is_multiple_of(changed) { " (corrected)" } else { "" };
    // No zero at its end, so that whoever reads and writes the number leaves its text as it is.
    let amount = format!("{}.{}5", n % 10_000, n % 10);
    [format!("{n:024x}"), amount, format!("PAYMENT TO MERCHANT NUMBER {n}{other}")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_record_and_some_change() {
        let read = |n, changed| serde_json::from_str::<Value>(&line(n, changed)).unwrap();
        assert_eq!(read(7, 0)["collection"], "transactions");
        assert!((400..700).contains(&line(7, 0).len()), "{}", line(7, 0).len());
        assert_eq!(read(7, 10), read(7, 0));
        assert_ne!(read(20, 10), read(20, 0));
    }
}
