//! Lines as JSON for programs, or as text for people.

use std::cell::RefCell;
use std::fmt::{self, Display};
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

use chrono::DateTime;
use tracing::Level;

use crate::digits::push_decimal;

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A JSON object per line.
    Json,
    /// Text, for a terminal.
    Text,
}

/// A line under construction. Its fields come in the order of the calls.
pub struct Line<'a> {
    out: &'a mut Vec<u8>,
    format: Format,
}

impl<'a> Line<'a> {
    /// Begins a line.
    pub fn begin(out: &'a mut Vec<u8>, format: Format, level: Level, component: &str) -> Self {
        match format {
            Format::Json => {
                out.extend_from_slice(b"{\"time\":\"");
                write_time(out);
                out.extend_from_slice(b"\",\"level\":\"");
                out.extend_from_slice(name(level).as_bytes());
                out.push(b'"');
            }
            Format::Text => {
                write_time(out);
                // Writing to memory does not fail, here and below.
                let _ = write!(out, " {level:>5}");
            }
        }
        let mut line = Self { out, format };
        match format {
            Format::Json => line.text("component", component),
            Format::Text => line.words(component),
        }
        line
    }

    /// What happened: a constant text. Values are fields.
    pub fn event(&mut self, what: impl Display) {
        match self.format {
            Format::Json => self.field("event", what),
            Format::Text => self.words(what),
        }
    }

    /// As [`Self::field`], faster.
    pub fn text(&mut self, name: &str, value: &str) {
        self.name(name);
        self.out.push(b'"');
        let _ = fmt::Write::write_str(&mut Escaped(self.out), value);
        self.out.push(b'"');
    }

    /// A text.
    pub fn field(&mut self, name: &str, value: impl Display) {
        self.name(name);
        // In text, too: quotation marks show where a value ends, and a line break in a value cannot begin a false line.
        self.out.push(b'"');
        let _ = fmt::write(&mut Escaped(self.out), format_args!("{value}"));
        self.out.push(b'"');
    }

    /// A number of milliseconds with three decimals.
    pub fn milliseconds(&mut self, name: &str, us: u64) {
        self.name(name);
        push_decimal(self.out, us / 1000, 1);
        self.out.push(b'.');
        push_decimal(self.out, us % 1000, 3);
    }

    /// A number, or true or false.
    pub fn number(&mut self, name: &str, value: impl Display) {
        self.name(name);
        let _ = write!(self.out, "{value}");
    }

    /// In text, words without a name. They come from this program and never from a client. In JSON this writes nothing.
    pub fn words(&mut self, words: impl Display) {
        if self.format == Format::Text {
            let _ = write!(self.out, " {words}");
        }
    }

    /// Ends the line.
    pub fn end(self) {
        self.out.extend_from_slice(if self.format == Format::Json { b"}\n" } else { b"\n" });
    }

    fn name(&mut self, name: &str) {
        match self.format {
            Format::Json => {
                self.out.extend_from_slice(b",\"");
                self.out.extend_from_slice(name.as_bytes());
                self.out.extend_from_slice(b"\":");
            }
            Format::Text => {
                let _ = write!(self.out, " {name}=");
            }
        }
    }
}

const fn name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "error",
        Level::WARN => "warn",
        Level::INFO => "info",
        Level::DEBUG => "debug",
        Level::TRACE => "trace",
    }
}

/// Writes the inside of a JSON string.
struct Escaped<'a>(&'a mut Vec<u8>);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
            self.0.extend_from_slice(text.as_bytes());
            return Ok(());
        }
        let start = self.0.len();
        serde_json::to_writer(&mut *self.0, text).map_err(|_| fmt::Error)?;
        // Without the quotation marks around it.
        self.0.pop();
        self.0.remove(start);
        Ok(())
    }
}

thread_local! {
    /// The last second, and its text: formatting a date costs more than the rest of the line.
    static SECOND: RefCell<(u64, String)> = const { RefCell::new((u64::MAX, String::new())) };
}

/// The time as RFC 3339 in UTC, `2026-01-31T09:30:00.000Z`.
fn write_time(out: &mut Vec<u8>) {
    // A clock before 1970 counts as 1970.
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    SECOND.with_borrow_mut(|(second, text)| {
        if *second != now.as_secs() {
            *second = now.as_secs();
            let date = i64::try_from(now.as_secs()).ok().and_then(|second| DateTime::from_timestamp(second, 0));
            *text = date.unwrap_or_default().format("%Y-%m-%dT%H:%M:%S").to_string();
        }
        out.extend_from_slice(text.as_bytes());
    });
    out.push(b'.');
    push_decimal(out, now.subsec_millis().into(), 3);
    out.push(b'Z');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(format: Format) -> String {
        let mut out = Vec::new();
        let mut line = Line::begin(&mut out, format, Level::WARN, "users");
        line.event("it failed");
        line.field("reason", "a \"bad\"\nthing: ü");
        line.number("attempts", 3);
        line.words("GET");
        line.end();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn json_is_one_object_per_line() {
        let text = line(Format::Json);
        assert_eq!(text.matches('\n').count(), 1);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!((&json["level"], &json["component"]), (&"warn".into(), &"users".into()));
        assert_eq!((&json["event"], &json["reason"]), (&"it failed".into(), &"a \"bad\"\nthing: ü".into()));
        assert_eq!(json["attempts"], 3);
        let time = json["time"].as_str().unwrap();
        assert!(DateTime::parse_from_rfc3339(time).is_ok() && time.len() == 24, "{time}");
    }

    #[test]
    fn text_is_one_line_whatever_the_values() {
        let text = line(Format::Text);
        assert!(
            text.ends_with("Z  WARN users it failed reason=\"a \\\"bad\\\"\\nthing: ü\" attempts=3 GET\n"),
            "{text}"
        );
        assert_eq!(text.matches('\n').count(), 1);
    }
}
