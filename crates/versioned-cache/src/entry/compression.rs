//! Compression of large values: LZ4 blocks, as <https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md> describes
//! them, after the size of the value (32 bits, little-endian). LZ4 is the fastest of the usual formats, which matters
//! more here than the ratio: every hit decompresses.

use lz4_flex::block;

/// The bytes of the size.
const SIZE: usize = 4;

/// No byte of a block stands for more bytes of a value than this (section "Block format": a length grows by at most 255
/// per byte).
const RATIO_MAX: usize = 255;

/// Larger values are stored as they are.
const VALUE_MAX: usize = 64 * 1024 * 1024;

/// The value in its compressed form; `None`: that is not smaller, or the value is too large for it.
pub(crate) fn compress(value: &[u8]) -> Option<Vec<u8>> {
    let size = u32::try_from(value.len()).ok().filter(|_| value.len() <= VALUE_MAX)?;
    let compressed = [&size.to_le_bytes(), block::compress(value).as_slice()].concat();
    (compressed.len() < value.len()).then_some(compressed)
}

/// The value that [`compress`] got; `None`: these bytes do not come from it. It allocates no more than a value can have
/// whose block is this long.
pub(crate) fn decompress(bytes: &[u8]) -> Option<Vec<u8>> {
    let (size, block) = bytes.split_first_chunk::<SIZE>()?;
    let size = u32::from_le_bytes(*size) as usize;
    if size > VALUE_MAX || size > block.len() * RATIO_MAX {
        return None;
    }
    block::decompress(block, size).ok().filter(|value| value.len() == size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_compressed_and_decompressed() {
        let json = br#"{"id":42,"name":"Ada","email":"ada@example.org"},"#.repeat(300);
        let zeros = vec![0; 1024 * 1024];
        for value in [json, zeros] {
            let compressed = compress(&value).expect("it is repetitive");
            assert!(compressed.len() * 10 < value.len(), "{}", compressed.len());
            assert_eq!(decompress(&compressed), Some(value));
        }
    }

    #[test]
    fn what_does_not_become_smaller_is_not_compressed() {
        let random: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(1_000).collect();
        assert_eq!(compress(&random), None);
        assert_eq!((compress(b""), compress(b"abc")), (None, None));
    }

    #[test]
    fn other_bytes_are_refused_before_memory_is_allocated() {
        let compressed = compress(&[7; 10_000]).expect("it is repetitive");
        let with_size = |size: u32| [&size.to_le_bytes(), &compressed[SIZE..]].concat();
        assert_eq!(decompress(&with_size(10_000)), Some(vec![7; 10_000]));
        for size in [0, 9_999, 10_001, u32::MAX] {
            assert_eq!(decompress(&with_size(size)), None, "{size}");
        }
        let cut = &compressed[..compressed.len() - 1];
        for other in [&b""[..], b"\x01\x02", b"\xff\xff\xff\x03\x00", cut] {
            assert_eq!(decompress(other), None, "{other:?}");
        }
    }
}
