//! Clients in threads of their own: each sends its next request when it has the response to the last one.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::wrk::Report;

/// Runs `clients` clients at the same time for `seconds`. `work` gets the number of its client, from 0, and the time to
/// stop; it returns the duration of each request.
///
/// # Errors
/// The first error of a client, or if nothing was done in time.
pub fn run(
    clients: usize,
    seconds: u64,
    work: impl Fn(usize, Instant) -> Result<Vec<Duration>> + Sync,
) -> Result<Report> {
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut latencies = std::thread::scope(|scope| -> Result<Vec<Duration>> {
        let work = &work;
        let threads: Vec<_> = (0..clients).map(|number| scope.spawn(move || work(number, until))).collect();
        let latencies = threads.into_iter().map(|thread| thread.join().expect("it does not panic"));
        Ok(latencies.collect::<Result<Vec<_>>>()?.concat())
    })?;
    latencies.sort();
    let at = |part: f64| latencies.get((latencies.len() as f64 * part) as usize).copied().unwrap_or_default();
    let count = latencies.len();
    ensure!(count > 0, "no client completed a request within {seconds} s");
    Ok(Report { requests: count as u64, rate: count as f64 / seconds as f64, p50: at(0.5), p99: at(0.99) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_is_about_all_clients() {
        let ms = Duration::from_millis;
        let work = |number: usize, _| Ok((0..50).map(|step| ms(2 * step + number as u64 + 1)).collect());
        let report = run(2, 10, work).unwrap();
        assert_eq!(report, Report { requests: 100, rate: 10.0, p50: ms(51), p99: ms(100) });
        assert!(run(2, 10, |_, _| Ok(Vec::new())).is_err());
    }
}
