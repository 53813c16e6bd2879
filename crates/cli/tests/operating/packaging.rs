//! What is in `packaging/` fits the binary: keys, paths, names. The engines that would run it (Docker,
//! systemd as the first process) are not asked for.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::installation::{BINARY, Installation, printed, repository, tidings_with};

fn read(path: &str) -> String {
    fs::read_to_string(repository(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Runs a program of this machine, which `./test` installs.
fn run(program: &str, arguments: &[&str], directory: &Path) -> Output {
    let run = Command::new(program).args(arguments).current_dir(directory).output();
    run.unwrap_or_else(|error| panic!("{program}: {error}"))
}

fn must(program: &str, arguments: &[&str], directory: &Path) -> String {
    let output = run(program, arguments, directory);
    assert!(output.status.success(), "{program} {arguments:?}: {}", printed(&output));
    String::from_utf8(output.stdout).unwrap()
}

/// That the server would understand these variables.
fn understood(variables: &[(&str, &str)]) {
    let place = tempfile::tempdir().unwrap();
    let output = tidings_with(place.path(), &["config", "check"], variables);
    assert!(output.status.success(), "{variables:?}: {}", printed(&output));
}

#[test]
fn the_dockerfile_builds_from_what_is_there_and_sets_keys_that_are_known() {
    let text = read("packaging/Dockerfile").replace("\\\n", " ");
    let toolchain: toml::Table = read("rust-toolchain.toml").parse().unwrap();
    let channel = toolchain["toolchain"]["channel"].as_str().unwrap();
    assert!(text.contains(&format!("rust:{channel}-")), "the compiler is not {channel}");
    let from_here: Vec<_> = text
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|line| !line.contains("--from"))
        .flat_map(|line| line.rsplit_once(' ').unwrap().0.split(' '))
        .collect();
    let ignored = read("packaging/Dockerfile.dockerignore");
    for path in &from_here {
        assert!(repository(path).exists(), "{path} is not there");
        assert!(ignored.lines().any(|line| line == format!("!{path}")), "{path} is ignored");
    }
    let workspace: toml::Table = read("Cargo.toml").parse().unwrap();
    for member in workspace["workspace"]["members"].as_array().unwrap() {
        let member = member.as_str().unwrap();
        let copied = from_here.iter().any(|path| Path::new(member).starts_with(path));
        assert!(copied, "the workspace needs {member}");
    }
    let variables = text.lines().filter_map(|line| line.strip_prefix("ENV "));
    let variables: Vec<_> = variables
        .flat_map(str::split_whitespace)
        .map(|pair| pair.split_once('=').unwrap())
        .collect();
    assert!(variables.len() >= 3, "{variables:?}");
    understood(&variables);
    let (_, last) = text.rsplit_once("\nFROM ").unwrap();
    assert!(last.contains("\nUSER nonroot\n"), "it must not run as root");
}

#[test]
fn the_compose_file_is_sound() {
    let python = repository(".venv/bin/python");
    let place = repository("packaging");
    let script = "import json, yaml; print(json.dumps(yaml.safe_load(open('compose.yaml'))))";
    let compose = must(python.to_str().unwrap(), &["-c", script], &place);
    let compose: Value = serde_json::from_str(&compose).unwrap();
    let tidings = &compose["services"]["tidings"];
    let dockerfile = tidings["build"]["dockerfile"].as_str().unwrap();
    let context = place.join(tidings["build"]["context"].as_str().unwrap());
    assert!(context.join(dockerfile).exists(), "{dockerfile}");
    // Secrets that are named are made, as far as `config check` reads them.
    let secrets = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = secrets.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let url = file("database_url", "postgres://tidings:x@postgres/tidings");
    let key = file("master_key", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=");
    let environment = tidings["environment"].as_object().unwrap();
    let variables: Vec<_> = environment
        .iter()
        .map(|(name, value)| match value.as_str().unwrap() {
            "/run/secrets/database_url" => (name.as_str(), url.as_str()),
            "/run/secrets/master_key" => (name.as_str(), key.as_str()),
            plain => (name.as_str(), plain),
        })
        .collect();
    understood(&variables);
    for (name, service) in compose["services"].as_object().unwrap() {
        for secret in service["secrets"].as_array().unwrap() {
            let file = compose["secrets"][secret.as_str().unwrap()]["file"].as_str();
            let made = format!("> secrets/{}", secret.as_str().unwrap());
            assert!(file.is_some() && read("packaging/compose.yaml").contains(&made), "{name}");
        }
        for network in service["networks"].as_array().unwrap() {
            assert!(compose["networks"].get(network.as_str().unwrap()).is_some(), "{network}");
        }
    }
}

#[test]
fn the_units_are_understood_by_systemd_and_hardened() {
    let place = tempfile::tempdir().unwrap();
    let names = ["tidings.service", "tidings-backup.service", "tidings-backup.timer"];
    for name in names {
        // systemd looks whether the program is there.
        let unit = read(&format!("packaging/systemd/{name}")).replace("/usr/bin/tidings", BINARY);
        let unit =
            unit.replace("file:///usr/share/doc/tidings/operating.md", "https://example.com/");
        fs::write(place.path().join(name), unit).unwrap();
    }
    let paths: Vec<_> = names.iter().map(|name| place.path().join(name)).collect();
    let paths: Vec<_> = paths.iter().map(|path| path.to_str().unwrap()).collect();
    let verify =
        run("systemd-analyze", &[&["verify", "--man=no"], &paths[..]].concat(), place.path());
    let said = printed(&verify);
    let ours: Vec<_> = said.lines().filter(|line| line.contains("tidings")).collect();
    assert!(ours.is_empty(), "{said}");

    for (name, exposure) in [("tidings.service", "20"), ("tidings-backup.service", "40")] {
        let path = place.path().join(name);
        let path = path.to_str().unwrap();
        let threshold = format!("--threshold={exposure}");
        let arguments = ["security", "--offline=true", "--no-pager", &threshold, path];
        must("systemd-analyze", &arguments, place.path());
    }
    let planted = place.path().join("planted.service");
    fs::write(&planted, "[Service]\nExecStrat=/bin/true\nExecStart=/bin/true\n").unwrap();
    let verify =
        run("systemd-analyze", &["verify", "--man=no", planted.to_str().unwrap()], place.path());
    assert!(printed(&verify).contains("ExecStrat"), "verify notices nothing: {}", printed(&verify));
}

/// A package from the binary under test, uncompressed: it is not for shipping.
fn package(place: &Path) -> String {
    let build = repository("packaging/debian/build");
    let mut build = Command::new(build);
    let build = build.args([BINARY, place.to_str().unwrap()]).env("DEB_COMPRESSION", "none");
    let output = build.output().unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[test]
fn the_debian_package_installs_its_files_and_purges_them() {
    let place = tempfile::tempdir().unwrap();
    let deb = package(place.path());
    let control = must("dpkg-deb", &["-I", &deb, "control"], place.path());
    let version = env!("CARGO_PKG_VERSION");
    for line in [format!("Package: tidings\nVersion: {version}\n"), "libc6 (>= 2.".into()] {
        assert!(control.contains(&line), "{control}");
    }
    assert!(!control.contains('@') || control.matches('@').count() == 1, "{control}");
    assert_eq!(
        must("dpkg-deb", &["-I", &deb, "conffiles"], place.path()),
        "/etc/tidings/tidings.toml\n"
    );
    let list = must("dpkg-deb", &["-c", &deb], place.path());
    for line in list.lines() {
        assert!(line.contains(" root/root "), "{line}");
        assert!(!line.starts_with("-rwsr") && !line[..10].ends_with("w-"), "{line}");
    }
    for (mode, path) in [
        ("-rwxr-xr-x", "./usr/bin/tidings"),
        ("-rw-r-----", "./etc/tidings/tidings.toml"),
        ("drwx------", "./var/lib/tidings/"),
        ("-rw-r--r--", "./usr/lib/systemd/system/tidings.service"),
        ("-rw-r--r--", "./usr/share/doc/tidings/copyright"),
        ("-rw-r--r--", "./usr/share/bash-completion/completions/tidings"),
    ] {
        let there = list.lines().any(|line| line.starts_with(mode) && line.ends_with(path));
        assert!(there, "{mode} {path} is not in\n{list}");
    }

    let root = place.path().join("root");
    for directory in ["var/lib/dpkg/updates", "var/lib/dpkg/info", "var/log"] {
        fs::create_dir_all(root.join(directory)).unwrap();
    }
    fs::write(root.join("var/lib/dpkg/status"), "").unwrap();
    let options = [
        &format!("--root={}", root.display()),
        "--force-script-chrootless",
        "--force-depends",
        "--force-not-root",
        "--force-bad-path",
        "--log=/dev/null",
    ];
    must("dpkg", &[&options[..], &["--install", &deb]].concat(), place.path());
    let installed = root.join("usr/bin/tidings");
    let said = must(installed.to_str().unwrap(), &["--version"], place.path());
    assert_eq!(said, format!("tidings {version}\n"));
    let configuration = root.join("etc/tidings/tidings.toml");
    let check = ["config", "check", "--config", configuration.to_str().unwrap()];
    must(installed.to_str().unwrap(), &check, place.path());

    fs::write(root.join("var/lib/tidings/master.key"), "key").unwrap();
    must("dpkg", &[&options[..], &["--remove", "tidings"]].concat(), place.path());
    assert!(!installed.exists(), "the program goes");
    assert!(
        configuration.exists() && root.join("var/lib/tidings/master.key").exists(),
        "data stay"
    );
    must("dpkg", &[&options[..], &["--purge", "tidings"]].concat(), place.path());
    assert!(!configuration.exists() && !root.join("var/lib/tidings").exists(), "all goes");
}

/// The names of metrics in an expression of Prometheus.
fn names(expression: &str) -> BTreeSet<String> {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let words = expression.split(word);
    let names = words.filter(|word| word.starts_with("tidings_") || word.starts_with("process_"));
    names.map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_dashboard_asks_for_metrics_that_are_there() {
    let tidings = Installation::start(&[("TIDINGS_METRICS__OPEN", "true")]).await;
    let page = tidings.get("/metrics", None).await.body;
    let mut there = BTreeSet::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("# TYPE ")) {
        let (name, kind) = line.split_once(' ').unwrap();
        let endings: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_count", "_sum"],
            _ => &[""],
        };
        there.extend(endings.iter().map(|ending| format!("{name}{ending}")));
    }
    let board: Value = serde_json::from_str(&read("packaging/grafana/tidings.json")).unwrap();
    let panels = board["panels"].as_array().unwrap();
    let mut asked = BTreeSet::new();
    for target in panels.iter().filter_map(|panel| panel["targets"].as_array()).flatten() {
        let expression = target["expr"].as_str().unwrap();
        let names = names(expression);
        assert!(!names.is_empty() && expression.contains("$job"), "{expression}");
        asked.extend(names);
    }
    let unknown: Vec<_> = asked.difference(&there).collect();
    assert!(unknown.is_empty(), "{unknown:?} are not exposed");
    assert!(asked.len() > 20, "{asked:?}");
    assert_eq!(names("rate(tidings_x_total{job=~\"a\"}[5m]) / 2").len(), 1);
}

#[test]
fn the_sbom_names_what_the_binary_is_made_of_with_checksums() {
    let sbom = must(repository("packaging/sbom").to_str().unwrap(), &[], &repository("."));
    let sbom: Value = serde_json::from_str(&sbom).unwrap();
    assert_eq!(
        (sbom["bomFormat"].as_str(), sbom["specVersion"].as_str()),
        (Some("CycloneDX"), Some("1.6"))
    );
    let components = sbom["components"].as_array().unwrap();
    let named = |name: &str| components.iter().find(|component| component["name"] == name);
    for component in components {
        let name = component["name"].as_str().unwrap();
        let purl = component["purl"].as_str().unwrap();
        assert!(purl.starts_with("pkg:cargo/") && component["licenses"].is_array(), "{component}");
        let ours = name.starts_with("tidings-");
        assert_eq!(component["hashes"].is_array(), !ours, "{component}");
    }
    assert!(
        named("tokio").is_some() && named("rusqlite").is_some() && named("tidings-core").is_some()
    );
    assert!(
        named("proptest").is_none() && named("tidings-testkit").is_none(),
        "tests are no part of it"
    );
    let refs: BTreeSet<_> = components.iter().filter_map(|one| one["bom-ref"].as_str()).collect();
    let top = sbom["metadata"]["component"]["bom-ref"].as_str().unwrap();
    for edge in sbom["dependencies"].as_array().unwrap() {
        let all = edge["dependsOn"].as_array().unwrap().iter().chain([&edge["ref"]]);
        for end in all.map(|end| end.as_str().unwrap()) {
            assert!(end == top || refs.contains(end), "{end} is not among the components");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn systemd_is_told_when_the_server_is_ready() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("notify");
    let socket = tokio::net::UnixDatagram::bind(&path).unwrap();
    let settings = [("NOTIFY_SOCKET", path.to_str().unwrap())];
    let mut tidings = Installation::start(&settings).await;
    let mut told = [0; 32];
    let count = socket.recv(&mut told).await.unwrap();
    assert_eq!(&told[..count], b"READY=1");
    assert!(tidings.server.sigterm().await.success());
    let count = socket.recv(&mut told).await.unwrap();
    assert_eq!(&told[..count], b"STOPPING=1");
}
