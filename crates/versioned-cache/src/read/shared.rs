//! Shared reads: the requests of one instance that read the same thing at the same time share one read of it, which
//! includes the lookup in Redis. For large values: a burst of requests for one of them moves it from Redis once and
//! not once for each request. And however late Redis is, the burst costs the source one fetch at a time.
//!
//! [`SingleFlight`](crate::fill::SingleFlight) shares the fill after a miss. It cannot help if the lookup fails,
//! because then nobody knows the versions of the entry.
//!
//! # Why no read is stale
//!
//! A request never joins a read that is under way: it joins the next one, which starts after the request has begun. So
//! it gets what it could have read itself at that time, whatever the read does. At most one read of a thing is under
//! way and one is next, however many requests wait. A request that has waited for too long reads alone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use ports::Runtime;

/// The first and the longest pause between two checks whether the read is complete. Requests of one instance are
/// separate tasks, which cannot wake one another.
const POLL_MS: u64 = 1;
const POLL_MAX_MS: u64 = 16;

/// The reads under way and the next ones, by the name of what they read.
#[derive(Debug)]
pub(crate) struct SharedReads<V>(RefCell<HashMap<String, Reads<V>>>);

#[derive(Debug)]
struct Reads<V> {
    is_under_way: bool,
    /// The read that requests join.
    next: Rc<RefCell<Progress<V>>>,
}

#[derive(Debug)]
enum Progress<V> {
    Waiting,
    Complete(V),
    /// Its request was cancelled.
    Abandoned,
}

/// How a request got its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReadRole {
    /// It has read it itself.
    Reader,
    /// It shares the value of another request.
    Follower,
}

impl<V> Default for SharedReads<V> {
    fn default() -> Self {
        Self(RefCell::default())
    }
}

impl<V: Clone> SharedReads<V> {
    /// The result of a `read` of `name` that starts after this call: by this request or by another one. A request that
    /// has waited for `wait_ms` reads alone.
    pub(crate) async fn read(
        &self,
        runtime: &impl Runtime,
        name: &str,
        wait_ms: u64,
        read: impl AsyncFnOnce() -> V,
    ) -> (V, ReadRole) {
        let deadline_ms = runtime.monotonic_ms() + wait_ms;
        let mut joined = self.join(name);
        let mut pause_ms = POLL_MS;
        loop {
            let is_abandoned = match &*joined.progress.borrow() {
                Progress::Complete(value) => return (value.clone(), ReadRole::Follower),
                Progress::Abandoned => true,
                Progress::Waiting => false,
            };
            if is_abandoned {
                joined = self.join(name);
            }
            if let Some(leader) = self.lead(&joined) {
                let value = read().await;
                leader.complete(&value);
                return (value, ReadRole::Reader);
            }
            if runtime.monotonic_ms() >= deadline_ms {
                drop(joined);
                return (read().await, ReadRole::Reader);
            }
            runtime.sleep(pause_ms).await;
            pause_ms = (pause_ms * 2).min(POLL_MAX_MS);
        }
    }

    fn join(&self, name: &str) -> Joined<'_, V> {
        let mut reads = self.0.borrow_mut();
        let reads = reads.entry(name.to_owned()).or_insert_with(|| Reads { is_under_way: false, next: new_read() });
        Joined { all: self, name: name.to_owned(), progress: Rc::clone(&reads.next) }
    }

    /// Starts the read that was joined, if it is the next one and none is under way.
    fn lead(&self, joined: &Joined<'_, V>) -> Option<Leader<'_, V>> {
        let mut reads = self.0.borrow_mut();
        let reads = reads.get_mut(&joined.name)?;
        if reads.is_under_way || !Rc::ptr_eq(&reads.next, &joined.progress) {
            return None;
        }
        reads.is_under_way = true;
        let progress = std::mem::replace(&mut reads.next, new_read());
        Some(Leader { all: self, name: joined.name.clone(), progress })
    }

    /// Forgets `name` if no request reads it or waits for it, apart from those that hold `others` of its next read.
    fn forget_unused(&self, name: &str, others: usize) {
        let mut reads = self.0.borrow_mut();
        // One is in the map.
        if reads.get(name).is_some_and(|reads| !reads.is_under_way && Rc::strong_count(&reads.next) <= 1 + others) {
            reads.remove(name);
        }
    }
}

fn new_read<V>() -> Rc<RefCell<Progress<V>>> {
    Rc::new(RefCell::new(Progress::Waiting))
}

/// A request that waits for a read.
struct Joined<'a, V: Clone> {
    all: &'a SharedReads<V>,
    name: String,
    progress: Rc<RefCell<Progress<V>>>,
}

impl<V: Clone> Drop for Joined<'_, V> {
    fn drop(&mut self) {
        let is_next = self.all.0.borrow().get(&self.name).is_some_and(|reads| Rc::ptr_eq(&reads.next, &self.progress));
        self.all.forget_unused(&self.name, usize::from(is_next));
    }
}

/// The request that reads. Dropping it without [`Leader::complete`] abandons the read.
struct Leader<'a, V: Clone> {
    all: &'a SharedReads<V>,
    name: String,
    progress: Rc<RefCell<Progress<V>>>,
}

impl<V: Clone> Leader<'_, V> {
    fn complete(self, value: &V) {
        // Most reads have no followers: this one and the request itself hold the progress.
        if Rc::strong_count(&self.progress) > 2 {
            *self.progress.borrow_mut() = Progress::Complete(value.clone());
        }
    }
}

impl<V: Clone> Drop for Leader<'_, V> {
    fn drop(&mut self) {
        let mut progress = self.progress.borrow_mut();
        if matches!(*progress, Progress::Waiting) {
            *progress = Progress::Abandoned;
        }
        drop(progress);
        if let Some(reads) = self.all.0.borrow_mut().get_mut(&self.name) {
            reads.is_under_way = false;
        }
        self.all.forget_unused(&self.name, 0);
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use futures_util::future::{join, join_all};
    use ports::native::NativeRuntime;
    use tokio::sync::Notify;
    use tokio::task::{LocalSet, yield_now};

    use super::*;

    /// Reads that wait to be released, and count themselves.
    #[derive(Default)]
    struct Source {
        released: Notify,
        started: Cell<u32>,
        running: Cell<u32>,
        most: Cell<u32>,
    }

    impl Source {
        async fn read(&self) -> u32 {
            self.started.set(self.started.get() + 1);
            self.running.set(self.running.get() + 1);
            self.most.set(self.most.get().max(self.running.get()));
            let number = self.started.get();
            self.released.notified().await;
            self.running.set(self.running.get() - 1);
            number
        }
    }

    const PATIENT_MS: u64 = 600_000;

    async fn locally(test: impl Future<Output = ()>) {
        LocalSet::new().run_until(test).await;
    }

    #[tokio::test]
    async fn requests_share_the_read_that_starts_after_them() {
        locally(async {
            let (reads, source, runtime) = (SharedReads::default(), Source::default(), NativeRuntime::default());
            let request = || reads.read(&runtime, "page", PATIENT_MS, async || source.read().await);
            let release = async {
                while source.started.get() < 2 {
                    source.released.notify_one();
                    yield_now().await;
                }
                source.released.notify_one();
            };
            let (results, ()) = join(join_all((0..100).map(|_| request())), release).await;
            assert_eq!(results[0], (1, ReadRole::Reader));
            assert_eq!(results[1..].iter().filter(|(_, role)| *role == ReadRole::Reader).count(), 1);
            assert!(results[1..].iter().all(|(number, _)| *number == 2), "nobody joins the read under way");
            assert_eq!((source.started.get(), source.most.get()), (2, 1));
            assert!(reads.0.borrow().is_empty(), "nothing is kept");
        })
        .await;
    }

    #[tokio::test]
    async fn another_request_reads_if_the_first_is_cancelled() {
        locally(async {
            let (reads, source, runtime) =
                (SharedReads::default(), Rc::new(Source::default()), NativeRuntime::default());
            let reads = Rc::new(reads);
            let spawn = || {
                let (reads, source) = (Rc::clone(&reads), Rc::clone(&source));
                tokio::task::spawn_local(async move {
                    let runtime = NativeRuntime::default();
                    reads.read(&runtime, "page", PATIENT_MS, async || source.read().await).await
                })
            };
            let first = spawn();
            while source.started.get() < 1 {
                yield_now().await;
            }
            let others = [spawn(), spawn()];
            yield_now().await;
            first.abort();
            others[0].abort();
            while source.started.get() < 2 {
                runtime.sleep(1).await;
            }
            source.released.notify_one();
            let [_, last] = others;
            assert_eq!(last.await.expect("it is not cancelled"), (2, ReadRole::Reader));
            assert!(reads.0.borrow().is_empty(), "nothing is kept");
        })
        .await;
    }

    #[tokio::test]
    async fn a_request_that_has_waited_for_too_long_reads_alone() {
        locally(async {
            let (reads, source, runtime) = (SharedReads::default(), Source::default(), NativeRuntime::default());
            let first = reads.read(&runtime, "page", 0, async || source.read().await);
            let second = async {
                let result = reads.read(&runtime, "page", 0, async || 7).await;
                source.released.notify_one();
                result
            };
            assert_eq!(join(first, second).await, ((1, ReadRole::Reader), (7, ReadRole::Reader)));
            let other = reads.read(&runtime, "another page", 0, async || 8).await;
            assert_eq!(other, (8, ReadRole::Reader));
            assert!(reads.0.borrow().is_empty(), "nothing is kept");
        })
        .await;
    }
}
