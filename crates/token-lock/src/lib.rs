//! Locks in Redis with tokens and fencing numbers, without scripts (no `EVAL`, no `FUNCTION`).
//!
//! - **acquire** ([`Locks::acquire`], [`Locks::acquire_within`]): `SET locks:{resource} {token} NX PX {ttl}`, then
//!   `INCRBY fencing:{resource} 1` for the fencing number. The token is 128 random bits.
//! - **release**, **extend** ([`Locks::release`], [`Locks::extend`]): DEL or PEXPIRE by WATCH and EXEC, if the lock holds
//!   the token; in one command where the server has one (`DELIFEQ`, `DELEX … IFEQ`, `SET … IFEQ`), which it is asked once,
//!   and again after it has refused one.
//! - **guard** ([`Locks::guard`]): work under locks that renew themselves and that tells when they are lost.
//! - Several resources are locked in the order of their names, all or none, without waiting for one while holding another.
//! - Without an answer nothing is granted: [`LockError::Unavailable`]. What a command that got no answer may have taken is
//!   given back in the background, as is what an attempt that was cancelled has taken.
//!
//! # Why a lock is released and extended by its holder only
//!
//! A token is given to one attempt and never again. The command that deletes or extends takes effect only if the key holds
//! the token at that moment: a single command is atomic, and EXEC fails if the key was changed, deleted or has expired
//! since WATCH, after which it was read. Nothing depends on the order of commands that are under way together, nor on when
//! they arrive: the argument is in `ports/src/watched.rs`. So a release that was delayed for an hour still does no harm.
//!
//! # Why fencing numbers grow
//!
//! A number is drawn while the lock is held: after SET was answered, and the grant counts only if the number arrives before
//! the TTL is over, counted from before SET was sent. So of two grants the later one draws later, and each draw on a server
//! gives more than all before it, also when the counter was lost in between: then it starts from the server's clock, and
//! why that is more than was ever drawn, is in `fencing.rs`. Numbers that are drawn and not granted are gaps.
//!
//! # Several servers
//!
//! With three or five independent servers a lock is held while the majority of them holds it (Redlock). They are asked side
//! by side, and an answer is given as soon as a majority has decided, and the others have had a moment; a server that
//! fails is left alone for a while. A lock is trusted for 1 % and 2 ms less than its TTL, for clocks do not run equally
//! fast. The fencing number is the greatest of the majority's, to which their counters are raised before it is granted: the
//! next majority shares a server with this one.
//!
//! # What is not guaranteed
//!
//! - **That only one is at work.** A holder that is paused (garbage collection, a host without CPU, a request under way for
//!   long) may go on after its lock has ended, and not know it. Only the resource itself can refuse it: by remembering the
//!   greatest [`Grant::fencing`] it has seen, and refusing less (Kleppmann, *How to do distributed locking*, 2016, which is
//!   also the critique of Redlock: it assumes bounded delays and clocks that run at about the same rate). Without such a
//!   check, a lock saves work; it does not protect data.
//! - **That Redis keeps a lock.** A Redis that restarts empty, evicts (`allkeys-lru`), or fails over to a replica that
//!   lagged has lost it, and grants it again while the first holder still trusts it. The second grant's number is greater.
//!   With a majority of servers, one may come back empty: two holders are possible only if it does so while they hold a
//!   lock without the third one. Let it stay away for as long as the longest TTL, or trust the numbers.
//! - **Numbers, if clocks go back.** A counter that was lost starts from the server's clock. Should that clock show a time
//!   before the last grant (set back, or another machine that is behind), numbers repeat. The same goes for servers of a
//!   majority whose clocks differ by more than a lost server was away.
//! - **Fairness.** Those who wait try again every few dozen milliseconds, and chance decides.

mod acquire;
mod compare;
mod dialect;
mod fencing;
mod grant;
mod guard;
mod inspect;
mod majority;
mod outcome;
mod quorum;
mod release;
mod resource;
mod server;
mod settings;
mod token;
mod unclaimed;

use std::rc::Rc;

pub use guard::{Guarded, Lease};
pub use outcome::{Acquired, Extended, Grant, Held, Inspected, LockError, Page, Released};
use ports::{Connect, Redis, Runtime};
pub use resource::{InvalidResource, Resource};
use server::Server;
pub use settings::{MAX_RESOURCES, MAX_WAIT_MS, Settings, TTL_MS};
pub use token::{InvalidToken, Token};

/// The locks on one server, or on the majority of several independent ones. One per instance; its requests share it.
pub struct Locks<R: Connect, T> {
    servers: Vec<Rc<Server<R, T>>>,
    runtime: Rc<T>,
}

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Locks<R, T> {
    /// Locks on `servers`: one, or an odd number of independent ones, which are no replicas of each other.
    pub fn new(servers: Vec<R>, runtime: T, settings: Settings) -> Rc<Self> {
        let runtime = Rc::new(runtime);
        let alone = servers.len() == 1;
        let server = |redis| Rc::new(Server::new(redis, Rc::clone(&runtime), settings, alone));
        Rc::new(Self { servers: servers.into_iter().map(server).collect(), runtime })
    }

    /// By how much less than its TTL a lock is trusted when it is on several servers, whose clocks may run faster or
    /// slower than ours: 1 % and 2 ms, as in Redlock.
    fn drift_ms(&self, ttl_ms: u64) -> u64 {
        if self.servers.len() > 1 { ttl_ms / 100 + 2 } else { 0 }
    }

    /// Whether a lock that is trusted until then is so now, although both times were rounded down.
    fn is_valid(&self, until_ms: u64) -> bool {
        self.runtime.monotonic_ms() < until_ms
    }
}
