//! Trace contexts (W3C Trace Context, <https://www.w3.org/TR/trace-context/>): the ids that connect what several
//! services did for one request.

use std::fmt;

use crate::digits::push_hex;

/// The name of the header field.
pub const TRACEPARENT: &str = "traceparent";

/// The part of this service in a trace: its `traceparent`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    is_sampled: bool,
}

/// The length of a `traceparent` of version 00.
const LENGTH: usize = 55;

impl TraceContext {
    /// Continues the trace of a request with this `traceparent`, with a span id of its own. `None`: it is not valid.
    pub fn continuing(traceparent: &[u8]) -> Option<Self> {
        let (version, rest) = traceparent.split_at_checked(2)?;
        let version = hex(version)?;
        // Later versions may append something, after a hyphen.
        let is_length_valid = match version {
            0 => traceparent.len() == LENGTH,
            0xff => false,
            _ => traceparent.len() == LENGTH || traceparent.get(LENGTH) == Some(&b'-'),
        };
        let hyphens = [0, 33, 50].iter().all(|at| rest.get(*at) == Some(&b'-'));
        if !is_length_valid || !hyphens {
            return None;
        }
        let trace_id = hex(&rest[1..33]).filter(|id| *id != 0)?;
        let _parent_id = hex(&rest[34..50]).filter(|id| *id != 0)?;
        let flags = hex(&rest[51..53])?;
        Some(Self { trace_id, span_id: new_span_id(), is_sampled: flags & 1 == 1 })
    }

    /// A new trace. It is not sampled: only the log records it.
    pub fn new() -> Self {
        Self { trace_id: fastrand::u128(1..), span_id: new_span_id(), is_sampled: false }
    }

    /// The id of the trace, as 32 hexadecimal digits.
    pub fn trace_id(&self) -> String {
        let mut id = String::with_capacity(32);
        self.push_trace_id(&mut id);
        id
    }

    fn push_trace_id(&self, text: &mut String) {
        push_hex(text, (self.trace_id >> 64) as u64);
        push_hex(text, self.trace_id as u64);
    }
}

impl Default for TraceContext {
    fn default() -> Self {
        Self::new()
    }
}

/// As the value of `traceparent`.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::with_capacity(LENGTH);
        text.push_str("00-");
        self.push_trace_id(&mut text);
        text.push('-');
        push_hex(&mut text, self.span_id);
        text.push_str(if self.is_sampled { "-01" } else { "-00" });
        f.write_str(&text)
    }
}

fn new_span_id() -> u64 {
    fastrand::u64(1..)
}

/// The value of lower-case hexadecimal digits.
fn hex(digits: &[u8]) -> Option<u128> {
    digits.iter().try_fold(0, |value, digit| {
        let digit = match digit {
            b'0'..=b'9' => digit - b'0',
            b'a'..=b'f' => digit - b'a' + 10,
            _ => return None,
        };
        Some(value << 4 | u128::from(digit))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_trace_is_continued_with_another_span() {
        let context = TraceContext::continuing(PARENT.as_bytes()).unwrap();
        assert_eq!(context.trace_id().to_string(), "0af7651916cd43dd8448eb211c80319c");
        let text = context.to_string();
        assert!(text.starts_with("00-0af7651916cd43dd8448eb211c80319c-") && text.ends_with("-01"), "{text}");
        assert_eq!((text.len(), &text[36..52] == "b7ad6b7169203331"), (LENGTH, false));
        let later = format!("cc{}-appended-by-a-later-version", &PARENT[2..]);
        assert!(TraceContext::continuing(later.as_bytes()).is_some());
    }

    #[test]
    fn a_traceparent_that_is_not_valid_is_ignored() {
        for (from, to) in [
            ("00-0", "ff-0"),
            ("00-0", "0g-0"),
            ("0af7651916cd43dd8448eb211c80319c", "00000000000000000000000000000000"),
            ("b7ad6b7169203331", "0000000000000000"),
            ("0af7", "0AF7"),
            ("-01", "-1"),
            ("-01", "-01-"),
            ("-01", "_01"),
            ("-01", "-zz"),
            (PARENT, ""),
            (PARENT, "0"),
        ] {
            let text = PARENT.replacen(from, to, 1);
            assert_eq!(TraceContext::continuing(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn new_traces_differ_and_are_not_sampled() {
        let (one, other) = (TraceContext::new().to_string(), TraceContext::new().to_string());
        assert_ne!(one[3..35], other[3..35]);
        assert!(one.ends_with("-00"));
        assert!(TraceContext::continuing(one.as_bytes()).is_some());
    }
}
