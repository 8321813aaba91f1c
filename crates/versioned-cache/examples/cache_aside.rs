//! Rows of a table through the cache: a miss, a hit, and a write that makes the entry outdated.
//!
//! `cargo run -p versioned-cache --example cache_aside`

mod server;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::error::Error;
use std::rc::Rc;

use ports::native::{NativeRedis, NativeRuntime};
use tokio::task::LocalSet;
use versioned_cache::{Cache, Kind, Repository, Settings, Source, StatementError, Stored, Ttl};

/// The error of a statement on the table below.
#[derive(Debug)]
struct TableError(Infallible);

impl StatementError for TableError {
    fn may_still_commit(&self) -> bool {
        match self.0 {}
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let (redis, _server) = server::redis().await?;
    let cache = Cache::new(redis, NativeRuntime::default(), Settings::default());
    LocalSet::new().run_until(run(Repository::new(cache, BOOKS))).await
}

const BOOKS: Kind = Kind {
    item: "book",
    list: "books",
    item_ttl: Ttl { found_s: 300, absent_s: 30 },
    list_ttl: Ttl { found_s: 60, absent_s: 30 },
};

async fn run(books: Repository<NativeRedis, NativeRuntime>) -> Result<(), Box<dyn Error>> {
    // Instead of a database.
    let table = Rc::new(RefCell::new(BTreeMap::from([(1, "Dune")])));
    // Each read gets a closure that owns what it uses: a check of a hit may run it after the read has returned.
    let select = || {
        let table = Rc::clone(&table);
        async move || Ok::<_, Infallible>(table.borrow().get(&1).map(|title| title.as_bytes().to_vec()))
    };

    // Another run with the same `REDIS_URL` may have left an entry.
    books.change(1, async || Ok::<_, TableError>(())).await.expect("nothing to fail");
    for expected in [Source::Miss(Stored::Yes), Source::Hit] {
        let read = books.find(1, select()).await?;
        println!("{:?}: {}", read.value.map(String::from_utf8), read.status);
        assert_eq!(read.status.source, expected);
    }

    // A write marks the row, changes its version, runs the statement, and changes the version again.
    let update = async || {
        table.borrow_mut().insert(1, "Dune Messiah");
        Ok::<_, TableError>(())
    };
    books.change(1, update).await.expect("nothing to fail");
    let read = books.find(1, select()).await?;
    println!("{:?}: {}", read.value.as_ref().map(|title| String::from_utf8_lossy(title)), read.status);
    assert_eq!(read.value.as_deref(), Some(&b"Dune Messiah"[..]));
    Ok(())
}
