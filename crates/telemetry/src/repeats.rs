//! How many lines one warning or error may write. An outage makes every request write the same line, which says nothing
//! new and hides the others.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use tracing::Metadata;

/// Lines of one event in one window of an instance, at most.
const LINES_MAX: u32 = 10;
const WINDOW: Duration = Duration::from_secs(1);

thread_local! {
    /// By the place in the program that writes the event. Programs have few of them.
    static EVENTS: RefCell<HashMap<*const Metadata<'static>, Window>> = RefCell::default();
}

/// The lines of one event since a time.
struct Window {
    began: Instant,
    lines: u32,
    /// Lines that were not written.
    omitted: u64,
}

/// Whether this event may write a line now. If so: how many of its lines were omitted since the last one.
pub fn admit(event: &'static Metadata<'static>) -> Option<u64> {
    let now = Instant::now();
    EVENTS.with_borrow_mut(|events| {
        let first = || Window { began: now, lines: 0, omitted: 0 };
        events.entry(std::ptr::from_ref(event)).or_insert_with(first).admit(now)
    })
}

impl Window {
    fn admit(&mut self, now: Instant) -> Option<u64> {
        if now.duration_since(self.began) >= WINDOW {
            (self.began, self.lines) = (now, 0);
        }
        if self.lines >= LINES_MAX {
            self.omitted += 1;
            return None;
        }
        self.lines += 1;
        Some(std::mem::take(&mut self.omitted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_after_a_full_window_says_how_many_were_omitted() {
        let began = Instant::now();
        let mut window = Window { began, lines: 0, omitted: 0 };
        let admitted: Vec<_> = (0..1_000).map(|ms| window.admit(began + Duration::from_micros(ms))).collect();
        let (first, rest) = admitted.split_at(LINES_MAX as usize);
        assert!(first.iter().all(|line| *line == Some(0)) && rest.iter().all(Option::is_none));
        let later = began + WINDOW;
        assert_eq!((window.admit(later), window.admit(later)), (Some(rest.len() as u64), Some(0)));
    }
}
