//! Running other programs.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::workspace;

/// The cargo that started this program, run in the workspace's folder.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    prepare_cargo(&mut command);
    command
}

/// Makes a cargo run in the workspace's folder and build into its target folder. Removes the variables that `cargo run`
/// set for this program: some build scripts depend on them and would run again.
pub fn prepare_cargo(command: &mut Command) {
    command.current_dir(workspace::root()).env("CARGO_TARGET_DIR", workspace::target());
    for (name, _) in std::env::vars_os() {
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| name.to_string_lossy().starts_with(prefix)) {
            command.env_remove(name);
        }
    }
    command.env_remove("LD_LIBRARY_PATH").env_remove("DYLD_FALLBACK_LIBRARY_PATH");
}

/// Runs a command and waits for it. Its output goes where this program's goes.
pub fn run(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", line(command)))?;
    ensure!(status.success(), "{} failed ({status})", line(command));
    Ok(())
}

/// As [`run`], but ends the command and fails after `limit`.
pub fn run_within(command: &mut Command, limit: Duration) -> Result<()> {
    let mut child = command.spawn().with_context(|| format!("cannot start {}", line(command)))?;
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait()? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => bail!("{} failed ({status})", line(command)),
            None if Instant::now() > deadline => {
                child.kill()?;
                child.wait()?;
                bail!("{} took more than {} s", line(command), limit.as_secs());
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    }
}

/// The standard output of a command; an error if it fails.
pub fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.with_context(|| format!("cannot start {}", line(command)))?;
    ensure!(output.status.success(), "{} failed ({})", line(command), output.status);
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn line(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let words: Vec<_> = words.map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}
