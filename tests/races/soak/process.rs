//! What a host uses: memory and file descriptors.

use std::sync::Arc;
use std::time::Duration;

use crate::progress::Progress;

/// How often it is looked at.
const PERIOD: Duration = Duration::from_millis(200);

/// What one process uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Use {
    /// Resident memory.
    pub memory_mib: u64,
    /// Open file descriptors.
    pub descriptors: u64,
}

/// The most that a host may use. Two workers use about 100 MiB and 250 descriptors.
#[derive(Clone, Copy, Debug)]
pub struct Limits;

impl Limits {
    /// At any time.
    const MOST: Use = Use { memory_mib: 1_024, descriptors: 2_048 };
    /// How much more a quiet host may use than after the first two minutes.
    const GROWTH: Use = Use { memory_mib: 128, descriptors: 128 };
    /// Minutes after which everything has been used once.
    const WARM: usize = 2;
}

impl Use {
    /// Of this process. Panics where there is no /proc.
    pub fn of(process: u32) -> Self {
        let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or_default();
        let kib: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
        let descriptors = std::fs::read_dir(format!("/proc/{process}/fd")).unwrap().count();
        Self { memory_mib: kib / 1_024, descriptors: descriptors as u64 }
    }

    fn or_more(self, other: Self) -> Self {
        Self { memory_mib: self.memory_mib.max(other.memory_mib), descriptors: self.descriptors.max(other.descriptors) }
    }

    fn is_within(self, limit: Self) -> bool {
        self.or_more(limit) == limit
    }
}

/// The most that this process uses until the minute ends.
pub async fn most(process: u32, progress: Arc<Progress>) -> Use {
    let mut most = Use::default();
    while progress.goes_on() {
        most = most.or_more(Use::of(process));
        tokio::time::sleep(PERIOD).await;
    }
    most
}

/// What the host used at the end of each minute, when it was quiet.
#[derive(Debug, Default)]
pub struct Growth(Vec<Use>);

impl Growth {
    /// Panics if the host used too much, or if it uses more and more.
    pub fn judge(&mut self, quiet: Use, most: Use) {
        assert!(most.is_within(Limits::MOST), "the host used {most:?}");
        if let Some(limit) = self.limit() {
            // Memory that is freed a little later is no growth: the limit must be exceeded for several minutes in a
            // row.
            let recent = self.0.iter().rev().take(Limits::WARM).chain([&quiet]);
            let grows = recent.clone().count() > Limits::WARM && recent.into_iter().all(|used| !used.is_within(limit));
            assert!(!grows, "a quiet host uses {quiet:?}, and {:?} before", self.0);
        }
        self.0.push(quiet);
    }

    /// What a quiet host may use, once everything has been used.
    fn limit(&self) -> Option<Use> {
        let warm = self.0.iter().take(Limits::WARM).copied().reduce(Use::or_more)?;
        (self.0.len() >= 2 * Limits::WARM).then_some(Use {
            memory_mib: warm.memory_mib + Limits::GROWTH.memory_mib,
            descriptors: warm.descriptors + Limits::GROWTH.descriptors,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(quiet_mib: &[u64]) {
        let mut growth = Growth::default();
        for memory_mib in quiet_mib {
            let quiet = Use { memory_mib: *memory_mib, descriptors: 10 };
            growth.judge(quiet, quiet);
        }
    }

    #[test]
    fn a_steady_host_is_accepted() {
        judge(&[100, 200, 210, 190, 500, 210, 500, 200]);
        assert!(Use::of(std::process::id()).descriptors >= 3);
    }

    #[test]
    #[should_panic(expected = "a quiet host uses")]
    fn growth_is_found() {
        judge(&[100, 200, 300, 400, 500, 600, 700]);
    }

    #[test]
    #[should_panic(expected = "the host used")]
    fn too_much_is_found() {
        judge(&[100, 4_000]);
    }
}
