//! The folder .tumbler/ with the data of `up`; one process at a time uses it.

use std::fs::{File, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::workspace;

/// The folder, locked by this process.
pub struct Data {
    folder: PathBuf,
    /// The operating system releases the lock when this process dies.
    _lock: File,
}

impl Data {
    /// Locks .tumbler/ in the workspace. `holder` describes this process in the error message of another one.
    ///
    /// # Errors
    /// If another process has locked it.
    pub fn lock(holder: &str) -> Result<Self> {
        Self::lock_folder(&folder(), holder)
    }

    fn lock_folder(folder: &Path, holder: &str) -> Result<Self> {
        std::fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let path = folder.join("lock");
        let mut lock = File::options().create(true).truncate(false).read(true).write(true).open(&path)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut other = String::new();
                lock.read_to_string(&mut other)?;
                bail!("{} is in use by {}: stop that first", folder.display(), other.trim());
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

    /// The folder of PostgreSQL: below this one, or where [`Data::move_postgres`] put it.
    pub fn postgres(&self) -> PathBuf {
        let inside = self.folder.join("postgres");
        std::fs::read_link(&inside).unwrap_or(inside)
    }

    /// Moves PostgreSQL's folder to /var/lib/tumbler and leaves a link: for a home folder (usually root's) that the
    /// user `postgres` cannot enter. Deletes what is in the folder, so no server may have started with it yet.
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

/// The folder's path, for commands that only read what `up` has written. It may not exist.
pub fn folder() -> PathBuf {
    workspace::root().join(".tumbler")
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

/// `cargo xtask reset`: deletes everything that `up` keeps.
///
/// # Errors
/// If `up` is running.
pub fn reset() -> Result<()> {
    let data = Data::lock("`cargo xtask reset`")?;
    data.wipe()?;
    println!("Deleted the data in {}", data.folder().display());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_process_gets_an_error_that_names_the_first() {
        let folder = tempfile::tempdir().unwrap();
        let first = Data::lock_folder(folder.path(), "up").unwrap();
        let error = Data::lock_folder(folder.path(), "reset").err().unwrap().to_string();
        assert!(error.contains(&format!("is in use by up (process {})", std::process::id())), "{error}");
        drop(first);
        Data::lock_folder(folder.path(), "reset").unwrap();
    }

    #[test]
    fn a_wipe_also_deletes_a_moved_postgres_folder() {
        let outside = tempfile::tempdir().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let data = Data::lock_folder(folder.path(), "reset").unwrap();
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
