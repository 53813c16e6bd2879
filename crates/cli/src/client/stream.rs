//! Server-sent events, read as they come (<https://html.spec.whatwg.org/#event-stream-interpretation>).

use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tidings_core::limits;
use tokio::time::timeout;

use crate::client::innermost;
use crate::error::{Error, Result};

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// The cursor behind it.
    pub(crate) id: Option<String>,
    /// Its data; empty for an event that only sets the id.
    pub(crate) data: String,
}

/// A stream of events.
pub(crate) struct Stream {
    body: Incoming,
    silence: Duration,
    reading: Reading,
}

impl Stream {
    pub(super) fn new(body: Incoming, silence: Duration) -> Self {
        Self { body, silence, reading: Reading::default() }
    }

    /// The next event; `None` when the server ended the stream in good order. Cancelling it loses nothing.
    ///
    /// # Errors
    /// Unreachable: it broke off, or nothing was heard for too long.
    pub(crate) async fn next(&mut self) -> Result<Option<Event>> {
        loop {
            if let Some(event) = self.reading.next()? {
                return Ok(Some(event));
            }
            match timeout(self.silence, self.body.frame()).await {
                Err(_) => {
                    let why = format!("nothing was heard for {} s", self.silence.as_secs());
                    return Err(Error::Unreachable(why));
                }
                Ok(None) => return Ok(None),
                Ok(Some(Err(error))) => {
                    return Err(Error::Unreachable(format!("cut off: {}", innermost(&error))));
                }
                Ok(Some(Ok(frame))) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.reading.push(&bytes);
                    }
                }
            }
        }
    }
}

/// What has arrived and was not yet given out.
#[derive(Default)]
struct Reading {
    bytes: Vec<u8>,
    /// The beginning of the first line that was not yet looked at.
    at: usize,
    event: Event,
    begun: bool,
}

impl Reading {
    fn push(&mut self, bytes: &Bytes) {
        self.bytes.drain(..self.at);
        self.at = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole event. A blank line ends one; what a cut leaves unfinished is never given out.
    fn next(&mut self) -> Result<Option<Event>> {
        while let Some(length) = self.bytes[self.at..].iter().position(|&byte| byte == b'\n') {
            let line = &self.bytes[self.at..self.at + length];
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let line = String::from_utf8_lossy(line).into_owned();
            self.at += length + 1;
            if line.is_empty() {
                if std::mem::take(&mut self.begun) {
                    return Ok(Some(std::mem::take(&mut self.event)));
                }
                continue;
            }
            self.field(&line);
        }
        let held = self.bytes.len() - self.at + self.event.data.len();
        if held > limits::CLIENT_EVENT_BYTES_MAX {
            return Err(Error::Failed("the server sent an event that is too large".into()));
        }
        Ok(None)
    }

    fn field(&mut self, line: &str) {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "id" => self.event.id = Some(value.to_owned()),
            "data" => {
                if !self.event.data.is_empty() {
                    self.event.data.push('\n');
                }
                self.event.data.push_str(value);
            }
            // A comment, or a field that we have no use for.
            _ => return,
        }
        self.begun = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(chunks: &[&str]) -> Vec<(Option<String>, String)> {
        let mut reading = Reading::default();
        let mut events = Vec::new();
        for chunk in chunks {
            reading.push(&Bytes::copy_from_slice(chunk.as_bytes()));
            while let Some(event) = reading.next().unwrap() {
                events.push((event.id, event.data));
            }
        }
        events
    }

    #[test]
    fn events_are_read_however_they_are_cut_into_pieces() {
        let text = ":following\nid: a\n\n: beat\n\nid: b\nevent: invoice.paid\ndata: {\"a\":\ndata: 1}\n\n\
                    id:c\r\ndata:x\r\n\r\nid: d\ndata: never ended";
        let id = |id: &str| Some(id.to_owned());
        let whole = vec![
            (id("a"), String::new()),
            (id("b"), "{\"a\":\n1}".to_owned()),
            (id("c"), "x".to_owned()),
        ];
        assert_eq!(read(&[text]), whole);
        let bytes: Vec<_> = text.split_inclusive("").collect();
        assert_eq!(read(&bytes), whole);
        let lines: Vec<_> = text.split_inclusive('\n').collect();
        assert_eq!(read(&lines), whole);
    }

    #[test]
    fn an_event_without_end_is_refused() {
        let mut reading = Reading::default();
        reading.push(&Bytes::from(vec![b'x'; limits::CLIENT_EVENT_BYTES_MAX + 1]));
        assert!(reading.next().is_err());
    }
}
