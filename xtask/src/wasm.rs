//! The toolchain that compiles to wasm32-wasip2: rustup's target, or Debian's packages if rustup cannot download it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::{command, packages, workspace};

/// The target of all components.
pub const TARGET: &str = "wasm32-wasip2";

/// Debian 12's packages: cargo and rustc, the source of the standard library (there is no compiled one for this
/// target), the linkers for modules and for components, and the C library of WASI.
const DEBIAN: [&str; 6] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-llvm", "lld-22", "wasi-libc"];
/// One file of each package, to check that it is installed.
const DEBIAN_FILES: [&str; 6] = [
    "/usr/bin/rustc",
    "/usr/bin/cargo",
    "/usr/lib/rustlib/src/rust/library/std/Cargo.toml",
    // In rust-web-llvm. Its wasm-component-ld is in a folder that is named after the machine.
    "/usr/bin/rust-lld",
    "/usr/lib/llvm-22/bin/wasm-ld",
    "/usr/lib/wasm32-wasi/libc.a",
];

/// How long rustup may take to download 25 MB.
const RUSTUP_LIMIT: Duration = Duration::from_secs(90);

/// A toolchain for components.
#[derive(Clone, Copy)]
pub enum Toolchain {
    /// The toolchain of rust-toolchain.toml with rustup's target.
    Rustup,
    /// Debian's packages.
    Debian,
}

impl Toolchain {
    /// Finds an installed toolchain, or installs one.
    ///
    /// # Errors
    /// If neither can be installed; the message says what to type.
    pub fn ensure() -> Result<Self> {
        if let Some(toolchain) = Self::find() {
            return Ok(toolchain);
        }
        let refused = workspace::target().join("xtask/rustup-has-no-wasm-target");
        if !refused.exists() {
            match rustup() {
                Ok(()) => return Ok(Self::Rustup),
                Err(error) => {
                    eprintln!(
                        "      {error}: trying Debian's packages. To try rustup again, delete {}",
                        refused.display()
                    );
                    std::fs::create_dir_all(workspace::target().join("xtask"))?;
                    std::fs::write(&refused, format!("{error}\n"))?;
                }
            }
        }
        if let Err(error) = packages::apt_install(&DEBIAN) {
            bail!(
                "no Rust toolchain for {TARGET}. Cannot install one automatically: {error}. Install it with\n  \
                 rustup target add {TARGET}\nor, on Debian 12 without access to rustup's server,\n  \
                 sudo apt-get install {}",
                DEBIAN.join(" ")
            );
        }
        match Self::find() {
            Some(toolchain) => Ok(toolchain),
            None => bail!("{} were installed, but one of {DEBIAN_FILES:?} is missing", DEBIAN.join(", ")),
        }
    }

    fn find() -> Option<Self> {
        let sysroot = command::output(rustc().args(["--print", "sysroot"])).ok()?;
        if Path::new(&sysroot).join("lib/rustlib").join(TARGET).join("lib").is_dir() {
            return Some(Self::Rustup);
        }
        DEBIAN_FILES.iter().all(|file| Path::new(file).exists()).then_some(Self::Debian)
    }

    /// `cargo build --release` for the target. The caller adds the packages or a manifest.
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
    // Allows the unstable option -Zbuild-std on a stable compiler.
    cargo.env("RUSTC", "/usr/bin/rustc").env("RUSTC_BOOTSTRAP", "1");
    cargo.env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", "-L native=/usr/lib/wasm32-wasi");
    for set_by_rustup in ["CARGO", "RUSTUP_TOOLCHAIN", "RUSTDOC"] {
        cargo.env_remove(set_by_rustup);
    }
    cargo
}
