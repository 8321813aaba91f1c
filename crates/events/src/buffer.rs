//! What an instance has read of a stream lately, for all its readers. Its size is bounded.

use std::collections::VecDeque;
use std::rc::Rc;

use crate::page::{Entry, Received};
use crate::stream_id::StreamId;

/// What a reader gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// The next event.
    Event(Rc<Received>),
    /// The entry that the reader had read last is no longer in the stream: it was trimmed, or the stream was lost. So
    /// some events may be missing. The events after this are the oldest that are left.
    Gap {
        /// The id of that entry.
        after: StreamId,
    },
}

impl Item {
    pub(crate) fn bytes(&self) -> usize {
        if let Self::Event(event) = self { event.json.len() } else { 0 }
    }
}

/// What was read from a stream after some entry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Reading {
    /// Whether that entry is no longer in the stream.
    pub(crate) is_gap: bool,
    pub(crate) entries: Vec<Entry>,
    /// Whether the stream has more.
    pub(crate) is_full: bool,
}

impl Reading {
    /// The position of a reader that was at `after` and has read this. After a gap without entries it starts at the
    /// beginning of the stream: a stream that was lost may have smaller ids when it comes back.
    pub(crate) fn end(&self, after: StreamId) -> StreamId {
        let start = if self.is_gap { StreamId::ZERO } else { after };
        self.entries.last().map_or(start, |entry| entry.id)
    }

    /// What a reader that was at `after` gets.
    pub(crate) fn into_items(self, after: StreamId) -> impl Iterator<Item = Item> {
        let gap = self.is_gap.then_some(Item::Gap { after });
        gap.into_iter().chain(self.entries.into_iter().filter_map(|entry| entry.event).map(Item::Event))
    }
}

/// How many items and bytes the buffer keeps at most. It keeps one item in any case.
const ITEMS_MAX: usize = 1_024;
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// The newest items of a stream, with consecutive numbers.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    items: VecDeque<Item>,
    bytes: usize,
    /// The number of the first item.
    first: u64,
    /// The number of the first item after the last gap. Ids before and after a gap cannot be compared.
    after_gap: u64,
    /// All events with ids from here (exclusive) to `end` (inclusive) are among the items after the last gap.
    base: StreamId,
    end: StreamId,
}

impl Buffer {
    /// The id of the entry that was read last.
    pub(crate) fn end(&self) -> StreamId {
        self.end
    }

    /// Drops all items and continues after the entry `at`.
    pub(crate) fn restart(&mut self, at: StreamId) {
        self.first += self.items.len() as u64;
        self.items = VecDeque::new();
        (self.bytes, self.after_gap, self.base, self.end) = (0, self.first, at, at);
    }

    /// Adds what was read after the entry `after`. Does nothing if the buffer has been restarted meanwhile.
    pub(crate) fn append(&mut self, after: StreamId, reading: Reading) {
        if after != self.end {
            return;
        }
        self.end = reading.end(after);
        if reading.is_gap {
            self.after_gap = self.first + self.items.len() as u64 + 1;
            self.base = StreamId::ZERO;
        }
        for item in reading.into_items(after) {
            self.bytes += item.bytes();
            self.items.push_back(item);
        }
        while self.items.len() > ITEMS_MAX || (self.bytes > BYTES_MAX && self.items.len() > 1) {
            let Some(item) = self.items.pop_front() else { break };
            self.bytes -= item.bytes();
            if let Item::Event(event) = item
                && self.first >= self.after_gap
            {
                self.base = event.id;
            }
            self.first += 1;
        }
    }

    /// The number of the first item for a reader that has read everything up to the entry `position`. The reader skips
    /// events up to this id. `None`: the buffer does not reach back so far.
    pub(crate) fn number_after(&self, position: StreamId) -> Option<u64> {
        (position >= self.base).then(|| self.first.max(self.after_gap))
    }

    /// The items from this number on; `None` if they are no longer here.
    pub(crate) fn from(&self, number: u64) -> Option<impl Iterator<Item = &Item>> {
        let skipped = number.checked_sub(self.first)?;
        Some(self.items.iter().skip(usize::try_from(skipped).unwrap_or(usize::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(ms: usize) -> StreamId {
        format!("{ms}-0").parse().unwrap()
    }

    fn reading(is_gap: bool, ids: impl IntoIterator<Item = usize>, bytes: usize) -> Reading {
        let entries = ids.into_iter().map(|at| {
            let json = "x".repeat(bytes);
            let event = Received { id: id(at), kind: "t".to_owned(), subject: String::new(), json };
            Entry { id: id(at), event: Some(Rc::new(event)) }
        });
        Reading { is_gap, entries: entries.collect(), is_full: false }
    }

    /// The ids from a number on; `None` for a gap.
    fn ids(buffer: &Buffer, number: u64) -> Option<Vec<Option<StreamId>>> {
        let id_of = |item: &Item| if let Item::Event(event) = item { Some(event.id) } else { None };
        Some(buffer.from(number)?.map(id_of).collect())
    }

    #[test]
    fn readers_continue_where_they_were_or_are_told_that_it_is_too_long_ago() {
        let mut buffer = Buffer::default();
        buffer.restart(id(10));
        assert_eq!(buffer.number_after(id(10)), Some(0));
        assert_eq!(buffer.number_after(id(9)), None);
        buffer.append(id(10), reading(false, 11..=10 + ITEMS_MAX, 1));
        assert_eq!(ids(&buffer, 0).map(|ids| ids.len()), Some(ITEMS_MAX));
        buffer.append(buffer.end(), reading(false, [5_000, 5_001], 1));
        assert_eq!((ids(&buffer, 0), ids(&buffer, 1)), (None, None));
        assert_eq!(ids(&buffer, ITEMS_MAX as u64), Some(vec![Some(id(5_000)), Some(id(5_001))]));
        assert_eq!((buffer.number_after(id(11)), buffer.number_after(id(12))), (None, Some(2)));
        assert_eq!(ids(&buffer, ITEMS_MAX as u64 + 2), Some(vec![]));
    }

    #[test]
    fn bytes_are_bounded_but_a_large_item_is_kept() {
        let mut buffer = Buffer::default();
        buffer.append(StreamId::ZERO, reading(false, 1..=3, BYTES_MAX / 2));
        assert_eq!(ids(&buffer, 1), Some(vec![Some(id(2)), Some(id(3))]));
        buffer.append(id(3), reading(false, [4], 2 * BYTES_MAX));
        assert_eq!((ids(&buffer, 2), ids(&buffer, 3)), (None, Some(vec![Some(id(4))])));
        buffer.append(id(4), reading(false, [5], 1));
        assert_eq!(ids(&buffer, 4), Some(vec![Some(id(5))]));
    }

    #[test]
    fn after_a_gap_ids_may_be_smaller() {
        let mut buffer = Buffer::default();
        buffer.restart(id(50));
        buffer.append(id(50), reading(false, [51], 1));
        buffer.append(id(51), reading(true, [], 0));
        assert_eq!(buffer.end(), StreamId::ZERO);
        buffer.append(StreamId::ZERO, reading(false, [7], 1));
        assert_eq!(ids(&buffer, 0), Some(vec![Some(id(51)), None, Some(id(7))]));
        // A new reader sees only what came after the gap.
        assert_eq!(buffer.number_after(StreamId::ZERO), Some(2));
        assert_eq!(ids(&buffer, 2), Some(vec![Some(id(7))]));
    }

    #[test]
    fn what_was_read_before_a_restart_is_ignored() {
        let mut buffer = Buffer::default();
        buffer.append(StreamId::ZERO, reading(false, [1], 1));
        buffer.restart(id(5));
        buffer.append(id(1), reading(false, [2], 1));
        assert_eq!((buffer.end(), ids(&buffer, 1), ids(&buffer, 0)), (id(5), Some(vec![]), None));
    }
}
