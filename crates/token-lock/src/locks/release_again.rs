//! Servers that failed when a lock was released: the majority has released it, and the client has the response.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use futures_util::future::join_all;
use ports::{Connect, RedisError, Runtime};

use super::compare::Compared;
use super::release_on_drop::PAUSES_MS;
use crate::quorum::{Quorum, Replies, Server};
use crate::resource::Resource;
use crate::token::Token;

/// How many releases wait for one server. Beyond that number the oldest is given up: that lock ends with its TTL.
const WAITING_MAX: usize = 1_024;

/// How many releases are sent to a server at the same time.
const AT_ONCE: usize = 16;

/// The releases that one server has not taken.
#[derive(Default)]
pub(crate) struct Unreleased {
    waiting: RefCell<VecDeque<(Resource, Token)>>,
    /// Whether a task repeats them.
    is_repeating: Cell<bool>,
}

/// Repeats the release, in the background, on the servers that have not replied. Such a server would keep the lock
/// until its TTL, and while another server is down, nobody could lock the resource. Often the server runs, and only
/// the circuit of this instance was open.
pub(super) fn release_again<R: Connect, T: Runtime>(
    quorum: &Rc<Quorum<R, T>>,
    mut replies: Replies<Compared>,
    resource: &Resource,
    token: &Token,
) {
    if replies.unknown() == 0 {
        return;
    }
    let (quorum, resource, token) = (Rc::clone(quorum), resource.clone(), token.clone());
    Rc::clone(&quorum.runtime).spawn(async move {
        replies.wait_for_all().await;
        let failed = replies.failed().map(|at| &quorum.servers[at]);
        join_all(failed.map(|server| {
            server.unreleased.add(resource.clone(), token.clone());
            repeat(server, &*quorum.runtime)
        }))
        .await;
    });
}

/// Repeats the releases that wait for a server, for some seconds, unless another task does. What is left then waits for
/// the next release that fails there.
async fn repeat<R: Connect, T: Runtime>(server: &Server<R, T>, runtime: &T) {
    let Some(_repeating) = Repeating::start(&server.unreleased.is_repeating) else { return };
    for pause_ms in PAUSES_MS {
        runtime.sleep(pause_ms).await;
        // While the circuit is open, nothing is sent.
        while server.client.admits() && send_some(server).await {}
        if server.unreleased.waiting.borrow().is_empty() {
            return;
        }
    }
}

/// Sends some of the releases. Returns whether the server has taken them and more are waiting.
async fn send_some<R: Connect, T: Runtime>(server: &Server<R, T>) -> bool {
    let some = server.unreleased.take_some();
    let releases = some.iter().map(|(resource, token)| server.client.within_timeout(server.delete_if(resource, token)));
    let outcomes = join_all(releases).await;
    let mut all_taken = true;
    for ((resource, token), outcome) in some.into_iter().zip(outcomes) {
        // A server that refuses the commands would refuse them again.
        if matches!(outcome, Err(RedisError::Unreachable(_))) {
            all_taken = false;
            server.unreleased.add(resource, token);
        }
    }
    all_taken && !server.unreleased.waiting.borrow().is_empty()
}

impl Unreleased {
    fn add(&self, resource: Resource, token: Token) {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.len() == WAITING_MAX {
            waiting.pop_front();
        }
        waiting.push_back((resource, token));
    }

    fn take_some(&self) -> Vec<(Resource, Token)> {
        let mut waiting = self.waiting.borrow_mut();
        let count = waiting.len().min(AT_ONCE);
        waiting.drain(..count).collect()
    }
}

/// A running task. Dropping it, also with its request, lets the next release start another one.
struct Repeating<'a>(&'a Cell<bool>);

impl<'a> Repeating<'a> {
    /// `None`: there is one already.
    fn start(is_repeating: &'a Cell<bool>) -> Option<Self> {
        (!is_repeating.replace(true)).then_some(Self(is_repeating))
    }
}

impl Drop for Repeating<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

#[cfg(test)]
mod tests {
    use ports::native::NativeRuntime;

    use super::*;

    #[test]
    fn the_oldest_releases_are_given_up() {
        let unreleased = Unreleased::default();
        let names = || (0..WAITING_MAX + 2).map(|number| Resource::new(number.to_string()).expect("valid"));
        names().for_each(|name| unreleased.add(name, Token::random(&NativeRuntime::default())));
        let sent: Vec<_> =
            std::iter::repeat_with(|| unreleased.take_some()).take_while(|some| !some.is_empty()).collect();
        assert!(sent.iter().all(|some| some.len() == AT_ONCE));
        assert!(sent.into_iter().flatten().map(|(resource, _)| resource).eq(names().skip(2)));
    }

    #[test]
    fn one_task_repeats_until_it_is_dropped() {
        let is_repeating = Cell::default();
        let first = Repeating::start(&is_repeating);
        assert!(first.is_some() && Repeating::start(&is_repeating).is_none());
        drop(first);
        assert!(Repeating::start(&is_repeating).is_some());
    }
}
