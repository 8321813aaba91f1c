//! Acquire, release, extend, and a look at one resource.

use std::rc::Rc;

use axum::extract::Request;
use axum::response::Response;
use spin_adapter::http::{Failure, if_undelivered, read_body};
use token_lock::{Acquired, Grant, Resource};

use crate::answers::{self, Acquisition, Lock};
use crate::app::App;
use crate::failures;
use crate::input::{Acquire, Extend, Release};

const MEDIA_TYPE: &str = "application/json";
/// Bytes of a body, at most: sixteen long names and a little more.
const BODY_MAX: usize = 16 * 1024;

/// `POST /api/cache/lock/acquire`. A client that has gone meanwhile does not keep the locks: they are released when the
/// host has nobody to give the answer to.
///
/// # Errors
/// A bad body; no answer from the servers that keep the locks.
pub async fn acquire(app: &App, request: Request) -> Result<Response, Failure> {
    let wanted = Acquire::from_body(&read_body(request, MEDIA_TYPE, BODY_MAX).await?)?;
    let acquired = app.locks.acquire_within(&wanted.resources, wanted.ttl_ms, wanted.wait_ms).await;
    let grants = match acquired.map_err(failures::acquiring)? {
        Acquired::Granted(grants) => grants,
        Acquired::Taken { retry_after_ms: retry_after } => {
            return Ok(answers::ok(&Acquisition::Refused { acquired: false, retry_after }));
        }
    };
    let answer = answers::ok(&granted(&wanted, &grants)?);
    let locks = Rc::clone(&app.locks);
    Ok(if_undelivered(answer, async move {
        for Grant { resource, token, .. } in &grants {
            if let Err(error) = locks.release(resource, token).await {
                eprintln!("a lock whose client had gone stays until its time is up: {error}");
            }
        }
    }))
}

/// The locks in the order in which they were asked for.
fn granted(wanted: &Acquire, grants: &[Grant]) -> Result<Acquisition, Failure> {
    let lock_of = |resource: &Resource| grants.iter().find(|grant| grant.resource == *resource).map(Lock::from);
    let locks: Option<Vec<Lock>> = wanted.resources.iter().map(lock_of).collect();
    let mut locks = locks.ok_or_else(|| Failure::internal("a resource was neither granted nor refused"))?;
    Ok(match locks.pop() {
        Some(lock) if !wanted.several => Acquisition::Lock { acquired: true, lock },
        last => Acquisition::Locks { acquired: true, locks: locks.into_iter().chain(last).collect() },
    })
}

/// `POST /api/cache/lock/release`.
///
/// # Errors
/// A bad body, a key that is not a lock's; no answer from the servers that keep the locks.
pub async fn release(app: &App, request: Request) -> Result<Response, Failure> {
    let Release { resource, token } = Release::from_body(&read_body(request, MEDIA_TYPE, BODY_MAX).await?)?;
    let released = app.locks.release(&resource, &token).await.map_err(failures::changing)?;
    Ok(answers::ok(&answers::Release::from(released)))
}

/// `POST /api/cache/lock/extend`.
///
/// # Errors
/// As for a release.
pub async fn extend(app: &App, request: Request) -> Result<Response, Failure> {
    let Extend { resource, token, ttl_ms } = Extend::from_body(&read_body(request, MEDIA_TYPE, BODY_MAX).await?)?;
    let extended = app.locks.extend(&resource, &token, ttl_ms).await.map_err(failures::changing)?;
    Ok(answers::ok(&answers::Extension::from(extended)))
}

/// `GET /api/cache/lock/:resource`.
///
/// # Errors
/// No answer from the servers that keep the locks.
pub async fn show(app: &App, resource: &Resource) -> Result<Response, Failure> {
    let seen = app.locks.inspect(resource).await.map_err(failures::looking)?;
    Ok(answers::ok(&answers::State::new(resource, &seen)))
}
