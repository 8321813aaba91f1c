//! Asks the kernel for the memory of the process, and says in the log when it becomes short.

use std::fs::read_to_string;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Budget;

/// How often the kernel is asked. It takes some microseconds.
const PERIOD: Duration = Duration::from_millis(50);

/// Memory must not be short for this long before the log says so. This avoids many lines while it changes.
const CALM: Duration = Duration::from_secs(5);

/// Starts a thread that updates `budget` until nothing else uses it. Where there is no /proc, only the memory of
/// instances is counted. Errors: the thread cannot be started.
pub fn start(budget: &Arc<Budget>) -> io::Result<()> {
    let budget = Arc::downgrade(budget);
    let watch = move || {
        let mut log = Log::default();
        while let Some(budget) = budget.upgrade() {
            let Some(bytes) = private_bytes() else { return };
            budget.measured(bytes);
            if let Some(line) = log.line(&budget, Instant::now()) {
                eprintln!("{line}");
            }
            drop(budget);
            std::thread::sleep(PERIOD);
        }
    };
    std::thread::Builder::new().name("memory".to_owned()).spawn(watch).map(drop)
}

/// Resident memory without pages of files, in bytes. Pages of files are left out because the kernel can drop them, and
/// because it counts the initial memory of a component once for each instance although all share it.
fn private_bytes() -> Option<usize> {
    let statm = read_to_string("/proc/self/statm").ok()?;
    let mut pages = statm.split_ascii_whitespace().skip(1).map_while(|field| field.parse::<usize>().ok());
    let (resident, of_files) = (pages.next()?, pages.next()?);
    Some(resident.saturating_sub(of_files) * rustix::param::page_size())
}

/// What the log has said.
#[derive(Default)]
struct Log {
    /// When memory was last short, if the log has not yet said that it no longer is.
    last_short: Option<Instant>,
}

impl Log {
    /// The line for a change of state.
    fn line(&mut self, budget: &Budget, now: Instant) -> Option<String> {
        let mib = |bytes: usize| bytes >> 20;
        if budget.is_short() {
            let (used, max) = (mib(budget.used()), mib(budget.max()));
            let is_new = self.last_short.replace(now).is_none();
            return is_new.then(|| {
                format!("memory is short: {used} MiB of {max} MiB are used. New requests get 503: see --max-memory")
            });
        }
        self.last_short.take_if(|last| now.duration_since(*last) >= CALM)?;
        Some(format!("memory is no longer short: {} MiB are used", mib(budget.used())))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn memory_that_is_written_to_counts() {
        let before = private_bytes().expect("/proc");
        let block = vec![1_u8; 200 << 20];
        let after = private_bytes().expect("/proc");
        assert!(after >= before + (150 << 20), "{before} and {after}, with {} more", block.len());
    }

    #[test]
    fn each_change_of_state_is_one_line() {
        let (mut log, budget, start) = (Log::default(), Budget::new(800 << 20), Instant::now());
        let mut line = |mib: usize, seconds| {
            budget.measured(mib << 20);
            log.line(&budget, start + Duration::from_secs(seconds))
        };
        assert_eq!(line(100, 0), None);
        let short = line(750, 1).expect("a line");
        assert!(short.starts_with("memory is short: 750 MiB of 800 MiB are used."), "{short}");
        assert_eq!((line(760, 2), line(100, 3), line(760, 4), line(100, 8)), (None, None, None, None));
        assert_eq!(line(100, 9).as_deref(), Some("memory is no longer short: 100 MiB are used"));
        assert_eq!(line(100, 20), None);
    }
}
