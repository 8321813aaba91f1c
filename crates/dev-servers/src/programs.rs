//! Finding the servers' programs on this machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::Error;

/// The environment variable that names the program of the Redis or Valkey server to use instead of one in PATH.
pub const REDIS_SERVER: &str = "REDIS_SERVER";

/// Redis, or Valkey on systems that replaced it (Fedora).
const REDIS: [&str; 2] = ["redis-server", "valkey-server"];

/// Folders with one subfolder for each major version of PostgreSQL, and the subfolder's prefix; its programs are in
/// `bin`. Debian and Ubuntu, the PostgreSQL project's RPMs, Homebrew on ARM and on Intel.
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

/// The Redis server: the one that [`REDIS_SERVER`] names, else the first in PATH.
///
/// # Errors
/// [`Error::NoProgram`] if the variable does not name a file, [`Error::NotInstalled`].
pub fn redis_server() -> Result<PathBuf, Error> {
    redis_servers()?.into_iter().next().ok_or(Error::NotInstalled("redis-server"))
}

/// All Redis and Valkey servers found: the one that [`REDIS_SERVER`] names first, then those in PATH.
///
/// # Errors
/// [`Error::NoProgram`].
pub fn redis_servers() -> Result<Vec<PathBuf>, Error> {
    let named = named(std::env::var_os(REDIS_SERVER))?;
    Ok(named.into_iter().chain(REDIS.iter().filter_map(|name| in_path(name))).collect())
}

/// The program that the value of [`REDIS_SERVER`] names; `None` if it is unset or empty.
fn named(value: Option<OsString>) -> Result<Option<PathBuf>, Error> {
    match value.filter(|value| !value.is_empty()).map(PathBuf::from) {
        Some(program) if !program.is_file() => Err(Error::NoProgram { variable: REDIS_SERVER, program }),
        program => Ok(program),
    }
}

/// The folders that contain both `postgres` and `initdb`: the newest major version first, the folders of PATH last.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redis_server_is_unset_or_names_an_existing_program() {
        assert!(matches!(named(None), Ok(None)));
        assert!(matches!(named(Some("".into())), Ok(None)));
        let program = std::env::current_exe().unwrap();
        assert_eq!(named(Some(program.clone().into())).unwrap(), Some(program));
        for missing in ["/no/such/redis-server", "/"] {
            let error = named(Some(missing.into())).unwrap_err();
            assert_eq!(error.to_string(), format!("REDIS_SERVER is set to {missing}, which is not a program"));
        }
    }
}
