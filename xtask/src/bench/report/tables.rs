//! The other tables.

use std::time::Duration;

use super::Section;
use super::cells::{median, mib, ms, one_decimal, or_dash, percent, thousands, two_decimals, with_spread};
use crate::bench::attacks::Attacked;
use crate::bench::invalidation::Invalidation;
use crate::bench::measure::Row;
use crate::bench::overload::Overload;
use crate::bench::readers::Readers;
use crate::bench::starts::Figure;

const ABOUT_STARTS: &str = "\
In brackets: the spread of the median (95 %; with fewer than six rounds, the smallest and the largest value). A new
instance: one client sends one request after another, to a host that reuses instances and to one that uses each instance
once. The table has the difference.
";

const ABOUT_SELLERS: &str = "\
Every request has a JSON Web Token (HS256). All reads have the token of one user, who is not the owner. Each
registration has a token of another user, whom the component asks the users component for; this user is not in
the cache. All sales are sales of one seller, so each waits until the one before it is committed.
";

const ABOUT_LOCKS: &str = "\
Uncontended: each client has its own resource. The table shows pairs of acquire and release per second, and the
time of a pair. Contended: all clients use one resource; each holds the lock for 1 ms and then pauses for 1 ms.
The table shows grants per second (always fewer than 1,000) and the time from the request to the grant. CPU is
per acquire or release. Natively: the load generator sends the same commands directly to Redis.
";

const ABOUT_OPERATIONS: &str = "\
All rows are `GET /users/:id`, cached. The log is written to a file.
";

const ABOUT_VALUES: &str = "\
The first two rows are `GET /users/:id` of one user, whose entry ends every second: without refresh-ahead, the requests
at that moment wait for PostgreSQL. The others are `GET /api/cache/:key`, a hit. Redis counts the memory of the key.
";

const ABOUT_EVENTS: &str = "\
Each reader is a response of `GET /api/events?channel=bench`. Events are messages, published over HTTP. Memory is the
resident memory of the host; CPU is user and system time, in per cent of one core. The delay is the time from the
request that publishes an event to its arrival, over all readers and events.
";

const ABOUT_INVALIDATIONS: &str = "\
Each row is one request over HTTP. The longest command is the longest time that one command blocked Redis. The
longest PING is the longest time that another client waited meanwhile, while all cores were busy.
";

const ABOUT_ATTACKS: &str = "\
Eight clients read a cached user, one after another with a pause of 5 ms after each response, while hostile or slow
clients are connected. All their responses are 200, or the row fails. The last column is p99 against the first row.
";

const ABOUT_OVERLOAD: &str = "\
All rows are `GET /users?ids=…` for 100 cached users, on a host with one worker. 1 × is the rate that 32 connections
reach in a closed loop. Here, the load generator sends requests at a fixed rate, whatever the responses (an open loop).
Times count from the moment at which a request was due; requests are served per second until the last response. A client
closes its connection after 5 s: no answer. CPU is user and system time, in per cent of one core: much less than 100 at a
high load means that the load generator and Redis leave the host too little of the machine. Memory is the most resident
memory of the host. Overload control is `--max-overload-wait 5ms`, which is off by default. Without a limit of the queue
nothing is refused: above 1 × almost every response comes too late.
";

/// The columns of a load.
const LOAD: [&str; 6] = ["", "requests/s", "p50 ms", "p99 ms", "CPU µs of the host", "CPU µs of Redis"];

/// Starts of the host and of instances. `builds` are the names of the builds, the present one first.
pub fn starts(rows: &[Figure], builds: &[&str]) -> Section {
    let names = builds.iter().map(|name| if name.is_empty() { "present" } else { name });
    let head: Vec<&str> = std::iter::once("").chain(names).collect();
    let cells = rows.iter().map(|row| {
        let estimates = row.estimates.iter().map(|estimate| with_spread(*estimate, two_decimals));
        std::iter::once(row.name.clone()).chain(estimates).collect()
    });
    Section::table("Starts and memory", &head, cells, ABOUT_STARTS)
}

/// Sellers.
pub fn sellers(rows: &[Row]) -> Section {
    Section::table("Sellers", &LOAD, rows.iter().map(load), ABOUT_SELLERS)
}

/// Locks: pairs of acquire and release, or grants.
pub fn locks(rows: &[Row]) -> Section {
    let mut head = LOAD;
    head[1] = "per second";
    Section::table("Locks", &head, rows.iter().map(load), ABOUT_LOCKS)
}

/// A cached read, with and without a log and a rate limit.
pub fn operations(rows: &[Row]) -> Section {
    Section::table("Operations", &LOAD, rows.iter().map(load), ABOUT_OPERATIONS)
}

/// Cached reads of hot and of large values, with the settings of stored values.
pub fn values(rows: &[Row]) -> Section {
    Section::table("Stored values", &LOAD, rows.iter().map(load), ABOUT_VALUES)
}

/// Many readers of events.
pub fn events(rows: &[Readers]) -> Section {
    let head = ["", "MiB", "CPU % of the host", "CPU % of Redis", "delay p50 ms", "delay p99 ms"];
    let cells = |row: &Readers| {
        let cells =
            [row.memory.map(mib), row.host.map(percent), row.redis.map(percent), row.p50.map(ms), row.p99.map(ms)];
        std::iter::once(row.name.to_owned()).chain(cells.map(or_dash)).collect()
    };
    Section::table("Events", &head, rows.iter().map(cells), ABOUT_EVENTS)
}

/// Invalidations of many entries.
pub fn invalidations(rows: &[Invalidation]) -> Section {
    let head = ["", "entries", "keys in Redis", "ms", "longest command ms", "longest PING ms"];
    let cells = |row: &Invalidation| {
        let counts = [row.entries, row.keys].map(|count| thousands(count as f64));
        let times = [row.took, row.longest_command, row.longest_ping].map(ms);
        std::iter::once(row.name.clone()).chain(counts).chain(times).collect()
    };
    Section::table("Invalidation", &head, rows.iter().map(cells), ABOUT_INVALIDATIONS)
}

/// A cached read beside hostile clients.
pub fn attacks(rows: &[Attacked]) -> Section {
    let head = ["", "requests/s", "p50 ms", "p99 ms", "CPU % of the host", "MiB of the host", "p99 ×"];
    let cells = |row: &Attacked| {
        let undisturbed = rows.first().unwrap_or(row).report.p99;
        let Attacked { name, report, host, memory } = row;
        vec![
            (*name).to_owned(),
            thousands(report.rate),
            ms(report.p50),
            ms(report.p99),
            or_dash(host.map(percent)),
            or_dash(memory.map(mib)),
            one_decimal(report.p99.div_duration_f64(undisturbed)),
        ]
    };
    Section::table("Hostile clients", &head, rows.iter().map(cells), ABOUT_ATTACKS)
}

/// More requests than the host can serve.
pub fn overload(rows: &[Overload]) -> Section {
    let head = [
        "",
        "offered/s",
        "served/s",
        "503/s",
        "no answer/s",
        "p50 ms",
        "p99 ms",
        "p99 ms of a 503",
        "CPU % of the host",
        "MiB",
    ];
    let cells = |row: &Overload| {
        let rates = [row.offered, row.served, row.refused, row.unanswered].map(thousands);
        let times = [row.p50, row.p99, row.refused_p99].map(|time| or_dash(time.map(ms)));
        let used = [or_dash(row.host.map(percent)), or_dash(row.memory.map(mib))];
        std::iter::once(row.name.clone()).chain(rates).chain(times).chain(used).collect()
    };
    Section::table("Overload", &head, rows.iter().map(cells), ABOUT_OVERLOAD)
}

fn load(row: &Row) -> Vec<String> {
    let ms = |duration: Duration| Some(duration.as_secs_f64() * 1e3);
    let us = |duration: Option<Duration>| Some(duration?.as_secs_f64() * 1e6);
    vec![
        row.name.clone(),
        with_spread(row.estimate(|round| Some(round.rate)), thousands),
        median(row.estimate(|round| ms(round.p50)), two_decimals),
        median(row.estimate(|round| ms(round.p99)), two_decimals),
        with_spread(row.estimate(|round| us(round.host)), one_decimal),
        median(row.estimate(|round| us(round.redis)), one_decimal),
    ]
}
