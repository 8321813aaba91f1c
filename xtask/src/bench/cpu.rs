//! The CPU time and the memory of processes, from proc_pid_stat(5).

use std::process::Command;
use std::time::Duration;

use crate::command;

/// The process groups whose CPU time is measured.
#[derive(Clone, Copy, Debug)]
pub struct Processes {
    /// The host; `None` if the row does not use it.
    pub host: Option<u32>,
    /// Redis.
    pub redis: u32,
}

/// The user and system time of all running processes in the process group `group` (a real Spin is two processes).
/// `None` if there is no /proc.
pub fn of_group(group: u32) -> Option<Duration> {
    let ticks = sum_of_fields(group, &USER_AND_SYSTEM_TICKS)?;
    Some(Duration::from_secs_f64(ticks as f64 / configured("CLK_TCK", 100.0)))
}

/// The resident memory of all running processes in the process group `group`, in bytes. `None` if there is no /proc.
pub fn resident_bytes_of_group(group: u32) -> Option<u64> {
    Some(sum_of_fields(group, &RESIDENT_PAGES)? * configured("PAGESIZE", 4096.0) as u64)
}

const USER_AND_SYSTEM_TICKS: [usize; 2] = [14, 15];
const RESIDENT_PAGES: [usize; 1] = [24];

fn sum_of_fields(group: u32, fields: &[usize]) -> Option<u64> {
    let stats = std::fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| {
        entry.file_name().to_str()?.parse::<u32>().ok()?;
        sum(&std::fs::read_to_string(entry.path().join("stat")).ok()?, group, fields)
    });
    Some(stats.sum())
}

/// The sum of these fields; `None` if the process is not in the group.
fn sum(stat: &str, group: u32, fields: &[usize]) -> Option<u64> {
    // The name, in brackets, may contain any characters; the third field follows it.
    let values: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let value = |field: usize| values.get(field - 3)?.parse::<u64>().ok();
    (value(5)? == u64::from(group)).then_some(())?;
    fields.iter().map(|field| value(*field)).sum()
}

fn configured(name: &str, default: f64) -> f64 {
    let configured = command::output(Command::new("getconf").arg(name)).ok();
    configured.and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::{RESIDENT_PAGES, USER_AND_SYSTEM_TICKS, sum};

    #[test]
    fn only_the_processes_of_the_group_are_counted() {
        let stat = "42 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 9 9 20 0 1 0 100 1 30";
        assert_eq!(sum(stat, 7, &USER_AND_SYSTEM_TICKS), Some(200));
        assert_eq!(sum(stat, 7, &RESIDENT_PAGES), Some(30));
        assert_eq!(sum(stat, 8, &RESIDENT_PAGES), None);
    }
}
