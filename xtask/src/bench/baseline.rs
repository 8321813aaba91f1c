//! An earlier commit of this project: checked out and built, to be measured beside the present state.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::application::Build;
use crate::wasm::{TARGET, Toolchain};
use crate::{command, workspace};

/// The empty component, beside those of the application.
const EMPTY: &str = "empty";

/// Checks `commit` out into target/baseline/ and builds its components and its host. It uses the target folder of this
/// workspace, so that unchanged dependencies are not compiled again. Therefore the present state must be built after it:
/// both have programs of the same names.
///
/// # Errors
/// If there is no such commit, or it cannot be built.
pub fn build(commit: &str, toolchain: Toolchain, profile: &str) -> Result<Build> {
    let commit = format!("{commit}^{{commit}}");
    let id = command::output(git().args(["rev-parse", "--verify", "--short=12", &commit]))?;
    let root = check_out(&id)?;

    let components = components(&root)?;
    let mut cargo = toolchain.cargo_build();
    for name in &components {
        cargo.args(["-p", name]);
    }
    command::run(cargo.current_dir(&root))?;

    // Its own rust-toolchain.toml selects the toolchain of the host.
    let mut cargo = Command::new("cargo");
    command::prepare_cargo(&mut cargo);
    cargo.current_dir(&root).env_remove("RUSTUP_TOOLCHAIN");
    command::run(cargo.args(["build", "--profile", profile, "--bin", "tumbler-host", "-p", "tumbler-host"]))?;

    // Where its manifests expect them.
    for name in &components {
        copy(&root, &Path::new(TARGET).join("release").join(format!("{}.wasm", name.replace('-', "_"))))?;
    }
    let program = copy(&root, &Path::new(profile).join("tumbler-host"))?;
    Ok(Build { name: format!("baseline {id}"), program, root })
}

/// The folder of a worktree with this commit.
fn check_out(id: &str) -> Result<PathBuf> {
    let root = workspace::target().join("baseline").join(id);
    if !root.join("Cargo.toml").is_file() {
        // Forced, because git may remember a worktree whose folder was deleted.
        let mut add = git();
        add.args(["worktree", "add", "--quiet", "--detach", "--force"]).arg(&root).arg(id);
        command::run(&mut add)?;
    }
    let head = command::output(git().arg("-C").arg(&root).args(["rev-parse", "HEAD"]))?;
    let is_unchanged = head.starts_with(id)
        && command::output(git().arg("-C").arg(&root).args(["status", "--porcelain", "--untracked-files=no"]))?
            .is_empty();
    ensure!(is_unchanged, "{} is not the unchanged commit {id}: delete this folder", root.display());
    Ok(root)
}

fn components(root: &Path) -> Result<Vec<String>> {
    let folder = root.join("components");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let names = entries.flatten().filter(|entry| entry.path().join("Cargo.toml").is_file());
    let names = names.filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.chain([EMPTY.to_owned()]).collect())
}

/// Copies a built file from the target folder of this workspace to that of `root`; returns its path there.
fn copy(root: &Path, file: &Path) -> Result<PathBuf> {
    let (from, to) = (workspace::target().join(file), root.join("target").join(file));
    fs::create_dir_all(to.parent().context("the file is in a folder")?)?;
    fs::copy(&from, &to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(to)
}

fn git() -> Command {
    let mut git = Command::new("git");
    git.current_dir(workspace::root());
    git
}
