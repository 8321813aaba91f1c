//! The table, as Markdown.

use std::fmt::Write;
use std::time::Duration;

use super::Options;
use super::measure::Row;

/// What others need for a cached read, on a machine with two cores and 32 keep-alive connections.
const YARDSTICKS: [(&str, &str, &str); 3] = [
    ("native service (axum, redis)", "–", "13"),
    ("NestJS service with the same cache", "11,000", "90"),
    ("Spin 4.1, a component that does one GET", "10,000", "160"),
];

/// The whole of bench/results.md.
pub fn markdown(rows: &[Row], options: &Options, machine: &[(&str, String)]) -> String {
    let mut text = String::from("# Benchmark\n\nWritten by `cargo xtask bench`.\n\n");
    let add = |text: &mut String, line: String| writeln!(text, "{line}").expect("a String takes everything");
    for (name, value) in machine {
        add(&mut text, format!("- {name}: {value}"));
    }
    let Options { rounds, seconds, connections } = options;
    add(
        &mut text,
        format!("- Each row: {connections} keep-alive connections, warmed up, {seconds} s, median of {rounds}\n"),
    );
    add(&mut text, "| | requests/s | p50 ms | p99 ms | CPU µs of the host | CPU µs of Redis |".into());
    add(&mut text, "|---|---:|---:|---:|---:|---:|".into());
    for row in rows {
        let cells = [thousands(row.rate), ms(row.p50), ms(row.p99), us(row.host), us(row.redis)];
        add(&mut text, format!("| {} | {} |", row.name, cells.join(" | ")));
    }
    add(
        &mut text,
        "\nCPU is user and system time per request; the load generator shares the machine. An instance serves".into(),
    );
    add(&mut text, "128 requests, 16 at once, as on Spin; a long-lived one 1,000, 64 at once.\n".into());
    add(&mut text, "Yardsticks for a cached read:\n".into());
    add(&mut text, "| | requests/s | CPU µs |\n|---|---:|---:|".into());
    for (name, rate, cpu) in YARDSTICKS {
        add(&mut text, format!("| {name} | {rate} | {cpu} |"));
    }
    text
}

fn ms(duration: Duration) -> String {
    format!("{:.2}", duration.as_secs_f64() * 1e3)
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
    use super::thousands;

    #[test]
    fn thousands_are_set_off() {
        assert_eq!(
            ["0", "999", "1,000", "65,432", "1,234,567"].map(String::from),
            [0.0, 999.0, 1000.0, 65432.1, 1_234_567.0].map(thousands)
        );
    }
}
