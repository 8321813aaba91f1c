//! SQL types for which the driver has no Rust type: intervals, decimals in ranges, NULL of any type, raw bytes.

use std::error::Error;

use bytes::{Buf, BufMut, BytesMut};
use postgres_range::{BoundSided, Normalizable, RangeBound};
use rust_decimal::Decimal;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::interfaces::bindings::spin::postgres::postgres::Interval;

type SqlError = Box<dyn Error + Sync + Send>;

/// `INTERVAL`. Its binary format: microseconds (8 bytes), days (4), months (4).
#[derive(Debug)]
pub struct SqlInterval(pub Interval);

impl ToSql for SqlInterval {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, SqlError> {
        out.put_i64(self.0.micros);
        out.put_i32(self.0.days);
        out.put_i32(self.0.months);
        Ok(IsNull::No)
    }

    accepts!(INTERVAL);

    to_sql_checked!();
}

impl FromSql<'_> for SqlInterval {
    fn from_sql(_: &Type, mut raw: &[u8]) -> Result<Self, SqlError> {
        if raw.len() != 16 {
            return Err("unexpected binary format for Postgres INTERVAL".into());
        }
        Ok(Self(Interval { micros: raw.get_i64(), days: raw.get_i32(), months: raw.get_i32() }))
    }

    accepts!(INTERVAL);
}

/// A decimal as the bound of a range.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct RangeDecimal(pub Decimal);

impl Normalizable for RangeDecimal {
    fn normalize<S: BoundSided>(bound: RangeBound<S, Self>) -> RangeBound<S, Self> {
        bound
    }
}

impl ToSql for RangeDecimal {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, SqlError> {
        self.0.to_sql(ty, out)
    }

    fn accepts(ty: &Type) -> bool {
        <Decimal as ToSql>::accepts(ty)
    }

    to_sql_checked!();
}

impl FromSql<'_> for RangeDecimal {
    fn from_sql(ty: &Type, raw: &[u8]) -> Result<Self, SqlError> {
        Decimal::from_sql(ty, raw).map(Self)
    }

    fn accepts(ty: &Type) -> bool {
        <Decimal as FromSql>::accepts(ty)
    }
}

/// NULL for a parameter of any type; a typed `Option` is accepted for its own type only.
#[derive(Debug)]
pub struct Null;

impl ToSql for Null {
    fn to_sql(&self, _: &Type, _: &mut BytesMut) -> Result<IsNull, SqlError> {
        Ok(IsNull::Yes)
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// The bytes of a value of a type that the interface does not know.
#[derive(Debug)]
pub struct Raw(pub Vec<u8>);

impl FromSql<'_> for Raw {
    fn from_sql(_: &Type, raw: &[u8]) -> Result<Self, SqlError> {
        Ok(Self(raw.to_vec()))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}
