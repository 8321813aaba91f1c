//! The rate limits of a component: which class a request has, whose quota it uses, and what the response says.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;

use crate::counting::{METRICS, Recorder};
use crate::http::Request;
use crate::redis::SpinRedis;
use crate::runtime::SpinRuntime;
use crate::variables::{self, VariableError};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use counters::Counter;
use http_api::rate_limit::{Client, Peer, Quota, TrustedProxies, is_exempt, is_write, quota_exceeded};
use http_api::{Access, JwtVerifier, Problem, Tokens};
use rate_limit::{Class, Classes, Decision, InvalidClasses, RateLimiter};

/// The limiter of a component.
pub type Limiter = RateLimiter<SpinRedis, SpinRuntime>;

/// Returns who has sent a request with these header fields, if it has a valid token. This is a function, so that a
/// component contains only the code of the tokens that it verifies: the code of JSON Web Tokens has 0.7 MB.
type Identify = Box<dyn Fn(&HeaderMap) -> Option<Client>>;

/// The limits of the requests to one component.
pub(crate) struct RateLimits {
    reads: Option<Limited>,
    writes: Option<Limited>,
    trusted: TrustedProxies,
    identify: OnceCell<Identify>,
    limiter: Rc<Limiter>,
    counters: Rc<Recorder>,
    /// Whether Redis has not counted the last request.
    is_bypassed: Cell<bool>,
}

/// A class, and the counter of its refused requests.
struct Limited {
    class: Class,
    refused: Counter,
}

/// What the limits say about a request.
pub(crate) struct Verdict {
    fields: [Option<(HeaderName, HeaderValue)>; 2],
    /// The response, if the request is refused.
    pub(crate) refusal: Option<Problem>,
}

impl RateLimits {
    /// The limits from the variables `rate_limit`, `rate_limit_overrides` and `trusted_proxies`; `None`: this component
    /// has none.
    ///
    /// # Errors
    /// The first variable that is missing or not valid.
    pub(crate) async fn from_variables(
        component: &'static str,
        limiter: &Rc<Limiter>,
        counters: &Rc<Recorder>,
    ) -> Result<Option<Self>, VariableError> {
        let [default, overrides, trusted] =
            variables::read(["rate_limit", "rate_limit_overrides", "trusted_proxies"]).await?;
        let trusted = trusted.parsed(
            "empty, or addresses or networks of proxies like 10.0.0.0/8, 2001:db8::1, separated by commas",
            |_| true,
        )?;
        let classes = Classes::parse(default.value(), overrides.value()).map_err(|invalid| match invalid {
            InvalidClasses::Default => default.invalid(
                "empty, or LIMIT/WINDOW like 100/60s, with a limit from 1 to 1000000 and a window from 1s to 24h",
            ),
            InvalidClasses::Overrides => overrides.invalid(
                "empty, or a list of CLASS=LIMIT/WINDOW like users=1000/60s, users.write=50/60s, write=200/60s, where a \
                 class is a component, COMPONENT.write or write, and occurs once",
            ),
        })?;
        let limited = |is_write| classes.select(component, is_write).cloned().map(Limited::new);
        let (reads, writes) = (limited(false), limited(true));
        Ok((reads.is_some() || writes.is_some()).then(|| Self {
            reads,
            writes,
            trusted,
            identify: OnceCell::new(),
            limiter: Rc::clone(limiter),
            counters: Rc::clone(counters),
            is_bypassed: Cell::new(false),
        }))
    }

    /// From now on, all programs with the API token share a quota, and so do those with the admin token, whatever their
    /// addresses.
    pub(crate) fn know_tokens(&self, tokens: &Tokens) {
        let tokens = tokens.clone();
        self.know(move |headers| {
            tokens.holder(headers).map(|access| {
                Client::Token(match access {
                    Access::Api => "api",
                    Access::Admin => "admin",
                })
            })
        });
    }

    /// From now on, each user with a valid JSON Web Token has a quota, whatever the address.
    pub(crate) fn know_users(&self, verifier: &JwtVerifier) {
        let verifier = verifier.clone();
        self.know(move |headers| verifier.verify(headers).ok().map(|caller| Client::User(caller.user_id)));
    }

    fn know(&self, identify: impl Fn(&HeaderMap) -> Option<Client> + 'static) {
        // An instance builds its state once.
        let _ = self.identify.set(Box::new(identify));
    }

    /// Counts a request; `None`: it is not limited.
    pub(crate) async fn check(&self, request: &Request) -> Option<Verdict> {
        let limited = if is_write(request.method()) { &self.writes } else { &self.reads };
        let Limited { class, refused } = limited.as_ref().filter(|_| !is_exempt(request.uri().path()))?;
        let peer = Peer::of(request.headers(), &self.trusted);
        if peer == Peer::Component {
            // The component that the client has called has counted the request.
            return None;
        }
        let known = self.identify.get().and_then(|identify| identify(request.headers()));
        let client = known.unwrap_or(peer.into());
        let decision = self.limiter.check(class, &client.to_string(), 1).await;
        self.note(&decision);
        let policy = class.policy();
        let quota = Quota { policy: class.name(), limit: policy.limit(), window_ms: policy.window_ms() };
        let (left, refusal) = match decision {
            Decision::Allowed(left) => (Some(left), None),
            Decision::Refused(left) => {
                self.counters.count(*refused, 1);
                (Some(left), Some(quota_exceeded(class.name(), left.reset_ms)))
            }
            Decision::Bypassed(_) => (None, None),
        };
        let limit = left.map(|left| quota.limit_field(left.remaining, left.reset_ms));
        Some(Verdict { fields: [Some(quota.policy_field()), limit], refusal })
    }

    /// Counts the requests that Redis could not count. Logs when that begins and when it ends.
    fn note(&self, decision: &Decision) {
        match decision {
            Decision::Bypassed(error) => {
                count_bypassed(&self.counters);
                if !self.is_bypassed.replace(true) {
                    tracing::warn!(%error, "rate limits are not enforced: all requests pass");
                }
            }
            // Refused from memory: nothing is known about Redis.
            Decision::Refused(_) => {}
            Decision::Allowed(_) => {
                if self.is_bypassed.replace(false) {
                    tracing::info!("rate limits are enforced again");
                }
            }
        }
    }
}

/// Counts a request that passed because Redis could not count it.
pub fn count_bypassed(counters: &Rc<Recorder>) {
    counters.count(Counter::new(METRICS, ["rate_limit_bypassed"]), 1);
}

impl Limited {
    fn new(class: Class) -> Self {
        // The names of a counter are static. An instance leaks at most two.
        let name: &'static str = Box::leak(class.name().to_owned().into_boxed_str());
        Self { class, refused: Counter::new(METRICS, ["rate_limited", name]) }
    }
}

impl Verdict {
    /// Adds the fields that tell the client about its quota.
    pub(crate) fn add_to(self, response: &mut Response) {
        response.headers_mut().extend(self.fields.into_iter().flatten());
    }
}
