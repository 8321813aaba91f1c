//! The query string of `GET /users`: a page of the list, or some users by their ids.

use form_urlencoded::Serializer;
use problem::{FieldError, Problem};
use spin_adapter::http::query::{self, checked, parsed, positive, read};

use crate::{cursor, rules, user_id};

/// Users on a page, and users asked for by `ids`, at most.
pub const LIMIT_MAX: usize = 1_000;
/// Users on a page when the request does not say.
pub const LIMIT_DEFAULT: usize = 100;

/// What `GET /users` is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ListQuery {
    /// A page of the list.
    Page(PageQuery),
    /// These users: ascending ids, each once.
    Ids(Vec<i64>),
}

/// A page of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageQuery {
    /// Users on the page, at most.
    pub limit: usize,
    /// The page starts after this id.
    pub after: Option<i64>,
    /// Only the user with this address, in lower case.
    pub email: Option<String>,
    /// Only users that are active, or only those that are not.
    pub is_active: Option<bool>,
}

impl Default for PageQuery {
    fn default() -> Self {
        Self { limit: LIMIT_DEFAULT, after: None, email: None, is_active: None }
    }
}

impl PageQuery {
    /// The query string in its canonical form: equal pages, equal text; empty for the first page without filters. It
    /// tells apart the entries in the cache and makes the links to next pages.
    pub fn canonical(&self) -> String {
        let mut query = Serializer::new(String::new());
        if self.limit != LIMIT_DEFAULT {
            query.append_pair("limit", &self.limit.to_string());
        }
        if let Some(email) = &self.email {
            query.append_pair("email", email);
        }
        if let Some(is_active) = self.is_active {
            query.append_pair("isActive", if is_active { "true" } else { "false" });
        }
        if let Some(after) = self.after {
            query.append_pair("cursor", &cursor::encode(after));
        }
        query.finish()
    }
}

impl ListQuery {
    /// Reads a query string (without `?`).
    ///
    /// # Errors
    /// Every parameter that is unknown, doubled or not valid.
    pub fn parse(query: &str) -> Result<Self, Problem> {
        let (mut errors, mut strays) = (Vec::new(), Vec::new());
        let [limit, cursor, is_active, email, ids] =
            read(query, ["limit", "cursor", "isActive", "email", "ids"], &mut strays);
        let is_page = limit.is_some() || cursor.is_some() || is_active.is_some() || email.is_some();
        let page = PageQuery {
            limit: parsed("limit", limit, |text| query::limit(text, LIMIT_MAX), &mut errors).unwrap_or(LIMIT_DEFAULT),
            after: parsed("cursor", cursor, parse_cursor, &mut errors),
            is_active: parsed("isActive", is_active, parse_flag, &mut errors),
            email: parsed("email", email, parse_email, &mut errors),
        };
        let ids = parsed("ids", ids, parse_ids, &mut errors);
        errors.append(&mut strays);
        if errors.is_empty() && ids.is_some() && is_page {
            errors.push(FieldError::field("ids", "cannot be combined with other parameters"));
        }
        checked(ids.map_or(Self::Page(page), Self::Ids), errors)
    }
}

fn parse_cursor(value: &str) -> Result<i64, String> {
    cursor::decode(value).ok_or_else(|| "must be the cursor of a link to a next page".to_owned())
}

fn parse_flag(value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| "must be true or false".to_owned())
}

fn parse_email(value: &str) -> Result<String, String> {
    rules::check_email(value).map(|()| value.to_ascii_lowercase())
}

fn parse_ids(value: &str) -> Result<Vec<i64>, String> {
    let ids: Option<Vec<i64>> = value.split(',').map(positive).collect();
    let mut ids = ids.ok_or_else(|| format!("must be {} separated by commas", user_id::EXPECTED_MANY))?;
    ids.sort_unstable();
    ids.dedup();
    if ids.len() > LIMIT_MAX {
        return Err(format!("must have at most {LIMIT_MAX} ids"));
    }
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(query: &str) -> PageQuery {
        match ListQuery::parse(query).expect(query) {
            ListQuery::Page(page) => page,
            ListQuery::Ids(ids) => panic!("{ids:?}"),
        }
    }

    fn wrong(query: &str) -> Vec<String> {
        let problem = ListQuery::parse(query).expect_err(query);
        let json: serde_json::Value = serde_json::from_slice(&problem.to_json()).unwrap();
        let errors = json["errors"].as_array().unwrap();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn the_first_page_has_no_canonical_query() {
        for query in ["", "limit=100", "&"] {
            assert_eq!(page(query).canonical(), "", "{query}");
        }
    }

    #[test]
    fn equal_pages_have_equal_canonical_queries() {
        let cursor = cursor::encode(7);
        let canonical = format!("limit=2&email=a%2Bb%40x.org&isActive=true&cursor={cursor}");
        let shuffled = format!("cursor={cursor}&isActive=true&email=A%2BB@X.org&limit=2");
        assert_eq!(page(&canonical).canonical(), canonical);
        assert_eq!(page(&shuffled).canonical(), canonical);
        assert_eq!(page(&canonical).after, Some(7));
    }

    #[test]
    fn ids_are_sorted_and_folded() {
        assert_eq!(ListQuery::parse("ids=3,1,2,3"), Ok(ListQuery::Ids(vec![1, 2, 3])));
        let many = |count: i64| format!("ids={}", (1..=count).map(|id| id.to_string()).collect::<Vec<_>>().join(","));
        assert!(ListQuery::parse(&many(1_000)).is_ok());
        assert_eq!(wrong(&many(1_001)), ["ids"]);
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        for limit in ["0", "1001", "abc", "-1", "", "1.5", "+5", "99999999999999999999"] {
            assert_eq!(wrong(&format!("limit={limit}")), ["limit"]);
        }
        for ids in ["", "0", "1,", "1,,2", "a", "-1", "9223372036854775808", "1, 2"] {
            assert_eq!(wrong(&format!("ids={ids}")), ["ids"]);
        }
        assert_eq!(wrong("cursor=abc&isActive=maybe&email=nobody&x=1"), ["cursor", "isActive", "email", "x"]);
        assert_eq!(wrong("limit=1&limit=2"), ["limit"]);
        assert_eq!(wrong("ids=1&limit=2"), ["ids"]);
        assert_eq!(wrong("email=a%00@b.co"), ["email"]);
    }
}
