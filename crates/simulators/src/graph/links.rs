//! `@odata.nextLink` and `@odata.deltaLink`: absolute addresses that nobody but the server can read.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE;
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::error::{self, Refused};
use super::mailbox::Window;
use super::switches::Resync;
use super::world::World;
use crate::server::{Answer, Call};

/// Answers with more pages than this many are forgotten, oldest first.
const KEPT: usize = 1_000;
/// Of a list, when nothing is preferred.
const PAGE: usize = 10;

/// An answer that did not fit on one page.
#[derive(Clone, Debug)]
pub(super) struct Pages {
    values: Vec<Value>,
    size: usize,
    /// The delta link of the last page.
    token: Option<String>,
}

/// What a delta token stands for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Since {
    pub(super) seq: u64,
    pub(super) window: Window,
}

impl World {
    /// The first page of `values`.
    pub(super) fn first_page(
        &mut self,
        call: &Call,
        values: Vec<Value>,
        wish: Option<usize>,
        since: Option<Since>,
    ) -> Answer {
        let size = wish.unwrap_or(PAGE).clamp(1, self.switches.max_page);
        let token = since.map(|since| self.token(since));
        let pages = Pages { values, size, token };
        let number = self.number();
        if pages.values.len() > size {
            self.pages.insert(number, pages.clone());
            while self.pages.len() > KEPT {
                self.pages.pop_first();
            }
        }
        page(call, &pages, number, 0)
    }

    /// The page that a `$skiptoken` names.
    pub(super) fn next_page(&self, call: &Call, token: &str) -> Answer {
        let read = || {
            let text = String::from_utf8(URL_SAFE.decode(token).ok()?).ok()?;
            let (number, offset) = text.trim_end().split_once('|')?;
            Some((number.parse().ok()?, offset.parse().ok()?))
        };
        let known = read().and_then(|(number, offset): (u64, usize)| {
            self.pages.get(&number).map(|pages| page(call, pages, number, offset))
        });
        known.unwrap_or_else(|| {
            error::refused(400, "ErrorInvalidUrlQuery", "The skip token is not valid.")
        })
    }

    fn token(&self, since: Since) -> String {
        let (from, to) = since.window;
        sealed(&format!("{}|{}|{from}|{to}", self.epoch, since.seq))
    }

    /// What a delta token stands for.
    ///
    /// # Errors
    /// The answer that asks for a new round.
    pub(super) fn since(&self, call: &Call, token: &str) -> Result<Since, Refused> {
        let read = || {
            let text = String::from_utf8(URL_SAFE.decode(token).ok()?).ok()?;
            let mut parts = text.trim_end().split('|');
            let epoch: u64 = parts.next()?.parse().ok()?;
            let seq = parts.next()?.parse().ok()?;
            let window = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
            Some((epoch, Since { seq, window }))
        };
        match read() {
            Some((epoch, since)) if epoch == self.epoch => Ok(since),
            Some((_, since)) => Err(Box::new(self.refuse(call, Some(since.window)))),
            None => Err(Box::new(self.refuse(call, None))),
        }
    }

    fn refuse(&self, call: &Call, window: Option<Window>) -> Answer {
        let words = "The sync state generation is not found; a full sync is required.";
        match (self.switches.resync, window) {
            (Resync::Location, Some((from, to))) => {
                let start = format!("startDateTime={from}&endDateTime={to}&$deltatoken=");
                error::refused(410, "syncStateNotFound", words)
                    .with("location", &format!("{}?{start}", address(call)))
            }
            (Resync::Required, _) => error::refused(410, "resyncRequired", words),
            (Resync::NotFound | Resync::Location, _) => {
                error::refused(410, "syncStateNotFound", words)
            }
            (Resync::Invalid, _) => error::refused(400, "SyncStateInvalid", words),
        }
    }
}

fn page(call: &Call, pages: &Pages, number: u64, offset: usize) -> Answer {
    let end = (offset + pages.size).min(pages.values.len());
    let values = pages.values.get(offset..end).unwrap_or_default();
    let root = address(call);
    let mut document = json!({
        "@odata.context": format!("{}$metadata#Collection({})", root, "microsoft.graph.event"),
        "value": values,
    });
    if end < pages.values.len() {
        let token = encoded(&sealed(&format!("{number}|{end}")));
        document["@odata.nextLink"] = format!("{root}?$skiptoken={token}").into();
    } else if let Some(token) = &pages.token {
        document["@odata.deltaLink"] = format!("{root}?$deltatoken={}", encoded(token)).into();
    }
    Answer::json(200, &document)
}

/// Always ends with an equals sign, so that whoever writes the link anew instead of keeping it is found out.
fn sealed(text: &str) -> String {
    let mut text = text.to_owned();
    while text.len().is_multiple_of(3) {
        text.push(' ');
    }
    URL_SAFE.encode(text)
}

fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// The address that was asked, as the client spelled it.
fn address(call: &Call) -> String {
    format!("http://{}{}", call.header("host").unwrap_or_default(), call.path)
}
