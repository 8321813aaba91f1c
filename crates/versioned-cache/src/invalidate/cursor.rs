//! The cursors of a listing.

/// Where a page starts: at the operation with this index, at members that end at `ends` or later, of which the first
/// `skip` were listed before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) operation: usize,
    pub(super) ends: i64,
    pub(super) skip: i64,
}

impl Cursor {
    /// The inverse of [`Cursor::text`].
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let cursor = Self {
            operation: parts.next()?.parse().ok()?,
            ends: parts.next()?.parse().ok()?,
            skip: parts.next()?.parse().ok()?,
        };
        (cursor.ends >= 0 && cursor.skip >= 0).then_some(cursor)
    }

    /// What clients send to get the page that starts here.
    pub(super) fn text(self) -> String {
        format!("{}-{}-{}", self.operation, self.ends, self.skip)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_written_and_parsed() {
        let cursor = Cursor { operation: 3, ends: 1_795_219_200_000, skip: 2 };
        assert_eq!(Cursor::parse(&cursor.text()), Some(cursor));
        for other in ["", "1", "1-2", "a-b-c", "1--2-3", "-1-2-3", "1-2-3-4"] {
            assert_eq!(Cursor::parse(other), None, "{other}");
        }
    }
}
