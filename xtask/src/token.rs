//! `cargo xtask token`: a JSON Web Token for the application that `up` runs.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use clap::Args;
use jsonwebtoken::{EncodingKey, Header, encode};
use serde_json::{Value, json};

use crate::data;
use crate::kept_secret::JWT_SECRET;

/// The shortest secret of HS256 (RFC 7518, section 3.2), in bytes.
const SECRET_MIN_BYTES: usize = 32;

/// What the token says.
#[derive(Args)]
pub struct Options {
    /// The id of the user
    #[arg(long, value_parser = clap::value_parser!(i64).range(1..))]
    sub: i64,
    /// A role of the user, such as admin; may be repeated
    #[arg(long = "role", value_name = "ROLE")]
    roles: Vec<String>,
    /// The time until the token expires, in seconds
    #[arg(long, default_value_t = 3600)]
    expires_in_s: u32,
}

/// Prints a token that is signed with HS256, and nothing else.
///
/// # Errors
/// If there is no secret.
pub fn run(options: &Options) -> Result<()> {
    // A variable that is empty is not set, for the components too.
    let environment = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let secret = match environment(&JWT_SECRET.environment()) {
        Some(secret) => secret,
        None => JWT_SECRET.kept(&data::folder())?.context(
            "there is no secret to sign with: start `cargo xtask up` first, or set SPIN_VARIABLE_JWT_SECRET as for `up`",
        )?,
    };
    let mut claims = claims(options.sub, &options.roles, options.expires_in_s)?;
    for (claim, name) in [("iss", "SPIN_VARIABLE_JWT_ISSUER"), ("aud", "SPIN_VARIABLE_JWT_AUDIENCE")] {
        if let Some(value) = environment(name) {
            claims[claim] = value.into();
        }
    }
    println!("{}", signed(&claims, &secret)?);
    Ok(())
}

/// The claims of a token for the user `sub`, from now on.
///
/// # Errors
/// If the clock is wrong.
pub fn claims(sub: i64, roles: &[String], expires_in_s: u32) -> Result<Value> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock is before 1970")?.as_secs();
    let expires = now + u64::from(expires_in_s);
    Ok(json!({"sub": sub.to_string(), "roles": roles, "iat": now, "exp": expires}))
}

/// The token with these claims, signed with HS256.
///
/// # Errors
/// If the secret is too short.
pub fn signed(claims: &Value, secret: &str) -> Result<String> {
    ensure!(secret.len() >= SECRET_MIN_BYTES, "the secret of HS256 must have at least {SECRET_MIN_BYTES} bytes");
    encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes())).context("cannot sign the token")
}

#[cfg(test)]
mod tests {
    use jsonwebtoken::{DecodingKey, Validation, decode};

    use super::*;

    #[test]
    fn the_token_says_who_and_until_when_and_is_signed() {
        let claims = claims(42, &["admin".into(), "user".into()], 60).unwrap();
        let secret = "x".repeat(SECRET_MIN_BYTES);
        let token = signed(&claims, &secret).unwrap();
        let key = DecodingKey::from_secret(secret.as_bytes());
        let claims: Value = decode(&token, &key, &Validation::default()).unwrap().claims;
        assert_eq!((&claims["sub"], &claims["roles"]), (&json!("42"), &json!(["admin", "user"])));
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 60);
        let short = signed(&claims, &secret[1..]).unwrap_err();
        assert_eq!(short.to_string(), "the secret of HS256 must have at least 32 bytes");
    }
}
