//! A race runs until enough has happened, however fast the machine is.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long a race may take: twenty times what it takes on two quiet cores beside five others. The test runner's limit
/// (`.config/nextest.toml`) is longer.
const BOUND: Duration = Duration::from_secs(900);
/// How long a race waits for something to happen again.
const AGAIN: Duration = Duration::from_secs(20);

/// Counts what happens. All clients of a race share it.
#[derive(Debug)]
pub struct Progress {
    goals: Vec<Goal>,
    start: Instant,
    bound: Duration,
    stopped: AtomicBool,
}

#[derive(Debug)]
struct Goal {
    name: &'static str,
    enough: u64,
    count: AtomicU64,
}

impl Progress {
    /// A race that continues until each of these things has happened as many times as given. `TUMBLER_RACE_FACTOR`
    /// multiplies the numbers and the time limit.
    pub fn until(goals: &[(&'static str, u64)]) -> Arc<Self> {
        let factor = std::env::var("TUMBLER_RACE_FACTOR").ok().map_or(1, |factor| factor.parse::<u32>().unwrap());
        let goal = |&(name, enough)| Goal { name, enough: enough * u64::from(factor), count: AtomicU64::new(0) };
        let goals = goals.iter().map(goal).collect();
        Arc::new(Self { goals, start: Instant::now(), bound: BOUND * factor, stopped: AtomicBool::new(false) })
    }

    /// A race that continues for this time, and counts these things.
    pub fn lasting(duration: Duration, counted: &[&'static str]) -> Arc<Self> {
        let goals = counted.iter().map(|&name| Goal { name, enough: u64::MAX, count: AtomicU64::new(0) }).collect();
        Arc::new(Self { goals, start: Instant::now(), bound: duration, stopped: AtomicBool::new(false) })
    }

    /// How many times something has happened; 0 if it is not counted.
    pub fn counted(&self, name: &str) -> u64 {
        self.goals.iter().find(|goal| goal.name == name).map_or(0, |goal| goal.count.load(Ordering::Relaxed))
    }

    /// Counts that something has happened `times` times. Ignores what is not a goal.
    pub fn count(&self, name: &str, times: usize) {
        if let Some(goal) = self.goals.iter().find(|goal| goal.name == name) {
            goal.count.fetch_add(times as u64, Ordering::Relaxed);
        }
    }

    /// Whether the clients should continue.
    pub fn goes_on(&self) -> bool {
        !self.stopped.load(Ordering::Relaxed) && !self.is_enough() && self.start.elapsed() < self.bound
    }

    /// Waits until something has happened again. Faults that come faster would prevent it on a slow machine. Gives up
    /// after a while, because the fault may be what prevents it.
    pub async fn happens_again(&self, name: &str) {
        let start = Instant::now();
        let Some(goal) = self.goals.iter().find(|goal| goal.name == name) else { return };
        let before = goal.count.load(Ordering::Relaxed);
        while goal.count.load(Ordering::Relaxed) == before && start.elapsed() < AGAIN && self.goes_on() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }

    /// Ends the race early, because a client has failed.
    pub fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    /// Prints the counts. Panics if one is too low.
    pub fn expect_enough(&self) {
        let count = |goal: &Goal| format!("{} {}", goal.count.load(Ordering::Relaxed), goal.name);
        let counts: Vec<_> = self.goals.iter().map(count).collect();
        println!("{} in {:?}", counts.join(", "), self.start.elapsed());
        assert!(self.is_enough(), "too little happened in {:?}: {self:?}", self.start.elapsed());
    }

    fn is_enough(&self) -> bool {
        self.goals.iter().all(|goal| goal.count.load(Ordering::Relaxed) >= goal.enough)
    }
}
