//! What a token says, and how long it may be.

use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::signer::{SECRET, in_s, signed, with_text};
use super::{claims, refused, verifier, verify, with_secret};
use crate::auth::caller::Caller;
use crate::auth::jwt::{JwtSettings, MAX_BYTES};

#[test]
fn times_have_a_leeway_of_5_s() {
    let verifier = verifier(with_secret());
    let (expired, early, other) =
        ("The token has expired.", "The token is not yet valid.", "The token is not accepted.");
    for (changes, expected) in [
        (json!({"exp": in_s(-1)}), None),
        (json!({"exp": in_s(-8)}), Some(expired)),
        (json!({"exp": in_s(-1_000_000)}), Some(expired)),
        (json!({"exp": 0}), Some(expired)),
        (json!({"exp": in_s(60) as f64 + 0.5}), None),
        (json!({"exp": u64::MAX}), None),
        (json!({"exp": -1}), Some(other)),
        (json!({"exp": 1e300}), Some(other)),
        (json!({"exp": null}), Some(other)),
        (json!({"exp": in_s(60).to_string()}), Some(other)),
        (json!({"exp": [in_s(60)]}), Some(other)),
        (json!({"nbf": in_s(-60)}), None),
        (json!({"nbf": in_s(3)}), None),
        (json!({"nbf": in_s(600)}), Some(early)),
        (json!({"nbf": u64::MAX}), Some(early)),
        (json!({"nbf": in_s(-60).to_string()}), Some(other)),
        (json!({"nbf": -1}), Some(other)),
    ] {
        let caller = verify(&verifier, &signed(Algorithm::HS256, &claims(changes.clone())));
        assert_eq!(caller.err().as_deref(), expected, "{changes}");
    }
    // Whoever cannot sign learns nothing about the times.
    let unsigned = with_text(r#"{"alg":"HS256"}"#, r#"{"sub":"1","exp":1}"#, "another secret of at least 32 bytes");
    assert_eq!(verify(&verifier, &unsigned), refused(other));
}

#[test]
fn issuer_and_audience_are_compared_if_they_are_set() {
    let issuer = JwtSettings { issuer: Some("https://id.example".into()), ..with_secret() };
    let audience = JwtSettings { audience: Some("tumbler".into()), ..with_secret() };
    for (settings, changes, accepted) in [
        (with_secret(), json!({"iss": "anybody", "aud": "anything"}), true),
        (with_secret(), json!({"aud": ["a", "b"]}), true),
        (issuer.clone(), json!({"iss": "https://id.example"}), true),
        (issuer.clone(), json!({"iss": "https://id.example/"}), false),
        (issuer.clone(), json!({"iss": ""}), false),
        (issuer.clone(), json!({"iss": ["https://id.example"]}), false),
        (issuer.clone(), json!({}), false),
        (audience.clone(), json!({"aud": "tumbler"}), true),
        (audience.clone(), json!({"aud": ["other", "tumbler"]}), true),
        (audience.clone(), json!({"aud": "Tumbler"}), false),
        (audience.clone(), json!({"aud": ["other"]}), false),
        (audience.clone(), json!({"aud": []}), false),
        (audience.clone(), json!({"aud": ["tumbler", 1]}), false),
        (audience.clone(), json!({"aud": {"tumbler": true}}), false),
        (audience.clone(), json!({}), false),
    ] {
        let caller = verify(&verifier(settings), &signed(Algorithm::HS256, &claims(changes.clone())));
        assert_eq!(caller.is_ok(), accepted, "{changes}");
    }
}

#[test]
fn the_subject_is_an_id_and_roles_are_texts() {
    let verifier = verifier(with_secret());
    let id = |changes: &Value| verify(&verifier, &signed(Algorithm::HS256, &claims(changes.clone())));
    for (sub, user_id) in [("1", 1), ("9223372036854775807", i64::MAX)] {
        assert_eq!(id(&json!({"sub": sub})), Ok(Caller::new(user_id, Vec::new())));
    }
    for bad in [
        json!({"sub": null}),
        json!({"sub": 42}),
        json!({"sub": ["42"]}),
        json!({"sub": ""}),
        json!({"sub": "0"}),
        json!({"sub": "01"}),
        json!({"sub": "+1"}),
        json!({"sub": "-1"}),
        json!({"sub": " 1"}),
        json!({"sub": "1.0"}),
        json!({"sub": "abc"}),
        json!({"sub": "9223372036854775808"}),
        json!({"roles": "admin"}),
        json!({"roles": ["admin", 1]}),
        json!({"roles": {"admin": true}}),
        json!({"roles": true}),
    ] {
        assert_eq!(id(&bad), refused("The token is not accepted."), "{bad}");
    }
    let exp = in_s(60);
    for bad in [
        format!(r#"{{"sub":"1","sub":"2","exp":{exp}}}"#),
        format!(r#"{{"sub":"1","roles":null,"exp":{exp}}}"#),
        format!(r#"{{"sub":"1","exp":{exp}}} {{}}"#),
        format!(r#"["1",{exp}]"#),
        "null".into(),
        String::new(),
    ] {
        let token = with_text(r#"{"alg":"HS256"}"#, &bad, SECRET);
        assert_eq!(verify(&verifier, &token), refused("The token is not accepted."), "{bad}");
    }
}

#[test]
fn long_tokens_are_refused() {
    let verifier = verifier(with_secret());
    let token = |padding| signed(Algorithm::HS256, &claims(json!({"padding": "x".repeat(padding)})));
    // Not every length is that of a token: base64 turns 3 bytes into 4.
    let longest = (0..).map(|less| token(6_200 - less)).find(|token| token.len() <= MAX_BYTES).unwrap();
    let too_long = (0..).map(|more| token(5_900 + more)).find(|token| token.len() > MAX_BYTES).unwrap();
    assert!(MAX_BYTES - longest.len() < 4 && too_long.len() - MAX_BYTES < 4);
    assert!(verify(&verifier, &longest).is_ok());
    assert_eq!(verify(&verifier, &too_long), refused("The token is not accepted."));
    assert_eq!(verify(&verifier, &"x".repeat(1_000_000)), refused("The token is not accepted."));
}
