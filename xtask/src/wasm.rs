//! A toolchain that compiles to wasm32-wasip2: rustup's target, or Debian's own Rust for the web where rustup cannot
//! download it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::{command, packages, workspace};

/// The target of all components.
pub const TARGET: &str = "wasm32-wasip2";

/// Debian 12's packages: cargo and rustc, the source of the standard library (they bring no compiled one for
/// this target), the linkers for modules and for components, and the C library of WASI.
const DEBIAN: [&str; 6] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22", "wasi-libc"];
/// What tells that they are installed.
const DEBIAN_FILES: [&str; 6] = [
    "/usr/bin/rustc",
    "/usr/bin/cargo",
    "/usr/lib/rustlib/src/rust/library/std/Cargo.toml",
    // Of rust-web-llvm, whose wasm-component-ld lies in a folder named after the machine.
    "/usr/bin/rust-lld",
    "/usr/lib/llvm-22/bin/wasm-ld",
    "/usr/lib/wasm32-wasi/libc.a",
];

/// How long rustup may take to find and fetch 25 MB.
const RUSTUP_LIMIT: Duration = Duration::from_secs(90);

/// What compiles components here.
#[derive(Clone, Copy)]
pub enum Toolchain {
    /// The pinned toolchain with rustup's target.
    Rustup,
    /// Debian's packages.
    Debian,
}

impl Toolchain {
    /// Finds one, or installs one.
    ///
    /// # Errors
    /// If neither can be had; the message tells what to install.
    pub fn ensure() -> Result<Self> {
        if let Some(toolchain) = Self::find() {
            return Ok(toolchain);
        }
        let refused = workspace::target().join("xtask/rustup-has-no-wasm-target");
        if !refused.exists() {
            match rustup() {
                Ok(()) => return Ok(Self::Rustup),
                Err(error) => {
                    eprintln!("      {error}; not tried again while {} exists", refused.display());
                    std::fs::create_dir_all(workspace::target().join("xtask"))?;
                    std::fs::write(&refused, format!("{error}\n"))?;
                }
            }
        }
        if let Err(error) = packages::apt_install(&DEBIAN) {
            bail!(
                "no Rust toolchain for {TARGET}, and {error}. Install with\n  rustup target add {TARGET}\n\
                 or, on Debian 12 without access to rustup's server,\n  sudo apt-get install {}",
                DEBIAN.join(" ")
            );
        }
        match Self::find() {
            Some(toolchain) => Ok(toolchain),
            None => bail!("{} were installed, but not all of {DEBIAN_FILES:?} are there", DEBIAN.join(", ")),
        }
    }

    fn find() -> Option<Self> {
        let sysroot = command::output(rustc().args(["--print", "sysroot"])).ok()?;
        if Path::new(&sysroot).join("lib/rustlib").join(TARGET).join("lib").is_dir() {
            return Some(Self::Rustup);
        }
        DEBIAN_FILES.iter().all(|file| Path::new(file).exists()).then_some(Self::Debian)
    }

    /// `cargo build --release` for the target; packages or a manifest are the caller's to add.
    pub fn cargo_build(self) -> Command {
        let mut cargo = match self {
            Self::Rustup => command::cargo(),
            Self::Debian => debian_cargo(),
        };
        cargo.arg("build").args(["--release", "--target", TARGET]);
        if let Self::Debian = self {
            cargo.arg("-Zbuild-std=std,panic_abort");
        }
        cargo
    }
}

fn rustc() -> Command {
    let mut rustc = Command::new("rustc");
    rustc.current_dir(workspace::root());
    rustc
}

fn rustup() -> Result<()> {
    eprintln!("      rustup target add {TARGET}");
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).current_dir(workspace::root());
    command::run_within(&mut rustup, RUSTUP_LIMIT)
}

fn debian_cargo() -> Command {
    let mut cargo = Command::new("/usr/bin/cargo");
    command::prepare_cargo(&mut cargo);
    let path = std::env::var("PATH").unwrap_or_default();
    cargo.env("PATH", format!("/usr/lib/llvm-22/bin:{path}"));
    // Building the standard library is an unstable option of a stable compiler.
    cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
    cargo.env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", "-L native=/usr/lib/wasm32-wasi");
    for rustups in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTDOC"] {
        cargo.env_remove(rustups);
    }
    cargo
}
