//! The user account that PostgreSQL runs as: it refuses to run as root.

use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Error;

/// A user and its main group; `None`: the current user.
#[derive(Clone, Copy, Debug)]
pub struct Account(Option<(u32, u32)>);

impl Account {
    /// The account to run PostgreSQL as: the user `postgres` if this process runs as root, else the current user.
    ///
    /// # Errors
    /// [`Error::NoAccount`] if this process runs as root and there is no user `postgres`.
    pub fn for_postgres() -> Result<Self, Error> {
        if !rustix::process::geteuid().is_root() {
            return Ok(Self(None));
        }
        id("-u").zip(id("-g")).map(|ids| Self(Some(ids))).ok_or(Error::NoAccount)
    }

    /// A command that runs `program` as this account.
    pub fn command(self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        if let Some((uid, gid)) = self.0 {
            command.uid(uid).gid(gid);
        }
        command
    }

    /// Makes this account the owner of `folder`.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::OutOfReach`] if the account cannot enter the folder.
    pub fn take_ownership(self, folder: &Path) -> Result<(), Error> {
        self.take_file(folder)?;
        if self.0.is_none() {
            return Ok(());
        }
        // Runs a program there, because permission bits do not show all access rules.
        let entered = self.command("true").current_dir(folder).stdin(Stdio::null()).status();
        if entered.is_ok_and(|status| status.success()) { Ok(()) } else { Err(Error::OutOfReach(folder.to_owned())) }
    }

    /// Makes this account the owner of one file or folder.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn take_file(self, path: &Path) -> Result<(), Error> {
        let Some((uid, gid)) = self.0 else { return Ok(()) };
        std::os::unix::fs::chown(path, Some(uid), Some(gid))
            .map_err(Error::io(format!("make the user postgres the owner of {}", path.display())))
    }
}

/// A number of the user `postgres` from id(1), which reads all user databases of the system, not only /etc/passwd.
fn id(option: &str) -> Option<u32> {
    let output = Command::new("id").args([option, "postgres"]).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
