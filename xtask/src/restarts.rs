//! How often a crashed server is restarted before `up` gives up.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use dev_servers::Error;
use tokio::time::sleep;

/// How many restarts in a row may fail.
const ATTEMPTS: u32 = 5;

/// The restarts of one server.
pub struct Restarts {
    /// The pause before an attempt that follows a failed one: processes of the last attempt may still be ending.
    pause: Duration,
    /// A server that exits sooner than this after it was ready counts as a failed restart.
    settled: Duration,
    in_a_row: u32,
    ready: Option<Instant>,
}

impl Default for Restarts {
    fn default() -> Self {
        Self { pause: Duration::from_secs(1), settled: Duration::from_secs(5), in_a_row: 0, ready: None }
    }
}

impl Restarts {
    /// Restarts a server that has exited: immediately, or after a pause if its last restart failed.
    ///
    /// # Errors
    /// That of `restart`, or that too many restarts in a row have failed.
    pub async fn restart(&mut self, mut restart: impl AsyncFnMut() -> Result<(), Error>) -> Result<()> {
        if self.ready.is_some_and(|ready| ready.elapsed() >= self.settled) {
            self.in_a_row = 0;
        }
        ensure!(self.in_a_row < ATTEMPTS, "it exited soon after each of {ATTEMPTS} restarts");
        loop {
            if self.in_a_row > 0 {
                sleep(self.pause).await;
            }
            self.in_a_row += 1;
            match restart().await {
                Err(Error::Ended { .. }) if self.in_a_row < ATTEMPTS => {}
                other => {
                    self.ready = Some(Instant::now());
                    return Ok(other?);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAUSE: Duration = Duration::from_millis(5);

    fn restarts(settled: Duration) -> Restarts {
        Restarts { pause: PAUSE, settled, ..Restarts::default() }
    }

    #[tokio::test]
    async fn a_server_that_keeps_crashing_is_restarted_with_pauses_until_the_limit() {
        let (mut restarts, begin) = (restarts(Duration::MAX), Instant::now());
        for _ in 0..ATTEMPTS {
            restarts.restart(async || Ok(())).await.unwrap();
        }
        assert!(begin.elapsed() >= PAUSE * (ATTEMPTS - 1));
        restarts.restart(async || panic!("one restart too many")).await.unwrap_err();
    }

    #[tokio::test]
    async fn failed_restarts_count_until_the_server_has_run_for_a_while() {
        let mut restarts = restarts(Duration::ZERO);
        let mut attempts = 0;
        let mut works_at = async |last: u32| {
            attempts += 1;
            let failed = Error::Ended { name: "it".into(), status: "1".into(), tail: String::new() };
            if attempts == last { Ok(()) } else { Err(failed) }
        };
        restarts.restart(async || works_at(ATTEMPTS).await).await.unwrap();
        restarts.restart(async || works_at(2 * ATTEMPTS).await).await.unwrap();
        restarts.restart(async || works_at(0).await).await.unwrap_err();
        assert_eq!(attempts, 3 * ATTEMPTS);
    }
}
