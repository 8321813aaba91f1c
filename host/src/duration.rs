//! Durations on the command line, in Spin's format.

use std::time::Duration;

/// Parses a whole number of seconds (no suffix, or `s`), or with the suffix `ms`, `us`, `μs` or `ns`. The error is a text
/// for the user.
pub fn parse(text: &str) -> Result<Duration, String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let from: fn(u64) -> Duration = match unit {
        "" | "s" => Duration::from_secs,
        "ms" => Duration::from_millis,
        "us" | "μs" => Duration::from_micros,
        "ns" => Duration::from_nanos,
        _ => return Err(format!("unknown unit {unit:?}: expected s, ms, us, μs or ns")),
    };
    text[..text.len() - unit.len()].parse().map(from).map_err(|error| {
        format!("expected a whole number, followed by `s` (the default), `ms`, `us`, `μs` or `ns`: {error}")
    })
}

#[cfg(test)]
mod tests {
    use super::parse;
    use std::time::Duration;

    #[test]
    fn every_unit_is_known() {
        assert_eq!(parse("3"), Ok(Duration::from_secs(3)));
        assert_eq!(parse("3s"), Ok(Duration::from_secs(3)));
        assert_eq!(parse("3ms"), Ok(Duration::from_millis(3)));
        assert_eq!(parse("3us"), Ok(Duration::from_micros(3)));
        assert_eq!(parse("3μs"), Ok(Duration::from_micros(3)));
        assert_eq!(parse("3ns"), Ok(Duration::from_nanos(3)));
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in ["", "s", "1.5s", "-1", "1m", "1..8s", "three"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }
}
