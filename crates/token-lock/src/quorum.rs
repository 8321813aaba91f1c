//! Asking all servers side by side, and waiting until enough of them have answered.

use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;

use futures_util::StreamExt;
use futures_util::future::select;
use futures_util::stream::FuturesUnordered;
use ports::{Connect, Redis, RedisError, Runtime};

use crate::Locks;
use crate::outcome::LockError;

/// How long the others are waited for when the majority has decided: so that, as a rule, what a client does next finds
/// the same on all servers. One that takes longer makes nobody wait again for a while.
const LINGER_MS: u64 = 10;

type Answering<A> = Pin<Box<dyn Future<Output = (usize, Result<A, RedisError>)>>>;

/// One question to every server. With one server, the majority is that one.
pub(crate) struct Ballot<A> {
    answers: Vec<Option<Result<A, RedisError>>>,
    pending: FuturesUnordered<Answering<A>>,
}

impl<A: 'static> Ballot<A> {
    /// Asks every server; the question has a deadline of its own.
    pub(crate) fn new<S, F>(servers: &[Rc<S>], question: impl Fn(Rc<S>) -> F) -> Self
    where
        F: Future<Output = Result<A, RedisError>> + 'static,
    {
        let pending = FuturesUnordered::new();
        for (at, server) in servers.iter().enumerate() {
            let asked = question(Rc::clone(server));
            pending.push(Box::pin(async move { (at, asked.await) }) as Answering<A>);
        }
        Self { answers: servers.iter().map(|_| None).collect(), pending }
    }

    /// Waits until the outcome is `decided`, too many servers have failed, or all have answered.
    pub(crate) async fn until(&mut self, decided: impl Fn(&Self) -> bool) {
        while !decided(self) && !self.has_failed() {
            let Some((at, answer)) = self.pending.next().await else { return };
            self.answers[at] = Some(answer);
        }
    }

    /// Waits for those that have not answered yet.
    pub(crate) async fn rest(&mut self) {
        while let Some((at, answer)) = self.pending.next().await {
            self.answers[at] = Some(answer);
        }
    }

    pub(crate) fn is_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// More than half of the servers.
    pub(crate) fn majority(&self) -> usize {
        self.answers.len() / 2 + 1
    }

    /// The answers so far, with the numbers of the servers.
    pub(crate) fn answers(&self) -> impl Iterator<Item = (usize, &A)> {
        self.answers.iter().enumerate().filter_map(|(at, answer)| Some((at, answer.as_ref()?.as_ref().ok()?)))
    }

    /// How many servers answered so.
    pub(crate) fn count(&self, so: impl Fn(&A) -> bool) -> usize {
        self.answers().filter(|(_, answer)| so(answer)).count()
    }

    /// Whether the majority answered so.
    pub(crate) fn most(&self, so: impl Fn(&A) -> bool) -> bool {
        self.count(so) >= self.majority()
    }

    /// Whether so many servers have failed that no majority can answer.
    pub(crate) fn has_failed(&self) -> bool {
        let failed = self.answers.iter().flatten().filter(|answer| answer.is_err()).count();
        failed > self.answers.len() - self.majority()
    }

    /// How many servers have not (yet) answered, whatever they may have done.
    pub(crate) fn silent(&self) -> usize {
        self.answers.len() - self.count(|_| true)
    }

    /// What failed first, for the log.
    pub(crate) fn error(&self) -> LockError {
        let failed = self.answers.iter().flatten().find_map(|answer| answer.as_ref().err());
        LockError::Unavailable(failed.map_or_else(|| "the servers do not agree".to_owned(), ToString::to_string))
    }
}

impl<R: Redis + Connect + 'static, T: Runtime + 'static> Locks<R, T> {
    /// Waits for those that have not answered yet, but not long.
    pub(crate) async fn linger<A: 'static>(&self, ballot: &mut Ballot<A>) {
        if ballot.is_pending() {
            select(pin!(ballot.rest()), pin!(self.runtime.sleep(LINGER_MS))).await;
        }
    }

    /// Lets those that have not answered yet go on in the background.
    pub(crate) fn leave<A: 'static>(&self, mut ballot: Ballot<A>) {
        if ballot.is_pending() {
            self.runtime.spawn(async move { ballot.rest().await });
        }
    }
}
