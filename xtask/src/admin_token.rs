//! The admin token of a run: the user's own, or one that is made once and kept with the data.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// Where spin.toml's variable `admin_token` can come from besides the command line.
const ENVIRONMENT: &str = "SPIN_VARIABLE_ADMIN_TOKEN";
/// 128 bits, in hexadecimal digits.
const DIGITS: usize = 32;

/// The token that opens `/admin/...`.
pub enum AdminToken {
    /// Given in the environment or among the host's options, and none of our business.
    Given,
    /// Ours.
    Made(String),
}

impl AdminToken {
    /// The token for a host with these options: one of ours, from the file `admin-token` in `folder`, if they name none.
    ///
    /// # Errors
    /// If the file can be neither read nor written.
    pub fn choose(host_args: &[String], folder: &Path) -> Result<Self> {
        let in_environment = std::env::var_os(ENVIRONMENT).is_some();
        if in_environment || is_named(host_args) {
            return Ok(Self::Given);
        }
        let path = folder.join("admin-token");
        let kept = kept(&path).with_context(|| format!("cannot read {}", path.display()))?;
        match kept {
            Some(token) => Ok(Self::Made(token)),
            None => make(&path).map(Self::Made).with_context(|| format!("cannot write {}", path.display())),
        }
    }

    /// Tells the host about it, where other users of this machine cannot read it.
    pub fn add_to(&self, host: &mut Command) {
        if let Self::Made(token) = self {
            host.env(ENVIRONMENT, token);
        }
    }

    /// The header field for an example. One that was given is not shown.
    pub fn header_field(&self) -> String {
        match self {
            Self::Given => r#""authorization: Bearer $YOUR_ADMIN_TOKEN""#.into(),
            Self::Made(token) => format!("'authorization: Bearer {token}'"),
        }
    }
}

/// Whether a `--variable` sets it: by name, or in a file that mentions it.
fn is_named(host_args: &[String]) -> bool {
    let values = host_args.iter().enumerate().filter_map(|(at, arg)| match arg.strip_prefix("--variable") {
        Some("") => host_args.get(at + 1).map(String::as_str),
        Some(joined) => joined.strip_prefix('='),
        None => None,
    });
    values.into_iter().any(|value| match value.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).is_ok_and(|text| text.contains("admin_token")),
        None => value.starts_with("admin_token="),
    })
}

/// The token of an earlier run; none if there is no whole one.
fn kept(path: &Path) -> std::io::Result<Option<String>> {
    let token = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read?.trim_end().to_owned(),
    };
    Ok((token.len() == DIGITS && token.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(token))
}

fn make(path: &Path) -> std::io::Result<String> {
    let mut random = [0; DIGITS / 2];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    // The mode above counts only for a file that was not there yet.
    file.set_permissions(Permissions::from_mode(0o600))?;
    writeln!(file, "{token}")?;
    Ok(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(args: &[&str]) -> Vec<String> {
        args.iter().map(|&arg| arg.to_owned()).collect()
    }

    #[test]
    fn a_token_is_made_once_and_nobody_else_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let made = || match AdminToken::choose(&[], folder.path()).unwrap() {
            AdminToken::Made(token) => token,
            AdminToken::Given => panic!("nobody gave one"),
        };
        let token = made();
        assert_eq!(token.len(), DIGITS);
        assert_eq!(made(), token);
        let path = folder.path().join("admin-token");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        // Broken off half-way, and readable by all.
        std::fs::write(&path, &token[..9]).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert_ne!(made(), token);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn one_that_is_given_is_recognised_and_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let (with, without) = (folder.path().join("with.toml"), folder.path().join("without.toml"));
        std::fs::write(&with, "admin_token = 'secret'").unwrap();
        std::fs::write(&without, "api_token = 'secret'").unwrap();
        let at = |path: &Path| format!("@{}", path.display());
        for given in [
            args(&["--quiet", "--variable", "admin_token=secret"]),
            args(&["--variable=admin_token=secret"]),
            args(&["--variable", "admin_token=@secret.txt"]),
            args(&["--variable", &at(&with)]),
        ] {
            let token = AdminToken::choose(&given, folder.path()).unwrap();
            assert!(matches!(token, AdminToken::Given), "{given:?}");
            assert!(!token.header_field().contains("secret"));
        }
        for not_given in [args(&["--variable", &at(&without)]), args(&["admin_token=secret", "--variable"])] {
            assert!(!is_named(&not_given), "{not_given:?}");
        }
    }
}
