//! Parameters of statements: from the interface's types to the driver's.

use anyhow::{Context, Result};
use tokio_postgres::types::ToSql;

use super::convert;
use super::value_types::{Null, SqlInterval};
use crate::interfaces::bindings::spin::postgres::postgres::ParameterValue;

/// A parameter of the driver.
pub type Parameter = Box<dyn ToSql + Send + Sync>;

/// Converts parameters. Errors: texts that are no UUID, JSON or decimal; dates and times that do not exist.
pub fn to_sql(values: &[ParameterValue]) -> Result<Vec<Parameter>> {
    values.iter().map(one).collect()
}

fn one(value: &ParameterValue) -> Result<Parameter> {
    Ok(match value {
        ParameterValue::Boolean(v) => Box::new(*v),
        ParameterValue::Int8(v) => Box::new(*v),
        ParameterValue::Int16(v) => Box::new(*v),
        ParameterValue::Int32(v) => Box::new(*v),
        ParameterValue::Int64(v) => Box::new(*v),
        ParameterValue::Floating32(v) => Box::new(*v),
        ParameterValue::Floating64(v) => Box::new(*v),
        ParameterValue::Str(v) => Box::new(v.clone()),
        ParameterValue::Binary(v) => Box::new(v.clone()),
        ParameterValue::Date(v) => Box::new(convert::date_to_sql(*v)?),
        ParameterValue::Time(v) => Box::new(convert::time_to_sql(*v)?),
        ParameterValue::Datetime(v) => Box::new(convert::datetime_to_sql(*v)?),
        ParameterValue::Timestamp(v) => Box::new(convert::timestamp_to_sql(*v)?),
        ParameterValue::Uuid(v) => Box::new(uuid::Uuid::parse_str(v).with_context(|| format!("invalid UUID {v}"))?),
        ParameterValue::Jsonb(v) => Box::new(json(v)?),
        ParameterValue::Decimal(v) => Box::new(convert::decimal_to_sql(v)?),
        ParameterValue::RangeInt32(v) => Box::new(convert::range_to_sql(*v)),
        ParameterValue::RangeInt64(v) => Box::new(convert::range_to_sql(*v)),
        ParameterValue::RangeDecimal(v) => Box::new(convert::decimal_range_to_sql(v)?),
        ParameterValue::ArrayInt32(v) => Box::new(v.clone()),
        ParameterValue::ArrayInt64(v) => Box::new(v.clone()),
        ParameterValue::ArrayDecimal(v) => {
            let decimal = |v: &Option<String>| v.as_deref().map(convert::decimal_to_sql).transpose();
            Box::new(v.iter().map(decimal).collect::<Result<Vec<_>>>()?)
        }
        ParameterValue::ArrayStr(v) => Box::new(v.clone()),
        ParameterValue::Interval(v) => Box::new(SqlInterval(*v)),
        ParameterValue::DbNull => Box::new(Null),
    })
}

fn json(bytes: &[u8]) -> Result<serde_json::Value> {
    serde_json::from_slice(bytes).with_context(|| format!("invalid JSON {}", String::from_utf8_lossy(bytes)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invalid_values_are_refused() {
        for bad in [
            ParameterValue::Uuid("not-a-uuid".into()),
            ParameterValue::Jsonb(b"{".to_vec()),
            ParameterValue::Decimal("1,5".into()),
            ParameterValue::ArrayDecimal(vec![None, Some("x".into())]),
            ParameterValue::Date((2023, 2, 29)),
            ParameterValue::Time((25, 0, 0, 0)),
        ] {
            assert!(to_sql(std::slice::from_ref(&bad)).is_err(), "{bad:?}");
        }
        assert_eq!(to_sql(&[ParameterValue::DbNull, ParameterValue::Int8(1)]).map(|v| v.len()).expect("valid"), 2);
    }
}
