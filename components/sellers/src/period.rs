//! The periods of analytics: which span of time, and in which buckets. All times are UTC, in milliseconds since the
//! Unix epoch.

use std::ops::RangeInclusive;

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, TimeDelta, Timelike, Utc};
use http_api::{Errors, FromQuery, WholeNumber, query};

use crate::named::Named;

/// How many buckets `startDate` and `endDate` may span, at most.
const BUCKETS_MAX: usize = 366;
const LIMIT_DEFAULT: i64 = 10;
const LIMIT: WholeNumber = WholeNumber::new(1, 100, "");
const HOUR_MS: i64 = 3_600_000;
/// The years of startDate and endDate. The bucket after the last one must have a year of four digits, too.
const YEARS: RangeInclusive<i32> = 1970..=9998;

/// The parameter `period`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    Month,
    /// 12 months.
    Year,
    /// From the registration, or the first sale if that is earlier.
    AllTime,
}

impl Named for Period {
    const ALL: &'static [(&'static str, Self)] = &[
        ("day", Self::Day),
        ("week", Self::Week),
        ("month", Self::Month),
        ("year", Self::Year),
        ("all_time", Self::AllTime),
    ];
}

/// The length of a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bucket {
    /// One hour.
    Hour,
    /// One day.
    Day,
    /// One month.
    Month,
}

impl Named for Bucket {
    /// The names are those of PostgreSQL's `date_trunc`.
    const ALL: &'static [(&'static str, Self)] = &[("hour", Self::Hour), ("day", Self::Day), ("month", Self::Month)];
}

/// A span of time. The start is included, the end is not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The first millisecond.
    pub start_ms: i64,
    /// The first millisecond after it.
    pub end_ms: i64,
}

/// The query string of the analytics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AnalyticsQuery {
    /// The period, which also says how long the buckets are.
    pub period: Period,
    /// `startDate` and `endDate`.
    pub dates: Option<Span>,
}

/// The query string of the analytics by product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProductsQuery {
    /// When.
    pub when: AnalyticsQuery,
    /// How many products.
    pub limit: i64,
}

impl FromQuery for AnalyticsQuery {
    fn check(query: &str, errors: &mut Errors) -> Option<Self> {
        let values = query::read(query, ["period", "startDate", "endDate"], errors);
        Some(Self::of(values, errors))
    }
}

impl FromQuery for ProductsQuery {
    fn check(query: &str, errors: &mut Errors) -> Option<Self> {
        let [period, start, end, limit] = query::read(query, ["period", "startDate", "endDate", "limit"], errors);
        let when = AnalyticsQuery::of([period, start, end], errors);
        let limit = errors.optional("limit", limit, |text| LIMIT.parse(&text));
        Some(Self { when, limit: limit.map_or(LIMIT_DEFAULT, u64::cast_signed) })
    }
}

impl AnalyticsQuery {
    fn of([period, start, end]: [Option<String>; 3], errors: &mut Errors) -> Self {
        let period = errors.optional("period", period, |text| Period::parse(&text)).unwrap_or(Period::Month);
        for (absent, given, name) in [(&start, &end, "startDate"), (&end, &start, "endDate")] {
            if absent.is_none() && given.is_some() {
                errors.add(name, "is missing: startDate and endDate must be given together");
            }
        }
        let start_ms = errors.optional("startDate", start, |text| parse_time(&text, 0));
        let end_ms = errors.optional("endDate", end, |text| parse_time(&text, 1));
        let dates = start_ms.zip(end_ms).map(|(start_ms, end_ms)| Span { start_ms, end_ms });
        if let Some(span) = dates {
            if span.end_ms <= span.start_ms {
                errors.add("endDate", "must be after startDate");
            } else if span.buckets(period.bucket()).nth(BUCKETS_MAX).is_some() {
                errors.add(
                    "endDate",
                    format!("must be at most {BUCKETS_MAX} {}s after startDate", period.bucket().name()),
                );
            }
        }
        Self { period, dates }
    }

    /// The span of time. `first_ms` is the start of [`Period::AllTime`].
    pub fn span(self, now_ms: i64, first_ms: i64) -> Span {
        self.dates.unwrap_or_else(|| self.period.span(now_ms, first_ms))
    }
}

/// A time as in RFC 3339; or a date, which means its start plus `days`.
fn parse_time(text: &str, days: u64) -> Result<i64, String> {
    let date = (text.len() == "2026-01-31".len()).then(|| NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()).flatten();
    let midnight = date.and_then(|date| date.checked_add_days(Days::new(days)));
    let time = match midnight.and_then(|date| date.and_hms_opt(0, 0, 0)) {
        Some(midnight) => Some(midnight.and_utc()),
        None => DateTime::parse_from_rfc3339(text).ok().map(|time| time.to_utc()),
    };
    time.filter(|time| YEARS.contains(&time.year()))
        .map(|time| time.timestamp_millis())
        .ok_or_else(|| "must be a date (2026-01-31) or a time as in RFC 3339, from 1970 to 9998".to_owned())
}

impl Period {
    /// How long the buckets of this period are.
    pub fn bucket(self) -> Bucket {
        match self {
            Self::Day => Bucket::Hour,
            Self::Week | Self::Month => Bucket::Day,
            Self::Year | Self::AllTime => Bucket::Month,
        }
    }

    /// The span that ends with the bucket of `now_ms`. `first_ms` is the start of [`Self::AllTime`].
    pub fn span(self, now_ms: i64, first_ms: i64) -> Span {
        let bucket = self.bucket();
        let end = bucket.after(bucket.start_of(now_ms));
        let start = match self {
            Self::Day => end - TimeDelta::hours(24),
            Self::Week => end - Days::new(7),
            Self::Month => end - Days::new(30),
            Self::Year => end - Months::new(12),
            Self::AllTime => bucket.start_of(first_ms.min(now_ms)),
        };
        Span { start_ms: start.timestamp_millis(), end_ms: end.timestamp_millis() }
    }
}

impl Bucket {
    fn start_of(self, ms: i64) -> DateTime<Utc> {
        let time = DateTime::from_timestamp_millis(ms).unwrap_or_default();
        let midnight = time.date_naive().and_hms_opt(0, 0, 0).unwrap_or_default().and_utc();
        match self {
            Self::Hour => midnight + TimeDelta::hours(time.hour().into()),
            Self::Day => midnight,
            Self::Month => midnight - Days::new(u64::from(midnight.day0())),
        }
    }

    fn after(self, start: DateTime<Utc>) -> DateTime<Utc> {
        match self {
            Self::Hour => start + TimeDelta::hours(1),
            Self::Day => start + Days::new(1),
            Self::Month => start + Months::new(1),
        }
    }
}

impl Span {
    /// The starts of the buckets that the span touches, ascending. The first may be before the span.
    pub fn buckets(self, bucket: Bucket) -> impl Iterator<Item = i64> {
        let starts =
            std::iter::successors(Some(bucket.start_of(self.start_ms)), move |start| Some(bucket.after(*start)));
        starts.map(|start| start.timestamp_millis()).take_while(move |start| *start < self.end_ms)
    }

    /// Three spans: the whole hours, the part before them, the part after them. Without a whole hour, the second is the
    /// whole span and the others are empty.
    pub fn hours(self) -> [Span; 3] {
        let Self { start_ms, end_ms } = self;
        let first = start_ms.div_euclid(HOUR_MS) * HOUR_MS;
        let first = if first < start_ms { first + HOUR_MS } else { first };
        let last = end_ms.div_euclid(HOUR_MS) * HOUR_MS;
        let span = |start_ms, end_ms| Self { start_ms, end_ms };
        if first >= last {
            return [span(start_ms, start_ms), self, span(end_ms, end_ms)];
        }
        [span(first, last), span(start_ms, first), span(last, end_ms)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(text: &str) -> i64 {
        DateTime::parse_from_rfc3339(text).expect(text).timestamp_millis()
    }

    fn span(start: &str, end: &str) -> Span {
        Span { start_ms: ms(start), end_ms: ms(end) }
    }

    #[test]
    fn periods_end_with_the_bucket_of_now() {
        let now = ms("2026-03-31T22:45:10.5Z");
        for (period, start, end, buckets) in [
            (Period::Day, "2026-03-30T23:00:00Z", "2026-03-31T23:00:00Z", 24),
            (Period::Week, "2026-03-25T00:00:00Z", "2026-04-01T00:00:00Z", 7),
            (Period::Month, "2026-03-02T00:00:00Z", "2026-04-01T00:00:00Z", 30),
            (Period::Year, "2025-04-01T00:00:00Z", "2026-04-01T00:00:00Z", 12),
            (Period::AllTime, "2024-02-01T00:00:00Z", "2026-04-01T00:00:00Z", 26),
        ] {
            let found = period.span(now, ms("2024-02-29T12:00:00Z"));
            assert_eq!(found, span(start, end), "{period:?}");
            assert_eq!(found.buckets(period.bucket()).count(), buckets, "{period:?}");
        }
    }

    #[test]
    fn a_date_as_the_end_is_included() {
        let query = ProductsQuery::from_query("startDate=2026-01-31&endDate=2026-01-31&limit=5").unwrap();
        let dates = Some(span("2026-01-31T00:00:00Z", "2026-02-01T00:00:00Z"));
        assert_eq!(query, ProductsQuery { when: AnalyticsQuery { period: Period::Month, dates }, limit: 5 });
        let times = "startDate=2026-01-31T01:30:00%2B01:00&endDate=2026-01-31T00:30:00.001Z&period=day";
        let dates = AnalyticsQuery::from_query(times).unwrap().dates.unwrap();
        assert_eq!(dates, span("2026-01-31T00:30:00Z", "2026-01-31T00:30:00.001Z"));
        assert_eq!(dates.buckets(Bucket::Hour).collect::<Vec<_>>(), [ms("2026-01-31T00:00:00Z")]);
    }

    #[test]
    fn wrong_parameters_are_named() {
        let wrong = |query: &str| -> Vec<String> {
            let problem = AnalyticsQuery::from_query(query).expect_err(query);
            problem.wrong_fields().into_iter().map(str::to_owned).collect()
        };
        assert_eq!(wrong("period=decade&limit=5&x=1"), ["limit", "x", "period"]);
        assert_eq!(ProductsQuery::from_query("limit=0").unwrap_err().wrong_fields(), ["limit"]);
        assert_eq!(wrong("startDate=2026-01-01"), ["endDate"]);
        assert_eq!(wrong("endDate=2026-01-01"), ["startDate"]);
        for (start, end) in [("2026-01-02", "2026-01-01"), ("2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z")] {
            assert_eq!(wrong(&format!("startDate={start}&endDate={end}")), ["endDate"]);
        }
        for bad in [
            "",
            "2026",
            "2026-02-30",
            "2026-1-1",
            "01.01.2026",
            "2026-01-01T00:00:00",
            "+262142-12-31",
            "+999-01-01",
            "-999-01-01",
        ] {
            assert_eq!(wrong(&format!("startDate={bad}&endDate=2026-01-01")), ["startDate"], "{bad}");
        }
        assert_eq!(wrong("startDate=2025-01-01&endDate=2026-01-02"), ["endDate"], "367 days");
        assert!(AnalyticsQuery::from_query("startDate=2025-01-01&endDate=2026-01-01").is_ok(), "366 days");
        assert_eq!(wrong("startDate=2025-01-01&endDate=2025-01-16&period=day"), ["endDate"], "384 hours");
        assert!(AnalyticsQuery::from_query("startDate=1996-01-01&endDate=2026-01-01&period=year").is_ok());
        assert_eq!(wrong("startDate=0001-01-01&endDate=9999-12-31&period=all_time"), ["startDate", "endDate"]);
    }

    #[test]
    fn a_span_is_its_whole_hours_and_two_rests() {
        let [hours, before, after] = span("2026-01-01T00:30:00Z", "2026-01-01T03:15:00Z").hours();
        assert_eq!(hours, span("2026-01-01T01:00:00Z", "2026-01-01T03:00:00Z"));
        assert_eq!(before, span("2026-01-01T00:30:00Z", "2026-01-01T01:00:00Z"));
        assert_eq!(after, span("2026-01-01T03:00:00Z", "2026-01-01T03:15:00Z"));
        let short = span("2026-01-01T00:30:00Z", "2026-01-01T01:15:00Z");
        let [hours, before, after] = short.hours();
        assert_eq!((hours.start_ms, before, after.start_ms), (hours.end_ms, short, after.end_ms));
        let whole = span("2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z");
        assert_eq!(whole.hours()[0], whole);
    }
}
