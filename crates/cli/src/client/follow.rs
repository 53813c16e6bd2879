//! The live stream of an app's changes, taken up again wherever it broke off.

use std::time::Duration;

use tidings_core::limits;
use tokio::time::sleep;

use super::{Client, Stream};
use crate::error::{Error, Result};

/// What came of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Arrived {
    /// The cursor behind it.
    pub(crate) cursor: String,
    /// The change; absent at the beginning of a stream, which only says where that is.
    pub(crate) change: Option<String>,
}

/// What there is to tell of the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// It is there.
    Connected,
    /// It is not there any more, for this reason.
    Lost(String),
}

/// Follows the changes of an app. Once it was connected it does not give up: a server that is restarted, a
/// connection that is cut or falls silent, all are waited for.
pub(crate) struct Follow {
    client: Client,
    /// Behind what was given out last; absent: the present end of the journal.
    cursor: Option<String>,
    silence: Duration,
    stream: Option<Stream>,
    was_connected: bool,
    wait_ms: u64,
}

impl Follow {
    /// Begins behind `cursor`, or with what is new. A connection is dead when nothing is heard of it for
    /// `silence`.
    pub(crate) fn new(client: Client, cursor: Option<String>, silence: Duration) -> Self {
        let wait_ms = limits::CLIENT_BACKOFF_MS;
        Self { client, cursor, silence, stream: None, was_connected: false, wait_ms }
    }

    /// The next change. What was given out before counts as dealt with. Cancelling it loses nothing.
    ///
    /// # Errors
    /// Unreachable: there was no connection from the beginning; what the server refuses.
    pub(crate) async fn next(
        &mut self,
        tell: &mut dyn FnMut(News) -> Result<()>,
    ) -> Result<Arrived> {
        loop {
            match self.attempt(tell).await {
                Ok(Some(arrived)) => return Ok(arrived),
                Ok(None) => self.pause("the server ended the stream".to_owned(), tell).await?,
                Err(Error::Unreachable(why) | Error::Failed(why)) if self.was_connected => {
                    self.pause(why, tell).await?;
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn attempt(
        &mut self,
        tell: &mut dyn FnMut(News) -> Result<()>,
    ) -> Result<Option<Arrived>> {
        if self.stream.is_none() {
            let query: Vec<_> =
                self.cursor.iter().map(|cursor| ("after", cursor.as_str())).collect();
            let path = ["changes", "stream"];
            self.stream = Some(self.client.stream(&path, &query, self.silence).await?);
            self.was_connected = true;
            tell(News::Connected)?;
        }
        let Some(stream) = &mut self.stream else { return Ok(None) };
        let Some(event) = stream.next().await? else { return Ok(None) };
        self.wait_ms = limits::CLIENT_BACKOFF_MS;
        let Some(cursor) = event.id else { return Ok(None) };
        self.cursor = Some(cursor.clone());
        Ok(Some(Arrived { cursor, change: Some(event.data).filter(|data| !data.is_empty()) }))
    }

    /// Lets the connection go, and waits before the next: longer each time, until one works.
    async fn pause(&mut self, why: String, tell: &mut dyn FnMut(News) -> Result<()>) -> Result<()> {
        if self.stream.take().is_some() {
            tell(News::Lost(why))?;
        }
        sleep(Duration::from_millis(self.wait_ms)).await;
        self.wait_ms = (self.wait_ms * 2).min(limits::CLIENT_BACKOFF_MAX_MS);
        Ok(())
    }
}
