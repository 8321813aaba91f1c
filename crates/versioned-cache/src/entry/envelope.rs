//! The value of a named entry as Redis stores it: `{versions} {end in Unix ms}`, a line feed, the value. If the value
//! was fetched from the source and not set by a client, the first line ends in ` fetched`.

use super::versions::Versions;

/// A named entry's value with its versions and its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub versions: Versions,
    pub ends_unix_ms: u64,
    /// It comes from the source, so it may be compared with the source. Otherwise a client has set it.
    pub fetched: bool,
    /// Empty: absent.
    pub value: Vec<u8>,
}

impl Envelope {
    /// The envelope of a value that a client sets.
    pub(crate) fn seal_set(versions: Versions, ends_unix_ms: u64, value: &[u8]) -> Vec<u8> {
        [format!("{versions} {ends_unix_ms}\n").as_bytes(), value].concat()
    }

    /// The envelope of a value that was fetched from the source.
    pub(crate) fn seal_fetched(versions: Versions, ends_unix_ms: u64, value: &[u8]) -> Vec<u8> {
        [format!("{versions} {ends_unix_ms} {FETCHED}\n").as_bytes(), value].concat()
    }

    /// Opens what the two functions above return; `None` for anything else.
    pub(crate) fn open(mut bytes: Vec<u8>) -> Option<Self> {
        let end = bytes.iter().take(HEADER_MAX).position(|byte| *byte == b'\n')?;
        let header = std::str::from_utf8(&bytes[..end]).ok()?;
        let (versions, ends) = header.split_once(' ')?;
        let (ends, fetched) = match ends.split_once(' ') {
            Some((ends, FETCHED)) => (ends, true),
            Some(_) => return None,
            None => (ends, false),
        };
        let (versions, ends_unix_ms) = (Versions::parse(versions)?, ends.parse().ok()?);
        bytes.drain(..=end);
        Some(Self { versions, ends_unix_ms, fetched, value: bytes })
    }
}

/// The last byte that a header may have, for GETRANGE.
pub(crate) const HEADER_END: i64 = HEADER_MAX as i64 - 1;

/// A decimal number of 19 digits and one of up to 20, 12 hexadecimal digits, the word, and the separators.
const HEADER_MAX: usize = 64;

const FETCHED: &str = "fetched";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_is_opened_and_nothing_else_is() {
        let versions = Versions::test(1 << 61, 7);
        for value in [&b"{\"a\":\n1}"[..], b"", b"\n\n"] {
            for (sealed, fetched) in [
                (Envelope::seal_set(versions, 1_795_219_200_000, value), false),
                (Envelope::seal_fetched(versions, 1_795_219_200_000, value), true),
            ] {
                let envelope = Envelope { versions, ends_unix_ms: 1_795_219_200_000, fetched, value: value.to_vec() };
                assert_eq!(Envelope::open(sealed), Some(envelope));
            }
        }
        for other in [
            &b""[..],
            b"{}",
            b"\n{}",
            b"1:0 5\n{}",
            b"2305843009213693952:000000000007\n{}",
            b"2305843009213693952:000000000007 5 fetch\n{}",
        ] {
            assert_eq!(Envelope::open(other.to_vec()), None);
        }
    }

    #[test]
    fn the_longest_header_fits() {
        let sealed = Envelope::seal_fetched(Versions::test(i64::MAX, (1 << 48) - 1), u64::MAX, b"");
        assert!(sealed.len() <= HEADER_MAX, "{}", sealed.len());
        assert!(Envelope::open(sealed).is_some());
    }
}
