//! Scripted answers: well-behaved, slow, endless, broken.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;

/// Holds an answer back until the test opens it.
#[derive(Clone, Debug)]
pub struct Gate(watch::Sender<bool>);

impl Gate {
    /// A closed gate.
    #[expect(clippy::new_without_default, reason = "a default would hide that it is closed")]
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Lets everything through, now and later.
    pub fn open(&self) {
        self.0.send_replace(true);
    }

    pub(super) async fn passed(&self) {
        let mut open = self.0.subscribe();
        drop(open.wait_for(|open| *open).await);
    }
}

/// What is done with a request once it was read.
#[derive(Clone, Debug)]
pub struct Answer(pub(super) Vec<Step>);

#[derive(Clone, Debug)]
pub(super) enum Step {
    Wait(Gate),
    Head { status: u16, headers: Vec<(String, String)>, body: Bytes },
    Send(Bytes),
    Drip(Bytes, Duration),
    SendForever(Bytes),
    Hang,
    Close,
    Reset,
}

impl Answer {
    /// A well-formed answer without a body; the connection stays open.
    pub fn status(status: u16) -> Self {
        Self(vec![Step::Head { status, headers: Vec::new(), body: Bytes::new() }])
    }

    /// Adds a header to a well-formed answer.
    ///
    /// # Panics
    /// When the answer does not come from [`Answer::status`].
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let Some(Step::Head { headers, .. }) = self.0.last_mut() else {
            panic!("only Answer::status can have headers");
        };
        headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Gives a well-formed answer a body.
    ///
    /// # Panics
    /// When the answer does not come from [`Answer::status`].
    #[must_use]
    pub fn body(mut self, bytes: impl Into<Bytes>) -> Self {
        let Some(Step::Head { body, .. }) = self.0.last_mut() else {
            panic!("only Answer::status can have a body");
        };
        *body = bytes.into();
        self
    }

    /// Exactly these bytes; the connection stays open.
    pub fn raw(bytes: impl Into<Bytes>) -> Self {
        Self(vec![Step::Send(bytes.into())])
    }

    /// Nothing, ever.
    pub fn hang() -> Self {
        Self(vec![Step::Hang])
    }

    /// Nothing, and the connection is closed.
    pub fn close() -> Self {
        Self(vec![Step::Close])
    }

    /// Nothing, and the connection is reset.
    pub fn reset() -> Self {
        Self(vec![Step::Reset])
    }

    /// These bytes one by one, `every` apart, then nothing more.
    pub fn drip(bytes: impl Into<Bytes>, every: Duration) -> Self {
        Self(vec![Step::Drip(bytes.into(), every), Step::Hang])
    }

    /// 200 and a chunked body without end.
    pub fn endless_body() -> Self {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        let chunk = format!("1000\r\n{}\r\n", "x".repeat(0x1000));
        Self(vec![Step::Send(head.into()), Step::SendForever(chunk.into())])
    }

    /// 200 and headers without end.
    pub fn endless_headers() -> Self {
        let line = format!("x-more: {}\r\n", "x".repeat(1000));
        Self(vec![Step::Send("HTTP/1.1 200 OK\r\n".into()), Step::SendForever(line.into())])
    }

    /// `100 Continue` again and again.
    pub fn informational_flood() -> Self {
        Self(vec![Step::SendForever("HTTP/1.1 100 Continue\r\n\r\n".into())])
    }

    /// This answer, held back until `gate` opens.
    #[must_use]
    pub fn after(mut self, gate: &Gate) -> Self {
        self.0.insert(0, Step::Wait(gate.clone()));
        self
    }

    /// This answer, and the connection is closed after it.
    #[must_use]
    pub fn then_close(mut self) -> Self {
        self.0.push(Step::Close);
        self
    }

    /// This answer, and the connection is reset after it.
    #[must_use]
    pub fn then_reset(mut self) -> Self {
        self.0.push(Step::Reset);
        self
    }

    /// This answer, then a pause until `gate` opens, then `rest`.
    #[must_use]
    pub fn then_after(mut self, gate: &Gate, rest: Self) -> Self {
        self.0.push(Step::Wait(gate.clone()));
        self.0.extend(rest.0);
        self
    }
}

/// A whole response as bytes. `content-length` is added unless the headers frame the body already.
pub(super) fn rendered(status: u16, headers: &[(String, String)], body: &Bytes) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} Scripted\r\n");
    for (name, value) in headers {
        write!(head, "{name}: {value}\r\n").expect("writing to a string cannot fail");
    }
    let framed = headers.iter().any(|(name, _)| {
        name.eq_ignore_ascii_case("content-length")
            || name.eq_ignore_ascii_case("transfer-encoding")
    });
    if !framed && status != 204 && status != 304 && status >= 200 {
        write!(head, "content-length: {}\r\n", body.len()).expect("as above");
    }
    head.push_str("\r\n");
    let mut bytes = head.into_bytes();
    bytes.extend_from_slice(body);
    bytes
}
