//! Secrets of `up`: the user's own, or ones that are generated once and kept with the data.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use dev_servers::secret;

use crate::variables;

/// The token that opens `/admin/...`: 128 bits.
pub const ADMIN_TOKEN: SecretSpec = SecretSpec { variables: &["admin_token"], file: "admin-token", digits: 32 };
/// The token that opens `/api/...`, and `/users` if `users_access` is `token`: 128 bits.
pub const API_TOKEN: SecretSpec = SecretSpec { variables: &["api_token"], file: "api-token", digits: 32 };
/// The secret of JSON Web Tokens: 256 bits, as HS256 needs. With a public key of the user, none is needed.
pub const JWT_SECRET: SecretSpec =
    SecretSpec { variables: &["jwt_secret", "jwt_public_key"], file: "jwt-secret", digits: 64 };

/// Where a secret comes from, and its length.
#[derive(Debug)]
pub struct SecretSpec {
    /// The variables of spin.toml: the one that holds the secret, then those that the user may set instead.
    variables: &'static [&'static str],
    /// The file's name.
    file: &'static str,
    /// The length of a generated secret in hexadecimal digits.
    digits: usize,
}

/// A secret for the host.
pub enum Secret {
    /// The user set it, in the environment or in the host's options.
    Given,
    /// Generated, now or in an earlier run.
    Kept {
        /// The environment variable that sets it.
        environment: String,
        /// The secret.
        value: String,
    },
}

impl SecretSpec {
    /// The user's secret if the environment or `host_args` set one; else the one that is kept in `folder`, which is
    /// generated if it does not exist.
    ///
    /// # Errors
    /// If the file cannot be read or written.
    pub fn choose(&self, host_args: &[String], folder: &Path) -> Result<Secret> {
        if self.variables.iter().any(|variable| variables::is_set(host_args, variable)) {
            return Ok(Secret::Given);
        }
        let value = match self.kept(folder)? {
            Some(value) => value,
            None => self.generate(&folder.join(self.file))?,
        };
        Ok(Secret::Kept { environment: self.environment(), value })
    }

    /// The environment variable that sets the secret.
    pub fn environment(&self) -> String {
        variables::environment(self.variables[0])
    }

    /// The secret of an earlier run; `None` if there is none or it is incomplete.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn kept(&self, folder: &Path) -> Result<Option<String>> {
        let path = folder.join(self.file);
        secret::kept(&path, self.digits).with_context(|| format!("cannot read {}", path.display()))
    }

    fn generate(&self, path: &Path) -> Result<String> {
        let secret = secret::generate(self.digits)?;
        secret::write(path, &secret).with_context(|| format!("cannot write {}", path.display()))?;
        Ok(secret)
    }
}

impl Secret {
    /// Passes a secret that is kept to the host: in the environment, where other users of this machine cannot read it.
    pub fn add_to(&self, host: &mut Command) {
        if let Self::Kept { environment, value } = self {
            host.env(environment, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;

    fn args(args: &[&str]) -> Vec<String> {
        args.iter().map(|&arg| arg.to_owned()).collect()
    }

    #[test]
    fn a_secret_is_generated_once_and_nobody_else_can_read_it() {
        for kind in [ADMIN_TOKEN, API_TOKEN, JWT_SECRET] {
            let folder = tempfile::tempdir().unwrap();
            assert_eq!(kind.kept(folder.path()).unwrap(), None);
            let generated = || match kind.choose(&[], folder.path()).unwrap() {
                Secret::Kept { value, .. } => value,
                Secret::Given => panic!("no secret was given"),
            };
            let secret = generated();
            assert_eq!(secret.len(), kind.digits);
            assert_eq!(generated(), secret);
            assert_eq!(kind.kept(folder.path()).unwrap(), Some(secret.clone()));
            let path = folder.path().join(kind.file);
            let mode = || path.metadata().unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(), 0o600);
            std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
            assert_eq!((generated(), mode()), (secret.clone(), 0o600), "a complete one that everybody could read");
            // Incomplete, and readable by everybody.
            std::fs::write(&path, &secret[..9]).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
            assert_ne!(generated(), secret);
            assert_eq!(mode(), 0o600);
        }
    }

    #[test]
    fn the_host_reads_a_kept_secret_from_its_environment() {
        let folder = tempfile::tempdir().unwrap();
        let mut host = Command::new("host");
        JWT_SECRET.choose(&[], folder.path()).unwrap().add_to(&mut host);
        Secret::Given.add_to(&mut host);
        let secret = JWT_SECRET.kept(folder.path()).unwrap().unwrap();
        let set: Vec<_> = host.get_envs().collect();
        assert_eq!(set, [("SPIN_VARIABLE_JWT_SECRET".as_ref(), Some(secret.as_ref()))]);
    }

    #[test]
    fn the_users_secret_is_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let with = folder.path().join("with.toml");
        std::fs::write(&with, "admin_token = 'secret'\njwt_public_key = 'PEM'").unwrap();
        let at = |path: &Path| format!("@{}", path.display());
        for (kind, given) in [
            (ADMIN_TOKEN, args(&["--quiet", "--variable", "admin_token=secret"])),
            (ADMIN_TOKEN, args(&["--variable=admin_token=secret"])),
            (ADMIN_TOKEN, args(&["--variable", "admin_token=@secret.txt"])),
            (ADMIN_TOKEN, args(&["--variable", &at(&with)])),
            (API_TOKEN, args(&["--variable", "api_token="])),
            (JWT_SECRET, args(&["--variable", "jwt_secret=secret"])),
            (JWT_SECRET, args(&["--variable=jwt_public_key=@key.pem"])),
            (JWT_SECRET, args(&["--variable", &at(&with)])),
        ] {
            let secret = kind.choose(&given, folder.path()).unwrap();
            assert!(matches!(secret, Secret::Given), "{given:?}");
            assert_eq!(kind.kept(folder.path()).unwrap(), None);
        }
    }
}
