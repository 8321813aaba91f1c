//! How the user can set a variable of spin.toml: in the environment, or in the options of the host.

/// The environment variable that sets a variable.
pub fn environment(variable: &str) -> String {
    format!("SPIN_VARIABLE_{}", variable.to_ascii_uppercase())
}

/// Whether the environment or `host_args` set a variable. An empty environment variable is not set, as for the
/// components.
pub fn is_set(host_args: &[String], variable: &str) -> bool {
    std::env::var_os(environment(variable)).is_some_and(|value| !value.is_empty()) || sets(host_args, variable)
}

/// Whether a `--variable` sets this variable: by name, or in a file that contains the name.
fn sets(host_args: &[String], variable: &str) -> bool {
    let values = host_args.iter().enumerate().filter_map(|(at, arg)| match arg.strip_prefix("--variable") {
        Some("") => host_args.get(at + 1).map(String::as_str),
        Some(joined) => joined.strip_prefix('='),
        None => None,
    });
    values.into_iter().any(|value| match value.strip_prefix('@') {
        Some(path) => std::fs::read_to_string(path).is_ok_and(|text| text.contains(variable)),
        None => value.strip_prefix(variable).is_some_and(|rest| rest.starts_with('=')),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_set_by_its_own_name_only() {
        let args = |args: &[&str]| args.iter().map(|&arg| arg.to_owned()).collect::<Vec<_>>();
        let folder = tempfile::tempdir().unwrap();
        let (with, without) = (folder.path().join("with.toml"), folder.path().join("without.toml"));
        std::fs::write(&with, "admin_token = 'secret'").unwrap();
        std::fs::write(&without, "api_token = 'secret'").unwrap();
        for given in [
            args(&["--quiet", "--variable", "admin_token=secret"]),
            args(&["--variable=admin_token=secret"]),
            args(&["--variable", &format!("@{}", with.display())]),
        ] {
            assert!(sets(&given, "admin_token"), "{given:?}");
        }
        for not_given in [
            args(&["--variable", &format!("@{}", without.display())]),
            args(&["admin_token=secret", "--variable"]),
            args(&["--variable", "admin_tokens=secret"]),
            args(&["--variable", "jwt_secret=secret"]),
        ] {
            assert!(!sets(&not_given, "admin_token"), "{not_given:?}");
        }
    }
}
