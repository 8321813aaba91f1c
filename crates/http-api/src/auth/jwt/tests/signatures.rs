//! Keys, algorithms and signatures.

use jsonwebtoken::Algorithm;
use serde_json::json;

use super::signer::{ECDSA, SECRET, SHORT_RSA, base64, ed25519_public, rsa_public, signed, with_text};
use super::{claims, refused, verifier, verify, with_public_key, with_secret};
use crate::auth::caller::Caller;
use crate::auth::jwt::{JwtKeyError, JwtSettings, JwtVerifier};

#[test]
fn each_algorithm_is_accepted_with_its_key_and_no_other() {
    let all = [Algorithm::HS256, Algorithm::RS256, Algorithm::EdDSA];
    let one_line = rsa_public().replace('\n', "\\n");
    for (settings, accepted) in [
        (with_secret(), &[Algorithm::HS256][..]),
        (with_public_key(rsa_public()), &[Algorithm::RS256]),
        (with_public_key(one_line), &[Algorithm::RS256]),
        (with_public_key(ed25519_public()), &[Algorithm::EdDSA]),
        (with_public_key(format!("\n{}\r\n", ed25519_public().replace('\n', "\r\n"))), &[Algorithm::EdDSA]),
        (JwtSettings { secret: Some(SECRET.into()), ..with_public_key(rsa_public()) }, &all[..2]),
    ] {
        let verifier = verifier(settings);
        for algorithm in all {
            let expected = match accepted.contains(&algorithm) {
                true => Ok(Caller::new(42, vec!["user".into()])),
                false => refused("The token is not accepted."),
            };
            let token = signed(algorithm, &claims(json!({"roles": ["user"]})));
            assert_eq!(verify(&verifier, &token), expected, "{algorithm:?} {accepted:?}");
        }
    }
}

#[test]
fn other_algorithms_are_refused_with_the_right_key_too() {
    let [secret, rsa] = [with_secret(), with_public_key(rsa_public())].map(verifier);
    for algorithm in [Algorithm::HS384, Algorithm::HS512] {
        let token = signed(algorithm, &claims(json!({})));
        assert_eq!(verify(&secret, &token), refused("The token is not accepted."), "{algorithm:?}");
    }
    for algorithm in [Algorithm::RS384, Algorithm::RS512, Algorithm::PS256] {
        let token = signed(algorithm, &claims(json!({})));
        assert_eq!(verify(&rsa, &token), refused("The token is not accepted."), "{algorithm:?}");
    }
}

#[test]
fn the_header_cannot_weaken_the_check() {
    let claims = claims(json!({"roles": ["admin"]})).to_string();
    let secret = verifier(with_secret());
    assert!(verify(&secret, &with_text(r#"{"alg":"HS256"}"#, &claims, SECRET)).is_ok());
    assert!(verify(&secret, &with_text(r#"{"alg":"HS256","typ":"at+jwt","kid":"1"}"#, &claims, SECRET)).is_ok());
    for header in [
        r#"{"alg":"none"}"#,
        r#"{"alg":"None"}"#,
        r#"{"alg":"NONE"}"#,
        r#"{"alg":"nOnE"}"#,
        r#"{"alg":""}"#,
        r#"{"alg":null}"#,
        r#"{"alg":["HS256"]}"#,
        r#"{"alg":"hs256"}"#,
        r#"{"alg":"HS256 "}"#,
        r#"{"alg":"ES256"}"#,
        r#"{"alg":"none","alg":"HS256"}"#,
        r#"{"typ":"JWT"}"#,
        r#"{"alg":"HS256","crit":["exp"],"exp":"1"}"#,
        r#"{"alg":"HS256","crit":["b64"],"b64":false}"#,
        r#"{"alg":"HS256","crit":[]}"#,
        r#"{"alg":"HS256","crit":"exp"}"#,
        "[]",
        "HS256",
        "",
    ] {
        // A signature that would fit, none, and nothing at all.
        let signed = with_text(header, &claims, SECRET);
        let message = format!("{}.{}", base64(header), base64(&claims));
        for token in [signed, format!("{message}."), message] {
            assert_eq!(verify(&secret, &token), refused("The token is not accepted."), "{header} {token}");
        }
    }
}

#[test]
fn a_public_key_is_no_secret() {
    let claims = claims(json!({"roles": ["admin"]})).to_string();
    for pem in [rsa_public(), ed25519_public()] {
        let one_line = pem.replace('\n', "\\n");
        for settings in [
            with_public_key(pem.clone()),
            with_public_key(one_line.clone()),
            JwtSettings { secret: Some(SECRET.into()), ..with_public_key(pem.clone()) },
        ] {
            let verifier = verifier(settings);
            for secret in [&pem, pem.trim(), &one_line] {
                for header in [r#"{"alg":"HS256"}"#, r#"{"alg":"RS256"}"#, r#"{"alg":"EdDSA"}"#] {
                    let token = with_text(header, &claims, secret);
                    assert_eq!(verify(&verifier, &token), refused("The token is not accepted."), "{header}");
                }
            }
        }
    }
}

#[test]
fn the_signature_must_be_that_of_the_header_and_the_claims() {
    let verifier = verifier(with_secret());
    let token = signed(Algorithm::HS256, &claims(json!({})));
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>().try_into().unwrap();
    let other = base64(&claims(json!({"sub": "1"})).to_string());
    let header_too = base64(r#"{"alg":"HS256"}"#);
    let other_secret = with_text(r#"{"alg":"HS256"}"#, &claims(json!({})).to_string(), &SECRET.replace('3', "4"));
    let mut changed = signature.to_owned();
    changed.replace_range(..1, if signature.starts_with('A') { "B" } else { "A" });
    for bad in [
        other_secret,
        format!("{header}.{other}.{signature}"),
        format!("{header_too}.{payload}.{signature}"),
        format!("{header}.{payload}.{changed}"),
        format!("{header}.{payload}.{}", &signature[..signature.len() - 1]),
        format!("{header}.{payload}.{signature}="),
        format!("{header}.{payload}.{signature}."),
        format!(".{header}.{payload}.{signature}"),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        "...".into(),
        "..".into(),
        ".".into(),
        "garbage".into(),
        SECRET.replace(' ', ""),
    ] {
        assert_eq!(verify(&verifier, &bad), refused("The token is not accepted."), "{bad}");
    }
    assert!(verify(&verifier, &token).is_ok());
}

#[test]
fn unusable_settings_are_rejected() {
    let secret = |secret: &str| JwtSettings { secret: Some(secret.into()), ..JwtSettings::default() };
    let weak = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n-----END PUBLIC KEY-----";
    for (settings, expected) in [
        (JwtSettings::default(), JwtKeyError::Missing),
        (
            JwtSettings { issuer: Some("a".into()), audience: Some("b".into()), ..JwtSettings::default() },
            JwtKeyError::Missing,
        ),
        (secret(""), JwtKeyError::Secret),
        (secret(&SECRET[1..]), JwtKeyError::Secret),
        (JwtSettings { secret: Some("short".into()), ..with_public_key(rsa_public()) }, JwtKeyError::Secret),
        (with_public_key(String::new()), JwtKeyError::PublicKey),
        (with_public_key("garbage".into()), JwtKeyError::PublicKey),
        (with_public_key(SHORT_RSA.into()), JwtKeyError::PublicKey),
        (with_public_key(ECDSA.into()), JwtKeyError::PublicKey),
        (with_public_key(weak.into()), JwtKeyError::PublicKey),
        (with_public_key(rsa_public().replace("PUBLIC", "PRIVATE")), JwtKeyError::PublicKey),
        (JwtSettings { public_key: Some("garbage".into()), ..with_secret() }, JwtKeyError::PublicKey),
    ] {
        assert_eq!(JwtVerifier::new(settings).err(), Some(expected));
    }
}
