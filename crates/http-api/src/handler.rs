//! Makes axum handlers of ordinary async fns whose futures are not `Send`. Also the handlers for requests that match no
//! route.

use std::convert::Infallible;
use std::ops::Deref;
use std::pin::Pin;
use std::rc::Rc;

use axum::extract::{FromRequest, FromRequestParts, MatchedPath, Request};
use axum::handler::Handler;
use axum::http::request::Parts;
use axum::http::{Method, Uri};
use axum::response::{IntoResponse, Response};
use send_wrapper::SendWrapper;

use crate::problem::{Kind, Problem};

/// A handler whose future need not be `Send`. See [`local`].
#[derive(Clone, Copy, Debug)]
pub struct Local<F>(F);

/// Makes an axum handler of an async fn with one to six extractors: `get(local(show))`. axum requires futures that are
/// `Send`, and futures of the host's calls are not; a component has a single thread.
///
/// On several threads it panics: the future must be polled and dropped on the thread that called the handler.
pub fn local<F>(function: F) -> Local<F> {
    Local(function)
}

/// Names the route of the request for its log line and its counters.
pub(crate) fn note_route(request: &Request) {
    if let Some(route) = request.extensions().get::<MatchedPath>() {
        telemetry::set_route(route.as_str());
    }
}

macro_rules! handler {
    ($($part:ident)*, $last:ident) => {
        #[allow(non_snake_case, reason = "the types' names are those of the variables")]
        impl<F, Fut, Res, S, M, $($part,)* $last> Handler<(M, $($part,)* $last,), S> for Local<F>
        where
            F: FnOnce($($part,)* $last) -> Fut + Clone + Send + Sync + 'static,
            Fut: Future<Output = Res> + 'static,
            Res: IntoResponse,
            S: Send + Sync + 'static,
            $($part: FromRequestParts<S> + 'static,)*
            $last: FromRequest<S, M> + 'static,
        {
            type Future = Pin<Box<dyn Future<Output = Response> + Send>>;

            fn call(self, request: Request, state: S) -> Self::Future {
                note_route(&request);
                Box::pin(SendWrapper::new(async move {
                    #[allow(unused_mut, reason = "without parts nothing changes them")]
                    let (mut parts, body) = request.into_parts();
                    $(let $part = match $part::from_request_parts(&mut parts, &state).await {
                        Ok(part) => part,
                        Err(rejection) => return rejection.into_response(),
                    };)*
                    match $last::from_request(Request::from_parts(parts, body), &state).await {
                        Ok($last) => (self.0)($($part,)* $last).await.into_response(),
                        Err(rejection) => rejection.into_response(),
                    }
                }))
            }
        }
    };
}

handler!(, A);
handler!(A, B);
handler!(A B, C);
handler!(A B C, D);
handler!(A B C D, E);
handler!(A B C D E, G);

/// What the requests of one instance share: the state of the router, and an extractor that gives it to handlers.
#[derive(Debug)]
pub struct Shared<A>(SendWrapper<Rc<A>>);

impl<A> Shared<A> {
    /// Makes `app` the state of a router: `router.with_state(Shared::new(app))`.
    pub fn new(app: A) -> Self {
        Self(SendWrapper::new(Rc::new(app)))
    }
}

impl<A> Clone for Shared<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A> Deref for Shared<A> {
    type Target = A;

    fn deref(&self) -> &A {
        &self.0
    }
}

impl<A: 'static> FromRequestParts<Shared<A>> for Shared<A> {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, state: &Self) -> Result<Self, Infallible> {
        Ok(state.clone())
    }
}

/// The handler for `Router::fallback`: 404.
pub async fn no_such_route(uri: Uri) -> Problem {
    Problem::new(Kind::NotFound, format!("There is nothing at {}.", uri.path()))
}

/// The handler for `Router::method_not_allowed_fallback`: 405. The router adds `Allow`.
pub async fn no_such_method(method: Method) -> Problem {
    Problem::new(Kind::MethodNotAllowed, format!("This route does not support {method}: see Allow."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Router;
    use axum::body::Body;
    use axum::http::StatusCode;
    use axum::routing::get;
    use futures_util::FutureExt;
    use std::cell::Cell;
    use tower_service::Service;

    async fn count(app: Shared<Cell<u32>>, method: Method, _: Request) -> Result<String, Problem> {
        let not_send = Rc::new(1);
        std::future::ready(()).await;
        app.set(app.get() + *not_send);
        Ok(format!("{method} {}", app.get()))
    }

    struct Rejecting;

    impl<S: Sync> FromRequestParts<S> for Rejecting {
        type Rejection = Problem;

        async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Problem> {
            Err(Problem::new(Kind::Conflict, "No."))
        }
    }

    #[test]
    fn handlers_share_the_state_and_rejections_are_responses() {
        let mut router = Router::new()
            .route("/", get(local(count)))
            .route("/rejected", get(local(async |_: Rejecting, _: Method| StatusCode::OK)))
            .fallback(no_such_route)
            .method_not_allowed_fallback(no_such_method)
            .with_state(Shared::new(Cell::new(0)));
        let mut send = |method: Method, path: &str| {
            let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
            let response = router.call(request).now_or_never().expect("nothing waits").unwrap();
            response.status().as_u16()
        };
        assert_eq!(send(Method::GET, "/"), 200);
        assert_eq!(send(Method::HEAD, "/"), 200);
        assert_eq!(send(Method::GET, "/rejected"), 409);
        assert_eq!(send(Method::POST, "/"), 405);
        assert_eq!(send(Method::GET, "/elsewhere"), 404);
    }
}
