//! The query strings of lists: filters, order, and which part of the list.

use http_api::{Errors, FromQuery, WholeNumber, query, rules};

use crate::decimal::{DecimalRule, TwoDecimals};
use crate::named::Named;
use crate::state::{Status, Verification};

/// Rows on a page if the request has no limit.
const LIMIT_DEFAULT: i64 = 10;
const LIMIT: WholeNumber = WholeNumber::new(1, 100, "");
const OFFSET: WholeNumber = WholeNumber::new(0, 1_000_000_000, "");
/// 0 to 5, in hundredths.
const MIN_RATING: DecimalRule = DecimalRule::hundredths(0, 500);
/// Characters of a search, at most.
const SEARCH_MAX: usize = 255;

/// Which part of a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetLimit {
    /// Rows, at most.
    pub limit: i64,
    /// Rows that are left out at the start.
    pub offset: i64,
}

/// The column that sellers are ordered by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SortBy {
    /// When the seller was registered.
    CreatedAt,
    /// The name.
    BusinessName,
    /// The average of the reviews.
    Rating,
    /// The number of sales.
    TotalSales,
    /// The sum of the sales.
    TotalRevenue,
}

impl Named for SortBy {
    const ALL: &'static [(&'static str, Self)] = &[
        ("createdAt", Self::CreatedAt),
        ("businessName", Self::BusinessName),
        ("rating", Self::Rating),
        ("totalSales", Self::TotalSales),
        ("totalRevenue", Self::TotalRevenue),
    ];
}

/// Which sellers, and in which order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Only sellers with this status.
    pub status: Option<Status>,
    /// Only sellers with this state of verification.
    pub verification: Option<Verification>,
    /// Only sellers with this rating or a better one.
    pub min_rating: Option<TwoDecimals>,
    /// Only sellers whose name or email address contains this.
    pub search: Option<String>,
    /// The order.
    pub sort_by: SortBy,
    /// From the lowest value to the highest.
    pub ascending: bool,
}

/// The query string of `GET /sellers`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SellersQuery {
    /// Which sellers, and in which order.
    pub filter: Filter,
    /// Which part of them.
    pub part: OffsetLimit,
    /// Whether each seller comes with its user.
    pub with_users: bool,
}

/// The query string of `GET /sellers/pending-verification`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PendingQuery {
    /// Which part of the list.
    pub part: OffsetLimit,
    /// Whether each seller comes with its user.
    pub with_users: bool,
}

fn check_part(limit: Option<String>, offset: Option<String>, errors: &mut Errors) -> OffsetLimit {
    let limit = errors.optional("limit", limit, |text| LIMIT.parse(&text));
    let offset = errors.optional("offset", offset, |text| OFFSET.parse(&text));
    OffsetLimit { limit: limit.map_or(LIMIT_DEFAULT, u64::cast_signed), offset: offset.map_or(0, u64::cast_signed) }
}

fn check_include(include: Option<String>, errors: &mut Errors) -> bool {
    let rule = |text: String| (text == "user").then_some(()).ok_or_else(|| "must be user".to_owned());
    errors.optional("include", include, rule).is_some()
}

impl FromQuery for SellersQuery {
    fn check(query: &str, errors: &mut Errors) -> Option<Self> {
        let [status, verification, min_rating, search, sort_by, sort_order, limit, offset, include] = query::read(
            query,
            [
                "status",
                "verificationStatus",
                "minRating",
                "search",
                "sortBy",
                "sortOrder",
                "limit",
                "offset",
                "include",
            ],
            errors,
        );
        let filter = Filter {
            status: errors.optional("status", status, |text| Status::parse(&text)),
            verification: errors.optional("verificationStatus", verification, |text| Verification::parse(&text)),
            min_rating: errors.optional("minRating", min_rating, |text| MIN_RATING.parse(&text)),
            search: errors.optional("search", search, |text| rules::line(text, 1, SEARCH_MAX)),
            sort_by: errors.optional("sortBy", sort_by, |text| SortBy::parse(&text)).unwrap_or(SortBy::CreatedAt),
            ascending: errors.optional("sortOrder", sort_order, |text| ascending(&text)).unwrap_or(false),
        };
        let part = check_part(limit, offset, errors);
        Some(Self { filter, part, with_users: check_include(include, errors) })
    }
}

fn ascending(text: &str) -> Result<bool, String> {
    match text {
        "asc" => Ok(true),
        "desc" => Ok(false),
        _ => Err("must be asc or desc".to_owned()),
    }
}

impl FromQuery for PendingQuery {
    fn check(query: &str, errors: &mut Errors) -> Option<Self> {
        let [limit, offset, include] = query::read(query, ["limit", "offset", "include"], errors);
        Some(Self { part: check_part(limit, offset, errors), with_users: check_include(include, errors) })
    }
}

/// The query string of a list without filters.
impl FromQuery for OffsetLimit {
    fn check(query: &str, errors: &mut Errors) -> Option<Self> {
        let [limit, offset] = query::read(query, ["limit", "offset"], errors);
        Some(check_part(limit, offset, errors))
    }
}

/// The query string of the next page: that of this page, which has so many `rows`, with another offset. `None`: this is
/// the last page.
pub fn next_page(this: &str, part: OffsetLimit, rows: usize, total: i64) -> Option<String> {
    let offset = part.offset + rows as i64;
    (rows > 0 && offset < total).then(|| query::with(this, "offset", &offset.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_have_defaults() {
        let filter = Filter {
            status: None,
            verification: None,
            min_rating: None,
            search: None,
            sort_by: SortBy::CreatedAt,
            ascending: false,
        };
        let part = OffsetLimit { limit: 10, offset: 0 };
        assert_eq!(SellersQuery::from_query(""), Ok(SellersQuery { filter, part, with_users: false }));
        assert_eq!(OffsetLimit::from_query("limit=100&offset=5"), Ok(OffsetLimit { limit: 100, offset: 5 }));
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        let query = "status=x&verificationStatus=Pending&minRating=5.01&search=&sortBy=id&sortOrder=up&limit=1.5\
                     &offset=-1&include=all&page=2";
        let problem = SellersQuery::from_query(query).unwrap_err();
        assert_eq!(problem.status(), 400);
        let mut expected: Vec<&str> =
            query.split('&').map(|parameter| parameter.split_once('=').expect("a value").0).collect();
        expected.rotate_right(1);
        assert_eq!(problem.wrong_fields(), expected);
    }

    #[test]
    fn the_next_page_keeps_the_filters() {
        let part = OffsetLimit { limit: 10, offset: 20 };
        let next = |rows, total| next_page("offset=20&search=a%25&sortOrder=asc", part, rows, total);
        assert_eq!((next(10, 30), next(0, 30)), (None, None));
        assert_eq!(next(10, 31).as_deref(), Some("search=a%25&sortOrder=asc&offset=30"));
        assert_eq!(next(3, 31).as_deref(), Some("search=a%25&sortOrder=asc&offset=23"), "a page that ends early");
    }
}
