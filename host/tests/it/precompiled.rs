//! Compiled components are kept as files, and what others have left there does no harm.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::host::{Host, MANIFEST, NEEDED, command};

/// Starts a host that keeps its files below `caches`, until it listens.
async fn start(caches: &Path) -> Host {
    let (mut command, folder) = command(MANIFEST, &NEEDED);
    command.env("XDG_CACHE_HOME", caches);
    Host::run(command, folder).await
}

/// The files with compiled components, with their content.
fn files(caches: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let folder = std::fs::read_dir(caches.join("tumbler-host")).expect("the host has made it");
    let paths = folder.map(|entry| entry.expect("an entry").path());
    paths.map(|path| (path.clone(), std::fs::read(path).expect("readable"))).collect()
}

#[tokio::test]
async fn hosts_that_start_at_once_compile_and_a_later_one_does_not() {
    let caches = tempfile::tempdir().expect("a folder");
    let (first, second) = tokio::join!(start(caches.path()), start(caches.path()));
    first.get("/hello").await.assert_body("hello");
    second.get("/hello").await.assert_body("hello");
    let compiled = files(caches.path());
    // Both components have the same source.
    assert_eq!(compiled.len(), 1, "{:?}", compiled.keys());
    start(caches.path()).await.get("/hello").await.assert_body("hello");
    assert!(files(caches.path()) == compiled);
}

#[tokio::test]
async fn a_damaged_file_is_compiled_again() {
    let caches = tempfile::tempdir().expect("a folder");
    drop(start(caches.path()).await);
    let compiled = files(caches.path());
    for (path, content) in &compiled {
        std::fs::write(path, &content[..content.len() / 2]).expect("written");
    }
    start(caches.path()).await.get("/hello").await.assert_body("hello");
    assert!(files(caches.path()) == compiled);
}

#[tokio::test]
async fn a_host_that_can_keep_no_files_says_so_and_runs() {
    let caches = tempfile::NamedTempFile::new().expect("a file");
    let host = start(caches.path()).await;
    host.wait_for_line("warning: no folder for compiled components").await;
    host.get("/hello").await.assert_body("hello");
}
