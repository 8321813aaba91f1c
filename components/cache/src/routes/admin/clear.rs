//! The `DELETE`s below `/admin/cache`.

use axum::http::Uri;
use axum::response::Response;
use http_api::response::json;
use http_api::{Errors, NoQuery, Problem, Shared, path, row_id};
use serde_json::json;

use crate::app::App;
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
    clear(&app, module_in(uri.path())?).await
}

/// `DELETE /admin/cache/operation/:module/:operation`.
///
/// # Errors
/// A bad name, no Redis.
pub async fn clear_operation(app: Shared<App>, uri: Uri, _: NoQuery) -> Result<Response, Problem> {
    clear(&app, operation_in(uri.path())?).await
}

/// `DELETE /admin/cache/user/:id`.
///
/// # Errors
/// A bad id, no Redis.
pub async fn clear_user(app: Shared<App>, uri: Uri, _: NoQuery) -> Result<Response, Problem> {
    clear(&app, user_in(uri.path())?).await
}

async fn clear(app: &App, target: Target) -> Result<Response, Problem> {
    let invalidated = app.invalidate(&target).await?;
    eprintln!("cleared {}: {invalidated} entries", target.to_json());
    Ok(json(&json!({ "cleared": target.to_json(), "invalidated": invalidated })))
}

fn module_in(path: &str) -> Result<Target, Problem> {
    let mut errors = Errors::in_parameters();
    let [module] = path::last_segments(path);
    let module = errors.check("module", module.and_then(name));
    errors.finish(module.map(Target::Module))
}

fn operation_in(path: &str) -> Result<Target, Problem> {
    let mut errors = Errors::in_parameters();
    let [module, operation] = path::last_segments(path);
    let module = errors.check("module", module.and_then(name));
    let operation = errors.check("operation", operation.and_then(name));
    errors.finish(module.zip(operation).map(|(module, operation)| Target::Operation(module, operation)))
}

fn user_in(path: &str) -> Result<Target, Problem> {
    let mut errors = Errors::in_parameters();
    let [id] = path::last_segments(path);
    let id = errors.check("id", id.and_then(|id| row_id(&id)));
    errors.finish(id.map(Target::User))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_name_modules_operations_and_users() {
        assert_eq!(module_in("/module/%75sers"), Ok(Target::Module("users".into())));
        let operation = operation_in("/operation/users/getById");
        assert_eq!(operation, Ok(Target::Operation("users".into(), "getById".into())));
        assert_eq!(user_in("/user/42"), Ok(Target::User(42)));
    }

    #[test]
    fn wrong_segments_are_named() {
        let fields = |target: Result<Target, Problem>| {
            let problem = target.unwrap_err();
            let fields: Vec<_> = problem.errors().iter().map(|error| error.name().unwrap().to_owned()).collect();
            (problem.status().as_u16(), fields)
        };
        for bad in ["a:b", "*", "a%20b", "%FF", "%", ""] {
            assert_eq!(fields(module_in(&format!("/module/{bad}"))), (400, vec!["module".to_owned()]), "{bad}");
            let both = fields(operation_in(&format!("/operation/{bad}/{bad}")));
            assert_eq!(both, (400, vec!["module".to_owned(), "operation".to_owned()]), "{bad}");
            assert_eq!(fields(user_in(&format!("/user/{bad}"))), (400, vec!["id".to_owned()]), "{bad}");
        }
    }
}
