//! CPU times of other processes, as the operating system counts them. Only Linux is asked; elsewhere nothing is known,
//! and the results say so.

use std::collections::BTreeSet;
use std::time::Duration;

/// The number of a process.
type Pid = u32;

/// What /proc says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    parent: Pid,
    /// User and system time, in ticks of the clock.
    ticks: u64,
}

/// What a process and everything that it started have used so far. `None` where nothing is known.
pub fn used(process: Pid) -> Option<Duration> {
    let all = all();
    let family = members(process, &all);
    let ticks: Vec<u64> = all.iter().filter(|(pid, _)| family.contains(pid)).map(|(_, stat)| stat.ticks).collect();
    (!ticks.is_empty()).then(|| duration(ticks.iter().sum()))
}

/// A process and everything that it started.
pub fn family(process: Pid) -> BTreeSet<Pid> {
    members(process, &all())
}

fn members(process: Pid, all: &[(Pid, Stat)]) -> BTreeSet<Pid> {
    let mut family = BTreeSet::from([process]);
    // A child may stand before its parent.
    while all.iter().any(|(pid, stat)| family.contains(&stat.parent) && family.insert(*pid)) {}
    family
}

fn all() -> Vec<(Pid, Stat)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<Pid>().ok());
    // A process may end while the list is read.
    pids.filter_map(|pid| Some((pid, parse(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)?))).collect()
}

/// Reads `PID (NAME) STATE PPID ..`, where NAME may hold anything (proc_pid_stat(5)).
fn parse(text: &str) -> Option<Stat> {
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |position: usize| fields.get(position)?.parse::<u64>().ok();
    // Of the fields 4 (ppid), 14 (utime) and 15 (stime), the third is the first after the name.
    Some(Stat { parent: Pid::try_from(number(1)?).ok()?, ticks: number(11)? + number(12)? })
}

#[cfg(target_os = "linux")]
fn duration(ticks: u64) -> Duration {
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

#[cfg(not(target_os = "linux"))]
fn duration(_: u64) -> Duration {
    Duration::ZERO
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_parentheses_and_spaces() {
        let stat = parse("42 (a) b (c) S 7 1 1 0 -1 0 0 0 0 0 150 25 0 0 20 0").expect("a stat line");
        assert_eq!(stat, Stat { parent: 7, ticks: 175 });
    }

    #[test]
    fn what_is_cut_off_is_not_read() {
        assert_eq!(parse("42 (workerd) S 7 1"), None);
    }
}
