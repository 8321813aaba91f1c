//! Results of an operation, cached for each set of parameters and for each user; then all results of a user are
//! invalidated together.
//!
//! `cargo run -p versioned-cache --example described_entries`

mod server;

use std::convert::Infallible;
use std::error::Error;

use ports::native::{NativeRedis, NativeRuntime};
use serde_json::json;
use tokio::task::LocalSet;
use versioned_cache::{Cache, Entry, Settings, Source, Ttl, User};

const TTL: Ttl = Ttl { found_s: 60, absent_s: 5 };

/// The orders of a user, a page of them. The user may be the id of a row or any other name.
fn orders(user: &str, page: u64) -> Entry {
    Entry::described("orders", "list", &json!({"page": page, "sort": "date"}), Some(User::new(user)), TTL)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (redis, _server) = server::redis().await?;
    LocalSet::new().run_until(run(redis)).await
}

async fn run(redis: NativeRedis) -> Result<(), Box<dyn Error>> {
    let cache = Cache::new(redis, NativeRuntime::default(), Settings::default());
    let fetch = async || Ok::<_, Infallible>(Some(b"[]".to_vec()));

    // Equal parameters are one entry. The order of their members does not matter.
    let same = Entry::described("orders", "list", &json!({"sort": "date", "page": 1}), Some(User::new("user-1")), TTL);
    cache.get_or_set(&orders("user-1", 1), fetch).await?;
    assert_eq!(cache.get_or_set(&same, fetch).await?.status.source, Source::Hit);

    // Another page and another user have entries of their own.
    cache.get_or_set(&orders("user-1", 2), fetch).await?;
    cache.get_or_set(&orders("2", 1), fetch).await?;
    for entry in cache.entries(Some("orders"), None, None, 100).await?.unwrap_or_default().entries {
        println!("{} lives for {} ms", entry.key, entry.ttl_ms);
    }

    // Module and operation may be names that are known at run time only.
    let (module, operation) = ("orders".to_owned(), "list".to_owned());
    let named_late = Entry::described(module, operation, &json!({"sort": "date", "page": 1}), Some(2.into()), TTL);
    assert!(cache.exists(&named_late).await?.is_some());

    // Each user has a registry of what is cached for them, so that all of it is found and removed.
    let removed = cache.invalidate_user(User::new("user-1")).await?;
    println!("{removed} entries of user-1 are removed");
    assert!(removed >= 2);
    assert!(cache.exists(&orders("user-1", 1)).await?.is_none() && cache.exists(&orders("user-1", 2)).await?.is_none());
    assert!(cache.exists(&orders("2", 1)).await?.is_some(), "the entry of user 2 stays");
    Ok(())
}
