//! How often a server that ends is started again.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use dev_servers::Error;
use tokio::time::sleep;

/// How many starts in a row may fail before that is given up.
const STARTS: u32 = 5;

/// The restarts of one server.
pub struct Restarts {
    /// Between two starts: what is left of the last one may need a moment to end.
    pause: Duration,
    /// A server that ends sooner than this after it was ready has failed to start, too.
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
    /// Starts a server that has ended again: at once, or after a pause if its last start failed.
    ///
    /// # Errors
    /// That of `restart`, or that the server ended soon after each of its last restarts.
    pub async fn again(&mut self, mut restart: impl AsyncFnMut() -> Result<(), Error>) -> Result<()> {
        if self.ready.is_some_and(|ready| ready.elapsed() >= self.settled) {
            self.in_a_row = 0;
        }
        ensure!(self.in_a_row < STARTS, "{STARTS} times in a row it ended soon after it was started");
        loop {
            if self.in_a_row > 0 {
                sleep(self.pause).await;
            }
            self.in_a_row += 1;
            match restart().await {
                Err(Error::Ended { .. }) if self.in_a_row < STARTS => {}
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
    async fn a_server_that_keeps_ending_soon_is_given_up_after_pauses() {
        let (mut restarts, begin) = (restarts(Duration::MAX), Instant::now());
        for _ in 0..STARTS {
            restarts.again(async || Ok(())).await.unwrap();
        }
        assert!(begin.elapsed() >= PAUSE * (STARTS - 1));
        restarts.again(async || panic!("one restart too many")).await.unwrap_err();
    }

    #[tokio::test]
    async fn starts_that_fail_count_until_the_server_has_run_for_a_while() {
        let mut restarts = restarts(Duration::ZERO);
        let mut tries = 0;
        let mut works_at = async |last: u32| {
            tries += 1;
            let failed = Error::Ended { name: "it".into(), status: "1".into(), tail: String::new() };
            if tries == last { Ok(()) } else { Err(failed) }
        };
        restarts.again(async || works_at(STARTS).await).await.unwrap();
        restarts.again(async || works_at(2 * STARTS).await).await.unwrap();
        restarts.again(async || works_at(0).await).await.unwrap_err();
        assert_eq!(tries, 3 * STARTS);
    }
}
