mod claims;
mod guard;
mod signatures;
mod signer;

use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::IntoResponse;
use serde_json::{Value, json};

use self::signer::{SECRET, in_s};
use super::*;

const INVALID: &str = r#"Bearer realm="tumbler", error="invalid_token""#;

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
