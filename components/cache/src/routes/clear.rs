//! The `DELETE`s below `/admin/cache`.

use axum::http::Uri;
use axum::response::Response;
use http_api::response::json;
use http_api::{Errors, NoQuery, Problem, Shared, path};
use serde_json::json;

use crate::app::App;
use crate::described::user_name;
use crate::target::{Target, name};

/// `DELETE /admin/cache`.
///
/// # Errors
/// No Redis.
pub async fn clear_all(app: Shared<App>, _: NoQuery) -> Result<Response, Problem> {
    clear(&app, Target::All).await
}

/// `DELETE /admin/cache/module/:module`.
///
/// # Errors
/// A bad name, no Redis.
pub async fn clear_module(app: Shared<App>, uri: Uri, _: NoQuery) -> Result<Response, Problem> {
    clear(&app, path::last_segment(uri.path(), "module", name).map(Target::Module)?).await
}

/// `DELETE /admin/cache/operation/:module/:operation`.
///
/// # Errors
/// A bad name, no Redis.
pub async fn clear_operation(app: Shared<App>, uri: Uri, _: NoQuery) -> Result<Response, Problem> {
    clear(&app, operation_in(uri.path())?).await
}

/// `DELETE /admin/cache/user/:id`: the id of a row, or any other name of a user.
///
/// # Errors
/// A bad id, no Redis.
pub async fn clear_user(app: Shared<App>, uri: Uri, _: NoQuery) -> Result<Response, Problem> {
    clear(&app, path::last_segment(uri.path(), "id", user_name).map(Target::User)?).await
}

async fn clear(app: &App, target: Target) -> Result<Response, Problem> {
    let invalidated = app.invalidate(&target).await?;
    tracing::info!(target = %target.to_json(), invalidated, "the cache was cleared");
    Ok(json(&json!({ "cleared": target.to_json(), "invalidated": invalidated })))
}

fn operation_in(path: &str) -> Result<Target, Problem> {
    let mut errors = Errors::in_parameters();
    let [module, operation] = path::last_segments(path);
    let module = errors.check("module", module.and_then(name));
    let operation = errors.check("operation", operation.and_then(name));
    errors.finish(module.zip(operation).map(|(module, operation)| Target::Operation(module, operation)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operation_has_two_names() {
        let operation = operation_in("/operation/%75sers/getById");
        assert_eq!(operation, Ok(Target::Operation("users".into(), "getById".into())));
        for bad in ["a:b", "*", "a%20b", "%FF", "%", ""] {
            let problem = operation_in(&format!("/operation/{bad}/{bad}")).unwrap_err();
            assert_eq!(
                (problem.status().as_u16(), problem.wrong_fields()),
                (400, vec!["module", "operation"]),
                "{bad}"
            );
        }
    }
}
