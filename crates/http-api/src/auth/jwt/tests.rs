mod signer;

use axum::body::Body;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};
use tower_service::Service;

use self::signer::{ECDSA, SECRET, SHORT_RSA, base64, ed25519_public, in_s, rsa_public, signed, with_text};
use super::*;
use crate::handler::{no_such_method, no_such_route};

const NONE: &str = r#"Bearer realm="tumbler""#;
const INVALID: &str = r#"Bearer realm="tumbler", error="invalid_token""#;
const INSUFFICIENT: &str = r#"Bearer realm="tumbler", error="insufficient_scope", scope="admin""#;

fn verifier(settings: JwtSettings) -> JwtVerifier {
    crate::set_product("tumbler");
    JwtVerifier::new(settings).unwrap()
}

fn with_secret() -> JwtSettings {
    JwtSettings { secret: Some(SECRET.into()), ..JwtSettings::default() }
}

fn with_public_key(pem: String) -> JwtSettings {
    JwtSettings { public_key: Some(pem), ..JwtSettings::default() }
}

fn headers(fields: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for field in fields {
        headers.append(AUTHORIZATION, HeaderValue::from_str(field).unwrap());
    }
    headers
}

/// The caller, or the detail of the refusal, which must have the right challenge.
fn verify(verifier: &JwtVerifier, token: &str) -> Result<Caller, String> {
    verifier.verify(&headers(&[&format!("Bearer {token}")])).map_err(|problem| {
        let detail = serde_json::to_value(&problem).unwrap()["detail"].as_str().unwrap().to_owned();
        let response = problem.into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()[WWW_AUTHENTICATE]),
            (401, &INVALID.parse().unwrap())
        );
        detail
    })
}

fn refused(detail: &str) -> Result<Caller, String> {
    Err(detail.to_owned())
}

/// Claims that are accepted, with `changes`; null removes a claim.
fn claims(changes: Value) -> Value {
    let mut claims = json!({"sub": "42", "exp": in_s(60)});
    for (name, value) in changes.as_object().unwrap() {
        match value {
            Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
            value => claims[name] = value.clone(),
        }
    }
    claims
}

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
fn times_have_a_leeway_of_5_s() {
    let verifier = verifier(with_secret());
    let (expired, early, other) =
        ("The token has expired.", "The token is not yet valid.", "The token is not accepted.");
    for (changes, expected) in [
        (json!({"exp": in_s(-3)}), None),
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
        (json!({"nbf": in_s(30)}), Some(early)),
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

#[test]
fn admins_are_those_with_an_admin_role() {
    crate::set_product("tumbler");
    for (roles, admin) in [
        (&["admin"][..], true),
        (&["user", "super_admin"], true),
        (&[], false),
        (&["user"], false),
        (&["Admin"], false),
        (&["admin "], false),
        (&["superadmin"], false),
        (&["admin,user"], false),
    ] {
        let caller = Caller::new(42, roles.iter().map(|&role| role.into()).collect());
        assert_eq!(caller.is_admin(), admin, "{roles:?}");
        assert_eq!(caller.require_admin().is_ok(), admin, "{roles:?}");
        assert_eq!(caller.require_self_or_admin(42), Ok(()));
        assert_eq!(caller.require_self_or_admin(43).is_ok(), admin, "{roles:?}");
    }
    let caller = Caller::new(42, Vec::new());
    for problem in [caller.require_admin().unwrap_err(), caller.require_self_or_admin(43).unwrap_err()] {
        let response = problem.into_response();
        assert_eq!(response.status(), 403);
        assert_eq!(response.headers()[WWW_AUTHENTICATE], INSUFFICIENT);
    }
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

#[test]
fn a_guard_lets_handlers_know_the_caller() {
    let verifier = verifier(with_secret());
    let own = async |caller: Caller| caller.require_self_or_admin(42).map(|()| caller.user_id.to_string());
    let admin = async |caller: Caller| caller.require_admin().map(|()| "admin");
    let guarded = verifier.guard(Router::new().route("/own", get(own)).route("/admin", post(admin)));
    let router = guarded.route("/unguarded", get(async |_: Caller| "nobody"));
    let mut router = router.fallback(no_such_route).method_not_allowed_fallback(no_such_method);
    let mut ask = |method: Method, path: &str, fields: &[&str]| -> Response {
        let mut request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        *request.headers_mut() = headers(fields);
        router.call(request).now_or_never().expect("nothing waits").unwrap()
    };
    let bearer = |sub: &str, roles: &[&str]| {
        format!("Bearer {}", signed(Algorithm::HS256, &claims(json!({"sub": sub, "roles": roles}))))
    };
    let [owner, other, root] = [bearer("42", &["user"]), bearer("43", &[]), bearer("44", &["super_admin"])];
    let expired = format!("Bearer {}", signed(Algorithm::HS256, &claims(json!({"exp": 1}))));
    for (method, path, fields, status, challenge) in [
        (Method::GET, "/own", &[owner.as_str()][..], 200, None),
        (Method::GET, "/own", &[&root], 200, None),
        (Method::POST, "/admin", &[&root], 200, None),
        (Method::GET, "/own", &[&other], 403, Some(INSUFFICIENT)),
        (Method::POST, "/admin", &[&owner], 403, Some(INSUFFICIENT)),
        (Method::GET, "/own", &[], 401, Some(NONE)),
        (Method::GET, "/own", &["Basic Og=="], 401, Some(NONE)),
        (Method::GET, "/own", &["Bearer"], 401, Some(INVALID)),
        (Method::HEAD, "/own", &["Bearer a.b.c"], 401, Some(INVALID)),
        (Method::GET, "/own", &[&owner, &owner], 401, Some(INVALID)),
        (Method::GET, "/own", &[&expired], 401, Some(INVALID)),
        (Method::GET, "/elsewhere", &[], 404, None),
        (Method::PUT, "/own", &[], 405, None),
        (Method::GET, "/unguarded", &[&owner], 500, None),
    ] {
        let response = ask(method.clone(), path, fields);
        let shown = response.headers().get(WWW_AUTHENTICATE).map(|challenge| challenge.to_str().unwrap());
        assert_eq!((response.status().as_u16(), shown), (status, challenge), "{method} {path} {fields:?}");
        if status >= 400 {
            assert_eq!(response.headers()["content-type"], "application/problem+json");
        }
    }
    let body = ask(Method::GET, "/own", &[&owner]).into_body().collect().now_or_never().unwrap().unwrap();
    assert_eq!(body.to_bytes(), "42");
}
