//! Passwords and tokens that are generated, and the files that keep them.

use std::fs::{OpenOptions, Permissions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// Only the owner may read and write the file.
const PRIVATE: u32 = 0o600;

/// The digits of a generated password: 128 bits.
pub const PASSWORD_DIGITS: usize = 32;

/// A random secret of `digits` hexadecimal digits (4 bits each), from the operating system.
///
/// # Errors
/// If /dev/urandom cannot be read.
pub fn generate(digits: usize) -> std::io::Result<String> {
    let mut random = vec![0; digits.div_ceil(2)];
    std::fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    let mut secret: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    secret.truncate(digits);
    Ok(secret)
}

/// The secret of `digits` digits that an earlier run kept in the file; `None` if there is none or it is incomplete.
/// If others may read the file, they no longer may.
///
/// # Errors
/// If the file exists and cannot be read.
pub fn kept(path: &Path, digits: usize) -> std::io::Result<Option<String>> {
    let secret = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        read => read?.trim_end().to_owned(),
    };
    let is_complete = secret.len() == digits && secret.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_complete && path.metadata()?.permissions().mode() & 0o777 != PRIVATE {
        std::fs::set_permissions(path, Permissions::from_mode(PRIVATE))?;
    }
    Ok(is_complete.then_some(secret))
}

/// Writes `text` and a line feed to a file that only the owner may read.
///
/// # Errors
/// If the file cannot be written.
pub fn write(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).mode(PRIVATE).open(path)?;
    // The mode above applies to new files only.
    file.set_permissions(Permissions::from_mode(PRIVATE))?;
    writeln!(file, "{text}")
}
