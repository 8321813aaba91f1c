//! The value of a named entry: `{basis} {end in Unix ms}`, a line feed, the value.

use crate::basis::Basis;

/// What is stored under the key of a named entry.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Envelope {
    pub basis: Basis,
    pub ends_unix_ms: u64,
    /// Empty: "there is no such thing".
    pub value: Vec<u8>,
}

impl Envelope {
    pub(crate) fn seal(basis: Basis, ends_unix_ms: u64, value: &[u8]) -> Vec<u8> {
        let mut bytes = format!("{basis} {ends_unix_ms}\n").into_bytes();
        bytes.extend_from_slice(value);
        bytes
    }

    /// Opens what was sealed; `None` for anything else.
    pub(crate) fn open(mut bytes: Vec<u8>) -> Option<Self> {
        let end = bytes.iter().take(HEADER_MAX).position(|byte| *byte == b'\n')?;
        let header = std::str::from_utf8(&bytes[..end]).ok()?;
        let (basis, ends) = header.split_once(' ')?;
        let (basis, ends_unix_ms) = (Basis::parse(basis)?, ends.parse().ok()?);
        bytes.drain(..=end);
        Some(Self { basis, ends_unix_ms, value: bytes })
    }
}

/// The last byte that a header may have, for GETRANGE.
pub(crate) const HEADER_END: i64 = HEADER_MAX as i64 - 1;

/// Two decimal numbers of up to 20 digits, 12 hexadecimal digits, what separates them.
const HEADER_MAX: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_is_opened() {
        let basis = Basis::test(1 << 61, 7);
        for value in [&b"{\"a\":\n1}"[..], b"", b"\n\n"] {
            let open = Envelope::open(Envelope::seal(basis, 1_795_219_200_000, value));
            assert_eq!(open, Some(Envelope { basis, ends_unix_ms: 1_795_219_200_000, value: value.to_vec() }));
        }
        for other in [&b""[..], b"{}", b"\n{}", b"1:0 5\n{}", b"2305843009213693952:000000000007\n{}"] {
            assert_eq!(Envelope::open(other.to_vec()), None);
        }
    }
}
