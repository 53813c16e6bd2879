//! The console in a real browser: headless Chromium plays `tests/browser/story.mjs`.
//!
//! `./test` installs Chromium and what drives it. Pictures of every page, in both themes and at both sizes,
//! are in `target/screenshots` afterwards.

use std::path::{Path, PathBuf};
use std::process::Command;

use tidings_testkit::caldav::{CalendarServer, Kind};

use crate::tidings::Tidings;
use crate::vendor::{root, run};

/// What the browser takes a picture of at least, so that no page drops out of the story unnoticed.
const PAGES_MIN: usize = 90;

/// The link that the server prints while nobody has set up the console.
fn setup_link(said: &str) -> &str {
    let line = said.split_once("set up the console: ").unwrap_or_else(|| panic!("no link: {said}"));
    line.1.split_whitespace().next().unwrap()
}

/// A folder without last time's pictures.
fn screenshots() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    let folder = target.join("screenshots");
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_lives_the_consoles_whole_story() {
    let tidings = Tidings::start_logged(&[("TIDINGS_LOG__LEVEL", "warn")]).await;
    let calendars = CalendarServer::start_new(Kind::Radicale).await;
    let folder = screenshots();
    let said = tidings.said();
    let mut story = Command::new("node");
    story
        .arg(root().join("tests/browser/story.mjs"))
        .env("TIDINGS_URL", &tidings.server.base_url)
        .env("TIDINGS_KEY", &tidings.server.key)
        .env("TIDINGS_SETUP", setup_link(&said))
        .env("CALDAV_URL", calendars.url("/"))
        .env("SCREENSHOTS", &folder);
    let told = run(&mut story, "");
    println!("{told}");
    let pictures = std::fs::read_dir(&folder).unwrap().count();
    assert!(pictures >= 4 * PAGES_MIN, "{pictures} pictures in {}", folder.display());
    let log = tidings.log();
    assert!(!log.contains("\"ERROR\"") && !log.contains(" ERROR "), "{log}");
}
