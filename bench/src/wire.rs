//! As much HTTP/1.1 as a generator and a receiver need: whole messages over kept connections. Written
//! by hand because the generator shares the machine with what it measures.

use std::io;
use std::ops::Range;

use bytes::{Buf, BytesMut};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// A head that is longer is not ours.
const LONGEST_HEAD: usize = 64 * 1024;

/// Reads the messages of one connection, one after the other.
#[derive(Debug)]
pub(crate) struct Reader {
    buffer: BytesMut,
}

/// Where a message lies in the reader's buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    head: Range<usize>,
    body: Range<usize>,
    /// Whether the other side closes the connection after it.
    pub(crate) closes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Bytes(usize),
    Chunks,
}

impl Reader {
    pub(crate) fn new() -> Self {
        Self { buffer: BytesMut::with_capacity(16 * 1024) }
    }

    /// The next message, whole; `None` when the connection ended between two.
    pub(crate) async fn next(&mut self, stream: &mut TcpStream) -> io::Result<Option<Message>> {
        loop {
            if let Some(message) = parse(&self.buffer)? {
                return Ok(Some(message));
            }
            if stream.read_buf(&mut self.buffer).await? == 0 {
                let between = self.buffer.is_empty();
                return if between { Ok(None) } else { Err(broken("ended within a message")) };
            }
        }
    }

    /// The second word of the first line: the path of a request, the status of an answer.
    pub(crate) fn subject(&self, message: &Message) -> &[u8] {
        let head = &self.buffer[message.head.clone()];
        head.split(|byte| matches!(byte, b' ' | b'\r')).nth(1).unwrap_or_default()
    }

    /// The body; chunks still have their lengths between them.
    pub(crate) fn body(&self, message: &Message) -> &[u8] {
        &self.buffer[message.body.clone()]
    }

    /// Forgets the message.
    pub(crate) fn done(&mut self, message: &Message) {
        self.buffer.advance(message.body.end);
    }
}

/// The first message in `bytes`, when it is all there.
fn parse(bytes: &[u8]) -> io::Result<Option<Message>> {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return if bytes.len() > LONGEST_HEAD { Err(broken("endless head")) } else { Ok(None) };
    };
    let (length, closes) = framing(&bytes[..end])?;
    let start = end + 4;
    let end_of_body = match length {
        Length::Bytes(length) => Some(start + length),
        Length::Chunks => after_chunks(&bytes[start..])?.map(|length| start + length),
    };
    let body = end_of_body.filter(|end| *end <= bytes.len()).map(|end| start..end);
    Ok(body.map(|body| Message { head: 0..end, body, closes }))
}

fn framing(head: &[u8]) -> io::Result<(Length, bool)> {
    let (mut length, mut closes) = (Length::Bytes(0), false);
    for line in head.split(|byte| *byte == b'\n').skip(1) {
        let Some(colon) = memchr::memchr(b':', line) else { continue };
        let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
        if name.eq_ignore_ascii_case(b"content-length") {
            length = Length::Bytes(number(value, 10)?);
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            length = Length::Chunks;
        } else if name.eq_ignore_ascii_case(b"connection") {
            closes = value.eq_ignore_ascii_case(b"close");
        }
    }
    Ok((length, closes))
}

/// Bytes until the end of the last chunk; `None` when it has not arrived.
fn after_chunks(bytes: &[u8]) -> io::Result<Option<usize>> {
    let mut at = 0;
    while let Some(line) = bytes.get(at..).and_then(|rest| memchr::memmem::find(rest, b"\r\n")) {
        let size = bytes[at..at + line].split(|byte| *byte == b';').next().unwrap_or_default();
        let size = number(size.trim_ascii(), 16)?;
        at += line + 2 + size + 2;
        if size == 0 {
            return Ok(Some(at).filter(|at| *at <= bytes.len()));
        }
    }
    Ok(None)
}

fn number(digits: &[u8], radix: u32) -> io::Result<usize> {
    let digits = std::str::from_utf8(digits).ok();
    let number = digits.and_then(|digits| u32::from_str_radix(digits, radix).ok());
    number.map(|number| number as usize).ok_or_else(|| broken("a length that is no number"))
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Body and rest of a text that holds a whole message.
    fn split(text: &str) -> Option<(&str, &str)> {
        let message = parse(text.as_bytes()).unwrap()?;
        Some((&text[message.body.clone()], &text[message.body.end..]))
    }

    #[test]
    fn messages_end_where_their_framing_says() {
        for (text, expect) in [
            ("HTTP/1.1 200 OK\r\n", None),
            ("HTTP/1.1 204 No\r\n\r\n", Some(("", ""))),
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", Some(("ab", ""))),
            ("POST / HTTP/1.1\r\ncontent-length:2\r\n\r\nabPOST", Some(("ab", "POST"))),
            ("POST / HTTP/1.1\r\ncontent-length:3\r\n\r\nab", None),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x=y\r\na\r\n0\r\n\r\nnext",
                Some(("1;x=y\r\na\r\n0\r\n\r\n", "next")),
            ),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n", None),
        ] {
            assert_eq!(split(text), expect, "{text:?}");
        }
    }

    #[test]
    fn what_is_not_http_is_an_error() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            &"a".repeat(LONGEST_HEAD + 1),
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{:?}", &text[..20]);
        }
    }

    #[test]
    fn the_subject_is_path_or_status() {
        let mut reader = Reader::new();
        for (text, expect) in
            [("POST /a/b HTTP/1.1\r\n\r\n", "/a/b"), ("HTTP/1.1 202\r\n\r\n", "202")]
        {
            reader.buffer.extend_from_slice(text.as_bytes());
            let message = parse(&reader.buffer).unwrap().unwrap();
            assert_eq!(reader.subject(&message), expect.as_bytes());
            reader.done(&message);
        }
    }
}
