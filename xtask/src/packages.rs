//! Programs from the operating system's packages: checks and, where possible, installs them.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail, ensure};
use dev_servers::{Error, programs};

use crate::command;

/// A program and the packages that contain it.
#[derive(Clone, Copy)]
pub struct Package {
    name: &'static str,
    apt: &'static str,
    dnf: &'static str,
    brew: &'static str,
    is_installed: fn() -> bool,
}

/// The Redis server. If the environment names another one, no package is needed; its start fails if it does not exist.
pub const REDIS: Package = Package {
    name: "Redis",
    apt: "redis-server",
    dnf: "valkey",
    brew: "redis",
    is_installed: || !matches!(programs::redis_server(), Err(Error::NotInstalled(_))),
};

/// The PostgreSQL server.
pub const POSTGRES: Package = Package {
    name: "PostgreSQL",
    apt: "postgresql",
    dnf: "postgresql-server",
    brew: "postgresql@17",
    is_installed: || programs::postgres_folders().is_ok(),
};

/// The load generator.
pub const WRK: Package =
    Package { name: "wrk", apt: "wrk", dnf: "wrk", brew: "wrk", is_installed: || programs::in_path("wrk").is_some() };

/// The load generator of Redis.
pub const REDIS_BENCHMARK: Package = Package {
    name: "redis-benchmark",
    apt: "redis-tools",
    dnf: "valkey",
    brew: "redis",
    is_installed: || programs::in_path("redis-benchmark").is_some(),
};

/// The HTTP cache.
pub const VARNISH: Package = Package {
    name: "Varnish",
    apt: "varnish",
    dnf: "varnish",
    brew: "varnish",
    // Debian has it in a folder that is not in everybody's PATH.
    is_installed: || programs::in_path("varnishd").is_some() || Path::new("/usr/sbin/varnishd").exists(),
};

/// Installs the missing ones of `packages`.
///
/// # Errors
/// If they cannot be installed: the message says what to type.
pub fn ensure(packages: &[Package]) -> Result<()> {
    let missing: Vec<&Package> = packages.iter().filter(|package| !(package.is_installed)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let all =
        |name: fn(&Package) -> &'static str| -> Vec<&str> { missing.iter().map(|package| name(package)).collect() };
    let apt = all(|package| package.apt);
    if let Err(error) = apt_install(&apt) {
        bail!(
            "not installed: {}. Cannot install automatically: {error}. Install with\n  \
             Debian, Ubuntu:  sudo apt-get install {}\n  Fedora:          sudo dnf install {}\n  \
             macOS:           brew install {}",
            all(|package| package.name).join(", "),
            apt.join(" "),
            all(|package| package.dnf).join(" "),
            all(|package| package.brew).join(" "),
        );
    }
    match missing.iter().find(|package| !(package.is_installed)()) {
        Some(package) => bail!("{} was installed, but its programs are not found", package.name),
        None => Ok(()),
    }
}

/// Installs Debian packages.
///
/// # Errors
/// If this system has no apt-get, this process does not run as root, or apt-get fails.
pub fn apt_install(packages: &[&str]) -> Result<()> {
    ensure!(Path::new("/usr/bin/apt-get").exists(), "this system has no apt-get");
    let user = command::output(Command::new("id").arg("-u"))?;
    ensure!(user == "0", "only root can install packages");
    eprintln!("      installing {} with apt-get", packages.join(", "));
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages);
    install.env("DEBIAN_FRONTEND", "noninteractive");
    // The first attempt fails if the package lists are missing (a new machine) or outdated.
    if command::output(&mut install).is_err() {
        command::output(Command::new("apt-get").args(["update", "--quiet"]))?;
        command::output(&mut install)?;
    }
    Ok(())
}
