//! What the cache stores in Redis, which another program may have changed.

use crate::entry::envelope::Envelope;
use crate::entry::form::{Timing, open, seal};

/// No bytes make a value that is much larger than they can stand for, and a value that is sealed is opened again.
pub fn envelope(bytes: &[u8]) {
    // LZ4: a byte stands for at most 255.
    let limit = bytes.len() * 255 + 255;
    if let Some(opened) = open(bytes.to_vec()) {
        assert!(opened.value.len() <= limit);
    }
    if let Some(envelope) = Envelope::open(bytes.to_vec()) {
        assert!(envelope.value.len() <= limit && Envelope::versions_in(bytes) == Some(envelope.versions));
        let Envelope { versions, ends_unix_ms, fetched, fetch_ms, value } = &envelope;
        let again = if *fetched {
            Envelope::seal_fetched(*versions, *ends_unix_ms, *fetch_ms, value, 1)
        } else {
            Envelope::seal_set(*versions, *ends_unix_ms, value, 1)
        };
        assert_eq!(Envelope::open(again), Some(envelope));
    }
    let timing = bytes.first().filter(|first| **first > 127).map(|_| Timing { ends_unix_ms: 7, fetch_ms: 1 });
    for min in [0, 1, 64] {
        let opened = open(seal(bytes, timing, min)).expect("our own");
        assert_eq!((opened.value.as_slice(), opened.timing), (bytes, timing));
    }
}
