//! Progress: numbered steps with the time that each took.

use std::time::Instant;

/// The steps of one command.
pub struct Steps {
    total: usize,
    done: usize,
}

impl Steps {
    /// A command of `total` steps.
    pub fn new(total: usize) -> Self {
        Self { total, done: 0 }
    }

    /// Announces the next step; the time that it took is printed when the answer is dropped.
    pub fn next(&mut self, what: &str) -> Step {
        self.done += 1;
        eprintln!("[{}/{}] {what} …", self.done, self.total);
        Step { start: Instant::now() }
    }
}

/// A step that is under way.
pub struct Step {
    start: Instant,
}

impl Drop for Step {
    fn drop(&mut self) {
        eprintln!("      {:.1} s", self.start.elapsed().as_secs_f64());
    }
}
