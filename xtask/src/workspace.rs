//! Where things are in the workspace.

use std::path::{Path, PathBuf};

/// The workspace's folder, known when this program was built: cargo builds it anew when the folder has moved.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the workspace")
}

/// The target folder. Always this one, whatever CARGO_TARGET_DIR says: spin.toml names files in it.
pub fn target() -> PathBuf {
    root().join("target")
}

/// The components: one folder below components/ is one package of the same name.
pub fn components() -> Vec<String> {
    packages_in("components")
}

fn packages_in(folder: &str) -> Vec<String> {
    let entries = std::fs::read_dir(root().join(folder)).into_iter().flatten().flatten();
    let packages = entries.filter(|entry| entry.path().join("Cargo.toml").is_file());
    let mut names: Vec<String> = packages.filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    names
}
