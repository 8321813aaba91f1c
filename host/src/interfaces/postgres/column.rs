//! Columns and values of query results: from the driver's types to the interface's.

use anyhow::{Context, Result};
use rust_decimal::Decimal;
use tokio_postgres::types::{FromSql, Type};

use super::convert;
use super::value_types::{RangeDecimal, Raw, SqlInterval};
use crate::interfaces::bindings::spin::postgres::postgres::{Column, DbDataType, DbValue};

/// Names and types of a row's columns.
pub fn columns(row: &tokio_postgres::Row) -> Vec<Column> {
    let column = |column: &tokio_postgres::Column| Column {
        name: column.name().to_owned(),
        data_type: data_type(column.type_()),
    };
    row.columns().iter().map(column).collect()
}

/// The values of a row. Errors: values that do not fit, such as decimals of more than 28 digits.
pub fn values(row: &tokio_postgres::Row) -> Result<Vec<DbValue>> {
    (0..row.len()).map(|index| value(row, index)).collect()
}

fn data_type(ty: &Type) -> DbDataType {
    match *ty {
        Type::BOOL => DbDataType::Boolean,
        Type::BYTEA => DbDataType::Binary,
        Type::FLOAT4 => DbDataType::Floating32,
        Type::FLOAT8 => DbDataType::Floating64,
        Type::INT2 => DbDataType::Int16,
        Type::INT4 => DbDataType::Int32,
        Type::INT8 => DbDataType::Int64,
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => DbDataType::Str,
        Type::TIMESTAMP | Type::TIMESTAMPTZ => DbDataType::Datetime,
        Type::DATE => DbDataType::Date,
        Type::TIME => DbDataType::Time,
        Type::UUID => DbDataType::Uuid,
        Type::JSONB => DbDataType::Jsonb,
        Type::NUMERIC => DbDataType::Decimal,
        Type::INT4_RANGE => DbDataType::RangeInt32,
        Type::INT8_RANGE => DbDataType::RangeInt64,
        Type::NUM_RANGE => DbDataType::RangeDecimal,
        Type::INT4_ARRAY => DbDataType::ArrayInt32,
        Type::INT8_ARRAY => DbDataType::ArrayInt64,
        Type::NUMERIC_ARRAY => DbDataType::ArrayDecimal,
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY => DbDataType::ArrayStr,
        Type::INTERVAL => DbDataType::Interval,
        _ => DbDataType::Other(ty.name().to_owned()),
    }
}

fn value(row: &tokio_postgres::Row, index: usize) -> Result<DbValue> {
    /// NULL, or the value as the interface has it.
    fn get<'a, T: FromSql<'a>>(
        row: &'a tokio_postgres::Row,
        index: usize,
        wrap: impl FnOnce(T) -> DbValue,
    ) -> Result<DbValue> {
        Ok(row.try_get::<_, Option<T>>(index)?.map_or(DbValue::DbNull, wrap))
    }
    match *row.columns()[index].type_() {
        Type::BOOL => get(row, index, DbValue::Boolean),
        Type::BYTEA => get(row, index, DbValue::Binary),
        Type::FLOAT4 => get(row, index, DbValue::Floating32),
        Type::FLOAT8 => get(row, index, DbValue::Floating64),
        Type::INT2 => get(row, index, DbValue::Int16),
        Type::INT4 => get(row, index, DbValue::Int32),
        Type::INT8 => get(row, index, DbValue::Int64),
        Type::TEXT | Type::VARCHAR | Type::BPCHAR => get(row, index, DbValue::Str),
        // A TIMESTAMPTZ is an error, as on Spin 4: the driver does not convert it to a time without zone.
        Type::TIMESTAMP | Type::TIMESTAMPTZ => get(row, index, |v| DbValue::Datetime(convert::datetime_from_sql(v))),
        Type::DATE => get(row, index, |v| DbValue::Date(convert::date_from_sql(v))),
        Type::TIME => get(row, index, |v| DbValue::Time(convert::time_from_sql(v))),
        Type::UUID => get(row, index, |v: uuid::Uuid| DbValue::Uuid(v.to_string())),
        Type::JSONB => {
            let Some(json) = row.try_get::<_, Option<serde_json::Value>>(index)? else { return Ok(DbValue::DbNull) };
            Ok(DbValue::Jsonb(serde_json::to_vec(&json).context("invalid JSON from database")?))
        }
        Type::NUMERIC => get(row, index, |v: Decimal| DbValue::Decimal(v.to_string())),
        Type::INT4_RANGE => get(row, index, |v| DbValue::RangeInt32(convert::range_from_sql(&v, |bound: &i32| *bound))),
        Type::INT8_RANGE => get(row, index, |v| DbValue::RangeInt64(convert::range_from_sql(&v, |bound: &i64| *bound))),
        Type::NUM_RANGE => get(row, index, |v| {
            DbValue::RangeDecimal(convert::range_from_sql(&v, |bound: &RangeDecimal| bound.0.to_string()))
        }),
        Type::INT4_ARRAY => get(row, index, DbValue::ArrayInt32),
        Type::INT8_ARRAY => get(row, index, DbValue::ArrayInt64),
        Type::NUMERIC_ARRAY => get(row, index, |v: Vec<Option<Decimal>>| {
            DbValue::ArrayDecimal(v.into_iter().map(|v| v.map(|v| v.to_string())).collect())
        }),
        Type::TEXT_ARRAY | Type::VARCHAR_ARRAY | Type::BPCHAR_ARRAY => get(row, index, DbValue::ArrayStr),
        Type::INTERVAL => get(row, index, |v: SqlInterval| DbValue::Interval(v.0)),
        _ => get(row, index, |v: Raw| DbValue::Unsupported(v.0)),
    }
}

/// The memory that a value takes, in bytes.
pub fn memory_size(value: &DbValue) -> usize {
    let payload = match value {
        DbValue::Str(text) | DbValue::Uuid(text) | DbValue::Decimal(text) => text.len(),
        DbValue::Jsonb(bytes) | DbValue::Binary(bytes) | DbValue::Unsupported(bytes) => bytes.len(),
        DbValue::ArrayInt32(values) => size_of_val(values.as_slice()),
        DbValue::ArrayInt64(values) => size_of_val(values.as_slice()),
        DbValue::ArrayDecimal(values) | DbValue::ArrayStr(values) => {
            let texts: usize = values.iter().flatten().map(String::len).sum();
            size_of_val(values.as_slice()) + texts
        }
        _ => 0,
    };
    size_of::<DbValue>() + payload
}
