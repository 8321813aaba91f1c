//! The table of requests, with ratios to the native program, and the table that compares with the baseline.

use std::time::Duration;

use super::Section;
use super::cells::{NONE, median, one_decimal, thousands, two_decimals, with_spread};
use crate::bench::estimate::Estimate;
use crate::bench::measure::{Round, Row};
use crate::bench::requests::{NATIVE, yardstick};

const ABOUT: &str = "\
CPU is user and system time per request, of the host or the native program alone. In brackets: the spread of the median
(95 %; with fewer than six rounds, the smallest and the largest value). × native: CPU against the native program
(bench/native) in the same rounds: against its empty route for the unknown route and the empty component, against its
cached read for the others. The load generator runs on the same machine. An instance serves 128 requests, 16 at the same
time, as on Spin; a long-lived instance serves 1,000, 64 at the same time. The times of locks are halves of the time of
a pair.
";

const ABOUT_BASELINE: &str = "\
Both were measured in the same rounds. A ratio is the median of the ratios of all rounds, with its spread (95 %): below
1, the present state needs less. If the spread contains 1, the difference may be noise.
";

/// The sections of requests. `builds` are the names of the builds, the present one first.
pub fn requests(rows: &[Row], builds: &[&str]) -> Vec<Section> {
    let order = [&[NATIVE], builds].concat();
    let in_order = order.iter().filter(|build| !build.starts_with("baseline")).flat_map(|build| of(rows, build));
    let head = ["", "requests/s", "p50 ms", "p99 ms", "CPU µs", "× native", "CPU µs of Redis", "MiB"];
    let mut sections = vec![Section::table("Requests", &head, in_order.map(|row| cells(row, rows)), ABOUT)];
    sections.extend(builds.iter().filter(|build| build.starts_with("baseline")).map(|build| compared(rows, build)));
    sections
}

fn of<'a>(rows: &'a [Row], build: &str) -> impl Iterator<Item = &'a Row> {
    rows.iter().filter(move |row| row.build == build)
}

fn cells(row: &Row, rows: &[Row]) -> Vec<String> {
    let name = if row.build.is_empty() { row.name.clone() } else { format!("{}: {}", row.build, row.name) };
    let native = of(rows, NATIVE).find(|native| row.build != NATIVE && native.name == yardstick(&row.name));
    vec![
        name,
        with_spread(row.estimate(|round| Some(round.rate)), thousands),
        median(row.estimate(|round| ms(round.p50)), two_decimals),
        median(row.estimate(|round| ms(round.p99)), two_decimals),
        with_spread(row.estimate(cpu_us), one_decimal),
        with_spread(native.and_then(|native| row.ratio(native, cpu_us)), one_decimal),
        median(row.estimate(|round| us(round.redis)), one_decimal),
        median(row.estimate(|round| Some(round.memory? as f64 / 1_048_576.0)), |mib| format!("{mib:.0}")),
    ]
}

/// The present state against the baseline.
fn compared(rows: &[Row], baseline: &str) -> Section {
    let title = "Against the baseline";
    let head = ["", "CPU µs", "CPU µs of the baseline", "CPU ratio", "requests/s ratio", "p99 ratio", ""];
    let pairs = of(rows, "").filter_map(|row| Some((row, of(rows, baseline).find(|other| other.name == row.name)?)));
    let cells = pairs.map(|(row, other)| {
        let ratio = row.ratio(other, cpu_us);
        vec![
            row.name.clone(),
            median(row.estimate(cpu_us), one_decimal),
            median(other.estimate(cpu_us), one_decimal),
            with_spread(ratio, two_decimals),
            with_spread(row.ratio(other, |round| Some(round.rate)), two_decimals),
            with_spread(row.ratio(other, |round| ms(round.p99)), two_decimals),
            verdict(ratio, row.rounds.len()).to_owned(),
        ]
    });
    Section::table(title, &head, cells, &format!("The {baseline} is an earlier commit.\n{ABOUT_BASELINE}"))
}

/// What the ratio of CPU says.
fn verdict(ratio: Option<Estimate>, rounds: usize) -> &'static str {
    match ratio {
        // With fewer rounds, all of them may be on one side by chance.
        _ if rounds < 6 => "too few rounds",
        Some(ratio) if ratio.excludes(1.0) => {
            if ratio.median < 1.0 {
                "less"
            } else {
                "more"
            }
        }
        Some(_) => "no difference seen",
        None => NONE,
    }
}

fn cpu_us(round: &Round) -> Option<f64> {
    us(round.host)
}

fn us(duration: Option<Duration>) -> Option<f64> {
    Some(duration?.as_secs_f64() * 1e6)
}

fn ms(duration: Duration) -> Option<f64> {
    Some(duration.as_secs_f64() * 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::requests::CACHED;

    fn row(build: &str, cpu_us: [u64; 6]) -> Row {
        let round = |us: u64| Round {
            rate: 1e6 / us as f64,
            p50: Duration::from_micros(us),
            p99: Duration::from_micros(2 * us),
            host: Some(Duration::from_micros(us)),
            redis: None,
            memory: Some(100 << 20),
        };
        Row { name: CACHED.into(), build: build.into(), rounds: cpu_us.map(round).to_vec() }
    }

    #[test]
    fn rows_are_compared_with_the_native_program_and_the_baseline() {
        let rows = [
            row(NATIVE, [10, 10, 20, 10, 10, 10]),
            row("", [29, 29, 58, 29, 29, 29]),
            row("baseline abc", [30, 30, 60, 30, 30, 30]),
        ];
        let [requests, baseline] = &requests(&rows, &["", "baseline abc"])[..] else { panic!("two sections") };
        assert!(
            requests.body.contains(
                "| GET /users/:id, cached | 34,483 (17,241–34,483) | 0.03 | 0.06 | 29.0 (29.0–58.0) | 2.9 | – | 100 |\n"
            ),
            "{}",
            requests.body
        );
        assert!(
            requests.body.contains("| native: GET /users/:id, cached |") && !requests.body.contains("baseline abc")
        );
        assert!(
            baseline.body.contains("| GET /users/:id, cached | 29.0 | 30.0 | 0.97 | 1.03 | 0.97 | less |\n"),
            "{}",
            baseline.body
        );
    }

    #[test]
    fn a_difference_is_named_only_if_it_is_not_noise() {
        let ratio = |low, median, high| Some(Estimate { median, low, high });
        assert_eq!(verdict(ratio(0.95, 0.97, 0.99), 9), "less");
        assert_eq!(verdict(ratio(1.01, 1.03, 1.04), 9), "more");
        assert_eq!(verdict(ratio(0.95, 0.97, 1.01), 9), "no difference seen");
        assert_eq!(verdict(ratio(0.95, 0.97, 0.99), 5), "too few rounds");
    }
}
