//! The problems that several routes of this service have.

use http_api::{Kind, Problem};

/// The operator has turned events off.
pub fn no_events() -> Problem {
    Problem::new(Kind::Unavailable, "There are no events on this server: events_max_length is 0.")
}
