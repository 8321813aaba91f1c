//! The CPU time and the memory of processes, from proc_pid_stat(5).

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::command;

/// The process groups whose CPU time is measured.
#[derive(Clone, Copy, Debug)]
pub struct Processes {
    /// The host, or another HTTP server; `None` if the row does not use one.
    pub host: Option<u32>,
    /// Redis.
    pub redis: u32,
}

/// How much user and system time each thread of some processes has used.
pub struct CpuTime(HashMap<u32, Duration>);

impl CpuTime {
    /// Of all running processes in the process group `group` (a real Spin is two processes). `None` if there is no
    /// /proc.
    pub fn of_group(group: u32) -> Option<Self> {
        let mut threads = HashMap::new();
        for process in processes_of(group)? {
            // A process or a thread that ends meanwhile is left out.
            for thread in
                std::fs::read_dir(Path::new("/proc").join(process).join("task")).into_iter().flatten().flatten()
            {
                let id = thread.file_name().to_str().and_then(|name| name.parse().ok());
                threads.extend(id.zip(of_thread(&thread.path())));
            }
        }
        Some(Self(threads))
    }

    /// What the threads have used since `before`. Threads that have ended since then are left out.
    pub fn since(&self, before: &Self) -> Duration {
        let used = |(id, now): (&u32, &Duration)| now.saturating_sub(before.0.get(id).copied().unwrap_or_default());
        self.0.iter().map(used).sum()
    }
}

/// In nanoseconds, if the system counts them (proc-schedstat in the kernel's documentation); otherwise in ticks, which
/// are 10 ms: too coarse for short rounds.
fn of_thread(folder: &Path) -> Option<Duration> {
    let text = std::fs::read_to_string(folder.join("schedstat")).unwrap_or_default();
    match text.split_whitespace().next().and_then(|number| number.parse().ok()) {
        Some(nanoseconds) => Some(Duration::from_nanos(nanoseconds)),
        None => {
            let ticks = sum(&std::fs::read_to_string(folder.join("stat")).ok()?, &USER_AND_SYSTEM_TICKS)?;
            Some(Duration::from_secs_f64(ticks as f64 / configured("CLK_TCK", 100.0)))
        }
    }
}

/// The resident memory of all running processes in the process group `group`, in bytes. `None` if there is no /proc.
pub fn resident_bytes_of_group(group: u32) -> Option<u64> {
    let pages = |process: &String| sum(&stat_of(process)?, &RESIDENT_PAGES);
    let pages: u64 = processes_of(group)?.iter().filter_map(pages).sum();
    Some(pages * configured("PAGESIZE", 4096.0) as u64)
}

const GROUP: usize = 5;
const USER_AND_SYSTEM_TICKS: [usize; 2] = [14, 15];
const RESIDENT_PAGES: [usize; 1] = [24];

/// The names of the folders in /proc of the processes in the group.
fn processes_of(group: u32) -> Option<Vec<String>> {
    let names = std::fs::read_dir("/proc").ok()?.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    let processes = names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()));
    let is_in_group = |process: &String| stat_of(process).and_then(|stat| sum(&stat, &[GROUP])) == Some(group.into());
    Some(processes.filter(is_in_group).collect())
}

fn stat_of(process: &str) -> Option<String> {
    std::fs::read_to_string(Path::new("/proc").join(process).join("stat")).ok()
}

/// The sum of these fields.
fn sum(stat: &str, fields: &[usize]) -> Option<u64> {
    // The name, in brackets, may contain any characters; the third field follows it.
    let values: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    fields.iter().map(|field| values.get(field - 3)?.parse::<u64>().ok()).sum()
}

fn configured(name: &str, default: f64) -> f64 {
    let configured = command::output(Command::new("getconf").arg(name)).ok();
    configured.and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_after_the_name() {
        let stat = "42 (a) b) S 1 7 7 0 -1 4194560 1 2 3 4 150 50 9 9 20 0 1 0 100 1 30";
        assert_eq!(sum(stat, &[GROUP]), Some(7));
        assert_eq!(sum(stat, &USER_AND_SYSTEM_TICKS), Some(200));
        assert_eq!(sum(stat, &RESIDENT_PAGES), Some(30));
        assert_eq!(sum("42 (a", &RESIDENT_PAGES), None);
    }

    #[test]
    fn threads_that_started_count_in_full_and_those_that_ended_do_not_count() {
        let ms = Duration::from_millis;
        let before = CpuTime([(1, ms(100)), (2, ms(900))].into());
        let after = CpuTime([(1, ms(130)), (3, ms(7))].into());
        assert_eq!(after.since(&before), ms(37));
    }
}
