//! The value of a named entry as Redis stores it: `{versions} {end in Unix ms}`, a line feed, the value. The first line
//! may have more words:
//!
//! - `fetched`: the value was fetched from the source, and not set by a client.
//! - A number after that: how long the fetch took, in ms. The key may then live longer than the entry (grace).
//! - `lz4`: the value is compressed.

use super::compression::decompress;
use super::form::{Timing, compress_from};
use super::versions::Versions;

/// A named entry's value with its versions and its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub versions: Versions,
    pub ends_unix_ms: u64,
    /// It comes from the source, so it may be compared with the source. Otherwise a client has set it.
    pub fetched: bool,
    /// How long the fetch took, if that is stored. Then the key may live longer than the entry.
    pub fetch_ms: Option<u32>,
    /// Empty: absent.
    pub value: Vec<u8>,
}

impl Envelope {
    /// The envelope of a value that a client sets.
    pub(crate) fn seal_set(versions: Versions, ends_unix_ms: u64, value: &[u8], compress_min_bytes: usize) -> Vec<u8> {
        seal(format!("{versions} {ends_unix_ms}"), value, compress_min_bytes)
    }

    /// The envelope of a value that was fetched from the source. `fetch_ms`: see [`Envelope::fetch_ms`].
    pub(crate) fn seal_fetched(
        versions: Versions,
        ends_unix_ms: u64,
        fetch_ms: Option<u32>,
        value: &[u8],
        compress_min_bytes: usize,
    ) -> Vec<u8> {
        let fetch_ms = fetch_ms.map(|ms| format!(" {ms}")).unwrap_or_default();
        seal(format!("{versions} {ends_unix_ms} {FETCHED}{fetch_ms}"), value, compress_min_bytes)
    }

    /// Opens what the two functions above return; `None` for anything else.
    pub(crate) fn open(mut bytes: Vec<u8>) -> Option<Self> {
        let end = bytes.iter().take(HEADER_MAX).position(|byte| *byte == b'\n')?;
        let header = std::str::from_utf8(&bytes[..end]).ok()?;
        let mut words = header.split(' ').peekable();
        let (versions, ends_unix_ms) = (Versions::parse(words.next()?)?, words.next()?.parse().ok()?);
        let fetched = words.next_if_eq(&FETCHED).is_some();
        let fetch_ms = match words.next_if(|word| fetched && *word != COMPRESSED) {
            Some(word) => Some(word.parse().ok()?),
            None => None,
        };
        let compressed = words.next_if_eq(&COMPRESSED).is_some();
        if words.next().is_some() {
            return None;
        }
        let value = if compressed {
            decompress(&bytes[end + 1..])?
        } else {
            bytes.drain(..=end);
            bytes
        };
        Some(Self { versions, ends_unix_ms, fetched, fetch_ms, value })
    }

    /// The versions in the first line, which may be all that was read.
    pub(crate) fn versions_in(bytes: &[u8]) -> Option<Versions> {
        let line = bytes.split(|byte| *byte == b'\n').next()?;
        Versions::parse(std::str::from_utf8(line).ok()?.split(' ').next()?)
    }

    /// The end of the entry and the time of the fetch; `None`: the entry ends with its key.
    pub(crate) fn timing(&self) -> Option<Timing> {
        self.fetch_ms.map(|fetch_ms| Timing { ends_unix_ms: self.ends_unix_ms, fetch_ms })
    }
}

fn seal(header: String, value: &[u8], compress_min_bytes: usize) -> Vec<u8> {
    match compress_from(value, compress_min_bytes) {
        Some(compressed) => [format!("{header} {COMPRESSED}\n").as_bytes(), &compressed].concat(),
        None => [header.as_bytes(), b"\n", value].concat(),
    }
}

/// The last byte that a header may have, for GETRANGE.
pub(crate) const HEADER_END: i64 = HEADER_MAX as i64 - 1;

/// Decimal numbers of 19, up to 20 and up to 10 digits, 12 hexadecimal digits, the words, and the separators.
const HEADER_MAX: usize = 80;

const FETCHED: &str = "fetched";
const COMPRESSED: &str = "lz4";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_value_is_opened_and_nothing_else_is() {
        let versions = Versions::test(1 << 61, 7);
        for value in [&b"{\"a\":\n1}"[..], b"", b"\n\n", &[b'x'; 500]] {
            let ends_unix_ms = 1_795_219_200_000;
            for (sealed, fetched, fetch_ms) in [
                (Envelope::seal_set(versions, ends_unix_ms, value, 1), false, None),
                (Envelope::seal_fetched(versions, ends_unix_ms, None, value, 1), true, None),
                (Envelope::seal_fetched(versions, ends_unix_ms, Some(7), value, 1), true, Some(7)),
            ] {
                let envelope = Envelope { versions, ends_unix_ms, fetched, fetch_ms, value: value.to_vec() };
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
            b"2305843009213693952:000000000007 5 7\n{}",
            b"2305843009213693952:000000000007 5 fetched x\n{}",
            b"2305843009213693952:000000000007 5 lz4 fetched\n{}",
            b"2305843009213693952:000000000007 5 lz4\n{}",
        ] {
            assert_eq!(Envelope::open(other.to_vec()), None);
        }
        let sealed = Envelope::seal_set(versions, 5, &[b'x'; 500], 1);
        assert_eq!(Envelope::versions_in(&sealed[..HEADER_MAX.min(sealed.len())]), Some(versions));
    }

    #[test]
    fn the_longest_header_fits() {
        let versions = Versions::test(i64::MAX, (1 << 48) - 1);
        let sealed = Envelope::seal_fetched(versions, u64::MAX, Some(u32::MAX), &[b'x'; 500], 1);
        let header = sealed.iter().position(|byte| *byte == b'\n').expect("a line feed") + 1;
        assert!(header <= HEADER_MAX, "{header}");
        assert!(Envelope::open(sealed).is_some());
    }
}
