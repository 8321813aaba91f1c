//! The admin token of `up`: the user's own, or one that is generated once and kept with the data.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

/// The environment variable that sets spin.toml's variable `admin_token`.
const ENVIRONMENT: &str = "SPIN_VARIABLE_ADMIN_TOKEN";
/// The length of a generated token: 128 bits in hexadecimal digits.
const DIGITS: usize = 32;

/// The token that opens `/admin/...`.
pub enum AdminToken {
    /// The user set it, in the environment or in the host's options.
    Given,
    /// Generated.
    Generated(String),
}

impl AdminToken {
    /// The user's token if the environment or `host_args` set one; else the one in the file `admin-token` in `folder`, which
    /// is generated if it does not exist.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn choose(host_args: &[String], folder: &Path) -> Result<Self> {
        if std::env::var_os(ENVIRONMENT).is_some() || sets_token(host_args) {
            return Ok(Self::Given);
        }
        let path = folder.join("admin-token");
        match read(&path).with_context(|| format!("cannot read {}", path.display()))? {
            Some(token) => Ok(Self::Generated(token)),
            None => generate(&path).map(Self::Generated).with_context(|| format!("cannot write {}", path.display())),
        }
    }

    /// Passes a generated token to the host: in the environment, where other users of this machine cannot read it.
    pub fn add_to(&self, host: &mut Command) {
        if let Self::Generated(token) = self {
            host.env(ENVIRONMENT, token);
        }
    }

    /// The header field for an example; does not show the user's own token.
    pub fn header_field(&self) -> String {
        match self {
            Self::Given => r#""authorization: Bearer $YOUR_ADMIN_TOKEN""#.into(),
            Self::Generated(token) => format!("'authorization: Bearer {token}'"),
        }
    }
}

/// Whether a `--variable` sets the token: by name, or in a file that contains the name.
fn sets_token(host_args: &[String]) -> bool {
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

/// The token of an earlier run; `None` if there is none or it is incomplete.
fn read(path: &Path) -> std::io::Result<Option<String>> {
    let token = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read?.trim_end().to_owned(),
    };
    Ok((token.len() == DIGITS && token.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(token))
}

fn generate(path: &Path) -> std::io::Result<String> {
    let mut random = [0; DIGITS / 2];
    File::open("/dev/urandom")?.read_exact(&mut random)?;
    let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(path)?;
    // The mode above applies to new files only.
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
    fn a_token_is_generated_once_and_nobody_else_can_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let generated = || match AdminToken::choose(&[], folder.path()).unwrap() {
            AdminToken::Generated(token) => token,
            AdminToken::Given => panic!("no token was given"),
        };
        let token = generated();
        assert_eq!(token.len(), DIGITS);
        assert_eq!(generated(), token);
        let path = folder.path().join("admin-token");
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        // Incomplete, and readable by everybody.
        std::fs::write(&path, &token[..9]).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
        assert_ne!(generated(), token);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn the_users_token_is_recognised_and_not_shown() {
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
            assert!(!sets_token(&not_given), "{not_given:?}");
        }
    }
}
