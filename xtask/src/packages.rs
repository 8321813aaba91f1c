//! Programs that come from the operating system's packages.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};
use dev_servers::{Error, programs};

use crate::command;

/// Something to install.
#[derive(Clone, Copy)]
pub struct Package {
    name: &'static str,
    apt: &'static [&'static str],
    dnf: &'static str,
    brew: &'static str,
    is_there: fn() -> bool,
}

/// The Redis server. Another one that the environment names is no package's: whether it is there, its start tells.
pub const REDIS: Package = Package {
    name: "Redis",
    apt: &["redis-server"],
    dnf: "valkey",
    brew: "redis",
    is_there: || !matches!(programs::redis_server(), Err(Error::NotInstalled(_))),
};

/// The PostgreSQL server.
pub const POSTGRES: Package = Package {
    name: "PostgreSQL",
    apt: &["postgresql"],
    dnf: "postgresql-server",
    brew: "postgresql@17",
    is_there: || programs::postgres_folders().is_ok(),
};

/// The load generator.
pub const WRK: Package =
    Package { name: "wrk", apt: &["wrk"], dnf: "wrk", brew: "wrk", is_there: || programs::in_path("wrk").is_some() };

/// The benchmark of Redis itself.
pub const REDIS_BENCHMARK: Package = Package {
    name: "redis-benchmark",
    apt: &["redis-tools"],
    dnf: "valkey",
    brew: "redis",
    is_there: || programs::in_path("redis-benchmark").is_some(),
};

/// Installs those of `packages` that are missing.
///
/// # Errors
/// If that takes a privilege that we do not have: the message tells what to type.
pub fn ensure(packages: &[Package]) -> Result<()> {
    let missing: Vec<&Package> = packages.iter().filter(|package| !(package.is_there)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    let apt: Vec<&str> = missing.iter().flat_map(|package| package.apt).copied().collect();
    if let Err(error) = apt_install(&apt) {
        let list = |name: fn(&Package) -> &'static str| missing.iter().map(|p| name(p)).collect::<Vec<_>>().join(" ");
        bail!(
            "{} not installed, and {error}. Install with\n  Debian, Ubuntu:  sudo apt-get install {}\n  \
             Fedora:          sudo dnf install {}\n  macOS:           brew install {}",
            names.join(" and "),
            apt.join(" "),
            list(|package| package.dnf),
            list(|package| package.brew),
        );
    }
    match missing.iter().find(|package| !(package.is_there)()) {
        Some(package) => bail!("{} was installed, but its programs are not found", package.name),
        None => Ok(()),
    }
}

/// Installs Debian packages if we are root on a system that has them.
///
/// # Errors
/// In words that follow "and".
pub fn apt_install(packages: &[&str]) -> Result<()> {
    if !Path::new("/usr/bin/apt-get").exists() {
        bail!("this system has no apt-get");
    }
    if !is_root() {
        bail!("only root can install packages");
    }
    eprintln!("      installing {} with apt-get", packages.join(", "));
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    // A fresh machine has no package lists, an older one may have outdated ones: then the first try fails.
    if command::output(&mut install).is_err() {
        command::output(Command::new("apt-get").args(["update", "--quiet"]))?;
        command::output(&mut install)?;
    }
    Ok(())
}

/// Whether this process may install packages.
pub fn is_root() -> bool {
    command::output(Command::new("id").arg("-u")).is_ok_and(|id| id == "0")
}
