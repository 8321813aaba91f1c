//! Statements that record sales and refunds. Each one changes the sale, the counters of the seller and the sums by hour
//! together.

use http_api::response::{optional_rfc3339, rfc3339};
use serde::Serialize;
use spin_adapter::postgres::{Columns, DatabaseError, nullable};

use super::Store;
use crate::decimal::TwoDecimals;
use crate::idempotency_key::IdempotencyKey;
use crate::sale::NewSale;

/// The unique index on the keys of a seller's sales.
const KEY_INDEX: &str = "seller_sales_idempotency_key";

/// A sale as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Sale {
    /// The identity.
    pub id: i64,
    /// The seller.
    pub seller_id: i64,
    /// How much was paid.
    pub amount: TwoDecimals,
    /// The currency: ISO 4217.
    pub currency: String,
    /// What was sold.
    pub product_id: Option<String>,
    /// The category of what was sold.
    pub category: Option<String>,
    /// When, in milliseconds since the Unix epoch.
    #[serde(serialize_with = "rfc3339")]
    pub occurred_at: i64,
    /// When it was refunded, in milliseconds since the Unix epoch.
    #[serde(serialize_with = "optional_rfc3339")]
    pub refunded_at: Option<i64>,
}

/// What became of a sale that should be recorded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaleOutcome {
    /// It is recorded now; the version of the seller after that.
    Recorded(Sale, i64),
    /// It was recorded by an earlier request with the same key and body.
    RecordedBefore(Sale),
    /// An earlier request with the same key had another body.
    KeyReused,
    /// The sales of the seller have this currency.
    OtherCurrency(String),
    /// The seller does not exist.
    NoSuchSeller,
}

/// What became of a sale that should be refunded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RefundOutcome {
    /// It is refunded now; the version of the seller after that.
    Refunded(Sale, i64),
    /// It was refunded before.
    AlreadyRefunded,
    /// The seller has no such sale.
    NoSuchSale,
    /// The seller does not exist.
    NoSuchSeller,
}

macro_rules! sale_columns {
    () => {
        "id, seller_id, amount::text, currency, product_id, category, \
         (extract(epoch FROM occurred_at) * 1000)::bigint, (extract(epoch FROM refunded_at) * 1000)::bigint"
    };
}

impl Store {
    /// Records a sale.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn sell(
        &self,
        id: i64,
        sale: &NewSale,
        key: Option<&IdempotencyKey>,
    ) -> Result<SaleOutcome, DatabaseError> {
        match self.try_sell(id, sale, key).await {
            // Another request with this key was committed while this one waited for the row of the seller. Now it is
            // visible.
            Err(DatabaseError::UniqueViolation { constraint }) if constraint == KEY_INDEX => {
                self.try_sell(id, sale, key).await
            }
            outcome => outcome,
        }
    }

    async fn try_sell(
        &self,
        id: i64,
        sale: &NewSale,
        key: Option<&IdempotencyKey>,
    ) -> Result<SaleOutcome, DatabaseError> {
        const SQL: &str = concat!(
            "WITH locked AS MATERIALIZED (SELECT id, currency FROM sellers WHERE id = $1 AND archived_at IS NULL \
             FOR UPDATE), \
             before AS MATERIALIZED (SELECT locked.*, clock_timestamp() AS time FROM locked), \
             known AS MATERIALIZED (SELECT seller_sales.* FROM seller_sales JOIN before ON seller_id = before.id \
             WHERE idempotency_key = $7), \
             counted AS (UPDATE sellers SET total_sales = sellers.total_sales + 1, \
             total_revenue = sellers.total_revenue + $2::text::numeric, \
             currency = COALESCE(before.currency, $3, 'USD'), updated_at = before.time, version = sellers.version + 1 \
             FROM before WHERE sellers.id = before.id AND NOT EXISTS (SELECT FROM known) \
             AND ($3::text IS NULL OR COALESCE(before.currency, $3) = $3) RETURNING sellers.id, sellers.currency, \
             sellers.version, before.time), \
             sold AS (INSERT INTO seller_sales (seller_id, amount, currency, product_id, category, occurred_at, \
             idempotency_key, request_digest) SELECT id, $2::text::numeric, currency, $4, $5, \
             COALESCE(timestamptz 'epoch' + $6::bigint * interval '1 millisecond', time), $7, $8 FROM counted \
             RETURNING *), \
             hourly AS (INSERT INTO seller_sales_hourly AS known (seller_id, hour, sales, revenue) \
             SELECT seller_id, date_trunc('hour', occurred_at, 'UTC'), 1, amount FROM sold \
             ON CONFLICT (seller_id, hour) DO UPDATE SET sales = known.sales + 1, \
             revenue = known.revenue + EXCLUDED.revenue) \
             SELECT before.currency, (SELECT version FROM counted), sale.* \
             FROM before LEFT JOIN (SELECT true AS is_same_request, ",
            sale_columns!(),
            " FROM sold UNION ALL SELECT request_digest = $8, ",
            sale_columns!(),
            " FROM known) AS sale ON true"
        );
        let parameters = vec![
            id.into(),
            sale.amount.to_string().into(),
            nullable(sale.currency.clone()),
            nullable(sale.product_id.clone()),
            nullable(sale.category.clone()),
            nullable(sale.occurred_ms),
            nullable(key.map(|key| key.key.clone())),
            nullable(key.map(|key| key.digest.clone())),
        ];
        let rows = self.database.query(SQL, parameters).await?;
        let Some(row) = rows.first() else { return Ok(SaleOutcome::NoSuchSeller) };
        let mut columns = row.columns(0);
        let (currency, version): (Option<String>, Option<i64>) = (columns.take()?, columns.take()?);
        let is_same_request: Option<bool> = columns.take()?;
        Ok(match (is_same_request, version) {
            (Some(true), Some(version)) => SaleOutcome::Recorded(Sale::from_columns(&mut columns)?, version),
            (Some(true), None) => SaleOutcome::RecordedBefore(Sale::from_columns(&mut columns)?),
            (Some(false), _) => SaleOutcome::KeyReused,
            (None, _) => SaleOutcome::OtherCurrency(currency.unwrap_or_default()),
        })
    }

    /// Refunds a sale.
    ///
    /// # Errors
    /// Those of the database.
    pub async fn refund(&self, id: i64, sale: i64) -> Result<RefundOutcome, DatabaseError> {
        const SQL: &str = concat!(
            "WITH locked AS MATERIALIZED (SELECT id FROM sellers WHERE id = $1 AND archived_at IS NULL FOR UPDATE), \
             before AS MATERIALIZED (SELECT id, clock_timestamp() AS time FROM locked), \
             refunded AS (UPDATE seller_sales SET refunded_at = before.time FROM before \
             WHERE seller_id = before.id AND seller_sales.id = $2 AND refunded_at IS NULL RETURNING seller_sales.*), \
             counted AS (UPDATE sellers SET total_sales = sellers.total_sales - 1, \
             total_revenue = sellers.total_revenue - refunded.amount, updated_at = refunded.refunded_at, \
             version = sellers.version + 1 FROM refunded WHERE sellers.id = refunded.seller_id RETURNING sellers.version), \
             hourly AS (UPDATE seller_sales_hourly SET sales = sales - 1, revenue = revenue - refunded.amount \
             FROM refunded WHERE seller_sales_hourly.seller_id = refunded.seller_id \
             AND hour = date_trunc('hour', occurred_at, 'UTC')) \
             SELECT EXISTS (SELECT FROM seller_sales WHERE seller_id = before.id AND id = $2), \
             (SELECT version FROM counted), sale.* \
             FROM before LEFT JOIN (SELECT ",
            sale_columns!(),
            " FROM refunded) AS sale ON true"
        );
        let rows = self.database.query(SQL, vec![id.into(), sale.into()]).await?;
        let Some(row) = rows.first() else { return Ok(RefundOutcome::NoSuchSeller) };
        let mut columns = row.columns(0);
        let (exists, version): (bool, Option<i64>) = (columns.take()?, columns.take()?);
        Ok(match version {
            Some(version) => RefundOutcome::Refunded(Sale::from_columns(&mut columns)?, version),
            None if exists => RefundOutcome::AlreadyRefunded,
            None => RefundOutcome::NoSuchSale,
        })
    }
}

impl Sale {
    /// The sale as it was when it was recorded: a repeated request gets the same response after a refund.
    #[must_use]
    pub fn before_refund(self) -> Self {
        Self { refunded_at: None, ..self }
    }

    fn from_columns(columns: &mut Columns<'_>) -> Result<Self, DatabaseError> {
        Ok(Self {
            id: columns.take()?,
            seller_id: columns.take()?,
            amount: TwoDecimals::of_sql(&columns.take::<String>()?)?,
            currency: columns.take()?,
            product_id: columns.take()?,
            category: columns.take()?,
            occurred_at: columns.take()?,
            refunded_at: columns.take()?,
        })
    }
}
