//! What operators do: see which locks are held, and break one by hand.

use std::collections::BTreeMap;

use axum::http::header::LINK;
use axum::http::{HeaderValue, Uri};
use axum::response::Response;
use spin_adapter::http::Failure;
use token_lock::Resource;

use crate::answers::{self, Broken, HeldLock, Page};
use crate::app::App;
use crate::failures;
use crate::list_query::ListQuery;

/// Steps through the keys of Redis for one page, at most: where there is much else, a page may have few locks or none.
const STEPS_MAX: usize = 200;

/// `GET /admin/locks`.
///
/// # Errors
/// Bad parameters; no answer from the servers that keep the locks.
pub async fn list(app: &App, uri: &Uri) -> Result<Response, Failure> {
    let query = ListQuery::parse(uri.query().unwrap_or_default())?;
    let mut cursor = query.cursor.clone();
    // A step may find a lock that an earlier one has found.
    let mut found = BTreeMap::new();
    for _ in 0..STEPS_MAX {
        let page = app.locks.list(cursor.as_deref()).await.map_err(failures::looking)?;
        found.extend(page.locks);
        cursor = page.next;
        if cursor.is_none() || found.len() >= query.limit {
            break;
        }
    }
    let link = cursor.as_deref().map(|next| query.link(next));
    let locks = found.iter().map(|(resource, seen)| HeldLock::new(resource, seen)).collect();
    let mut response = answers::ok(&Page { locks, next: cursor });
    if let Some(link) = link {
        let link = HeaderValue::try_from(link).expect("form-urlencoded text is a field value");
        response.headers_mut().insert(LINK, link);
    }
    Ok(response)
}

/// `DELETE /admin/locks/:resource`: whoever holds it. The log keeps that it was done.
///
/// # Errors
/// No answer from the servers that keep the locks.
pub async fn break_lock(app: &App, resource: &Resource) -> Result<Response, Failure> {
    let broken = app.locks.break_lock(resource).await.map_err(failures::changing)?;
    eprintln!(
        "the lock on {:?} was broken by hand: {}",
        resource.name(),
        if broken { "it was held" } else { "it was free" }
    );
    Ok(answers::ok(&Broken { broken }))
}
