//! The documentation's snippets, run as a reader would: in order, page by page, against a server of the page's own.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tidings_testkit::receiver::TestReceiver;

use crate::fences::{Fence, Page, pages};
use crate::tidings::{PATIENCE, Tidings};
use crate::vendor::python;

/// Languages whose blocks are run, or say why not.
const RUN: [&str; 4] = ["sh", "python", "js", "rust"];
/// Other spellings of theirs, which the rule below would not see.
const MISSPELT: [&str; 9] =
    ["bash", "shell", "console", "zsh", "py", "javascript", "mjs", "node", "rs"];
/// What becomes of a block; each has exactly one.
const FATES: [&str; 4] = ["run", "file", "test", "skip"];

/// What is wrong with the info strings of these blocks.
fn complaints(fences: &[Fence]) -> Vec<String> {
    let mut found = Vec::new();
    for fence in fences {
        let mut complain = |what: &str| found.push(format!("{}: {what}", fence.place));
        if MISSPELT.contains(&fence.language.as_str()) {
            complain("write sh, python, js or rust");
        }
        let fates = fence.names().filter(|name| FATES.contains(name)).count();
        if RUN.contains(&fence.language.as_str()) && fates != 1 {
            complain("needs one of: run, file=…, test=…, skip=\"why nobody runs it\"");
        }
        if fence.attribute("skip").is_some_and(|reason| reason.len() < 10) {
            complain("says no reason to skip it");
        }
        if fence.attribute("run").is_some() && fence.language == "rust" {
            complain("a block of Rust is run as a file=… or by a test=…");
        }
        let known = |name| [&FATES[..], &["until", "outcome", "variant"]].concat().contains(&name);
        if let Some(strange) = fence.names().find(|name| !known(name)) {
            complain(&format!("{strange} means nothing"));
        }
    }
    found
}

#[test]
fn every_block_of_code_is_run_or_says_why_not() {
    let fences: Vec<_> = pages().iter().flat_map(Page::fences).collect();
    let wrong = complaints(&fences);
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
    let planted = "```sh\n```\n```bash run\n```\n```js skip=\"no\"\n```\n```sh run skip=\"both of them\"\n```\n\
                   ```rust run\n```\n```sh run always\n```\n";
    let planted = Page { path: "planted.md".into(), text: planted.into() };
    assert_eq!(complaints(&planted.fences()).len(), 6);
}

/// What a page's commands are run in.
struct Session {
    tidings: Tidings,
    receiver: TestReceiver,
    folder: TempDir,
    /// All that was printed so far: what a reader copies from.
    said: String,
}

impl Session {
    async fn start() -> Self {
        Self {
            tidings: Tidings::start().await,
            receiver: TestReceiver::start().await,
            folder: TempDir::new().unwrap(),
            said: String::new(),
        }
    }

    /// Runs a block; returns what it printed.
    fn run(&self, fence: &Fence, text: &str) -> String {
        let binary = Path::new(env!("CARGO_BIN_EXE_tidings")).parent().unwrap();
        let path = std::env::var("PATH").unwrap();
        let (program, arguments) = match fence.language.as_str() {
            "sh" => ("sh".into(), &["-euc"][..]),
            "python" => (python(), &["-c"][..]),
            _ => ("node".into(), &["--input-type=module", "--eval"][..]),
        };
        let output = Command::new(program)
            .args(arguments)
            .arg(text)
            .current_dir(self.folder.path())
            .env("PATH", format!("{}:{path}", binary.display()))
            .env("HOME", self.folder.path())
            .env("KEY", &self.tidings.server.key)
            .env("API", self.tidings.url("/api/v1"))
            .env("TIDINGS_URL", &self.tidings.server.base_url)
            .env("TIDINGS_KEY", &self.tidings.server.key)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}\n{text}\n{said}\n{complained}", fence.place);
        said
    }

    /// The block's text with what a reader puts in: addresses, and what `…` stands for.
    fn filled(&self, fence: &Fence) -> String {
        let text = fence
            .text
            .replace("http://127.0.0.1:8480", &self.tidings.server.base_url)
            .replace("http://localhost:3000", self.receiver.url("").trim_end_matches('/'));
        fill(&text, &self.said).unwrap_or_else(|word| {
            panic!("{}: nothing that was printed begins with {word}:\n{}", fence.place, self.said)
        })
    }
}

fn is_of_a_word(letter: char) -> bool {
    letter.is_ascii_alphanumeric() || "_/-:.".contains(letter)
}

/// Puts in place of each `…` what followed, when it was last printed, the end of the word before it.
///
/// # Errors
/// The word of which nothing was printed.
fn fill(text: &str, said: &str) -> Result<String, String> {
    let mut pieces = text.split('…');
    let mut filled = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let start = filled.rfind(|letter| !is_of_a_word(letter)).map_or(0, |at| at + 1);
        let word = filled.get(start..).unwrap_or_default().to_owned();
        let ends = (0..word.len().saturating_sub(3)).filter_map(|at| word.get(at..));
        let found = ends.filter_map(|end| {
            let after = said.get(said.rfind(end)? + end.len()..)?;
            let is_end = |letter: char| !letter.is_ascii_alphanumeric() && !"_-".contains(letter);
            after.split(is_end).next().filter(|found| !found.is_empty())
        });
        filled.push_str(found.into_iter().next().ok_or(word)?);
        filled.push_str(piece);
    }
    Ok(filled)
}

/// Whether the pieces of `outcome` between `…` occur in `said`, in their order.
fn shows(outcome: &str, said: &str) -> bool {
    let pieces = outcome.split('…').map(str::trim).filter(|piece| !piece.is_empty());
    let mut rest = said;
    pieces.into_iter().all(|piece| match rest.split_once(piece) {
        Some((_, after)) => {
            rest = after;
            true
        }
        None => false,
    })
}

#[test]
fn gaps_are_filled_from_what_was_printed_and_outcomes_are_looked_for_in_order() {
    let said = r#"{"id":"inb_1a","path":"/inbox/Ab_9-x","secret":"x"} {"id":"inb_2b"}"#;
    for (text, filled) in [
        ("get $API/inboxes/inb_…/requests", Ok("get $API/inboxes/inb_2b/requests")),
        ("http://127.0.0.1:8480/inbox/…\"", Ok("http://127.0.0.1:8480/inbox/Ab_9-x\"")),
        ("nothing", Ok("nothing")),
        ("hook_…", Err("hook_")),
        (" …", Err("")),
    ] {
        assert_eq!(fill(text, said).as_deref().map_err(String::as_str), filled, "{text}");
    }
    for (outcome, is_shown) in
        [("path … secret", true), ("secret … path", false), ("inb_…\n", true)]
    {
        assert_eq!(shows(outcome, said), is_shown, "{outcome}");
    }
}

/// Runs what is to be run of a page; returns how many blocks that were.
async fn run(page: &Page) -> usize {
    let fences = page.fences();
    if fences.iter().all(|fence| fence.attribute("run").is_none()) {
        return 0;
    }
    let mut session = Session::start().await;
    let mut ran = 0;
    for (at, fence) in fences.iter().enumerate() {
        if fence.attribute("run").is_none() {
            continue;
        }
        let outcome = fences.get(at + 1).filter(|next| next.attribute("outcome").is_some());
        let outcome = outcome.map_or("", |outcome| outcome.text.as_str());
        let text = session.filled(fence);
        let begun = Instant::now();
        let said = loop {
            let said = session.run(fence, &text);
            if shows(outcome, &said) {
                break said;
            }
            let again = fence.attribute("until").is_some() && begun.elapsed() < PATIENCE;
            assert!(again, "{}\n{text}\nprinted\n{said}\nand not\n{outcome}", fence.place);
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        session.said.push_str(&said);
        ran += 1;
    }
    ran
}

#[tokio::test(flavor = "multi_thread")]
async fn the_snippets_of_the_documentation_do_what_they_say() {
    let (mut ran, mut expected) = (0, 0);
    for page in pages() {
        ran += run(&page).await;
        // Counted without the parser that found them.
        let opens =
            |line: &&str| RUN.iter().any(|name| line.starts_with(&format!("```{name} run")));
        expected += page.text.lines().map(str::trim_start).filter(opens).count();
    }
    assert_eq!(ran, expected);
    assert!(ran >= 6, "only {ran} snippets are run: have their marks been lost?");
}
