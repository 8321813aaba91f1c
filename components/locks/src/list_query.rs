//! The query string of `GET /admin/locks`: where the page starts and how long it is.

use form_urlencoded::Serializer;
use problem::Problem;
use spin_adapter::http::query::{self, checked, parsed, read};

/// The most that can be asked for.
pub const LIMIT_MAX: usize = 1_000;
/// Locks on a page when the request does not say.
pub const LIMIT_DEFAULT: usize = 100;

/// A page of the locks that are held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// Where it starts: the `next` of the page before.
    pub cursor: Option<String>,
    /// The page ends once it has so many locks; the last step may find some more.
    pub limit: usize,
}

impl ListQuery {
    /// Reads a query string (without `?`).
    ///
    /// # Errors
    /// Every parameter that is unknown, doubled or not valid.
    pub fn parse(query: &str) -> Result<Self, Problem> {
        let mut errors = Vec::new();
        let [cursor, limit] = read(query, ["cursor", "limit"], &mut errors);
        let limit = parsed("limit", limit, |text| query::limit(text, LIMIT_MAX), &mut errors);
        // Whether the cursor is one is for the protocol to say.
        checked(Self { cursor, limit: limit.unwrap_or(LIMIT_DEFAULT) }, errors)
    }

    /// The value of `Link` (RFC 8288) that leads to the page that starts at `next`.
    pub fn link(&self, next: &str) -> String {
        let mut query = Serializer::new(String::new());
        if self.limit != LIMIT_DEFAULT {
            query.append_pair("limit", &self.limit.to_string());
        }
        query.append_pair("cursor", next);
        format!("</admin/locks?{}>; rel=\"next\"", query.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(query: &str) -> Vec<String> {
        let problem = ListQuery::parse(query).expect_err(query);
        let json: serde_json::Value = serde_json::from_slice(&problem.to_json()).unwrap();
        let errors = json["errors"].as_array().unwrap();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn both_parameters_are_optional() {
        assert_eq!(ListQuery::parse(""), Ok(ListQuery { cursor: None, limit: LIMIT_DEFAULT }));
        let second = ListQuery { cursor: Some("a b".to_owned()), limit: 1_000 };
        assert_eq!(ListQuery::parse("cursor=a+b&limit=1000"), Ok(second));
    }

    #[test]
    fn the_link_to_the_next_page_keeps_the_limit() {
        let link = |query| ListQuery::parse(query).unwrap().link("17");
        assert_eq!(link("cursor=5"), r#"</admin/locks?cursor=17>; rel="next""#);
        assert_eq!(link("limit=2"), r#"</admin/locks?limit=2&cursor=17>; rel="next""#);
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        for limit in ["0", "1001", "abc", "-1", "", "1.5", "+5", "01", "99999999999999999999"] {
            assert_eq!(wrong(&format!("limit={limit}")), ["limit"]);
        }
        assert_eq!(wrong("limit=1&limit=2&pattern=*"), ["limit", "pattern"]);
    }
}
