use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use tempfile::NamedTempFile;
use tokio::sync::mpsc;
use verify::is_genuine;

/// Stands for the table: see "The table".
const FOLDER: &str = "received";

struct Receiver {
    secret: String,
    wake: mpsc::Sender<()>,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    fs::create_dir_all(FOLDER)?;
    let (wake, mut woken) = mpsc::channel(1);
    std::thread::spawn(move || -> io::Result<()> {
        loop {
            work()?;
            if woken.blocking_recv().is_none() {
                return Ok(());
            }
        }
    });
    let receiver = Receiver { secret: std::env::var("WEBHOOK_SECRET")?, wake };
    let port = std::env::var("PORT").unwrap_or("3000".into());
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await?;
    // axum takes bodies of at most 2 MiB.
    let router = Router::new().route("/hook", post(receive)).with_state(receiver.into());
    Ok(axum::serve(listener, router).await?)
}

/// `body` is raw: never verify what was parsed and printed again.
async fn receive(
    State(receiver): State<std::sync::Arc<Receiver>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    if !is_genuine(&body, &headers, &receiver.secret) {
        return StatusCode::UNAUTHORIZED;
    }
    let id = headers.get("webhook-id").and_then(|id| id.to_str().ok()).unwrap_or_default();
    match store(id, &body) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => StatusCode::SERVICE_UNAVAILABLE,
        _ => {
            // Stored, so it is ours: answer now, work afterwards.
            receiver.wake.try_send(()).ok();
            StatusCode::NO_CONTENT
        }
    }
}

fn store(id: &str, body: &[u8]) -> io::Result<()> {
    if !id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte)) {
        return Err(ErrorKind::InvalidInput.into());
    }
    let mut file = NamedTempFile::new_in(FOLDER)?;
    file.write_all(body)?;
    file.as_file().sync_all()?;
    // Fails when it is there: it came before.
    file.persist_noclobber(Path::new(FOLDER).join(format!("{id}.json")))?;
    Ok(())
}

/// Does what is stored and not done, also what was left by a crash.
fn work() -> io::Result<()> {
    for entry in fs::read_dir(FOLDER)? {
        let path = entry?.path();
        let done = path.with_extension("done");
        if path.extension().is_some_and(|end| end == "json") && !done.exists() {
            handle(&serde_json::from_slice(&fs::read(path)?)?);
            File::create(done)?;
        }
    }
    Ok(())
}

fn handle(change: &serde_json::Value) {
    println!("handled {}", change["type"].as_str().unwrap_or_default());
}
