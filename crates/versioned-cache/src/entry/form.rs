//! The value of a scoped entry as Redis stores it.
//!
//! Usually it is the value, byte for byte. If the entry must say more, a header of 14 bytes comes first. Its first byte
//! is 1, which no JSON text starts with, and neither does any other value that is stored without a header:
//!
//! | bytes | content |
//! |---|---|
//! | 0 | 1 |
//! | 1 | the encoding of the value: 0 as it is, 1 compressed |
//! | 2 to 9 | the end of the entry, in Unix ms; 0: it ends with its key. The key lives longer if there is grace |
//! | 10 to 13 | how long the fetch took, in ms |
//!
//! Numbers are little-endian. The form describes itself: an instance opens what another one has stored, whatever their
//! settings are.

use super::compression::{compress, decompress};

const FIRST: u8 = 1;
const PLAIN: u8 = 0;
const COMPRESSED: u8 = 1;
const HEADER: usize = 14;

/// When an entry ends, and how long its value took to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timing {
    pub ends_unix_ms: u64,
    /// At least 1.
    pub fetch_ms: u32,
}

impl Timing {
    /// For how many ms the entry still lives; below 0: it ended that long ago.
    pub(crate) fn ttl_ms(self, now_unix_ms: u64) -> i64 {
        let left = self.ends_unix_ms as i64 - now_unix_ms as i64;
        if left > 0 { left } else { left.min(-1) }
    }
}

/// What [`open`] returns.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Opened {
    /// Empty: absent.
    pub value: Vec<u8>,
    /// `None`: the entry ends with its key.
    pub timing: Option<Timing>,
}

/// The stored form of a value. Values of at least `compress_min_bytes` (0: none) are compressed.
pub(crate) fn seal(value: &[u8], timing: Option<Timing>, compress_min_bytes: usize) -> Vec<u8> {
    let compressed = compress_from(value, compress_min_bytes);
    if timing.is_none() && compressed.is_none() && value.first() != Some(&FIRST) {
        return value.to_vec();
    }
    let encoding = if compressed.is_some() { COMPRESSED } else { PLAIN };
    let (ends_unix_ms, fetch_ms) = timing.map_or((0, 0), |timing| (timing.ends_unix_ms, timing.fetch_ms));
    let (ends, fetch, value) =
        (ends_unix_ms.to_le_bytes(), fetch_ms.to_le_bytes(), compressed.as_deref().unwrap_or(value));
    [&[FIRST, encoding], &ends[..], &fetch[..], value].concat()
}

/// Opens what [`seal`] returns; `None`: these bytes do not come from it.
pub(crate) fn open(mut bytes: Vec<u8>) -> Option<Opened> {
    if bytes.first() != Some(&FIRST) {
        return Some(Opened { value: bytes, timing: None });
    }
    let header = bytes.first_chunk::<HEADER>()?;
    let [_, encoding, ends @ .., f0, f1, f2, f3] = *header;
    let (ends_unix_ms, fetch_ms) = (u64::from_le_bytes(ends), u32::from_le_bytes([f0, f1, f2, f3]));
    let timing = (ends_unix_ms > 0).then_some(Timing { ends_unix_ms, fetch_ms });
    let value = match encoding {
        PLAIN => {
            bytes.drain(..HEADER);
            bytes
        }
        COMPRESSED => decompress(&bytes[HEADER..])?,
        _ => return None,
    };
    Some(Opened { value, timing })
}

/// The value in its compressed form, if it has at least `min_bytes` (0: never) and becomes smaller.
pub(crate) fn compress_from(value: &[u8], min_bytes: usize) -> Option<Vec<u8>> {
    if min_bytes == 0 || value.len() < min_bytes { None } else { compress(value) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMING: Timing = Timing { ends_unix_ms: 1_795_219_200_000, fetch_ms: 7 };

    #[test]
    fn values_are_sealed_and_opened() {
        let long = "x".repeat(1_000).into_bytes();
        for value in [&b"{\"id\":42}"[..], b"", b"\x01", b"\x01\x01 a value that looks like a header", &long] {
            for timing in [None, Some(TIMING)] {
                for min in [0, 1, 500, 5_000] {
                    let opened = open(seal(value, timing, min)).expect("well-formed");
                    assert_eq!((opened.value.as_slice(), opened.timing), (value, timing), "{min}");
                }
            }
        }
        assert!(seal(&long, None, 1_000).len() < 100);
    }

    #[test]
    fn without_settings_a_value_is_stored_byte_for_byte() {
        for value in [&b"{\"id\":42}"[..], b"", b"[]"] {
            assert_eq!(seal(value, None, 0), value);
        }
        assert_eq!(seal(b"{\"id\":42}", None, 5), b"{\"id\":42}", "it would not become smaller");
    }

    #[test]
    fn other_bytes_are_refused() {
        let sealed = seal(&[7; 1_000], Some(TIMING), 1);
        let mut unknown = sealed.clone();
        unknown[1] = 2;
        for other in [&b"\x01"[..], &sealed[..HEADER - 1], &sealed[..HEADER], &sealed[..sealed.len() - 1], &unknown] {
            assert_eq!(open(other.to_vec()), None);
        }
    }

    #[test]
    fn an_entry_ends_at_its_end() {
        let ttl = |now| TIMING.ttl_ms(now);
        assert_eq!(ttl(TIMING.ends_unix_ms - 5), 5);
        assert_eq!((ttl(TIMING.ends_unix_ms), ttl(TIMING.ends_unix_ms + 5)), (-1, -5));
    }
}
