//! Progress: numbered steps, and the time that each took.

use std::time::Instant;

/// The steps of one command. Dropping it ends the current step.
pub struct Steps {
    total: usize,
    done: usize,
    start: Option<Instant>,
}

impl Steps {
    /// A command of `total` steps.
    pub fn new(total: usize) -> Self {
        Self { total, done: 0, start: None }
    }

    /// Ends the current step and announces the next one.
    pub fn next(&mut self, what: &str) {
        self.end();
        self.done += 1;
        eprintln!("[{}/{}] {what} …", self.done, self.total);
        self.start = Some(Instant::now());
    }

    fn end(&mut self) {
        if let Some(start) = self.start.take() {
            eprintln!("      {:.1} s", start.elapsed().as_secs_f64());
        }
    }
}

impl Drop for Steps {
    fn drop(&mut self) {
        self.end();
    }
}
