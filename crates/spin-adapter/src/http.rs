//! Requests from the host and responses to it, with as few calls of the host as possible. The conversions of wasip3
//! ask for everything that a request has, read the header twice and copy it three times.

mod request;
mod response;

pub(crate) use request::{Request, receive};
pub(crate) use response::send;
