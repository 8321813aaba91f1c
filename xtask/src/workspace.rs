//! The folders of the workspace.

use std::path::{Path, PathBuf};

/// The workspace's folder. Known at compile time: cargo recompiles this program if the folder was moved.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace")
}

/// The target folder. CARGO_TARGET_DIR does not change it, because spin.toml names files in it.
pub fn target() -> PathBuf {
    root().join("target")
}

/// The names of the components: each folder below components/ is a package of the same name.
pub fn components() -> Vec<String> {
    let entries = std::fs::read_dir(root().join("components")).into_iter().flatten().flatten();
    let packages = entries.filter(|entry| entry.path().join("Cargo.toml").is_file());
    let mut names: Vec<String> = packages.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
