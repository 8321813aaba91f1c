//! Where the servers' programs are.

use std::path::{Path, PathBuf};

use crate::Error;

/// Redis, or Valkey where that has taken its place (Fedora).
const REDIS: [&str; 2] = ["redis-server", "valkey-server"];

/// Folders that hold one folder per major version of PostgreSQL, with the programs in `bin`: Debian and Ubuntu, the
/// PostgreSQL project's RPMs, Homebrew on ARM and on Intel.
const POSTGRES: [(&str, &str); 4] = [
    ("/usr/lib/postgresql", ""),
    ("/usr", "pgsql-"),
    ("/opt/homebrew/opt", "postgresql@"),
    ("/usr/local/opt", "postgresql@"),
];

/// The program `name` in the folders of PATH.
pub fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// The Redis server.
///
/// # Errors
/// [`Error::NotInstalled`].
pub fn redis_server() -> Result<PathBuf, Error> {
    REDIS.iter().find_map(|name| in_path(name)).ok_or(Error::NotInstalled("redis-server"))
}

/// The folders that hold both `postgres` and `initdb`, the newest major version first, then those of PATH.
///
/// # Errors
/// [`Error::NotInstalled`] if there is none.
pub fn postgres_folders() -> Result<Vec<PathBuf>, Error> {
    let mut versioned: Vec<(u32, PathBuf)> = Vec::new();
    for (parent, prefix) in POSTGRES {
        for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let version = name.to_str().and_then(|name| name.strip_prefix(prefix)).and_then(|text| text.parse().ok());
            versioned.extend(version.map(|version| (version, entry.path().join("bin"))));
        }
    }
    versioned.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let unversioned = std::env::split_paths(&path);
    let all = versioned.into_iter().rev().map(|(_, folder)| folder).chain(unversioned);
    let complete: Vec<PathBuf> = all.filter(|folder| is_complete(folder)).collect();
    if complete.is_empty() { Err(Error::NotInstalled("PostgreSQL")) } else { Ok(complete) }
}

fn is_complete(folder: &Path) -> bool {
    folder.join("postgres").is_file() && folder.join("initdb").is_file()
}
