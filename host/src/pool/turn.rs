//! How many requests a component may start in one turn (a millisecond, or one pass of the worker's event loop if that
//! takes longer), and whether there are more than the processor can serve.
//!
//! A worker is one thread. Each request that an instance takes makes all others slower, so under overload the instances
//! must not take all requests. Otherwise all requests would wait in instances, where the host cannot distinguish a
//! request that waits for the processor from one that waits for something else. Therefore only so many requests start
//! in a turn that it uses 3 to 4 ms of processor time. The rest waits in the queue, where the host can measure the time.
//! Requests that wait inside of a component (for a lock, for events, for PostgreSQL) take no time of the turn, and do
//! not count.
//!
//! The queue follows the method of B. Maurer, "Fail at Scale" (ACM Queue 13(8), 2015): if the queue was never empty for
//! some time, a request may wait for 5 ms only, and the newest is served first. After a short burst, all requests are
//! served in their order. Under lasting overload, those that are served have hardly waited, and the others are refused
//! quickly.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// The component counts as overloaded when its queue has not been empty for this long. The article has 100 ms; here a
/// burst may need many new instances first, which take about 1 ms each.
pub const BURST: Duration = Duration::from_millis(500);

/// A turn takes at least this long. So it has the work after the replies of Redis, too: that is most of the work of a
/// request, and it comes later than the turn in which the request was started.
pub const TURN: Duration = Duration::from_millis(1);

/// The processor time that a turn should use. It is processor time, because on a busy machine a turn may take long
/// without having done much.
const WORK: Duration = Duration::from_millis(3);
/// After a turn that used more, the next one gets fewer requests, in proportion.
const MUCH_WORK: Duration = Duration::from_millis(4);

const FIRST_SIZE: usize = 32;
/// A component must make progress although the turns of another one on the same worker are long.
const MIN_SIZE: usize = 4;
const MAX_SIZE: usize = 256;

/// Under overload a request may always wait for some turns, however long they are.
const TURNS_TO_WAIT: u32 = 3;

/// The starts of requests, and how long the component has been behind.
pub struct Turn {
    /// How many requests may be started in a turn. None: any number.
    size: Cell<Option<usize>>,
    /// How many may still be started.
    left: Cell<usize>,
    /// When none was left: the time, and the processor time of this thread.
    used_up_at: Cell<Option<(Instant, Duration)>>,
    /// How long the last turn took that used up its requests.
    length: Cell<Duration>,
    /// When this turn began.
    began: Cell<Option<Instant>>,
    /// Since when the queue has not been empty; only if it was not empty at the end of a turn.
    behind_since: Cell<Option<Instant>>,
    /// When the component was overloaded for the last time.
    overloaded_at: Cell<Option<Instant>>,
    /// Whether it was overloaded when this turn began.
    newest_first: Cell<bool>,
}

impl Turn {
    /// The first turn. If not `is_limited`, it never ends, and there is no overload.
    pub fn new(is_limited: bool) -> Self {
        Self {
            size: Cell::new(is_limited.then_some(FIRST_SIZE)),
            left: Cell::new(if is_limited { FIRST_SIZE } else { usize::MAX }),
            used_up_at: Cell::new(None),
            length: Cell::new(Duration::ZERO),
            began: Cell::new(None),
            behind_since: Cell::new(None),
            overloaded_at: Cell::new(None),
            newest_first: Cell::new(false),
        }
    }

    /// How many requests may still be started.
    pub fn left(&self) -> usize {
        self.left.get()
    }

    /// A request is started. Returns whether it was the last one of this turn: then [`Self::next`] must be called after
    /// [`TURN`].
    #[must_use]
    pub fn start_one(&self) -> bool {
        if self.size.get().is_none() {
            return false;
        }
        self.left.set(self.left.get() - 1);
        let is_last = self.left.get() == 0;
        if is_last {
            self.used_up_at.set(Some((Instant::now(), processor_time())));
        }
        is_last
    }

    /// Begins the next turn, at `now` and at this processor time of the thread. `is_behind`: requests wait that an
    /// instance could take.
    pub fn next(&self, now: Instant, processor: Duration, is_behind: bool) {
        let (end, processor_at_end) = self.used_up_at.take().unwrap_or((now, processor));
        self.length.set(now.saturating_duration_since(end));
        let used = processor.saturating_sub(processor_at_end);
        let size = match self.size.get().unwrap_or(MAX_SIZE) {
            size if used > MUCH_WORK => (size as f64 * WORK.div_duration_f64(used)) as usize,
            // Slowly, because the work of these requests comes in later turns.
            size if used < WORK => size + size / 4 + 1,
            size => size,
        };
        let size = size.clamp(MIN_SIZE, MAX_SIZE);
        self.size.set(Some(size));
        self.left.set(size);
        // A turn whose requests took longer to start than a burst may last has waited for places, not for the processor.
        let went_on = self.began.replace(Some(now)).is_some_and(|began| end.saturating_duration_since(began) <= BURST);
        self.behind_since.set(is_behind.then(|| self.behind_since.get().filter(|_| went_on).unwrap_or(now)));
        if let Some(since) = self.behind_since.get()
            && (self.is_overloaded(now) || now.saturating_duration_since(since) >= BURST)
        {
            self.overloaded_at.set(Some(now));
        }
        self.newest_first.set(self.is_overloaded(now));
    }

    /// The queue is empty.
    pub fn caught_up(&self) {
        self.behind_since.set(None);
        self.newest_first.set(false);
    }

    /// Whether there have been more requests than the processor can serve, for some time and until now. It lasts for
    /// [`BURST`] after the last turn that was behind: a short pause of the clients does not end it.
    pub fn is_overloaded(&self, now: Instant) -> bool {
        self.overloaded_at.get().is_some_and(|last| now.saturating_duration_since(last) < BURST)
    }

    /// Which request is next: under overload the newest, which has the best chance to be answered while its client
    /// still waits. The clock is read once per turn for that.
    pub fn is_newest_first(&self) -> bool {
        self.newest_first.get()
    }

    /// How long a request may wait under overload, if the limit is `wait`.
    pub fn wait_under_overload(&self, wait: Duration) -> Duration {
        wait.max(TURNS_TO_WAIT * self.length.get())
    }
}

/// The processor time of this thread.
pub fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Uses up a turn; returns how many requests it had.
    fn use_up(turn: &Turn) -> usize {
        let size = turn.left();
        (0..size).for_each(|started| assert_eq!(turn.start_one(), started + 1 == size));
        size
    }

    /// Ends a turn that takes `milliseconds`, and `processor` of them of the processor.
    fn end(turn: &Turn, milliseconds: u64, processor: u64) {
        let (now, used) = turn.used_up_at.get().expect("used up");
        turn.next(now + Duration::from_millis(milliseconds), used + Duration::from_millis(processor), false);
    }

    #[test]
    fn the_size_follows_the_processor_time_of_the_turns() {
        let turn = Turn::new(true);
        let sizes: Vec<usize> = [0, 2, 2, 3, 4, 12, 2, 300, 2, 2, 300, 0]
            .into_iter()
            .map(|processor| {
                let size = use_up(&turn);
                end(&turn, 300, processor);
                size
            })
            .collect();
        assert_eq!(sizes, [32, 41, 52, 66, 66, 66, 16, 21, 4, 6, 8, 4]);
        (0..40).for_each(|_| {
            use_up(&turn);
            end(&turn, 300, 0);
        });
        assert_eq!((turn.left(), turn.wait_under_overload(Duration::from_millis(5)).as_millis()), (MAX_SIZE, 900));
    }

    #[test]
    fn only_a_queue_that_is_never_empty_is_overload() {
        let turn = Turn::new(true);
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        turn.next(after(0), Duration::ZERO, true);
        turn.next(after(300), Duration::ZERO, true);
        turn.caught_up();
        turn.next(after(450), Duration::ZERO, true);
        turn.next(after(949), Duration::ZERO, true);
        assert!(!turn.is_overloaded(after(949)) && !turn.is_newest_first(), "it was empty in between");
        turn.next(after(950), Duration::ZERO, true);
        assert!(turn.is_overloaded(after(950)) && turn.is_newest_first());
    }

    #[test]
    fn a_queue_that_waits_for_places_is_no_overload() {
        let turn = Turn::new(true);
        turn.next(Instant::now(), Duration::ZERO, true);
        // The places are taken for some time. Then many become free at once.
        let later = Instant::now() + 2 * BURST;
        use_up(&turn);
        turn.used_up_at.set(Some((later, Duration::ZERO)));
        turn.next(later, Duration::ZERO, true);
        assert!(!turn.is_overloaded(later));
    }

    #[test]
    fn overload_ends_some_time_after_the_last_turn_that_was_behind() {
        let turn = Turn::new(true);
        let start = Instant::now();
        let after = |milliseconds| start + Duration::from_millis(milliseconds);
        turn.next(after(0), Duration::ZERO, true);
        turn.next(after(500), Duration::ZERO, true);
        turn.caught_up();
        turn.next(after(750), Duration::ZERO, false);
        turn.next(after(995), Duration::ZERO, true);
        assert!(turn.is_overloaded(after(1494)), "the pause was short");
        assert!(!turn.is_overloaded(after(1495)));
        turn.caught_up();
        turn.next(after(5000), Duration::ZERO, true);
        assert!(!turn.is_overloaded(after(5000)), "a new burst");
    }

    #[test]
    fn without_a_limit_a_turn_never_ends() {
        let turn = Turn::new(false);
        assert!((0..1000).all(|_| !turn.start_one()));
        assert_eq!(turn.left(), usize::MAX);
    }
}
