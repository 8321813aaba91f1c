//! Cursors: where a page of a list starts. Clients copy them from links, and may forge them.

use futures_util::FutureExt;
use ports::{Arg, RedisError, Reply};
use token_lock::{LockError, Locks, Settings};

use crate::cursor_of_entries::Cursor;
use crate::cursor_of_users::{decode_cursor, encode_cursor};

const LOCK_SERVERS: usize = 3;
/// SCAN on one server: the position halves, so 64 pages at most, and one for a start at 0.
const PAGES_MAX: usize = LOCK_SERVERS * 65;

/// A cursor that is accepted is the same when it is written and read again. The pages after it end.
pub fn cursors(bytes: &[u8]) {
    let Ok(text) = str::from_utf8(bytes) else { return };
    if let Some(id) = decode_cursor(text) {
        assert!(id > 0 && encode_cursor(id) == text);
    }
    if let Some(cursor) = Cursor::parse(text) {
        assert!(cursor.ends >= 0 && cursor.skip >= 0);
        assert_eq!(Cursor::parse(&cursor.text()), Some(cursor));
    }
    // Each set of servers that fail.
    for failing in 0..1_u8 << LOCK_SERVERS {
        locks(text, failing);
    }
}

/// Follows the pages of the list of locks from `text` on. Every cursor that a page returns must be accepted.
fn locks(text: &str, failing: u8) {
    let servers = (0..LOCK_SERVERS).map(|server| LockServer { fails: failing & (1 << server) != 0 }).collect();
    let locks = Locks::new(servers, NoTime, Settings::default());
    let mut cursor = text.to_owned();
    for _ in 0..PAGES_MAX {
        match locks.list(Some(&cursor)).now_or_never().expect("the servers reply at once") {
            Ok(page) => match page.next {
                Some(next) => cursor = next,
                None => return,
            },
            Err(LockError::InvalidCursor) => {
                assert_eq!(cursor, text, "a page returned it");
                return;
            }
            Err(LockError::Unavailable(_)) => {
                assert!(failing != 0, "all servers reply");
                return;
            }
            Err(LockError::SameServer) => panic!("listing compares no servers"),
        }
    }
    panic!("there are more than {PAGES_MAX} pages");
}

/// A server without locks, or one that refuses every command. SCAN halves its position.
struct LockServer {
    fails: bool,
}

impl ports::Redis for LockServer {
    async fn execute(&self, command: &str, args: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        if self.fails {
            return Err(RedisError::Refused("it fails".to_owned()));
        }
        assert_eq!(command, "SCAN");
        let Some(Arg::Bytes(position)) = args.into_iter().next() else { panic!("SCAN has a position") };
        let position: u64 = String::from_utf8(position).ok().and_then(|digits| digits.parse().ok()).expect("a number");
        Ok(vec![Reply::Bytes((position / 2).to_string().into_bytes())])
    }

    fn reconnect(&self) {}
}

/// Listing needs no connection of its own.
enum NoConnection {}

impl ports::Connect for LockServer {
    type Connection = NoConnection;

    async fn connect(&self) -> Result<NoConnection, RedisError> {
        Err(RedisError::Unreachable("there is none".to_owned()))
    }
}

impl ports::Connection for NoConnection {
    async fn execute(&self, _: &str, _: Vec<Arg>) -> Result<Vec<Reply>, RedisError> {
        match *self {}
    }
}

/// No deadline ends.
struct NoTime;

impl ports::Runtime for NoTime {
    fn unix_ms(&self) -> u64 {
        0
    }

    fn monotonic_ms(&self) -> u64 {
        0
    }

    fn random_u64(&self) -> u64 {
        0
    }

    async fn sleep(&self, _: u64) {
        std::future::pending().await
    }

    fn spawn(&self, _: impl Future<Output = ()> + 'static) {}
}
