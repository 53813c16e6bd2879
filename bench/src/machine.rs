//! Where it was measured.

use std::process::Command;

use tidings_core::clock::Clock;

/// The machine in one line: CPU, cores, memory, kernel, compiler, date.
pub(crate) fn describe(clock: &Clock) -> String {
    let cpu = file("/proc/cpuinfo").and_then(|text| value(&text, "model name"));
    let memory = file("/proc/meminfo").and_then(|text| value(&text, "MemTotal"));
    let memory = memory.and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok());
    let memory = memory.map_or_else(|| "unknown".to_owned(), |kib| format!("{} MiB", kib / 1024));
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    let kernel = file("/proc/sys/kernel/osrelease").unwrap_or_else(|| "unknown kernel".into());
    format!(
        "{}, {cores} cores, {memory} memory, Linux {}, {}, {}",
        cpu.unwrap_or_else(|| "unknown CPU".to_owned()),
        kernel.trim(),
        compiler(),
        clock.now(),
    )
}

/// Load average of the last minute, as Linux prints it.
pub(crate) fn load_average() -> String {
    let text = file("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("unknown").to_owned()
}

fn file(path: &str) -> Option<String> {
    std::fs::read_to_string(path).ok()
}

fn value(text: &str, name: &str) -> Option<String> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().ok();
    let text = output.and_then(|output| String::from_utf8(output.stdout).ok());
    text.map_or_else(|| "unknown compiler".to_owned(), |text| text.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_follow_their_name() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n";
        assert_eq!(value(text, "model name").as_deref(), Some("Some CPU @ 2 GHz"));
        assert_eq!(value(text, "MemTotal"), None);
    }
}
