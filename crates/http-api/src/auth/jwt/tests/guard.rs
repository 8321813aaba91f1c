//! The routes behind a guard, and what their callers may do.

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::Method;
use axum::http::header::WWW_AUTHENTICATE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use futures_util::FutureExt;
use http_body_util::BodyExt;
use jsonwebtoken::Algorithm;
use serde_json::json;
use tower_service::Service;

use super::signer::signed;
use super::{INVALID, claims, headers, verifier, with_secret};
use crate::auth::caller::Caller;
use crate::handler::{no_such_method, no_such_route};

const NONE: &str = r#"Bearer realm="tumbler""#;
const INSUFFICIENT: &str = r#"Bearer realm="tumbler", error="insufficient_scope", scope="admin""#;

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
