//! The CPU time of processes, from proc_pid_stat(5).

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
    let stats = std::fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| {
        entry.file_name().to_str()?.parse::<u32>().ok()?;
        ticks(&std::fs::read_to_string(entry.path().join("stat")).ok()?, group)
    });
    let ticks: u64 = stats.sum();
    Some(Duration::from_secs_f64(ticks as f64 / ticks_per_second()))
}

fn ticks(stat: &str, group: u32) -> Option<u64> {
    // The name, in brackets, may contain any characters; the third field follows it.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
    (field(5)? == u64::from(group)).then_some(())?;
    Some(field(14)? + field(15)?)
}

fn ticks_per_second() -> f64 {
    let configured = command::output(Command::new("getconf").arg("CLK_TCK")).ok();
    configured.and_then(|text| text.parse().ok()).unwrap_or(100.0)
}

#[cfg(test)]
mod tests {
    use super::ticks;

    #[test]
    fn only_the_times_of_the_group_are_counted() {
        let stat = "42 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 9 9 20 0 1 0 100 1 1";
        assert_eq!(ticks(stat, 7), Some(200));
        assert_eq!(ticks(stat, 8), None);
    }
}
