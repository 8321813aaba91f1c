//! The report, as Markdown.

use std::fmt::Write;
use std::time::Duration;

use super::attacks::Attacked;
use super::invalidation::Invalidation;
use super::measure::Row;
use super::options::Options;
use super::overload::Overload;
use super::readers::Readers;

/// Other services, measured on two cores with 32 keep-alive connections.
const COMPARISON: [(&str, &str, &str); 4] = [
    ("a cached read: native service (axum, redis)", "–", "13"),
    ("a cached read: NestJS service with the same cache", "11,000", "90"),
    ("a cached read: Spin 4.1, a component that does one GET", "10,000", "160"),
    ("GET /api/cache/:key, hit: NestJS cache service", "8,200", "133"),
];

/// The head of the tables of requests.
const REQUESTS_PER_SECOND: &str = "| | requests/s | p50 ms | p99 ms | CPU µs of the host | CPU µs of Redis |";

const ABOUT_REQUESTS: &str = "
CPU is user and system time per request. The load generator runs on the same machine. An instance serves
128 requests, 16 at the same time, as on Spin; a long-lived instance serves 1,000, 64 at the same time.

For comparison:

";

const ABOUT_SELLERS: &str = "
Every request has a JSON Web Token (HS256). All reads have the token of one user, who is not the owner. Each
registration has a token of another user, whom the component asks the users component for; this user is not in
the cache. All sales are sales of one seller, so each waits until the one before it is committed.
";

const ABOUT_LOCKS: &str = "
Uncontended: each client has its own resource. The table shows pairs of acquire and release per second, and the
time of a pair. Contended: all clients use one resource; each holds the lock for 1 ms and then pauses for 1 ms.
The table shows grants per second (always fewer than 1,000) and the time from the request to the grant. CPU is
per acquire or release. Natively: the load generator sends the same commands directly to Redis.
";

const ABOUT_OPERATIONS: &str = "
All rows are `GET /users/:id`, cached, in alternating rounds. The log is written to a file.
";

const ABOUT_VALUES: &str = "
The first two rows are `GET /users/:id` of one user, whose entry ends every second: without refresh-ahead, the requests
at that moment wait for PostgreSQL. The others are `GET /api/cache/:key`, a hit. Redis counts the memory of the key.
";

const ABOUT_EVENTS: &str = "
Each reader is a response of `GET /api/events?channel=bench`. Events are messages, published over HTTP. Memory is the
resident memory of the host; CPU is user and system time, in per cent of one core. The delay is the time from the
request that publishes an event to its arrival, over all readers and events.
";

const ABOUT_INVALIDATIONS: &str = "
Each row is one request over HTTP. The longest command is the longest time that one command blocked Redis. The
longest PING is the longest time that another client waited meanwhile, while all cores were busy.
";

const ABOUT_ATTACKS: &str = "
Eight clients read a cached user, one after another with a pause of 5 ms after each response, while hostile or slow
clients are connected. All their responses are 200, or the row fails. The last column is p99 against the first row.
";

const ABOUT_OVERLOAD: &str = "
All rows are `GET /users?limit=1000`, cached, on a host with one worker. 1 × is the rate that 32 connections reach in a
closed loop. Here, the load generator sends requests at a fixed rate, whatever the responses (an open loop). Times count
from the moment at which a request was due. A client closes its connection after 5 s: no answer. Memory is the most
resident memory of the host. Without a limit of the queue nothing is refused: above 1 × almost every response comes
too late.
";

/// All rows. A table without rows is left out.
#[derive(Default)]
pub struct Results {
    /// Requests under load.
    pub requests: Vec<Row>,
    /// Sellers under load.
    pub sellers: Vec<Row>,
    /// Locks under load: pairs of acquire and release, or grants.
    pub locks: Vec<Row>,
    /// A cached read, with and without a log and a rate limit.
    pub operations: Vec<Row>,
    /// Cached reads of hot and of large values, with the settings of stored values.
    pub values: Vec<Row>,
    /// Many readers of events.
    pub events: Vec<Readers>,
    /// Invalidations of many entries.
    pub invalidations: Vec<Invalidation>,
    /// A cached read beside hostile clients.
    pub attacks: Vec<Attacked>,
    /// More requests than the host can serve.
    pub overload: Vec<Overload>,
}

/// The whole of bench/results.md.
pub fn markdown(results: &Results, options: &Options, machine: &[(&str, String)]) -> String {
    let mut text = String::from("# Benchmark\n\nWritten by `cargo xtask bench`.\n\n");
    for (name, value) in machine {
        line(&mut text, &format!("- {name}: {value}"));
    }
    let Options { rounds, seconds, connections, .. } = options;
    let each = format!("- Each row: {connections} keep-alive connections, warmed up, {seconds} s, median of {rounds}");
    line(&mut text, &each);
    let tables = [
        requests(&results.requests),
        sellers(&results.sellers),
        locks(&results.locks),
        operations(&results.operations),
        values(&results.values),
        events(&results.events),
        invalidations(&results.invalidations),
        attacks(&results.attacks),
        overload(&results.overload),
    ];
    for table in tables.into_iter().flatten() {
        text.push('\n');
        text.push_str(&table);
    }
    text
}

fn requests(rows: &[Row]) -> Option<String> {
    let mut text = String::from("## Requests\n\n");
    line(&mut text, REQUESTS_PER_SECOND);
    load(&mut text, rows)?;
    text.push_str(ABOUT_REQUESTS);
    line(&mut text, "| | requests/s | CPU µs |\n|---|---:|---:|");
    for (name, rate, cpu) in COMPARISON {
        line(&mut text, &format!("| {name} | {rate} | {cpu} |"));
    }
    Some(text)
}

fn sellers(rows: &[Row]) -> Option<String> {
    let mut text = String::from("## Sellers\n\n");
    line(&mut text, REQUESTS_PER_SECOND);
    load(&mut text, rows)?;
    text.push_str(ABOUT_SELLERS);
    Some(text)
}

fn locks(rows: &[Row]) -> Option<String> {
    let mut text = String::from("## Locks\n\n");
    line(&mut text, "| | per second | p50 ms | p99 ms | CPU µs of the host | CPU µs of Redis |");
    load(&mut text, rows)?;
    text.push_str(ABOUT_LOCKS);
    Some(text)
}

fn operations(rows: &[Row]) -> Option<String> {
    let mut text = String::from("## Operations\n\n");
    line(&mut text, REQUESTS_PER_SECOND);
    load(&mut text, rows)?;
    text.push_str(ABOUT_OPERATIONS);
    Some(text)
}

fn values(rows: &[Row]) -> Option<String> {
    let mut text = String::from("## Stored values\n\n");
    line(&mut text, REQUESTS_PER_SECOND);
    load(&mut text, rows)?;
    text.push_str(ABOUT_VALUES);
    Some(text)
}

fn events(rows: &[Readers]) -> Option<String> {
    let mut text = String::from("## Events\n\n");
    line(&mut text, "| | MiB | CPU % of the host | CPU % of Redis | delay p50 ms | delay p99 ms |");
    line(&mut text, "|---|---:|---:|---:|---:|---:|");
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".into());
    for row in rows {
        let cells =
            [row.memory.map(mib), row.host.map(percent), row.redis.map(percent), row.p50.map(ms), row.p99.map(ms)];
        line(&mut text, &format!("| {} | {} |", row.name, cells.map(or_dash).join(" | ")));
    }
    text.push_str(ABOUT_EVENTS);
    (!rows.is_empty()).then_some(text)
}

fn invalidations(rows: &[Invalidation]) -> Option<String> {
    let mut text = String::from("## Invalidation\n\n");
    line(&mut text, "| | entries | keys in Redis | ms | longest command ms | longest PING ms |");
    line(&mut text, "|---|---:|---:|---:|---:|---:|");
    for row in rows {
        let counts = [row.entries, row.keys].map(|count| thousands(count as f64));
        let times = [row.took, row.longest_command, row.longest_ping].map(ms);
        line(&mut text, &format!("| {} | {} | {} |", row.name, counts.join(" | "), times.join(" | ")));
    }
    text.push_str(ABOUT_INVALIDATIONS);
    (!rows.is_empty()).then_some(text)
}

fn attacks(rows: &[Attacked]) -> Option<String> {
    let undisturbed = rows.first()?.report.p99;
    let mut text = String::from("## Hostile clients\n\n");
    line(&mut text, "| | requests/s | p50 ms | p99 ms | CPU % of the host | MiB of the host | p99 × |");
    line(&mut text, "|---|---:|---:|---:|---:|---:|---:|");
    let or_dash = |text: Option<String>| text.unwrap_or_else(|| "–".into());
    for Attacked { name, report, host, memory } in rows {
        let cells = [
            thousands(report.rate),
            ms(report.p50),
            ms(report.p99),
            or_dash(host.map(percent)),
            or_dash(memory.map(mib)),
            format!("{:.1}", report.p99.div_duration_f64(undisturbed)),
        ];
        line(&mut text, &format!("| {name} | {} |", cells.join(" | ")));
    }
    text.push_str(ABOUT_ATTACKS);
    Some(text)
}

fn overload(rows: &[Overload]) -> Option<String> {
    let mut text = String::from("## Overload\n\n");
    line(&mut text, "| | offered/s | served/s | 503/s | no answer/s | p50 ms | p99 ms | p99 ms of a 503 | MiB |");
    line(&mut text, "|---|---:|---:|---:|---:|---:|---:|---:|---:|");
    for row in rows {
        let rates = [row.offered, row.served, row.refused, row.unanswered].map(thousands);
        let times = [row.p50, row.p99, row.refused_p99].map(|time| time.map_or_else(|| "–".into(), ms));
        let memory = row.memory.map_or_else(|| "–".into(), mib);
        line(&mut text, &format!("| {} | {} | {} | {memory} |", row.name, rates.join(" | "), times.join(" | ")));
    }
    text.push_str(ABOUT_OVERLOAD);
    (!rows.is_empty()).then_some(text)
}

fn load(text: &mut String, rows: &[Row]) -> Option<()> {
    line(text, "|---|---:|---:|---:|---:|---:|");
    for row in rows {
        let cells = [thousands(row.rate), ms(row.p50), ms(row.p99), us(row.host), us(row.redis)];
        line(text, &format!("| {} | {} |", row.name, cells.join(" | ")));
    }
    (!rows.is_empty()).then_some(())
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a String does not fail");
}

fn ms(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1e3)
}

fn percent(share: f64) -> String {
    format!("{:.1}", share * 100.0)
}

fn mib(bytes: u64) -> String {
    format!("{:.0}", bytes as f64 / 1_048_576.0)
}

fn us(duration: Option<Duration>) -> String {
    duration.map_or_else(|| "–".into(), |duration| format!("{:.1}", duration.as_secs_f64() * 1e6))
}

/// 12345.6 as `12,346`.
fn thousands(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_separated_by_commas() {
        assert_eq!(
            ["0", "999", "1,000", "65,432", "1,234,567"].map(String::from),
            [0.0, 999.0, 1000.0, 65432.1, 1_234_567.0].map(thousands)
        );
    }

    #[test]
    fn a_table_without_rows_is_left_out() {
        let options = Options { rounds: 1, seconds: 1, connections: 1, only: Vec::new() };
        let ms = Duration::from_millis;
        let row = Invalidation {
            name: "by pattern".into(),
            entries: 10_000,
            keys: 1_000_000,
            took: ms(250),
            longest_command: ms(1),
            longest_ping: ms(3),
        };
        let results = Results { invalidations: vec![row], ..Results::default() };
        let text = markdown(&results, &options, &[]);
        assert!(text.contains("| by pattern | 10,000 | 1,000,000 | 250.00 | 1.00 | 3.00 |\n"), "{text}");
        assert!(
            !["## Requests", "## Sellers", "## Locks", "## Operations", "## Events", "## Overload"]
                .iter()
                .any(|title| text.contains(title)),
            "{text}"
        );
    }
}
