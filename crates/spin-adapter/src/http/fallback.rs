//! What a router answers where none of its routes does.

use axum::http::{Method, Uri};
use problem::{Kind, Problem};

use super::Failure;

/// For `Router::fallback`: 404.
pub async fn no_such_route(uri: Uri) -> Failure {
    Problem::new(Kind::NotFound, format!("There is nothing at {}.", uri.path())).into()
}

/// For `Router::method_not_allowed_fallback`: 405; the router adds `Allow`.
pub async fn no_such_method(method: Method) -> Failure {
    Problem::new(Kind::MethodNotAllowed, format!("This route does not know {method}: see Allow.")).into()
}
