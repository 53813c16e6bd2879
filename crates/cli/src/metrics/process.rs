//! What the system says about this process. Linux only: elsewhere there is nothing to say.

use std::fs;

/// This process, as the system sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Process {
    /// Processor time used, seconds.
    pub(super) cpu_seconds: f64,
    /// Memory in use, bytes.
    pub(super) resident_bytes: u64,
    /// Threads.
    pub(super) threads: u64,
    /// Open file descriptors.
    pub(super) open_files: u64,
}

/// Reads what there is to say; `None` where `/proc` is not there.
pub(super) fn read() -> Option<Process> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let open_files = fs::read_dir("/proc/self/fd").ok()?.count() as u64;
    let ticks = rustix::param::clock_ticks_per_second() as f64;
    parse(&stat, ticks, rustix::param::page_size() as u64)
        .map(|process| Process { open_files, ..process })
}

/// Takes `/proc/self/stat` apart (proc(5)): what follows the name, which may contain anything.
fn parse(stat: &str, ticks_a_second: f64, page_bytes: u64) -> Option<Process> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    // Counted from field 3, the state.
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    let (user, system) = (field(14)?, field(15)?);
    Some(Process {
        cpu_seconds: (user + system) as f64 / ticks_a_second,
        resident_bytes: field(24)? * page_bytes,
        threads: field(20)?,
        open_files: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_brackets_does_not_shift_the_fields() {
        let stat = "7 (a) b) (c) S 1 7 7 0 -1 4194304 1 0 0 0 250 50 0 0 20 0 9 0 100 4096 300 0";
        let process = parse(stat, 100.0, 4_096).unwrap();
        assert!((process.cpu_seconds - 3.0).abs() < 1e-9);
        assert_eq!((process.threads, process.resident_bytes), (9, 300 * 4_096));
        assert!(parse("", 100.0, 4_096).is_none());
    }

    #[test]
    fn this_process_is_there() {
        let process = read().unwrap();
        assert!(process.resident_bytes > 0 && process.threads > 0 && process.open_files > 0);
    }
}
