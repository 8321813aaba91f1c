//! Looking entries up.

mod batch;
mod hints;
mod lookup;
mod shared;
mod status;

pub(crate) use batch::{BATCH_WIDTH, Seen};
pub(crate) use hints::{Hint, Hints};
pub(crate) use lookup::{Found, Lookup, Reader};
pub(crate) use shared::{ReadRole, SharedReads};
pub(crate) use status::value_of;
pub use status::{Bypass, CacheStatus, ReadResult, Source, Stored};
