//! The body of a bulk load, line by line: never more of it in memory than one commit stages.

use axum::body::Body;
use futures_util::StreamExt;
use http::header::{CONTENT_ENCODING, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use tidings_core::limits;
use tidings_service::{Caller, Error, RecordPut, Refresh, Service};

use super::RecordLine;
use crate::body;
use crate::caller::single;
use crate::problem::Problem;

/// # Errors
/// 415 unless the body is plain newline-delimited JSON.
pub(super) fn check_headers(headers: &HeaderMap) -> Result<(), Problem> {
    let refuse = |detail: &str| {
        Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    };
    if let Some(encoding) = single(headers, &CONTENT_ENCODING)?
        && !encoding.eq_ignore_ascii_case("identity")
    {
        return Err(refuse("send the body without content-encoding"));
    }
    let given = single(headers, &CONTENT_TYPE)?.unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/x-ndjson") {
        Ok(())
    } else {
        Err(refuse("send the records as content-type: application/x-ndjson, a record a line"))
    }
}

/// Stages every line of a body.
///
/// # Errors
/// A line that is no record, which is named; what staging says; the body broke off.
pub(super) async fn stage_all(
    service: &Service,
    caller: &Caller,
    refresh: &mut Refresh,
    body: Body,
) -> Result<(), Problem> {
    let mut lines = Lines::default();
    let mut body = body.into_data_stream();
    while let Some(piece) = body.next().await {
        let broken = |_| Problem::bad_request("malformed", "the request body broke off");
        let mut piece = &piece.map_err(broken)?[..];
        while let Some(end) = piece.iter().position(|&byte| byte == b'\n') {
            lines.add(&piece[..end])?;
            lines.end()?;
            piece = &piece[end + 1..];
            if lines.is_full() {
                lines.stage(service, caller, refresh).await?;
            }
        }
        lines.add(piece)?;
    }
    lines.end()?;
    lines.stage(service, caller, refresh).await
}

/// What was read and is not staged yet.
#[derive(Debug, Default)]
struct Lines {
    /// Of the line that is being read.
    text: Vec<u8>,
    /// Lines read so far.
    count: u64,
    /// Records, each with the number of its line.
    records: Vec<(u64, RecordPut)>,
    bytes: usize,
}

impl Lines {
    fn is_full(&self) -> bool {
        self.records.len() >= limits::RECORD_COMMIT_ROWS
            || self.bytes >= limits::RECORD_COMMIT_BYTES
    }

    fn add(&mut self, piece: &[u8]) -> Result<(), Problem> {
        if self.text.len() + piece.len() > limits::RECORD_LINE_BYTES_MAX {
            let (line, most) = (self.count + 1, limits::RECORD_LINE_BYTES_MAX);
            let detail = format!("line {line}: a line has at most {most} bytes");
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail));
        }
        self.text.extend_from_slice(piece);
        Ok(())
    }

    fn end(&mut self) -> Result<(), Problem> {
        self.count += 1;
        let text = std::mem::take(&mut self.text);
        if text.trim_ascii().is_empty() {
            return Ok(());
        }
        let line: RecordLine = body::parse(&text).map_err(|problem| problem.in_line(self.count))?;
        let body = String::from(Box::<str>::from(line.data)).into_bytes();
        self.bytes += body.len();
        let put = RecordPut {
            collection: line.collection,
            key: line.key,
            starts_at: line.starts_at.map(|at| at.0),
            body: body.into(),
        };
        self.records.push((self.count, put));
        Ok(())
    }

    async fn stage(
        &mut self,
        service: &Service,
        caller: &Caller,
        refresh: &mut Refresh,
    ) -> Result<(), Problem> {
        self.bytes = 0;
        let (numbers, puts): (Vec<_>, Vec<_>) = self.records.drain(..).unzip();
        let staged = service.stage_records(caller, refresh, puts).await;
        staged.map_err(|error| in_line(error, &numbers))
    }
}

/// A refusal of records, told of the first line that it is about.
fn in_line(error: Error, numbers: &[u64]) -> Problem {
    let Error::Invalid(fields) = error else { return error.into() };
    let place = |pointer: &str| {
        let (place, rest) = pointer.strip_prefix('/')?.split_once('/')?;
        Some((place.parse::<usize>().ok()?, format!("/{rest}")))
    };
    let first = fields.first().and_then(|field| place(&field.pointer)).map(|(place, _)| place);
    let of_first = fields.into_iter().filter_map(|mut field| {
        let (place, rest) = place(&field.pointer)?;
        field.pointer = rest;
        (Some(place) == first).then_some(field)
    });
    let problem = Problem::from(Error::Invalid(of_first.collect()));
    match first.and_then(|place| numbers.get(place)) {
        Some(number) => problem.in_line(*number),
        None => problem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_counted_and_may_end_anywhere() {
        let mut lines = Lines::default();
        for piece in [&b"{\"collection\":\"t\",\"key\":"[..], b"\"a\",\"data\":{}}"] {
            lines.add(piece).unwrap();
        }
        lines.end().unwrap();
        lines.end().unwrap();
        lines.add(b" \r").unwrap();
        lines.end().unwrap();
        assert_eq!(lines.count, 3);
        assert_eq!(lines.records.len(), 1, "blank lines are nothing");
        assert_eq!((lines.records[0].0, lines.records[0].1.key.as_str()), (1, "a"));
    }

    #[test]
    fn a_line_without_an_end_is_refused_before_it_fills_the_memory() {
        let mut lines = Lines::default();
        let piece = vec![b'x'; limits::RECORD_LINE_BYTES_MAX];
        lines.add(&piece).unwrap();
        assert!(lines.add(b"x").is_err());
        assert_eq!(lines.text.len(), limits::RECORD_LINE_BYTES_MAX);
    }
}
