//! The lines that wait to be written. A call of the host costs much more than a line, so requests share calls.

use std::cell::RefCell;
use std::io::Write;

/// How many bytes may wait. When there are as many, the lines are written at once.
const FULL: usize = 32 * 1024;

thread_local! {
    static LINES: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Lets `write` append a line, with its line end. An urgent line is written at once, together with those before it.
pub fn append(is_urgent: bool, write: impl FnOnce(&mut Vec<u8>)) {
    let is_due = LINES.with_borrow_mut(|lines| {
        write(lines);
        is_urgent || lines.len() >= FULL
    });
    if is_due {
        flush();
    }
}

/// Whether lines wait for [`flush`].
pub fn is_waiting() -> bool {
    LINES.with_borrow(|lines| !lines.is_empty())
}

/// Writes all lines to standard error.
pub fn flush() {
    LINES.with_borrow_mut(|lines| {
        // An error has nowhere to go: it would be written to the same log.
        let _ = std::io::stderr().write_all(lines);
        lines.clear();
    });
}
