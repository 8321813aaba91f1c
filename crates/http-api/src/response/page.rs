//! The size of a page.

/// Bytes of a page's JSON, at most. A page that would be larger has fewer elements than its limit, and a next page.
pub const PAGE_MAX_BYTES: usize = 1024 * 1024;

/// As many of these values as fit into a page, at least one. `length` says how many bytes the JSON of a value has, and
/// `around` how many the page has besides the values and the commas between them.
pub fn fitting<T>(
    around: usize,
    values: impl Iterator<Item = T>,
    length: impl Fn(&T) -> usize,
) -> impl Iterator<Item = T> {
    let mut size = around;
    let fits = move |(at, value): &(usize, T)| {
        size += length(value) + usize::from(*at > 0);
        *at == 0 || size <= PAGE_MAX_BYTES
    };
    values.enumerate().take_while(fits).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_filled_up_to_its_last_byte() {
        let half = PAGE_MAX_BYTES / 2 - 2;
        let count = |around, lengths: &[usize]| fitting(around, lengths.iter(), |length| **length).count();
        assert_eq!(count(3, &[half, half]), 2);
        assert_eq!(count(4, &[half, half]), 1);
        assert_eq!((count(PAGE_MAX_BYTES, &[1, 2]), count(0, &[])), (1, 0));
    }
}
