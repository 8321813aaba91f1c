//! An earlier commit of this project: checked out and built, to be measured beside the present state.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::application::Build;
use crate::build::QUICK;
use crate::wasm::Toolchain;
use crate::{command, workspace};

/// The empty component, beside those of the application.
const EMPTY: &str = "empty";

/// Checks `commit` out into target/baseline/ and builds its components and its host.
///
/// # Errors
/// If there is no such commit, or it cannot be built.
pub fn build(commit: &str, toolchain: Toolchain, profile: &str) -> Result<Build> {
    let commit = format!("{commit}^{{commit}}");
    let id = command::output(git().args(["rev-parse", "--verify", "--short=12", &commit]))?;
    let root = check_out(&id)?;

    // A target folder of its own: in a shared one, the components of both states would be the same files.
    let mut cargo = toolchain.cargo_build();
    for name in components(&root)? {
        cargo.args(["-p", &name]);
    }
    command::run(cargo.current_dir(&root).env("CARGO_TARGET_DIR", root.join("target")))?;

    // The target folder of this workspace, where most dependencies are compiled already: the file names of programs in
    // it contain a hash of the path of their package, except for the last copy.
    let mut cargo = Command::new("cargo");
    command::prepare_cargo(&mut cargo);
    // Its own rust-toolchain.toml selects the toolchain.
    cargo.current_dir(&root).env_remove("RUSTUP_TOOLCHAIN");
    cargo.args(["build", "--profile", profile, "--bin", "tumbler-host"]);
    // The features of `build::host`.
    cargo.args(if profile == QUICK { &["--workspace"][..] } else { &["-p", "tumbler-host"] });
    command::run(&mut cargo)?;
    let built = workspace::target().join(profile).join("tumbler-host");
    let program = root.join("target").join(format!("tumbler-host-{profile}"));
    fs::copy(&built, &program).with_context(|| format!("cannot copy {}", built.display()))?;
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

fn git() -> Command {
    let mut git = Command::new("git");
    git.current_dir(workspace::root());
    git
}
