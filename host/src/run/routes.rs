//! Finds the route of a path: exact routes before wildcards, longer before shorter, as in Spin.

use anyhow::{Result, anyhow};
use http::HeaderValue;

use super::route_pattern::{Found, Pattern};
use crate::manifest::{App, Target};

/// Paths with this prefix belong to the host.
pub const WELL_KNOWN_PREFIX: &str = "/.well-known/spin/";

/// All routes of an application.
#[derive(Debug)]
pub struct Router {
    /// In the order in which they are tried.
    routes: Vec<(Pattern, Route)>,
}

/// A route.
#[derive(Clone, Debug)]
pub struct Route {
    /// Who responds.
    pub target: Target,
    /// The route as it is written in the manifest.
    pub pattern: HeaderValue,
    /// The route with a slash at its start and none at its end.
    pub absolute: HeaderValue,
    /// The route without its wildcard.
    pub prefix: HeaderValue,
}

/// A route that matches a path.
#[derive(Debug)]
pub struct Matched<'a> {
    /// The route.
    pub route: &'a Route,
    /// The part of the path that `/...` matches, with its slash; or empty.
    pub path_info: String,
    /// The `:name` parts and their values.
    pub captures: Vec<(String, String)>,
}

impl Route {
    fn new(target: Target, pattern: &str) -> Result<Self> {
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| anyhow!("not a valid path"));
        let prefix = pattern.strip_suffix("/...").unwrap_or(pattern);
        Ok(Self { target, pattern: value(pattern)?, absolute: value(&absolute_path(pattern))?, prefix: value(prefix)? })
    }

    /// The route of a request from another component: all paths.
    pub fn chained(component: usize) -> Self {
        Self {
            target: Target::Component(component),
            pattern: HeaderValue::from_static("/..."),
            absolute: HeaderValue::from_static("/..."),
            prefix: HeaderValue::from_static(""),
        }
    }
}

fn absolute_path(pattern: &str) -> String {
    let path = if pattern.starts_with('/') { pattern.to_owned() } else { format!("/{pattern}") };
    path.strip_suffix('/').map(str::to_owned).unwrap_or(path)
}

impl Router {
    /// The routes of `app`. Errors: a pattern that cannot be parsed, two triggers for one pattern.
    pub fn new(app: &App) -> Result<Self> {
        let mut routes = Vec::new();
        let mut seen = std::collections::HashMap::new();
        for trigger in &app.http_triggers {
            let Some(pattern) = &trigger.route else { continue };
            let error = |message: String| anyhow!("{}: route {pattern:?}: {message}", trigger.place);
            let absolute = absolute_path(pattern);
            if absolute.starts_with(WELL_KNOWN_PREFIX) {
                return Err(error(format!("routes below {WELL_KNOWN_PREFIX} belong to the host: choose another path")));
            }
            if let Some(other) = seen.insert(absolute.clone(), &trigger.place) {
                return Err(error(format!("the same route as at {other}")));
            }
            let route = Route::new(trigger.target.clone(), pattern).map_err(|e| error(e.to_string()))?;
            routes.push((Pattern::parse(&absolute).map_err(|e| error(e.to_string()))?, route));
        }
        routes.sort_by_key(|(pattern, _)| pattern.rank());
        Ok(Self { routes })
    }

    /// The best route for `path`, if there is one.
    pub fn find(&self, path: &str) -> Option<Matched<'_>> {
        let (Found { named, wildcard }, route) =
            self.routes.iter().find_map(|(pattern, route)| Some((pattern.find(path)?, route)))?;
        // The pattern does not see slashes at the ends; components do.
        let path_info = match wildcard {
            None => String::new(),
            Some("") if path.ends_with('/') => "/".to_owned(),
            Some("") => String::new(),
            Some(rest) if path.ends_with('/') => format!("/{rest}/"),
            Some(rest) => format!("/{rest}"),
        };
        let captures = named.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        Some(Matched { route, path_info, captures })
    }

    /// All routes, in the order in which they are tried.
    pub fn iter(&self) -> impl Iterator<Item = &Route> {
        self.routes.iter().map(|(_, route)| route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest::HttpTrigger;

    fn router(patterns: &[&str]) -> Result<Router> {
        let trigger = |(index, pattern): (usize, &&str)| HttpTrigger {
            place: format!("spin.toml:{index}:1"),
            route: Some((*pattern).to_owned()),
            target: Target::Component(index),
        };
        let http_triggers = patterns.iter().enumerate().map(trigger).collect();
        Router::new(&App { http_triggers, ..App::default() })
    }

    fn found(router: &Router, path: &str) -> Option<(usize, String)> {
        let matched = router.find(path)?;
        let Target::Component(index) = matched.route.target else { panic!("no component") };
        Some((index, matched.path_info))
    }

    #[test]
    fn exact_before_wildcard_and_longer_before_shorter() {
        let router = router(&["/...", "/users/...", "/users/:id", "/users/me", "/users/:id/..."]).expect("valid");
        assert_eq!(found(&router, "/users/me"), Some((3, String::new())));
        assert_eq!(found(&router, "/users/7"), Some((2, String::new())));
        assert_eq!(found(&router, "/users/7/cats"), Some((4, "/cats".into())));
        assert_eq!(found(&router, "/users"), Some((1, String::new())));
        assert_eq!(found(&router, "/elsewhere/x"), Some((0, "/elsewhere/x".into())));
    }

    #[test]
    fn a_wildcard_matches_its_prefix_with_and_without_slash() {
        let router = router(&["/users/..."]).expect("valid");
        for (path, path_info) in [("/users", ""), ("/users/", "/"), ("/users/1/2", "/1/2"), ("/users/1/2/", "/1/2/")] {
            assert_eq!(found(&router, path), Some((0, path_info.into())), "{path}");
        }
        for path in ["/", "/user", "/usersx", "/x/users"] {
            assert_eq!(found(&router, path), None, "{path}");
        }
    }

    #[test]
    fn named_parts_are_captured() {
        let router = router(&["/a/:first/b/:second"]).expect("valid");
        let matched = router.find("/a/1/b/2").expect("matches");
        assert_eq!(matched.captures, [("first".into(), "1".into()), ("second".into(), "2".into())]);
        assert_eq!(matched.route.pattern, "/a/:first/b/:second");
    }

    #[test]
    fn reserved_and_duplicate_routes_are_refused_with_their_line() {
        let error = |patterns: &[&str]| router(patterns).map(drop).expect_err("refused").to_string();
        assert!(error(&["/.well-known/spin/x"]).starts_with("spin.toml:0:1: "));
        assert!(error(&["/x", "/x/"]).contains("the same route as at spin.toml:0:1"));
        assert_eq!(error(&["/x", "/:"]), "spin.toml:1:1: route \"/:\": a name must follow `:`");
    }
}
