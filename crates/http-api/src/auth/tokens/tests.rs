use super::*;
use crate::handler::{no_such_method, no_such_route};
use axum::body::Body;
use axum::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Method};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::FutureExt;
use tower_service::Service;

const NONE: &str = r#"Bearer realm="tumbler""#;
const INVALID: &str = r#"Bearer realm="tumbler", error="invalid_token""#;
const INSUFFICIENT: &str = r#"Bearer realm="tumbler", error="insufficient_scope", scope="admin""#;

/// The tokens of an API with this token, if it is not empty.
fn tokens(api: &str) -> Tokens {
    crate::set_product("tumbler");
    Tokens::new(Some(api).filter(|api| !api.is_empty()), "root-1").unwrap()
}

/// The status and the challenge of the refusal, or none.
fn refusal(tokens: &Tokens, access: Access, fields: &[&[u8]]) -> Option<(u16, String)> {
    let mut headers = HeaderMap::new();
    for field in fields {
        headers.append(AUTHORIZATION, HeaderValue::from_bytes(field).unwrap());
    }
    let response = tokens.check(access, &headers).err()?.into_response();
    let challenge = response.headers()[WWW_AUTHENTICATE].to_str().unwrap().to_owned();
    Some((response.status().as_u16(), challenge))
}

fn refused(status: u16, challenge: &str) -> Option<(u16, String)> {
    Some((status, challenge.to_owned()))
}

#[test]
fn an_api_without_token_is_open_and_its_admin_routes_are_not() {
    let open = tokens("");
    let any: [&[&[u8]]; 4] = [&[], &[b"Bearer nonsense"], &[b"Basic Og=="], &[b"Bearer root-1"]];
    for fields in any {
        assert_eq!(refusal(&open, Access::Api, fields), None, "{fields:?}");
    }
    assert_eq!(refusal(&open, Access::Admin, &[]), refused(401, NONE));
    assert_eq!(refusal(&open, Access::Admin, &[b"Bearer root-1"]), None);
    // There is no API token: the empty one is not it.
    assert_eq!(refusal(&open, Access::Admin, &[b"Bearer "]), refused(401, INVALID));
}

#[test]
fn each_token_opens_its_routes() {
    let both = tokens("guest/1+=");
    assert_eq!(refusal(&both, Access::Api, &[b"Bearer guest/1+="]), None);
    assert_eq!(refusal(&both, Access::Api, &[b"Bearer root-1"]), None);
    assert_eq!(refusal(&both, Access::Admin, &[b"Bearer root-1"]), None);
    assert_eq!(refusal(&both, Access::Admin, &[b"Bearer guest/1+="]), refused(403, INSUFFICIENT));
}

#[test]
fn the_scheme_has_no_case_and_the_token_has() {
    for accepted in [&b"bearer root-1"[..], b"BEARER root-1", b"Bearer   root-1", b"Bearer root-1 "] {
        assert_eq!(refusal(&tokens("guest"), Access::Admin, &[accepted]), None, "{accepted:?}");
    }
    assert_eq!(refusal(&tokens("guest"), Access::Admin, &[b"Bearer Root-1"]), refused(401, INVALID));
}

#[test]
fn anything_else_is_missing_or_invalid() {
    for access in [Access::Api, Access::Admin] {
        let missing: [&[&[u8]]; 5] = [&[], &[b""], &[b"Basic cm9vdC0x"], &[b"root-1"], &[b"Bearerroot-1"]];
        for fields in missing {
            assert_eq!(refusal(&tokens("guest"), access, fields), refused(401, NONE), "{fields:?}");
        }
        let invalid: [&[&[u8]]; 9] = [
            &[b"Bearer"],
            &[b"Bearer "],
            &[b"Bearer root"],
            &[b"Bearer root-11"],
            &[b"Bearer root-1 root-1"],
            &[b"Bearer root-1,"],
            &[b"Bearer \xff"],
            &[b"Bearer root\t1"],
            &[b"Bearer root-1", b"Bearer root-1"],
        ];
        for fields in invalid {
            assert_eq!(refusal(&tokens("guest"), access, fields), refused(401, INVALID), "{fields:?}");
        }
    }
}

#[test]
fn unusable_tokens_are_rejected() {
    for (api, admin) in [
        (None, ""),
        (None, "s3cret\n"),
        (None, "gehëim"),
        (Some(" "), "s3cret"),
        (Some(""), "s3cret"),
        (Some("s3cret"), "s3cret"),
    ] {
        assert!(Tokens::new(api, admin).is_none(), "{api:?} {admin:?}");
    }
}

#[test]
fn a_guard_protects_routes_and_not_fallbacks() {
    let tokens = tokens("guest");
    let api = Router::new().route("/api", get(async || "api"));
    let admin = Router::new().route("/admin", get(async || "admin"));
    let router = tokens.guard(Access::Api, api).merge(tokens.guard(Access::Admin, admin));
    let mut router = router.fallback(no_such_route).method_not_allowed_fallback(no_such_method);
    let mut ask = |method: Method, path: &str, token: &str| -> Response {
        let request = Request::builder().method(method).uri(path).header(AUTHORIZATION, format!("Bearer {token}"));
        let response = router.call(request.body(Body::empty()).unwrap());
        response.now_or_never().expect("nothing waits").unwrap()
    };
    assert_eq!(ask(Method::GET, "/api", "guest").status(), 200);
    assert_eq!(ask(Method::GET, "/admin", "root-1").status(), 200);
    assert_eq!(ask(Method::GET, "/api", "wrong").status(), 401);
    assert_eq!(ask(Method::HEAD, "/admin", "guest").status(), 403);
    assert_eq!(ask(Method::GET, "/elsewhere", "wrong").status(), 404);
    let no_method = ask(Method::POST, "/admin", "wrong");
    assert_eq!((no_method.status().as_u16(), &no_method.headers()["allow"]), (405, &"GET,HEAD".parse().unwrap()));
}
