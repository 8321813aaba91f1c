//! The value of a named entry as Redis stores it: `{versions} {end in Unix ms}`, a line feed, the value.

use super::versions::Versions;

/// A named entry's value with its versions and its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub versions: Versions,
    pub ends_unix_ms: u64,
    /// Empty: absent.
    pub value: Vec<u8>,
}

impl Envelope {
    pub(crate) fn seal(versions: Versions, ends_unix_ms: u64, value: &[u8]) -> Vec<u8> {
        let mut bytes = format!("{versions} {ends_unix_ms}\n").into_bytes();
        bytes.extend_from_slice(value);
        bytes
    }

    /// Opens what [`Envelope::seal`] returned; `None` for anything else.
    pub(crate) fn open(mut bytes: Vec<u8>) -> Option<Self> {
        let end = bytes.iter().take(HEADER_MAX).position(|byte| *byte == b'\n')?;
        let header = std::str::from_utf8(&bytes[..end]).ok()?;
        let (versions, ends) = header.split_once(' ')?;
        let (versions, ends_unix_ms) = (Versions::parse(versions)?, ends.parse().ok()?);
        bytes.drain(..=end);
        Some(Self { versions, ends_unix_ms, value: bytes })
    }
}

/// The last byte that a header may have, for GETRANGE.
pub(crate) const HEADER_END: i64 = HEADER_MAX as i64 - 1;

/// Two decimal numbers of up to 20 digits, 12 hexadecimal digits, and the separators.
const HEADER_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_is_opened_and_nothing_else_is() {
        let versions = Versions::test(1 << 61, 7);
        for value in [&b"{\"a\":\n1}"[..], b"", b"\n\n"] {
            let open = Envelope::open(Envelope::seal(versions, 1_795_219_200_000, value));
            assert_eq!(open, Some(Envelope { versions, ends_unix_ms: 1_795_219_200_000, value: value.to_vec() }));
        }
        for other in [&b""[..], b"{}", b"\n{}", b"1:0 5\n{}", b"2305843009213693952:000000000007\n{}"] {
            assert_eq!(Envelope::open(other.to_vec()), None);
        }
    }
}
