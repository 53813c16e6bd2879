//! One connection of the receiver: reads requests strictly, answers as scripted.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::answer::{Answer, Step, rendered};
use super::{Received, Shared};

const REQUEST_BYTES_MAX: usize = 64 * 1024 * 1024;

pub(super) async fn serve<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    reset: impl Fn(&S) -> io::Result<()>,
    number: usize,
    shared: &Shared,
) -> io::Result<()> {
    let mut buffer = BytesMut::new();
    while let Some(request) = read_request(&mut stream, &mut buffer, number).await? {
        let _in_progress = shared.begin_answer();
        let answer = shared.record(request);
        match play(&mut stream, answer).await? {
            After::Continue => {}
            After::Close => return stream.shutdown().await,
            After::Reset => return reset(&stream),
        }
    }
    Ok(())
}

enum After {
    Continue,
    Close,
    Reset,
}

async fn play(stream: &mut (impl AsyncWrite + Unpin), answer: Answer) -> io::Result<After> {
    for step in answer.0 {
        match step {
            Step::Wait(gate) => gate.passed().await,
            Step::Head { status, headers, body } => {
                send(stream, &rendered(status, &headers, &body)).await?;
            }
            Step::Send(bytes) => send(stream, &bytes).await?,
            Step::Drip(bytes, every) => {
                let mut ticks = tokio::time::interval(every);
                for byte in bytes {
                    ticks.tick().await;
                    send(stream, &[byte]).await?;
                }
            }
            Step::SendForever(bytes) => loop {
                send(stream, &bytes).await?;
            },
            Step::Hang => std::future::pending().await,
            Step::Close => return Ok(After::Close),
            Step::Reset => return Ok(After::Reset),
        }
    }
    Ok(After::Continue)
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await
}

/// The next request, `None` when the client closed the connection between two.
async fn read_request(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut BytesMut,
    connection: usize,
) -> io::Result<Option<Received>> {
    let head = loop {
        if let Some(end) = buffer.windows(4).position(|window| window == b"\r\n\r\n") {
            break buffer.split_to(end + 4);
        }
        if !fill(stream, buffer).await? {
            return if buffer.is_empty() { Ok(None) } else { Err(invalid("half a request")) };
        }
    };
    let head = std::str::from_utf8(&head).map_err(|_| invalid("headers are not text"))?;
    let mut lines = head.trim_end().split("\r\n");
    let mut words = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(path), Some("HTTP/1.1"), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(invalid("bad request line"));
    };
    let headers = lines.map(parse_header).collect::<io::Result<Vec<_>>>()?;
    let mut received = Received {
        number: 0,
        connection,
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        body: Bytes::new(),
    };
    if received.header("transfer-encoding").is_some() {
        return Err(invalid("this receiver wants a content-length"));
    }
    let length = received.header("content-length").map_or(Ok(0), str::parse::<usize>);
    let length = length.map_err(|_| invalid("bad content-length"))?;
    if length > REQUEST_BYTES_MAX {
        return Err(invalid("request too large"));
    }
    while buffer.len() < length {
        if !fill(stream, buffer).await? {
            return Err(invalid("half a body"));
        }
    }
    received.body = buffer.split_to(length).freeze();
    Ok(Some(received))
}

fn parse_header(line: &str) -> io::Result<(String, String)> {
    let (name, value) = line.split_once(':').ok_or_else(|| invalid("header without colon"))?;
    Ok((name.to_owned(), value.trim().to_owned()))
}

async fn fill(stream: &mut (impl AsyncRead + Unpin), buffer: &mut BytesMut) -> io::Result<bool> {
    Ok(stream.read_buf(buffer).await? > 0)
}

fn invalid(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why)
}
