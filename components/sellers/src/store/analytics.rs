//! Statements that add up sales. Counts and sums of whole hours come from `seller_sales_hourly`; the rest of a span,
//! and what is not summed up by hour, from `seller_sales`.

use http_api::response::rfc3339;
use serde::Serialize;
use spin_adapter::postgres::{Columns, DatabaseError, Row};
use spin_sdk::pg::ParameterValue;

use super::Store;
use crate::decimal::TwoDecimals;
use crate::named::Named;
use crate::period::{Bucket, Span};

/// The sales of a span.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Totals {
    /// How many.
    pub sales: i64,
    /// The sum of their amounts.
    pub revenue: TwoDecimals,
    /// The average; 0.00 without sales.
    pub average: TwoDecimals,
    /// When the last sale of all times was, in milliseconds since the Unix epoch.
    pub last_sale_ms: Option<i64>,
}

/// The sales of one bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TrendPoint {
    /// The start of the bucket, in milliseconds since the Unix epoch.
    #[serde(serialize_with = "rfc3339")]
    pub date: i64,
    /// How many.
    pub sales: i64,
    /// The sum of their amounts.
    pub revenue: TwoDecimals,
    /// The average; 0.00 without sales.
    pub average_order_value: TwoDecimals,
}

/// The sales of one product.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ProductSales {
    /// The product; `None`: sales that name none.
    pub product_id: Option<String>,
    /// How many.
    pub units_sold: i64,
    /// The sum of their amounts.
    pub revenue: TwoDecimals,
}

/// The sales of one category.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ByCategory {
    /// The category; `None`: sales that name none.
    pub category: Option<String>,
    /// How many.
    pub sales: i64,
    /// The sum of their amounts.
    pub revenue: TwoDecimals,
}

/// The money of a span.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Revenue {
    /// The sum of the amounts.
    pub total_revenue: TwoDecimals,
    /// The sum of the amounts of refunded sales.
    pub refunded_amount: TwoDecimals,
    /// The average; 0.00 without sales.
    pub average_order_value: TwoDecimals,
    /// The highest amount.
    pub highest_order_value: Option<TwoDecimals>,
    /// The lowest amount.
    pub lowest_order_value: Option<TwoDecimals>,
    /// The categories, the highest revenue first.
    pub by_category: Vec<ByCategory>,
}

/// The common table `sold (at, sales, revenue)` of the span in the parameters `$2` to `$7`: see [`span_parameters`].
macro_rules! with_sold {
    () => {
        "WITH sold (at, sales, revenue) AS ( \
         SELECT hour, sales, revenue FROM seller_sales_hourly WHERE seller_id = $1 AND sales > 0 \
         AND hour >= timestamptz 'epoch' + $2::bigint * interval '1 millisecond' \
         AND hour < timestamptz 'epoch' + $3::bigint * interval '1 millisecond' \
         UNION ALL SELECT occurred_at, 1, amount FROM seller_sales WHERE seller_id = $1 AND refunded_at IS NULL \
         AND occurred_at >= timestamptz 'epoch' + $4::bigint * interval '1 millisecond' \
         AND occurred_at < timestamptz 'epoch' + $5::bigint * interval '1 millisecond' \
         UNION ALL SELECT occurred_at, 1, amount FROM seller_sales WHERE seller_id = $1 AND refunded_at IS NULL \
         AND occurred_at >= timestamptz 'epoch' + $6::bigint * interval '1 millisecond' \
         AND occurred_at < timestamptz 'epoch' + $7::bigint * interval '1 millisecond') "
    };
}

fn span_parameters(id: i64, span: Span) -> Vec<ParameterValue> {
    let bounds = span.hours().into_iter().flat_map(|part| [part.start_ms, part.end_ms]);
    std::iter::once(id).chain(bounds).map(Into::into).collect()
}

impl Store {
    /// When the first sale of a seller was, refunded or not, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// Those of the database, as for all methods.
    pub async fn first_sale_ms(&self, id: i64) -> Result<Option<i64>, DatabaseError> {
        const SQL: &str = "SELECT (extract(epoch FROM min(occurred_at)) * 1000)::bigint FROM seller_sales \
             WHERE seller_id = $1";
        self.database.read(SQL, vec![id.into()]).await?.first().map_or(Ok(None), |row| row.get(0))
    }

    /// The totals of a span.
    pub async fn totals(&self, id: i64, span: Span) -> Result<Totals, DatabaseError> {
        const SQL: &str = concat!(
            with_sold!(),
            "SELECT COALESCE(sum(sales), 0)::bigint, COALESCE(sum(revenue), 0.00)::text, \
             COALESCE(round(sum(revenue) / sum(sales), 2), 0.00)::text, \
             (SELECT (extract(epoch FROM max(occurred_at)) * 1000)::bigint FROM seller_sales \
             WHERE seller_id = $1 AND refunded_at IS NULL) FROM sold"
        );
        let rows = self.database.read(SQL, span_parameters(id, span)).await?;
        let mut columns = only_row(&rows)?.columns(0);
        Ok(Totals {
            sales: columns.take()?,
            revenue: money(&mut columns)?,
            average: money(&mut columns)?,
            last_sale_ms: columns.take()?,
        })
    }

    /// The sales of the buckets of a span, also of those without sales.
    pub async fn trend(&self, id: i64, span: Span, bucket: Bucket) -> Result<Vec<TrendPoint>, DatabaseError> {
        const SQL: &str = concat!(
            with_sold!(),
            "SELECT (extract(epoch FROM date_trunc($8::text, at, 'UTC')) * 1000)::bigint AS bucket, \
             sum(sales)::bigint, sum(revenue)::text, round(sum(revenue) / sum(sales), 2)::text \
             FROM sold GROUP BY bucket ORDER BY bucket"
        );
        let mut parameters = span_parameters(id, span);
        parameters.push(bucket.name().to_owned().into());
        let mut points = Vec::new();
        for row in &self.database.read(SQL, parameters).await? {
            let mut columns = row.columns(0);
            points.push(TrendPoint {
                date: columns.take()?,
                sales: columns.take()?,
                revenue: money(&mut columns)?,
                average_order_value: money(&mut columns)?,
            });
        }
        Ok(without_gaps(points, span.buckets(bucket)))
    }

    /// The products with the highest revenue.
    pub async fn products(&self, id: i64, span: Span, limit: i64) -> Result<Vec<ProductSales>, DatabaseError> {
        const SQL: &str = "SELECT product_id, count(*), sum(amount)::text FROM seller_sales \
             WHERE seller_id = $1 AND refunded_at IS NULL \
             AND occurred_at >= timestamptz 'epoch' + $2::bigint * interval '1 millisecond' \
             AND occurred_at < timestamptz 'epoch' + $3::bigint * interval '1 millisecond' \
             GROUP BY product_id ORDER BY sum(amount) DESC, product_id LIMIT $4";
        let parameters = [id, span.start_ms, span.end_ms, limit].map(Into::into).into();
        let rows = self.database.read(SQL, parameters).await?;
        let product = |row: &Row| {
            let mut columns = row.columns(0);
            let (product_id, units_sold) = (columns.take()?, columns.take()?);
            Ok(ProductSales { product_id, units_sold, revenue: money(&mut columns)? })
        };
        rows.iter().map(product).collect()
    }

    /// The money of a span.
    pub async fn revenue(&self, id: i64, span: Span) -> Result<Revenue, DatabaseError> {
        // The first row has the totals, and the other rows the categories.
        const SQL: &str = "WITH categories AS MATERIALIZED (SELECT category, \
             count(*) FILTER (WHERE refunded_at IS NULL) AS sales, \
             sum(amount) FILTER (WHERE refunded_at IS NULL) AS revenue, \
             max(amount) FILTER (WHERE refunded_at IS NULL) AS highest, \
             min(amount) FILTER (WHERE refunded_at IS NULL) AS lowest, \
             sum(amount) FILTER (WHERE refunded_at IS NOT NULL) AS refunded \
             FROM seller_sales WHERE seller_id = $1 \
             AND occurred_at >= timestamptz 'epoch' + $2::bigint * interval '1 millisecond' \
             AND occurred_at < timestamptz 'epoch' + $3::bigint * interval '1 millisecond' GROUP BY category) \
             SELECT NULL AS category, COALESCE(sum(sales), 0)::bigint, COALESCE(sum(revenue), 0.00)::text, \
             COALESCE(round(sum(revenue) / NULLIF(sum(sales), 0), 2), 0.00)::text, max(highest)::text, \
             min(lowest)::text, COALESCE(sum(refunded), 0.00)::text, NULL::numeric AS place FROM categories \
             UNION ALL SELECT category, sales, revenue::text, '0', NULL, NULL, '0', revenue FROM categories \
             WHERE sales > 0 ORDER BY place DESC NULLS FIRST, category";
        let parameters = [id, span.start_ms, span.end_ms].map(Into::into).into();
        let rows = self.database.read(SQL, parameters).await?;
        let mut totals = only_row(&rows)?.columns(2);
        let optional = |text: Option<String>| text.as_deref().map(TwoDecimals::of_sql).transpose();
        let category = |row: &Row| {
            let mut columns = row.columns(0);
            let (category, sales) = (columns.take()?, columns.take()?);
            Ok(ByCategory { category, sales, revenue: money(&mut columns)? })
        };
        Ok(Revenue {
            total_revenue: money(&mut totals)?,
            average_order_value: money(&mut totals)?,
            highest_order_value: optional(totals.take()?)?,
            lowest_order_value: optional(totals.take()?)?,
            refunded_amount: money(&mut totals)?,
            by_category: rows[1..].iter().map(category).collect::<Result<_, DatabaseError>>()?,
        })
    }
}

/// `points`, and a point without sales for each other bucket. Both are ascending.
fn without_gaps(points: Vec<TrendPoint>, buckets: impl Iterator<Item = i64>) -> Vec<TrendPoint> {
    let mut points = points.into_iter().peekable();
    let zero = TwoDecimals::default();
    let empty = |date| TrendPoint { date, sales: 0, revenue: zero, average_order_value: zero };
    buckets.map(|date| points.next_if(|point| point.date == date).unwrap_or_else(|| empty(date))).collect()
}

fn only_row(rows: &[Row]) -> Result<&Row, DatabaseError> {
    rows.first().ok_or_else(|| DatabaseError::Other("an aggregate gave no row".to_owned()))
}

fn money(columns: &mut Columns<'_>) -> Result<TwoDecimals, DatabaseError> {
    TwoDecimals::of_sql(&columns.take::<String>()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_without_sales_have_a_point() {
        let revenue = TwoDecimals::of_sql("5.00").unwrap();
        let point = |date| TrendPoint { date, sales: 1, revenue, average_order_value: revenue };
        let trend = without_gaps(vec![point(20), point(40)], [10, 20, 30, 40].into_iter());
        let sales: Vec<(i64, i64)> = trend.iter().map(|point| (point.date, point.sales)).collect();
        assert_eq!(sales, [(10, 0), (20, 1), (30, 0), (40, 1)]);
    }
}
