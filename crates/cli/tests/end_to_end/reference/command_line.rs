//! docs/command-line.md: the help of every command.

use std::process::Command;

use super::is_current;

const OPENING: &str = "\
# The command line

`tidings` is one program: the server, and its client. Every command says `--help`; this page is all of it, made from the program, but for
the options under *Everywhere*, which all commands have.

The commands that ask a server find it by `--url` or `TIDINGS_URL`, and its key by `--key-file` or `TIDINGS_KEY`, else in the profile that
`tidings login` writes; on the machine of a server that runs with `--dev` they find both by themselves. `--output json` prints documents for programs. Colours are left out when the output
is no terminal or `NO_COLOR` is set.
";

/// What `tidings … --help` says.
fn help(command: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_tidings"))
        .args(command)
        .arg("--help")
        .env_clear()
        .output()
        .unwrap();
    assert!(output.status.success(), "{command:?}: {output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| format!("{}\n", line.trim_end())).collect()
}

/// The commands that a help lists.
fn commands(help: &str) -> Vec<&str> {
    let list = help.split_once("\nCommands:\n").map_or("", |(_, list)| list);
    let lines = list.lines().take_while(|line| !line.is_empty());
    let names = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.filter_map(|line| line.split_whitespace().next()).filter(|name| *name != "help").collect()
}

/// Without the options that every command has: the page has them once.
fn own(help: &str) -> String {
    let Some((own, rest)) = help.split_once("\nEverywhere:\n") else { return help.to_owned() };
    let is_option = |line: &&str| line.is_empty() || line.starts_with(' ');
    let more: String = rest.lines().skip_while(is_option).map(|line| format!("{line}\n")).collect();
    format!("{}\n\n{more}", own.trim_end())
}

fn append(command: &[&str], page: &mut String) {
    let help = if command.is_empty() { help(command) } else { own(&help(command)) };
    page.push_str(
        &format!("\n## tidings {}", command.join(" ")).replace("## tidings \n", "## tidings\n"),
    );
    page.truncate(page.trim_end().len());
    page.push_str(&format!("\n\n```text\n{}\n```\n", help.trim_end()));
    for name in commands(&help) {
        append(&[command, &[name]].concat(), page);
    }
}

#[test]
fn the_command_line_page_is_current() {
    let mut page = OPENING.to_owned();
    append(&[], &mut page);
    assert!(page.matches("\n## tidings ").count() >= 5, "{page}");
    is_current("docs/command-line.md", &page);
}

#[test]
fn the_commands_of_a_help_are_found() {
    let help = "Says\n\nUsage: x\n\nCommands:\n  serve  Run it\n         on and on\n  help   Print\n\nOptions:\n  -h\n";
    assert_eq!(commands(help), ["serve"]);
    let help =
        "Says\n\nOptions:\n  -h\n\nEverywhere:\n      --url\n          x\n\nExamples:\n  a\n";
    assert_eq!(own(help), "Says\n\nOptions:\n  -h\n\nExamples:\n  a\n");
}
