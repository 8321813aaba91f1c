//! Whether a server has INCREX.

use std::cell::Cell;

use ports::{Client, Connect, RedisError, Reply, Runtime};

use crate::key::Type;

/// Which type the counters on a server have. Each instance asks the server once.
#[derive(Default)]
pub(crate) struct Capabilities(Cell<Option<Type>>);

impl Capabilities {
    /// Asks with `COMMAND INFO`, whatever name or version the server reports.
    pub(crate) async fn counters<R: Connect, T: Runtime>(&self, client: &Client<R, T>) -> Result<Type, RedisError> {
        if let Some(known) = self.0.get() {
            return Ok(known);
        }
        let counters = match client.send("COMMAND", vec!["INFO".into(), "INCREX".into()]).await {
            // The description begins with the name. An unknown command has none: nil.
            Ok(description) if is_increx(description.first()) => Type::Integer,
            Ok(_) | Err(RedisError::Refused(_)) => Type::SortedSet,
            Err(unreachable) => return Err(unreachable),
        };
        self.0.set(Some(counters));
        Ok(counters)
    }

    /// The server refused INCREX: an older server may have replaced it, or it lacks an option. Sorted sets work on all.
    pub(crate) fn use_sorted_sets(&self) {
        self.0.set(Some(Type::SortedSet));
    }
}

fn is_increx(name: Option<&Reply>) -> bool {
    match name {
        Some(Reply::Bytes(name)) => name.eq_ignore_ascii_case(b"increx"),
        Some(Reply::Status(name)) => name.eq_ignore_ascii_case("increx"),
        _ => false,
    }
}
