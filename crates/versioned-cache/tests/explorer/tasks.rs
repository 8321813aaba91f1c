//! The requests that are explored: the crate's real reads and writes.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use interleavings::wait;
use versioned_cache::{
    Cache, Entry, Kind, Pages, ReadResult, Scope, Settings, Source, StatementError, Ttl, Write, WriteError,
};

use crate::simulated::{SimRedis, SimRuntime};
use crate::step::{Outcome, Step};
use crate::weakness::Weakness;
use crate::world::Shared;

pub type Task = Pin<Box<dyn Future<Output = ()>>>;
pub type SimCache = Rc<Cache<SimRedis, SimRuntime>>;

/// What the requests of an instance share.
pub struct Instance {
    cache: SimCache,
    pages: Pages<SimRedis, SimRuntime, NoError>,
    /// The page that is being read, for [`Weakness::ReadsUnderWayAreShared`].
    under_way: RefCell<Option<Rc<RefCell<Option<ReadResult>>>>>,
}

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads the row this many times.
    Reader(u32),
    /// Reads the row as part of a batch this many times.
    BatchReader(u32),
    /// Reads the row through an entry whose absence is guarded by the list.
    GuardedReader,
    /// As a guarded reader, this many times. Each hit is checked before the next read.
    CheckingReader(u32),
    /// Reads the row this many times. What a read spawns (a refresh, the rest of a slow fetch) runs before the next
    /// read.
    Refresher(u32),
    /// The same through a named entry.
    NamedRefresher(u32),
    /// As a refresher; the source is slow.
    SlowReader(u32),
    /// Reads the row as a page of a list this many times.
    PageReader(u32),
    /// Changes the row as one of that list.
    PageWriter,
    /// Changes the row this many times.
    Writer(u32),
    /// Creates the row.
    Creator,
    /// Reads the row through a named entry this many times.
    NamedReader(u32),
    /// Reads the row through an entry of a user this many times.
    UsersReader(u32),
    /// Sets the named entry this many times.
    Setter(u32),
    /// Changes the row without the protocol, and then invalidates what is cached.
    Outsider(Means),
}

/// How an outsider invalidates.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    Module,
    Operation,
    User,
    NamedModule,
    NamedOperation,
    /// With the pattern `*`.
    Matching,
    Delete,
    /// Sets the named entry to the new value.
    Set,
    Clear,
    /// Not at all.
    Nothing,
}

impl Role {
    /// The role that warms the cache before the search begins.
    pub fn warming(roles: &[Self]) -> Self {
        let named = roles.iter().find(|role| {
            matches!(role, Self::NamedReader(_) | Self::UsersReader(_) | Self::Setter(_) | Self::NamedRefresher(_))
        });
        match named {
            _ if roles.contains(&Self::PageWriter) => Self::PageReader(1),
            Some(Self::UsersReader(_)) => Self::UsersReader(1),
            Some(_) => Self::NamedReader(1),
            None => Self::Reader(1),
        }
    }
}

/// A SELECT has failed. An UPDATE never fails: it ends, or its task dies.
#[derive(Clone, Debug, PartialEq, Eq)]
struct NoError;

impl StatementError for NoError {
    fn may_still_commit(&self) -> bool {
        false
    }
}

/// The scope under test.
fn scope() -> Scope {
    Scope::item("user", 42)
}

/// The list that the row belongs to.
fn list() -> Scope {
    Scope::list("users")
}

/// The list whose pages are read. Another one than [`list`], whose version no task reads.
fn rows() -> Scope {
    Scope::list("rows")
}

pub fn instance(world: &Shared, settings: Settings) -> Rc<Instance> {
    let cache = Cache::new(SimRedis(Rc::clone(world)), SimRuntime(Rc::clone(world)), settings);
    let kind = Kind { item: "row", list: "rows", item_ttl: Ttl::default(), list_ttl: Ttl::default() };
    let pages = Pages::new(Rc::clone(&cache), kind);
    Rc::new(Instance { cache, pages, under_way: RefCell::default() })
}

pub fn task(role: Role, number: usize, world: &Shared, instance: &Rc<Instance>) -> Task {
    let (world, instance) = (Rc::clone(world), Rc::clone(instance));
    Box::pin(async move {
        let cache = &instance.cache;
        match role {
            Role::Reader(times) => {
                for _ in 0..times {
                    drop(read(number, &world, cache, entry(), false).await);
                }
            }
            Role::BatchReader(times) => {
                for _ in 0..times {
                    read(number, &world, cache, entry(), true).await;
                }
            }
            Role::GuardedReader => drop(read(number, &world, cache, guarded(), false).await),
            Role::CheckingReader(times) => {
                for _ in 0..times {
                    read_and_check(number, &world, cache).await;
                }
            }
            Role::Refresher(times) | Role::SlowReader(times) => {
                for _ in 0..times {
                    read_and_continue(number, &world, cache, entry()).await;
                }
            }
            Role::NamedRefresher(times) => {
                for _ in 0..times {
                    read_and_continue(number, &world, cache, named()).await;
                }
            }
            Role::PageReader(times) => {
                for _ in 0..times {
                    read_page(number, &world, &instance).await;
                }
            }
            Role::PageWriter => {
                write(number, &world, cache, Write { mark: vec![rows()], bump: vec![rows()] }).await;
            }
            Role::Writer(times) => {
                for _ in 0..times {
                    write(number, &world, cache, Write { mark: vec![scope()], bump: vec![scope()] }).await;
                }
            }
            Role::NamedReader(times) => {
                for _ in 0..times {
                    read(number, &world, cache, named(), false).await;
                }
            }
            Role::UsersReader(times) => {
                for _ in 0..times {
                    read(number, &world, cache, users(), false).await;
                }
            }
            Role::Setter(times) => {
                for _ in 0..times {
                    let value = world.borrow_mut().promises().set_begins(number);
                    let outcome = cache.set(&named(), value.to_string().as_bytes()).await;
                    world.borrow_mut().promises().set_ends(number, outcome.is_ok());
                }
            }
            Role::Outsider(means) => invalidate(number, &world, cache, means).await,
            Role::Creator => {
                write(number, &world, cache, Write { mark: vec![list()], bump: vec![list(), scope()] }).await;
            }
        }
    })
}

fn entry() -> Entry {
    Entry::new(&scope(), Ttl { found_s: 300, absent_s: 30 })
}

fn guarded() -> Entry {
    entry().absent_guard(&list())
}

fn named() -> Entry {
    Entry::named("kv", "get", "x", Ttl { found_s: 300, absent_s: 30 })
}

fn users() -> Entry {
    Entry::described("kv", "get", &serde_json::Value::Null, Some(42.into()), Ttl { found_s: 300, absent_s: 30 })
}

async fn invalidate(number: usize, world: &Shared, cache: &SimCache, means: Means) {
    world.borrow_mut().writing.insert(number);
    let value = match wait(world, Step::Update).await {
        Outcome::Row(value) => value,
        other => panic!("{other:?} is no row"),
    };
    if means != Means::Set {
        world.borrow_mut().promises().removal_begins(number);
    }
    let outcome = match means {
        Means::Module => cache.invalidate_module("default").await.map(drop),
        Means::Operation => cache.invalidate_operation("default", "default").await.map(drop),
        Means::User => cache.invalidate_user(42).await.map(drop),
        Means::NamedModule => cache.invalidate_module("kv").await.map(drop),
        Means::NamedOperation => cache.invalidate_operation("kv", "get").await.map(drop),
        Means::Matching => cache.invalidate_matching("kv", "get", "*").await.map(drop),
        Means::Delete => cache.delete(&named()).await.map(drop),
        Means::Set => cache.set(&named(), value.to_string().as_bytes()).await,
        Means::Clear => cache.clear().await.map(drop),
        Means::Nothing => Ok(()),
    };
    let mut world = world.borrow_mut();
    world.promises().removal_ends(number, outcome.is_ok());
    // Without an invalidation, reads need not see the change.
    if outcome.is_ok() && means != Means::Nothing {
        world.acknowledged(value);
    }
    world.writing.remove(&number);
}

/// A read, and the check of a hit. The counters are sent at its end: the world sees the verdict there.
async fn read_and_check(number: usize, world: &Shared, cache: &SimCache) {
    world.borrow_mut().spawned.insert(number, Vec::new());
    let result = read(number, world, cache, guarded(), false).await;
    let spawned = world.borrow_mut().spawned.remove(&number).unwrap_or_default();
    if result.is_some_and(|result| result.status.source == Source::Hit) {
        // The sender of counters comes first, because the hit is counted first. It does not run.
        let [_sender, check] = <[_; 2]>::try_from(spawned).unwrap_or_else(|_| panic!("a hit spawns two works"));
        world.borrow_mut().checking.insert(number);
        check.await;
        world.borrow_mut().checking.remove(&number);
    }
    cache.send_stats().await;
}

/// A read, and then what it has spawned, except for the sender of counters, which comes first.
async fn read_and_continue(number: usize, world: &Shared, cache: &SimCache, entry: Entry) {
    world.borrow_mut().spawned.insert(number, Vec::new());
    read(number, world, cache, entry, false).await;
    let spawned = world.borrow_mut().spawned.remove(&number).unwrap_or_default();
    for work in spawned.into_iter().skip(1) {
        work.await;
    }
    cache.send_stats().await;
}

/// `None`: the source has failed, and there was no entry in grace.
async fn read(number: usize, world: &Shared, cache: &SimCache, entry: Entry, batch: bool) -> Option<ReadResult> {
    begin(number, world).await;
    let entries = [entry];
    let of_select = Rc::clone(world);
    let select = async move || select(&of_select).await;
    let result = if batch {
        let results = cache.get_or_set_many(&entries, async |missing| {
            assert_eq!(missing, [0]);
            Ok::<_, NoError>(vec![select().await?])
        });
        results.await.map(|mut results| results.remove(0))
    } else {
        cache.get_or_set_verified(&entries[0], select).await
    };
    end(number, world, result)
}

async fn read_page(number: usize, world: &Shared, instance: &Instance) {
    begin(number, world).await;
    let of_select = Rc::clone(world);
    let page = instance.pages.page("", async move || select(&of_select).await);
    let result = if world.borrow().rules.weakness == Some(Weakness::ReadsUnderWayAreShared) {
        read_under_way(world, instance, page).await
    } else {
        page.await
    };
    end(number, world, result);
}

/// Shares the read that is under way, for some time.
async fn read_under_way(
    world: &Shared,
    instance: &Instance,
    page: impl Future<Output = Result<ReadResult, NoError>>,
) -> Result<ReadResult, NoError> {
    let under_way = instance.under_way.borrow().clone();
    if let Some(read) = under_way {
        for _ in 0..2 {
            wait(world, Step::Sleep(1)).await;
            if let Some(result) = &*read.borrow() {
                return Ok(result.clone());
            }
        }
        return page.await;
    }
    let read = Rc::new(RefCell::new(None));
    *instance.under_way.borrow_mut() = Some(Rc::clone(&read));
    let result = page.await?;
    *read.borrow_mut() = Some(result.clone());
    *instance.under_way.borrow_mut() = None;
    Ok(result)
}

async fn begin(number: usize, world: &Shared) {
    world.borrow_mut().failed.remove(&number);
    if world.borrow().reads_begin_late {
        world.borrow_mut().will_read(number);
    } else {
        wait(world, Step::Start).await;
    }
}

async fn select(world: &Shared) -> Result<Option<Vec<u8>>, NoError> {
    match wait(world, Step::Select).await {
        Outcome::Row(0) => Ok(None),
        Outcome::Row(value) => Ok(Some(value.to_string().into_bytes())),
        Outcome::Lost => Err(NoError),
        other => panic!("{other:?} is no row"),
    }
}

/// Checks the result of a read.
fn end(number: usize, world: &Shared, result: Result<ReadResult, NoError>) -> Option<ReadResult> {
    let Ok(result) = result else {
        world.borrow_mut().read_fails(number);
        return None;
    };
    let value = result.value.as_ref().map_or(0, |bytes| {
        std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).expect("what was stored")
    });
    let bypassed = matches!(result.status.source, Source::Bypass(_));
    world.borrow_mut().read_ends(number, value, bypassed);
    Some(result)
}

async fn write(number: usize, world: &Shared, cache: &SimCache, write: Write) {
    world.borrow_mut().writing.insert(number);
    world.borrow_mut().written.remove(&number);
    let update = async || match wait(world, Step::Update).await {
        Outcome::Row(value) => Ok::<_, NoError>(value),
        other => panic!("{other:?} is no row"),
    };
    let outcome = cache.write(write, update).await;
    let mut world = world.borrow_mut();
    match outcome {
        Ok(value) => world.acknowledged(value),
        // Nothing was written.
        Err(WriteError::CacheUnavailable) => {}
        Err(WriteError::Statement(error)) => panic!("{error:?}: the simulated database does not fail"),
    }
    world.writing.remove(&number);
}
