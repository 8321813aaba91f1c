//! The yardstick: a native program that responds as the component `users` does for a cached user (bench/native).

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use dev_servers::Port;

use super::application::{Application, Environment, address};
use super::http::{self, Response};
use crate::{command, workspace};

/// The path of the user that is read.
const USER: &str = "/users/1";

/// Builds it; returns the path of the program.
///
/// # Errors
/// If it cannot be built.
pub fn build() -> Result<PathBuf> {
    let mut cargo = command::cargo();
    cargo
        .args(["build", "--release", "--locked", "--manifest-path"])
        .arg(workspace::root().join("bench/native/Cargo.toml"));
    command::run(&mut cargo)?;
    Ok(workspace::target().join("release/native"))
}

/// Starts it on the Redis of `environment`, where `users`, which runs there, has cached the user 1.
///
/// # Errors
/// If its response is not that of the component.
pub async fn start(program: &Path, environment: &Environment, users: &Application) -> Result<Application> {
    let expected = http::get(&users.address, USER, &[], 200)?;
    let status = expected.header("cache-status").unwrap_or_default();
    let (versions, ttl_s) = versions_and_ttl(status).with_context(|| format!("not a hit of a user: {status}"))?;
    let port = Port::reserve()?;
    let mut command = Command::new(program);
    command.arg(address(&port)).env("REDIS_URL", environment.redis().url());
    command.env("ENTRY_VERSIONS", versions).env("ENTRY_TTL_S", ttl_s);
    let native = environment.spawn("the native program", command, port).await?;
    let response = http::get(&native.address, USER, &[], 200)?;
    let is_same = fields(&response) == fields(&expected) && response.body == expected.body;
    ensure!(is_same, "bench/native does not respond as the component does:\n{response:?}\n{expected:?}");
    Ok(native)
}

/// From `tumbler; hit; ttl=277; key="user:cache:1-v7:abc"`: `7:abc` and `277`.
fn versions_and_ttl(cache_status: &str) -> Option<(&str, &str)> {
    let ttl_s = cache_status.split_once("; ttl=")?.1.split(';').next()?;
    let versions = cache_status.split_once("key=\"user:cache:1-v")?.1.strip_suffix('"')?;
    Some((versions, ttl_s))
}

/// The names of its header fields, sorted.
fn fields(response: &Response) -> Vec<String> {
    let mut names: Vec<_> = response.names().map(str::to_ascii_lowercase).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests {
    use super::versions_and_ttl;

    #[test]
    fn versions_and_ttl_of_a_hit_are_parsed() {
        let status = "tumbler; hit; ttl=277; key=\"user:cache:1-v3764884063524281642:f4d0998f78cf\"";
        assert_eq!(versions_and_ttl(status), Some(("3764884063524281642:f4d0998f78cf", "277")));
        assert_eq!(versions_and_ttl("tumbler; fwd=bypass; detail=disabled"), None);
    }
}
