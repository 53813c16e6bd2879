//! What processes cost, from Linux's `/proc`.

use std::fs;
use std::path::PathBuf;

/// `/proc` counts CPU time in ticks of 10 ms (`USER_HZ` is 100 on every platform of Linux).
const TICK_US: u64 = 10_000;

/// CPU time spent until a moment, microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Spent {
    /// By the server.
    pub(crate) server: u64,
    /// By every process of PostgreSQL on this machine.
    pub(crate) database: u64,
    /// By this process: generator and receiver.
    pub(crate) own: u64,
    /// By the receiver's thread, which is part of `own`.
    pub(crate) receiver: u64,
    /// By everybody on the machine.
    pub(crate) machine: u64,
}

impl Spent {
    /// What was spent since `before`.
    pub(crate) fn since(self, before: Self) -> Self {
        Self {
            server: self.server.saturating_sub(before.server),
            database: self.database.saturating_sub(before.database),
            own: self.own.saturating_sub(before.own),
            receiver: self.receiver.saturating_sub(before.receiver),
            machine: self.machine.saturating_sub(before.machine),
        }
    }

    /// By processes that have nothing to do with the measurement.
    pub(crate) fn foreign(self) -> u64 {
        self.machine.saturating_sub(self.server + self.database + self.own)
    }
}

/// Whose CPU time is read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Meter {
    pub(crate) server: Option<u32>,
    pub(crate) database: bool,
    pub(crate) receiver: Option<PathBuf>,
}

impl Meter {
    /// CPU time until now.
    ///
    /// # Errors
    /// This is not Linux, or the server is gone.
    pub(crate) fn read(&self) -> Result<Spent, String> {
        let thread = |path: &PathBuf| of(&format!("{}/stat", path.display()));
        Ok(Spent {
            server: self.server.map(|id| of(&format!("{id}/stat"))).transpose()?.unwrap_or(0),
            database: if self.database { of_postgres()? } else { 0 },
            own: of("self/stat")?,
            receiver: self.receiver.as_ref().map(thread).transpose()?.unwrap_or(0),
            machine: machine(&read("stat")?).ok_or("/proc/stat is not understood")?,
        })
    }
}

/// Memory of a process that is resident now, MiB.
pub(crate) fn resident_mib(id: u32) -> Result<f64, String> {
    let status = read(&format!("{id}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u32>().ok());
    kib.map(|kib| f64::from(kib) / 1024.0).ok_or_else(|| "no VmRSS in /proc".to_owned())
}

fn read(path: &str) -> Result<String, String> {
    fs::read_to_string(format!("/proc/{path}"))
        .map_err(|error| format!("/proc/{path} cannot be read: {error}; CPU time needs Linux"))
}

fn of(path: &str) -> Result<u64, String> {
    let stat =
        Stat::parse(&read(path)?).ok_or_else(|| format!("/proc/{path} is not understood"))?;
    Ok(stat.own * TICK_US)
}

/// Every process named postgres, and the ended backends that their postmaster has waited for.
fn of_postgres() -> Result<u64, String> {
    let entries = fs::read_dir("/proc").map_err(|error| format!("/proc: {error}"))?;
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let ids = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    // A process may end between the two looks.
    let stats = ids.filter_map(|id| Stat::parse(&read(&format!("{id}/stat")).ok()?));
    let postgres = stats.filter(|stat| stat.name == "postgres");
    Ok(postgres.map(|stat| (stat.own + stat.children) * TICK_US).sum())
}

/// A line of `/proc/PID/stat`, in ticks.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    own: u64,
    /// Ended children that were waited for.
    children: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // The name is in parentheses and may itself hold spaces and parentheses.
        let (head, rest) = text.rsplit_once(')')?;
        let name = head.split_once('(')?.1.to_owned();
        let mut ticks = rest.split_whitespace().skip(11).map_while(|word| word.parse::<u64>().ok());
        let mut sum = || Some(ticks.next()? + ticks.next()?);
        Some(Self { name, own: sum()?, children: sum()? })
    }
}

/// Busy time of the whole machine: all but idle, waiting for disks, and what other guests took.
fn machine(stat: &str) -> Option<u64> {
    let mut words = stat.lines().next()?.strip_prefix("cpu ")?.split_whitespace();
    let mut next = || words.next()?.parse::<u64>().ok();
    let (user, nice, system) = (next()?, next()?, next()?);
    let (_idle, _iowait, irq, softirq) = (next()?, next()?, next()?, next()?);
    Some((user + nice + system + irq + softirq) * TICK_US)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_lines_are_read_whatever_the_name() {
        let rest = "S 1 9 9 0 -1 4194304 123 0 0 0 250 50 7 3 20 0 4 0 999 1 2 3";
        for name in ["postgres", "a b", "a) (b", ")"] {
            let expect = Stat { name: name.into(), own: 300, children: 10 };
            assert_eq!(Stat::parse(&format!("42 ({name}) {rest}")), Some(expect), "{name}");
        }
        for bad in ["", "42 (x) S 1", "no name"] {
            assert_eq!(Stat::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn idle_and_stolen_time_is_not_busy() {
        let stat = "cpu  100 20 30 9999 8888 4 5 7777 0 0\ncpu0 1 2 3 4 5 6 7 8 0 0\n";
        assert_eq!(machine(stat), Some(159 * TICK_US));
        assert_eq!(machine("intr 1"), None);
    }

    #[test]
    fn foreign_time_is_what_nobody_of_ours_spent() {
        let before = Spent { server: 10, database: 5, own: 5, receiver: 2, machine: 100 };
        let after = Spent { server: 40, database: 15, own: 15, receiver: 4, machine: 180 };
        let spent = after.since(before);
        assert_eq!((spent.server, spent.database, spent.own), (30, 10, 10));
        assert_eq!(spent.foreign(), 30);
    }
}
