//! Registries: what is cached is listed, counted and invalidated, by operation and by user.

use std::time::Instant;

use ports::{Reply, Runtime, native::NativeRuntime};
use versioned_cache::{Entry, Listed, Scope, Ttl};

use crate::instance::{Client, Failed, Instance, NAMED_TTL as TTL, Row, list, on_redis, settings, until};

async fn filled(instance: &Instance, entry: &Entry) {
    let fetch = async || Ok::<_, Failed>(Some(b"{}".to_vec()));
    instance.cache.get_or_set(entry, fetch).await.expect("fetched");
}

async fn is_cached(instance: &Instance, entry: &Entry) -> bool {
    // A failed fetch stores nothing.
    let fetch = async || Err(Failed { may_still_commit: false });
    instance.cache.get_or_set(entry, fetch).await.is_ok()
}

fn seller(page: u64, user: Option<i64>) -> Entry {
    Entry::described("sellers", "list", &serde_json::json!({"page": page}), user.map(Into::into), TTL)
}

fn user(id: i64) -> Entry {
    Entry::new(&Scope::user(id), TTL).labelled("users", "getById")
}

fn users() -> Entry {
    Entry::new(&list(), TTL).labelled("users", "list")
}

fn key(name: &str) -> Entry {
    Entry::named("kv", "get", name, TTL)
}

/// Several entries of several modules.
async fn everything(instance: &Instance) -> Vec<Entry> {
    let entries =
        vec![user(1), user(2), users(), users().query("limit=2"), seller(1, None), seller(1, Some(1)), key("a")];
    for entry in &entries {
        filled(instance, entry).await;
    }
    entries
}

async fn cached(instance: &Instance, entries: &[Entry]) -> Vec<bool> {
    let mut cached = Vec::new();
    for entry in entries {
        cached.push(is_cached(instance, entry).await);
    }
    cached
}

#[tokio::test]
async fn each_invalidation_removes_its_own_entries_only() {
    on_redis(async |server| {
        let filler = Instance::new(&server, &Row::new(1), settings());
        let instance = Instance::new(&server, &Row::new(1), settings());
        let client = Client::new(&server.url());
        client.say("SET locks:cache token").await;
        client.say("SET user:cache:mine 1").await;
        let (t, f) = (true, false);

        let entries = everything(&filler).await;
        assert_eq!(instance.cache.invalidate_operation("users", "getById").await, Ok(2));
        assert_eq!(cached(&filler, &entries).await, [f, f, t, t, t, t, t]);

        let entries = everything(&filler).await;
        assert_eq!(instance.cache.invalidate_module("users").await, Ok(4));
        assert_eq!(cached(&filler, &entries).await, [f, f, f, f, t, t, t]);

        let entries = everything(&filler).await;
        assert_eq!(instance.cache.invalidate_user(1).await, Ok(2));
        // The pages of the list may show the user. They are outdated, and not counted.
        assert_eq!(cached(&filler, &entries).await, [f, t, f, f, t, f, t]);

        let entries = everything(&filler).await;
        assert_eq!(instance.cache.invalidate_matching("kv", "get", "*").await, Ok(1));
        assert_eq!(cached(&filler, &entries).await, [t, t, t, t, t, t, f]);

        let entries = everything(&filler).await;
        assert_eq!(instance.cache.clear().await, Ok(7));
        assert_eq!(cached(&filler, &entries).await, [f; 7]);
        assert_eq!(instance.cache.invalidate_module("unknown").await, Ok(0));
        assert_eq!(
            client.say("MGET locks:cache user:cache:mine").await,
            ["token", "1"].map(|it| Reply::Bytes(it.into()))
        );
    })
    .await;
}

/// The registries may be evicted. Then fewer entries are counted and removed, but all of them are outdated.
#[tokio::test]
async fn invalidation_works_without_registries() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), settings());
        let client = Client::new(&server.url());
        for module in ["users", "sellers", "kv"] {
            let entries = everything(&instance).await;
            for registry in client.say("KEYS cache:registry:*").await {
                let registry = String::from_utf8(registry.into_bytes().expect("a name")).expect("text");
                client.say(&format!("DEL {registry}")).await;
            }
            client.say("DEL cache:operations").await;
            assert_eq!(instance.cache.invalidate_module(module).await, Ok(0));
            for (entry, cached) in entries.iter().zip(cached(&instance, &entries).await) {
                assert_eq!(cached, !format!("{entry:?}").contains(&format!("module: \"{module}\"")), "{entry:?}");
            }
        }
        let entries = everything(&instance).await;
        client.say("DEL cache:operations").await;
        instance.cache.clear().await.expect("Redis replies");
        assert_eq!(cached(&instance, &entries).await, [false; 7]);
    })
    .await;
}

#[tokio::test]
async fn everything_is_listed_page_by_page() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), settings());
        let started = Instant::now();
        everything(&instance).await;
        let mut all: Vec<Listed> = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = instance.cache.entries(None, None, cursor.as_deref(), 2).await.expect("Redis replies");
            let page = page.expect("a valid cursor");
            assert!(page.entries.len() <= 2);
            all.extend(page.entries);
            match page.next {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        let of = |module: &str| all.iter().filter(|entry| entry.module == module).count();
        assert_eq!((of("users"), of("sellers"), of("kv"), all.len()), (4, 2, 1, 7), "{all:?}");
        let passed_ms = started.elapsed().as_millis() as u64;
        let is_ttl = |ms: u64| ms <= 66_000 && ms + passed_ms >= 53_000;
        assert!(all.iter().all(|entry| is_ttl(entry.ttl_ms) && entry.size >= 2), "{all:?}");
        let one = instance.cache.entries(Some("kv"), Some("get"), None, 10).await.expect("Redis replies");
        let one = one.expect("the first page").entries;
        assert_eq!(one[0].key, "cache:entry:kv:get:a");
        assert_eq!(instance.cache.entries(None, None, Some("nonsense"), 2).await, Ok(None));
        instance.cache.delete(&key("a")).await.expect("Redis replies");
        let rest = instance.cache.entries(Some("kv"), None, None, 10).await.expect("Redis replies");
        assert_eq!(rest.expect("the first page").entries, []);
        let counted = instance.cache.registered().await.expect("Redis replies");
        assert_eq!(counted.iter().map(|of| of.keys).sum::<u64>(), 6, "{counted:?}");
        // An evicted entry is not listed, although its member stays in the registry until its end.
        let seller = all.iter().find(|entry| entry.module == "sellers").expect("listed above");
        Client::new(&server.url()).say(&format!("DEL {}", seller.key)).await;
        let rest = instance.cache.entries(Some("sellers"), None, None, 10).await.expect("Redis replies");
        assert_eq!(rest.expect("the first page").entries.len(), 1);
    })
    .await;
}

/// Registries end with their last entry, and registrations remove members that have ended.
#[tokio::test]
async fn registries_lose_members_that_have_ended() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), settings());
        let client = Client::new(&server.url());
        let values: Vec<_> =
            (0..200).map(|n| (Entry::named("long", "get", &n.to_string(), TTL), b"{}".to_vec())).collect();
        instance.cache.mset(&values).await.expect("Redis replies");
        filled(&instance, &Entry::named("long", "get", "one more", TTL)).await;
        assert_eq!(client.say("ZCARD cache:registry:long:get").await, [Reply::Int(201)]);
        filled(&instance, &Entry::named("gone", "get", "x", Ttl { found_s: 1, absent_s: 1 })).await;
        filled(&instance, &Entry::named("short", "get", "stays", TTL)).await;
        // These ended long ago, one ms after the other. So the test does not depend on how fast entries are registered.
        let short: String = (1..=200).map(|n| format!(" {n} =short:get:{n}")).collect();
        client.say(&format!("ZADD cache:registry:short:get{short}")).await;
        until(async || {
            let registered = instance.cache.registered().await.expect("Redis replies");
            registered.iter().map(|of| of.keys).sum::<u64>() == 201 + 1
        })
        .await;
        // Each registration removes a bounded number.
        let ended = async || {
            let now = NativeRuntime::default().unix_ms();
            let count = client.say(&format!("ZCOUNT cache:registry:short:get -inf {now}")).await;
            count[0].as_int().expect("a number")
        };
        let mut before = 200;
        let mut n = 0;
        while before > 0 {
            filled(&instance, &Entry::named("short", "get", &format!("new {n}"), TTL)).await;
            n += 1;
            let now = ended().await;
            // Two registrations may have removed members since, because they do it after the response.
            assert!(before - now <= 64 * 2, "{before} to {now} at once");
            before = now;
            assert!(n < 400, "nothing is removed");
        }
        until(async || client.say("EXISTS cache:registry:gone:get").await == [Reply::Int(0)]).await;
    })
    .await;
}

#[tokio::test]
async fn counters_survive_an_outage_and_a_reset_zeroes_them() {
    on_redis(async |mut server| {
        let instance = Instance::new(&server, &Row::new(1), settings());
        filled(&instance, &key("a")).await;
        server.kill().await.expect("it runs");
        filled(&instance, &key("a")).await;
        assert!(instance.cache.stats().await.is_err());
        server.restart().await.expect("it starts");
        until(async || {
            let counters = instance.cache.stats().await.map(|stats| stats.total()).unwrap_or_default();
            counters.bypasses == 1
        })
        .await;
        instance.cache.reset_stats().await.expect("Redis replies");
        assert_eq!(instance.cache.stats().await.expect("Redis replies").0.len(), 0);
        let server = instance.cache.server().await.expect("Redis replies");
        assert!(server.used_memory > 100_000, "{server:?}");
    })
    .await;
}

/// A seller belongs to a user: its entries depend on the version of the seller and on that of the user.
#[tokio::test]
async fn entries_of_a_scope_that_belong_to_a_user_are_invalidated_with_the_user() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), settings());
        let seller =
            |id, user| Entry::new(&Scope::item("seller", id), TTL).labelled("sellers", "getById").of_user(user);
        let entries = [seller(5, 42), seller(5, 42).query("private"), seller(6, 43)];
        for entry in &entries {
            filled(&instance, entry).await;
        }
        let listed = instance.cache.entries(Some("sellers"), None, None, 10).await.expect("Redis replies");
        assert_eq!(listed.expect("no cursor").entries.len(), 3);
        assert_eq!(instance.cache.invalidate_user(42).await, Ok(2));
        assert_eq!(cached(&instance, &entries).await, [false, false, true]);
        assert_eq!(instance.cache.invalidate_module("sellers").await, Ok(1));
    })
    .await;
}

/// Clients may choose the names of modules and operations, and any number of them.
fn chosen(number: usize) -> Entry {
    Entry::named("posts".to_owned(), format!("o{number}"), "a", Ttl { found_s: 600, absent_s: 5 })
}

/// Beyond the limit operations are not listed. They are invalidated all the same.
#[tokio::test]
async fn the_list_of_operations_is_bounded() {
    on_redis(async |server| {
        let instance = Instance::new(&server, &Row::new(1), settings());
        let client = Client::new(&server.url());
        let count = async || client.say("ZCARD cache:operations").await[0].as_int().expect("a number");
        let values: Vec<_> = (0..1_100).map(|number| (chosen(number), b"{}".to_vec())).collect();
        for values in values.chunks(100) {
            instance.cache.mset(values).await.expect("Redis replies");
        }
        assert_eq!(count().await, 1_000);
        // The names of the program are always listed, and known names stay.
        filled(&instance, &users()).await;
        instance.cache.mset(&values).await.expect("Redis replies");
        assert_eq!(count().await, 1_001);
        assert_eq!(instance.cache.registered().await.expect("Redis replies").len(), 1_001);

        let some = [0, 999, 1_000, 1_099].map(chosen);
        assert_eq!(cached(&instance, &some).await, [true; 4]);
        assert_eq!(instance.cache.invalidate_operation("posts", "o1099").await, Ok(1));
        assert_eq!(cached(&instance, &some).await, [true, true, true, false]);
        assert_eq!(instance.cache.invalidate_module("posts").await, Ok(1_000));
        assert_eq!(cached(&instance, &some).await, [false; 4]);
        instance.cache.mset(&values).await.expect("Redis replies");
        assert_eq!(instance.cache.clear().await, Ok(1_101));
        assert_eq!(cached(&instance, &some).await, [false; 4]);

        // Operations whose entries have ended make room.
        let ended: String = (0..1_000).map(|number| format!(" 1 old:o{number}")).collect();
        client.say("DEL cache:operations").await;
        client.say(&format!("ZADD cache:operations{ended}")).await;
        until(async || {
            instance.cache.mset(&values[..1]).await.expect("Redis replies");
            client.say("ZSCORE cache:operations posts:o0").await != [Reply::Nil]
        })
        .await;
    })
    .await;
}

/// Names that clients have chosen become fields of the counters only while there are few.
#[tokio::test]
async fn the_counters_of_chosen_names_are_bounded() {
    on_redis(async |server| {
        let client = Client::new(&server.url());
        let hits_and_misses = async |instance: &Instance| {
            let stats = instance.cache.stats().await.expect("Redis replies");
            let of = |module: &str, operation: &str| {
                stats.0.get(&(module.to_owned(), operation.to_owned())).map_or(0, |of| of.hits + of.misses)
            };
            (of("posts", "o1"), of("posts", "o2"), of("other", "other"), of("users", "list"))
        };
        let first = Instance::new(&server, &Row::new(1), settings());
        assert_eq!(first.cache.get(&chosen(1)).await, Ok(None));
        assert_eq!(first.cache.get(&chosen(1).uncounted()).await, Ok(None));
        assert_eq!(hits_and_misses(&first).await, (1, 0, 0, 0));

        let fields: String = (0..5_000).map(|number| format!(" f{number} 1")).collect();
        client.say(&format!("HSET cache:stats{fields}")).await;
        let second = Instance::new(&server, &Row::new(1), settings());
        assert_eq!(second.cache.get(&chosen(2)).await, Ok(None));
        filled(&second, &users()).await;
        assert_eq!(hits_and_misses(&second).await, (1, 0, 1, 1));
        second.cache.reset_stats().await.expect("Redis replies");
        assert_eq!(second.cache.get(&chosen(2)).await, Ok(None));
        assert_eq!(hits_and_misses(&second).await, (0, 1, 0, 0));
    })
    .await;
}
