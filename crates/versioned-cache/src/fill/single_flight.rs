//! Single flight: a request that finds a fill of the same entry under the same versions in this instance shares its
//! result.
//!
//! A request that joins before the leader fetches may share any result: the row is read after the request began. After
//! the fetch has begun, joining is safe only if the leader found no write in flight. Then every write that was
//! committed before the joining request began has also bumped. The leader read the versions after that bump and counted
//! no mark of that write, so the write had ended before the row was read. If the leader did find a write in flight, it
//! closes the fill, and later requests start one of their own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

/// The state of a fill.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    UnderWay,
    /// The value (`None`: absent).
    Complete(Option<Vec<u8>>),
    /// The fill failed, or its request was cancelled.
    Abandoned,
}

/// The fills under way, by [`Entry::fill_id`](crate::Entry).
#[derive(Debug, Default)]
pub(crate) struct SingleFlight(RefCell<HashMap<String, Rc<RefCell<Progress>>>>);

/// The role of a request in a fill.
pub(crate) enum FillRole<'a> {
    /// It fetches the value.
    Leader(Leader<'a>),
    /// It waits for the result of the leader.
    Follower(Follower),
}

/// Dropping it without [`Leader::complete`] abandons the fill.
pub(crate) struct Leader<'a> {
    fills: &'a SingleFlight,
    id: String,
    progress: Rc<RefCell<Progress>>,
}

pub(crate) struct Follower(Rc<RefCell<Progress>>);

impl SingleFlight {
    /// Joins the fill with this id, or starts it.
    pub(crate) fn join(&self, id: &str) -> FillRole<'_> {
        let mut fills = self.0.borrow_mut();
        if let Some(progress) = fills.get(id) {
            return FillRole::Follower(Follower(Rc::clone(progress)));
        }
        let progress = Rc::new(RefCell::new(Progress::UnderWay));
        fills.insert(id.to_owned(), Rc::clone(&progress));
        FillRole::Leader(Leader { fills: self, id: id.to_owned(), progress })
    }

    /// Joins the fill with this id, if there is one.
    pub(crate) fn follow(&self, id: &str) -> Option<Follower> {
        self.0.borrow().get(id).map(|progress| Follower(Rc::clone(progress)))
    }
}

impl Leader<'_> {
    /// Lets no more requests join. Those that have joined still get the result.
    pub(crate) fn close(&self) {
        let mut fills = self.fills.0.borrow_mut();
        if fills.get(&self.id).is_some_and(|progress| Rc::ptr_eq(progress, &self.progress)) {
            fills.remove(&self.id);
        }
    }

    /// Gives the result to the followers.
    pub(crate) fn complete(self, value: Option<Vec<u8>>) {
        *self.progress.borrow_mut() = Progress::Complete(value);
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.close();
        let mut progress = self.progress.borrow_mut();
        if *progress == Progress::UnderWay {
            *progress = Progress::Abandoned;
        }
    }
}

impl Follower {
    pub(crate) fn progress(&self) -> Progress {
        self.0.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leader(fills: &SingleFlight) -> Leader<'_> {
        match fills.join("k") {
            FillRole::Leader(leader) => leader,
            FillRole::Follower(_) => panic!("no fill is open"),
        }
    }

    fn follower(fills: &SingleFlight) -> Follower {
        match fills.join("k") {
            FillRole::Follower(follower) => follower,
            FillRole::Leader(_) => panic!("a fill is under way"),
        }
    }

    #[test]
    fn followers_get_the_result_of_the_leader() {
        let fills = SingleFlight::default();
        let leader_of_first = leader(&fills);
        let follower = follower(&fills);
        assert_eq!(follower.progress(), Progress::UnderWay);
        leader_of_first.complete(Some(b"row".to_vec()));
        assert_eq!(follower.progress(), Progress::Complete(Some(b"row".to_vec())));
        leader(&fills);
    }

    #[test]
    fn no_request_joins_a_closed_fill() {
        let fills = SingleFlight::default();
        let first = leader(&fills);
        let early = follower(&fills);
        first.close();
        let second = leader(&fills);
        first.complete(None);
        assert_eq!(early.progress(), Progress::Complete(None));
        assert_eq!(follower(&fills).progress(), Progress::UnderWay, "the second fill is still open");
        drop(second);
    }

    #[test]
    fn followers_of_a_cancelled_leader_do_not_wait() {
        let fills = SingleFlight::default();
        let cancelled = leader(&fills);
        let follower = follower(&fills);
        drop(cancelled);
        assert_eq!(follower.progress(), Progress::Abandoned);
    }
}
