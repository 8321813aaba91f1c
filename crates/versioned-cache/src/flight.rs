//! Fills under way in this instance: a request that finds one for the version it has just read shares its result.
//!
//! Whoever boards before the leader fetches may share whatever comes back: the row is read after they began. Once the
//! fetch is under way, boarding is safe only if the leader found no write in flight: any write committed before the
//! boarder began has then bumped, and the leader, who read the same version, counted no mark of it, so it had ended
//! before the row was read. Otherwise the flight departs, and later requests start one of their own.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use crate::cache_status::Stored;

/// What a fill brought: the value (`None`: absent) and what became of it.
pub(crate) type Filled = (Option<Vec<u8>>, Stored);

#[derive(Debug, Default)]
enum State {
    #[default]
    UnderWay,
    Landed(Filled),
    /// The fill failed or its request was cancelled.
    Lost,
}

/// What a follower sees of a flight.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    UnderWay,
    Landed(Filled),
    Lost,
}

/// The fills under way, by entry key.
#[derive(Debug, Default)]
pub(crate) struct Flights(RefCell<HashMap<String, Rc<RefCell<State>>>>);

/// The request that does the work. Dropped without [`Leader::land`], it tells its followers that nothing will come.
pub(crate) struct Leader<'a> {
    flights: &'a Flights,
    key: String,
    state: Rc<RefCell<State>>,
}

/// A request that waits for the leader's result.
pub(crate) struct Follower(Rc<RefCell<State>>);

/// One's part in a fill.
pub(crate) enum Part<'a> {
    Leader(Leader<'a>),
    Follower(Follower),
}

impl Flights {
    /// Joins the flight for `key`, or starts it.
    pub(crate) fn board(&self, key: &str) -> Part<'_> {
        let mut flights = self.0.borrow_mut();
        if let Some(state) = flights.get(key) {
            return Part::Follower(Follower(Rc::clone(state)));
        }
        let state = Rc::new(RefCell::new(State::UnderWay));
        flights.insert(key.to_owned(), Rc::clone(&state));
        Part::Leader(Leader { flights: self, key: key.to_owned(), state })
    }
}

impl Leader<'_> {
    /// Lets nobody board any more.
    pub(crate) fn depart(&self) {
        let mut flights = self.flights.0.borrow_mut();
        if flights.get(&self.key).is_some_and(|state| Rc::ptr_eq(state, &self.state)) {
            flights.remove(&self.key);
        }
    }

    /// Hands the result to the followers.
    pub(crate) fn land(self, filled: &Filled) {
        *self.state.borrow_mut() = State::Landed(filled.clone());
    }
}

impl Drop for Leader<'_> {
    fn drop(&mut self) {
        self.depart();
        let mut state = self.state.borrow_mut();
        if matches!(*state, State::UnderWay) {
            *state = State::Lost;
        }
    }
}

impl Follower {
    pub(crate) fn progress(&self) -> Progress {
        match &*self.0.borrow() {
            State::UnderWay => Progress::UnderWay,
            State::Landed(filled) => Progress::Landed(filled.clone()),
            State::Lost => Progress::Lost,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follower(flights: &Flights) -> Follower {
        match flights.board("k") {
            Part::Follower(follower) => follower,
            Part::Leader(_) => panic!("a flight is under way"),
        }
    }

    #[test]
    fn followers_get_what_the_leader_brought() {
        let flights = Flights::default();
        let Part::Leader(leader) = flights.board("k") else { panic!("nothing is under way") };
        let follower = follower(&flights);
        assert_eq!(follower.progress(), Progress::UnderWay);
        let filled = (Some(b"row".to_vec()), Stored::Yes);
        leader.land(&filled);
        assert_eq!(follower.progress(), Progress::Landed(filled));
        assert!(matches!(flights.board("k"), Part::Leader(_)), "the next one starts anew");
    }

    #[test]
    fn nobody_boards_after_departure() {
        let flights = Flights::default();
        let Part::Leader(first) = flights.board("k") else { panic!("nothing is under way") };
        let early = follower(&flights);
        first.depart();
        let Part::Leader(second) = flights.board("k") else { panic!("the first has departed") };
        first.land(&(None, Stored::WriteInFlight));
        assert_eq!(early.progress(), Progress::Landed((None, Stored::WriteInFlight)));
        assert_eq!(follower(&flights).progress(), Progress::UnderWay, "the second is still there");
        drop(second);
    }

    #[test]
    fn a_cancelled_leader_strands_nobody() {
        let flights = Flights::default();
        let leader = flights.board("k");
        let follower = follower(&flights);
        drop(leader);
        assert_eq!(follower.progress(), Progress::Lost);
    }
}
