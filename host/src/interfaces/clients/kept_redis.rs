//! Redis connections that outlive their instances. An instance serves some hundred requests, then another one takes its
//! place. It takes over the connection, too, which costs one round trip and no TCP connection.
//!
//! A connection that was taken over is like a new one: RESET ends its transaction, its watches and its subscriptions
//! (<https://redis.io/docs/latest/commands/reset/>). Only connections without unanswered commands are kept, and none
//! that a component has closed: it may know that the server hangs.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{ProtocolVersion, RedisConnectionInfo, RedisResult, pipe};

/// How long a connection is kept that nobody uses.
const MAX_IDLE: Duration = Duration::from_secs(60);

/// How many connections are kept for each component and address.
const KEPT_MAX: usize = 16;

/// A component and an address, which has the user's name and password.
type Owner = (String, String);

/// The connections that one worker keeps.
#[derive(Default)]
pub struct KeptConnections(Mutex<HashMap<Owner, Vec<Kept>>>);

struct Kept {
    connection: MultiplexedConnection,
    since: Instant,
}

/// A connection of an instance. It is kept when this is dropped, unless it was [closed](Self::close).
pub struct Connection {
    /// `None`: closed.
    open: Option<MultiplexedConnection>,
    /// How many commands have no reply. A command that nobody waits for any more counts for ever.
    unanswered: Arc<AtomicUsize>,
    owner: Owner,
    home: Weak<KeptConnections>,
}
