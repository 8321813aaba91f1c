//! The user account that PostgreSQL runs as: it refuses to run as root.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Error;

/// A user and its main group.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    uid: u32,
    gid: u32,
}

impl Account {
    /// The account to run PostgreSQL as: the user `postgres` if this process runs as root, else `None` (the current user).
    ///
    /// # Errors
    /// [`Error::NoAccount`] if this process runs as root and there is no user `postgres`.
    pub fn for_postgres() -> Result<Option<Self>, Error> {
        if !rustix::process::geteuid().is_root() {
            return Ok(None);
        }
        match (id("-u", "postgres"), id("-g", "postgres")) {
            (Some(uid), Some(gid)) => Ok(Some(Self { uid, gid })),
            _ => Err(Error::NoAccount),
        }
    }

    /// Makes `command` run as this account.
    pub fn apply(self, command: &mut Command) {
        command.uid(self.uid).gid(self.gid);
    }

    /// Makes this account the owner of `folder`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn take_ownership(self, folder: &Path) -> Result<(), Error> {
        std::os::unix::fs::chown(folder, Some(self.uid), Some(self.gid))
            .map_err(Error::io(format!("make the user postgres the owner of {}", folder.display())))
    }

    /// Whether this account can enter `folder`. Runs a program there, because permission bits do not show all access rules.
    pub fn can_enter(self, folder: &Path) -> bool {
        let mut probe = Command::new("true");
        self.apply(&mut probe);
        probe.current_dir(folder).stdin(Stdio::null()).status().is_ok_and(|status| status.success())
    }
}

/// One number from id(1), which reads all user databases of the system, not only /etc/passwd.
fn id(option: &str, user: &str) -> Option<u32> {
    let output = Command::new("id").args([option, user]).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
