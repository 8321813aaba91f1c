//! The folder that `up` keeps its data in, for one `up` at a time.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// The folder, while this process holds it.
pub struct Data {
    folder: PathBuf,
    /// Given back by the operating system when we end, however that happens.
    _lock: File,
}

impl Data {
    /// Takes .tumbler in the workspace; `holder` is what another process is told meanwhile.
    ///
    /// # Errors
    /// If another process has it.
    pub fn take(holder: &str) -> Result<Self> {
        Self::take_folder(&workspace::root().join(".tumbler"), holder)
    }

    fn take_folder(folder: &Path, holder: &str) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let path = folder.join("lock");
        let mut lock = File::options().create(true).truncate(false).read(true).write(true).open(&path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut other = String::new();
                lock.read_to_string(&mut other)?;
                bail!("{} is in use by {}", folder.display(), other.trim());
            }
            Err(TryLockError::Error(error)) => return Err(error).context(format!("cannot lock {}", path.display())),
        }
        lock.set_len(0)?;
        writeln!(lock, "{holder} (process {})", std::process::id())?;
        Ok(Self { folder: folder.into(), _lock: lock })
    }

    /// The folder's path.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where PostgreSQL's data is: in the folder, or where [`Data::move_postgres`] put it.
    pub fn postgres(&self) -> PathBuf {
        let inside = self.folder.join("postgres");
        std::fs::read_link(&inside).unwrap_or(inside)
    }

    /// Moves PostgreSQL's data out of a home folder that its user cannot enter (root's, usually), to /var/lib/tumbler,
    /// and leaves a link. Only for data that no server has started with yet.
    pub fn move_postgres(&self) -> Result<()> {
        let name = self.folder.to_string_lossy().trim_matches('/').replace('/', "-");
        let outside = Path::new("/var/lib/tumbler").join(name).join("postgres");
        std::fs::create_dir_all(&outside).with_context(|| format!("cannot create {}", outside.display()))?;
        let inside = self.folder.join("postgres");
        remove(&inside)?;
        std::os::unix::fs::symlink(&outside, &inside).with_context(|| format!("cannot link {}", inside.display()))
    }

    fn wipe(&self) -> Result<()> {
        remove(&self.postgres())?;
        for entry in std::fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.file_name().is_some_and(|name| name != "lock") {
                remove(&path)?;
            }
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<()> {
    let kind = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).with_context(|| format!("cannot delete {}", path.display())),
    };
    let removed = if kind.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    removed.with_context(|| format!("cannot delete {}", path.display()))
}

/// Deletes everything that `up` keeps.
///
/// # Errors
/// If an `up` is running.
pub fn reset() -> Result<()> {
    let data = Data::take("`cargo xtask reset`")?;
    data.wipe()?;
    println!("{} is empty", data.folder().display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_the_other_is_told_who() {
        let folder = tempfile::tempdir().unwrap();
        let first = Data::take_folder(folder.path(), "up").unwrap();
        let refused = Data::take_folder(folder.path(), "reset").err().unwrap().to_string();
        assert!(refused.contains(&format!("is in use by up (process {})", std::process::id())), "{refused}");
        drop(first);
        Data::take_folder(folder.path(), "reset").unwrap();
    }

    #[test]
    fn a_wipe_also_empties_what_was_moved_out() {
        let outside = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let data = Data::take_folder(folder.path(), "reset").unwrap();
        let moved = outside.path().join("postgres");
        std::fs::create_dir_all(moved.join("data")).unwrap();
        std::fs::create_dir_all(folder.path().join("redis")).unwrap();
        std::os::unix::fs::symlink(&moved, folder.path().join("postgres")).unwrap();
        assert_eq!(data.postgres(), moved);
        data.wipe().unwrap();
        assert!(!moved.exists());
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["lock"]);
    }
}
