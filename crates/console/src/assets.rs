//! The stylesheet, the script and the icon, under names that change with their content, so that browsers
//! keep them for ever.

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use tidings_core::limits;

use crate::path::Path;
use crate::{Answer, Desk, Refusal};

/// Where assets are.
const FOLDER: &str = "/console/assets/";

/// Whether a path is one of an asset, or could be: nothing else answers there, and nobody is asked who they are.
pub(crate) fn is_one(path: &str) -> bool {
    path.strip_prefix(FOLDER).is_some_and(|name| !name.is_empty() && !name.contains('/'))
}

/// The stylesheet.
pub(crate) const STYLE: Asset =
    Asset::new("console", "css", "text/css; charset=utf-8", include_str!("assets/console.css"));
/// The script.
pub(crate) const SCRIPT: Asset = Asset::new(
    "console",
    "js",
    "text/javascript; charset=utf-8",
    include_str!("assets/console.js"),
);
/// The icon of the window.
pub(crate) const ICON: Asset =
    Asset::new("icon", "svg", "image/svg+xml", include_str!("assets/icon.svg"));

const ALL: [Asset; 3] = [STYLE, SCRIPT, ICON];

/// A file that browsers keep.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asset {
    stem: &'static str,
    extension: &'static str,
    media_type: &'static str,
    content: &'static str,
    hash: u64,
}

impl Asset {
    const fn new(
        stem: &'static str,
        extension: &'static str,
        media_type: &'static str,
        content: &'static str,
    ) -> Self {
        Self { stem, extension, media_type, content, hash: hash(content) }
    }

    /// Its path.
    pub(crate) fn path(&self) -> String {
        format!("{FOLDER}{}", self.name())
    }

    fn name(&self) -> String {
        format!("{}-{:016x}.{}", self.stem, self.hash, self.extension)
    }
}

/// FNV-1a, at compile time: a changed file has another name.
const fn hash(content: &str) -> u64 {
    let bytes = content.as_bytes();
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}

pub(crate) fn routes() -> Router<Desk> {
    Router::new().route("/console/assets/{name}", get(asset))
}

async fn asset(Path(name): Path<String>) -> Answer {
    let asset = ALL.iter().find(|asset| asset.name() == name).ok_or(Refusal::NoSuchPage)?;
    let kept = format!("public, max-age={}, immutable", limits::CONSOLE_ASSET_S);
    let headers = [(CONTENT_TYPE, asset.media_type.to_owned()), (CACHE_CONTROL, kept)];
    Ok((headers, asset.content).into_response())
}
