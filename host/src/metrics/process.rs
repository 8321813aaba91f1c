//! Figures of the process. Their names are those of Prometheus' client libraries.

use std::sync::{LazyLock, OnceLock};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::process::{Resource, getrlimit};
use rustix::time::{ClockId, clock_gettime};

/// When the process started, in seconds since 1970: the first use is at the start of the host.
static STARTED: LazyLock<f64> =
    LazyLock::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64()));

/// The memory that the process may use, in bytes.
static MEMORY_LIMIT: OnceLock<usize> = OnceLock::new();

/// Notes how much memory the process may use, in bytes.
pub fn note_memory_limit(bytes: usize) {
    // Only the first value counts: a process has one limit.
    let _ = MEMORY_LIMIT.set(bytes);
}

/// The memory that the process may use, in bytes. Infinite without a limit.
pub fn memory_limit_bytes() -> Option<f64> {
    Some(MEMORY_LIMIT.get().filter(|bytes| **bytes < usize::MAX).map_or(f64::INFINITY, |bytes| *bytes as f64))
}

/// Notes the time at which the process started.
pub fn note_start() {
    LazyLock::force(&STARTED);
}

/// Start time, in seconds since 1970.
pub fn start_time_s() -> f64 {
    *STARTED
}

/// Processor time of all threads, in seconds.
pub fn cpu_s() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

/// Memory that is not swapped out, in bytes. None where there is no /proc.
pub fn resident_memory_bytes() -> Option<f64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: usize = statm.split_ascii_whitespace().nth(1)?.parse().ok()?;
    Some((pages * rustix::param::page_size()) as f64)
}

/// Open file descriptors. None where there is no /proc.
pub fn open_fds() -> Option<f64> {
    let open = std::fs::read_dir("/proc/self/fd").ok()?.count();
    // One of them is the folder.
    Some(open.saturating_sub(1) as f64)
}

/// The most file descriptors that the process may have open. None without a limit.
pub fn max_fds() -> Option<f64> {
    getrlimit(Resource::Nofile).current.map(|limit| limit as f64)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_figures_follow_the_process() {
        let (memory, files) = (resident_memory_bytes().expect("/proc"), open_fds().expect("/proc"));
        assert!((1e6..1e12).contains(&memory), "{memory}");
        assert!(files >= 3.0 && max_fds().is_none_or(|max| files <= max), "{files}");
        let more: Vec<_> = (0..100).map(|_| std::fs::File::open("/proc/self/statm").expect("opens")).collect();
        assert!(open_fds().expect("/proc") >= files + 50.0, "{} more files", more.len());
        assert!(cpu_s() > 0.0);
        note_start();
        assert!(start_time_s() > 1e9);
    }
}
