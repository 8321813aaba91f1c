//! Who a server runs as: PostgreSQL refuses to run as root.

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
    /// The account to run PostgreSQL as: `None` stands for our own, which any user but root can use.
    ///
    /// # Errors
    /// [`Error::NoAccount`] if we are root and there is no user `postgres`.
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

    /// Gives `folder` to this account.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn own(self, folder: &Path) -> Result<(), Error> {
        std::os::unix::fs::chown(folder, Some(self.uid), Some(self.gid))
            .map_err(Error::io(format!("give {} to the user postgres", folder.display())))
    }

    /// Whether this account can enter `folder`; asked by trying, since access rules are more than permission bits.
    pub fn reaches(self, folder: &Path) -> bool {
        let mut probe = Command::new("true");
        self.apply(&mut probe);
        probe.current_dir(folder).stdin(Stdio::null()).status().is_ok_and(|status| status.success())
    }
}

/// One number from id(1), which knows every user database that the system is set up for.
fn id(what: &str, user: &str) -> Option<u32> {
    let output = Command::new("id").args([what, user]).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(output.stdout).ok()?.trim().parse().ok()
}
