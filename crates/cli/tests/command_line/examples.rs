//! Every example of every command's help, run as it stands there.

use std::process::Stdio;

use serde_json::Value;
use tidings_testkit::receiver::TestReceiver;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::place::{BINARY, PATIENCE, Place, wait_for};

/// Commands that go on until they are told to stop.
const ENDLESS: [&str; 3] = ["tidings serve", "tidings listen --forward-to", "tidings tail"];
/// Commands that tell people something while they work; they have no answer to print.
const TELLING: [&str; 2] = ["tidings serve", "tidings demo"];
/// Stands for what exists in the examples, and for what exists to be deleted.
const KEPT: &str = "01k4qzv6s8t2m9r3n5b0";
const SPARE: &str = "01k4qzv6s8t2m9r3n5b9";

/// A command without commands below it: its words, and its examples.
struct Leaf {
    words: Vec<String>,
    examples: Vec<String>,
}

/// What the help says, command by command.
async fn leaves(place: &Place) -> Vec<Leaf> {
    let mut found = Vec::new();
    let mut left = vec![Vec::<String>::new()];
    while let Some(words) = left.pop() {
        let arguments: Vec<_> = words.iter().map(String::as_str).chain(["--help"]).collect();
        let help = place.ok(&arguments).await;
        let section = |title: &str| {
            let lines = help.lines().skip_while(move |line| *line != title).skip(1);
            lines.take_while(|line| line.starts_with("  ")).map(str::trim).collect::<Vec<_>>()
        };
        let below: Vec<_> = section("Commands:")
            .iter()
            .filter_map(|line| line.split_whitespace().next())
            .filter(|name| *name != "help")
            .map(|name| words.iter().cloned().chain([name.to_owned()]).collect())
            .collect();
        if below.is_empty() {
            let examples = section("Examples:").into_iter().map(str::to_owned).collect();
            found.push(Leaf { words, examples });
        }
        left.extend(below.into_iter().rev());
    }
    found
}

/// A place where what the examples name is there.
struct Stage {
    place: Place,
    receiver: TestReceiver,
    /// What an example says, and what it stands for here.
    names: Vec<(String, String)>,
    signature: String,
}

impl Stage {
    async fn set() -> Self {
        let zoom = [("TIDINGS_ZOOM_CLIENT_ID", "id"), ("TIDINGS_ZOOM_CLIENT_SECRET", "secret")];
        let place =
            Place::start_with(&[&zoom[..], &[("TIDINGS_ZOOM_WEBHOOK_SECRET", "s")]].concat()).await;
        let receiver = TestReceiver::start().await;
        let address = receiver.address().to_string();
        let write = |name: &str, text: &str| {
            std::fs::write(place.home.path().join(name), text).unwrap();
        };
        write("owner.key", &place.server.key);
        write("password.txt", "secret\n");
        write("body.json", "{\"a\": 1}");
        write("secret.txt", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
        let app = place.json(&["app", "show"]).await["id"].as_str().unwrap().to_owned();
        let mut names = vec![(format!("app_{KEPT}"), app.clone())];
        names.push((format!("app_{SPARE}"), place.id(&["app", "create", "spare"]).await));
        let hook = receiver.url("/");
        let caldav = receiver.url("/caldav");
        let account = ["account", "create", "caldav", "--server", &caldav, "--username", "ada"];
        let account = [&account[..], &["--password", "@password.txt"]].concat();
        let makers: [(&str, &[&str]); 4] = [
            ("hook", &["hook", "create", &hook]),
            ("key", &["key", "create", "k", "--scope", "read"]),
            ("acc", &account),
            ("inb", &["inbox", "create"]),
        ];
        for (prefix, maker) in makers {
            for which in [KEPT, SPARE] {
                let maker = [&["--app", &app], maker].concat();
                // The same person is one account.
                let second = maker
                    .iter()
                    .map(|word| if *word == "ada" && which == SPARE { "grace" } else { word });
                let made = place.id(&second.collect::<Vec<_>>()).await;
                names.push((format!("{prefix}_{which}"), made));
            }
        }
        let paid = "{\"invoice\": \"in_1\", \"amount\": 12.5, \"note\": \"x\"}";
        for (name, example) in [("invoice.paid", paid), ("invoice.old", "{}")] {
            place.ok(&["--app", &app, "event-type", "create", name, "--example", example]).await;
        }
        place.ok(&["--app", &app, "send", "invoice.paid", "--data", "{}"]).await;
        let sign = ["sign", "body.json", "--id", "msg_1", "--timestamp", "1614265330"];
        let headers = place.ok(&[&sign[..], &["--secret-file", "secret.txt"]].concat()).await;
        write("headers.txt", &headers);
        let signature = headers.lines().last().unwrap().rsplit(": ").next().unwrap().to_owned();
        names.push((format!("dlv_{KEPT}"), delivered(&place, &app, &names).await));
        names.push(("http://localhost:5232/".into(), receiver.url("/more")));
        names.push(("localhost:3000".into(), address));
        names.push(("./tidings-data".into(), place.data.path().display().to_string()));
        names.push(("http://127.0.0.1:8480".into(), place.server.base_url.clone()));
        Self { place, receiver, names, signature }
    }

    fn here(&self, example: &str) -> String {
        self.names.iter().fold(example.to_owned(), |text, (said, here)| text.replace(said, here))
    }

    /// The example as a program.
    fn program(&self, script: &str) -> tokio::process::Command {
        let bin = self.place.data.path().join("bin");
        std::fs::create_dir_all(&bin).unwrap();
        if !bin.join("tidings").exists() {
            std::os::unix::fs::symlink(BINARY, bin.join("tidings")).unwrap();
        }
        let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
        let mut program = self.place.program("sh");
        program
            .args(["-c", script])
            .env("PATH", path)
            .env("SIGNATURE", &self.signature)
            .env("TIDINGS_APP", &self.names[0].1)
            .env("TIDINGS_LISTEN", "127.0.0.1:0")
            .env("TIDINGS_DATA_DIR", self.data_of(script))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        program
    }

    /// A second server has a directory of its own; who looks at the store looks at that of the first.
    fn data_of(&self, script: &str) -> std::path::PathBuf {
        let own = self.place.home.path().join("second");
        if script.contains("tidings serve") { own } else { self.place.data.path().to_owned() }
    }

    async fn run(&self, example: &str) -> String {
        let script = self.here(example);
        if ENDLESS.iter().any(|endless| example.starts_with(endless)) {
            return self.begin_and_end(&script).await;
        }
        let output = tokio::time::timeout(PATIENCE, self.program(&script).output()).await;
        let output = output.unwrap_or_else(|_| panic!("{script} does not end")).unwrap();
        let told = String::from_utf8_lossy(&output.stderr).into_owned();
        // What the doctor finds out about this machine is not the command's fault.
        let fine = output.status.success()
            || (example.starts_with("tidings doctor") && output.status.code() == Some(1));
        assert!(fine, "{script}: {told}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs it until it says that it works, and tells it to stop.
    async fn begin_and_end(&self, script: &str) -> String {
        let mut child = self.program(&format!("exec {script}")).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut told = BufReader::new(child.stderr.take().unwrap());
        let (mut printed, mut line) = (String::new(), String::new());
        let speaks = async {
            tokio::select! {
                read = out.read_line(&mut printed) => read,
                read = told.read_line(&mut line) => read,
            }
        };
        let spoke = tokio::time::timeout(PATIENCE, speaks).await;
        assert!(spoke.unwrap_or_else(|_| panic!("{script} is silent")).unwrap() > 0, "{script}");
        let pid = child.id().unwrap().to_string();
        let sent = tokio::process::Command::new("kill").args(["-TERM", &pid]).status().await;
        assert!(sent.unwrap().success());
        assert_eq!(child.wait().await.unwrap().code(), Some(0), "{script}: {line}");
        printed
    }
}

/// The example with JSON as what each of its commands prints.
fn asking_for_json(example: &str) -> String {
    let mut asked = String::new();
    for word in example.replace(" --output json", "").split_inclusive(' ') {
        asked.push_str(word);
        if word == "tidings " || word.ends_with("$(tidings ") {
            asked.push_str("--output json ");
        }
    }
    asked
}

/// A delivery of the hook that stays.
async fn delivered(place: &Place, app: &str, names: &[(String, String)]) -> String {
    let kept = format!("hook_{KEPT}");
    let hook = names.iter().find(|(said, _)| *said == kept).map(|(_, here)| here.clone()).unwrap();
    let arguments = ["--app", app, "tail", "deliveries", "--hook", &hook, "--all", "--count", "1"];
    wait_for("a delivery", async || {
        let found = place.json(&arguments).await;
        (found["status"] == "delivered").then(|| found["id"].as_str().unwrap().to_owned())
    })
    .await
}

#[tokio::test]
async fn every_command_has_examples_and_each_of_them_works() {
    let stage = Stage::set().await;
    let leaves = leaves(&stage.place).await;
    assert!(leaves.len() > 40, "{}", leaves.len());
    for Leaf { words, examples } in leaves {
        let words = words.join(" ");
        assert!(!examples.is_empty(), "tidings {words} has no example");
        for example in examples {
            let plain = example.replace("--output json ", "");
            assert!(plain.contains(&format!("tidings {words}")), "{words}: {example}");
            stage.run(&example).await;
        }
    }
    assert!(stage.receiver.count() > 0);
}

#[tokio::test]
async fn every_command_prints_json_when_a_program_reads() {
    let stage = Stage::set().await;
    for Leaf { examples, .. } in leaves(&stage.place).await {
        for example in examples {
            if TELLING.iter().any(|telling| example.contains(telling)) {
                continue;
            }
            let asked = asking_for_json(&example);
            let endless = ENDLESS.iter().any(|endless| example.starts_with(endless));
            let printed = if endless {
                stage.begin_and_end(&stage.here(&asked)).await
            } else {
                stage.run(&asked).await
            };
            let silent = endless || example.contains('>') || example.contains("$(");
            assert!(silent || !printed.trim().is_empty(), "{example} prints nothing");
            let values = serde_json::Deserializer::from_str(&printed).into_iter::<Value>();
            for value in values {
                assert!(value.is_ok(), "{example}: {printed}");
            }
        }
    }
}
