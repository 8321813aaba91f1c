//! Converts dates, times, decimals and ranges between the driver's types and the interface's tuples.

use anyhow::{Context, Result};
use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike, Utc};
use postgres_range::{BoundSided, BoundType, Normalizable, Range, RangeBound};
use rust_decimal::Decimal;

use super::value_types::RangeDecimal;
use crate::interfaces::bindings::spin::postgres::postgres::RangeBoundKind;

/// Year, month, day.
pub type DateTuple = (i32, u8, u8);
/// Hour, minute, second, nanosecond.
pub type TimeTuple = (u8, u8, u8, u32);
/// Year, month, day, hour, minute, second, nanosecond.
pub type DateTimeTuple = (i32, u8, u8, u8, u8, u8, u32);
/// Lower and upper bound; none if the range has no such bound.
pub type RangeTuple<T> = (Option<(T, RangeBoundKind)>, Option<(T, RangeBoundKind)>);

fn small(field: u32) -> u8 {
    u8::try_from(field).expect("months, days, hours, minutes and seconds are below 100")
}

pub fn date_from_sql(date: NaiveDate) -> DateTuple {
    (date.year(), small(date.month()), small(date.day()))
}

pub fn date_to_sql((year, month, day): DateTuple) -> Result<NaiveDate> {
    NaiveDate::from_ymd_opt(year, month.into(), day.into())
        .with_context(|| format!("invalid date y={year}, m={month}, d={day}"))
}

pub fn time_from_sql(time: NaiveTime) -> TimeTuple {
    (small(time.hour()), small(time.minute()), small(time.second()), time.nanosecond())
}

pub fn time_to_sql((hour, minute, second, nanosecond): TimeTuple) -> Result<NaiveTime> {
    NaiveTime::from_hms_nano_opt(hour.into(), minute.into(), second.into(), nanosecond)
        .with_context(|| format!("invalid time {hour}:{minute}:{second}:{nanosecond}"))
}

pub fn datetime_from_sql(datetime: NaiveDateTime) -> DateTimeTuple {
    let (year, month, day) = date_from_sql(datetime.date());
    let (hour, minute, second, nanosecond) = time_from_sql(datetime.time());
    (year, month, day, hour, minute, second, nanosecond)
}

pub fn datetime_to_sql((year, month, day, hour, minute, second, nanosecond): DateTimeTuple) -> Result<NaiveDateTime> {
    Ok(date_to_sql((year, month, day))?.and_time(time_to_sql((hour, minute, second, nanosecond))?))
}

/// `seconds` since 1970.
pub fn timestamp_to_sql(seconds: i64) -> Result<DateTime<Utc>> {
    DateTime::from_timestamp(seconds, 0).with_context(|| format!("invalid epoch timestamp {seconds}"))
}

pub fn decimal_to_sql(text: &str) -> Result<Decimal> {
    Decimal::from_str_exact(text).with_context(|| format!("invalid decimal {text}"))
}

pub fn range_from_sql<T: Normalizable + PartialOrd, U>(range: &Range<T>, value: impl Fn(&T) -> U) -> RangeTuple<U> {
    (
        range.lower().map(|bound| (value(&bound.value), kind_from_sql(bound.type_))),
        range.upper().map(|bound| (value(&bound.value), kind_from_sql(bound.type_))),
    )
}

pub fn range_to_sql<T: Normalizable + PartialOrd>((lower, upper): RangeTuple<T>) -> Range<T> {
    Range::new(lower.map(bound_to_sql), upper.map(bound_to_sql))
}

pub fn decimal_range_to_sql((lower, upper): &RangeTuple<String>) -> Result<Range<RangeDecimal>> {
    let parse =
        |(text, kind): &(String, RangeBoundKind)| decimal_to_sql(text).map(|value| (RangeDecimal(value), *kind));
    Ok(range_to_sql((lower.as_ref().map(parse).transpose()?, upper.as_ref().map(parse).transpose()?)))
}

fn bound_to_sql<S: BoundSided, T: Normalizable + PartialOrd>((value, kind): (T, RangeBoundKind)) -> RangeBound<S, T> {
    let bound = match kind {
        RangeBoundKind::Inclusive => BoundType::Inclusive,
        RangeBoundKind::Exclusive => BoundType::Exclusive,
    };
    RangeBound::new(value, bound)
}

fn kind_from_sql(bound: BoundType) -> RangeBoundKind {
    match bound {
        BoundType::Inclusive => RangeBoundKind::Inclusive,
        BoundType::Exclusive => RangeBoundKind::Exclusive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_the_same_after_a_round_trip() {
        let datetime = (-44, 3, 15, 23, 59, 58, 123_456_789);
        assert_eq!(datetime_from_sql(datetime_to_sql(datetime).expect("valid")), datetime);
        for bad in [(2024, 2, 30, 0, 0, 0, 0), (2024, 1, 1, 24, 0, 0, 0), (2024, 0, 1, 0, 0, 0, 0)] {
            assert!(datetime_to_sql(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn timestamps_are_seconds() {
        assert_eq!(timestamp_to_sql(-86_400).expect("valid").to_rfc3339(), "1969-12-31T00:00:00+00:00");
    }

    #[test]
    fn ranges_keep_their_bounds() {
        let range = (Some(("1.50".to_owned(), RangeBoundKind::Exclusive)), None);
        let sql = decimal_range_to_sql(&range).expect("valid");
        let (lower, upper) = range_from_sql(&sql, |decimal| decimal.0.to_string());
        assert!(matches!(lower, Some((text, RangeBoundKind::Exclusive)) if text == "1.50"));
        assert!(upper.is_none());
        assert!(decimal_range_to_sql(&(Some(("x".to_owned(), RangeBoundKind::Inclusive)), None)).is_err());
    }
}
