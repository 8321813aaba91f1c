//! Statements that read sellers and their history.

use http_api::response::rfc3339;
use serde::Serialize;
use spin_adapter::postgres::{Columns, DatabaseError, Row, nullable};
use spin_sdk::pg::ParameterValue;

use super::{Store, sellers};
use crate::list_query::{Filter, OffsetLimit, SortBy};
use crate::named::Named;
use crate::seller::{Seller, columns};

/// A page of rows, and how many rows there are on all pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows of the page.
    pub rows: Vec<T>,
    /// All rows.
    pub total: i64,
}

/// One change of state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HistoryRow {
    /// The identity.
    pub id: i64,
    /// `register`, or the action.
    pub action: String,
    /// The user who did it.
    pub actor: i64,
    /// When, in milliseconds since the Unix epoch.
    #[serde(serialize_with = "rfc3339")]
    pub at: i64,
    /// The states before; `None` for `register`.
    pub from: Option<States>,
    /// The states after.
    pub to: States,
    /// The reason that was given.
    pub reason: Option<String>,
}

/// Both states of a seller.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct States {
    /// Whether the seller may sell.
    pub status: String,
    /// How far the verification is.
    pub verification_status: String,
}

impl Store {
    /// One seller.
    ///
    /// # Errors
    /// Those of the database, as for all methods.
    pub async fn find(&self, id: i64) -> Result<Option<Seller>, DatabaseError> {
        const SQL: &str = concat!("SELECT ", columns!(), " FROM sellers WHERE id = $1 AND archived_at IS NULL");
        Ok(sellers(&self.database.read(SQL, vec![id.into()]).await?)?.pop())
    }

    /// The user of a seller.
    pub async fn owner(&self, id: i64) -> Result<Option<i64>, DatabaseError> {
        self.one_id("SELECT user_id FROM sellers WHERE id = $1 AND archived_at IS NULL", id).await
    }

    /// The seller of a user.
    pub async fn seller_of(&self, user_id: i64) -> Result<Option<i64>, DatabaseError> {
        self.one_id("SELECT id FROM sellers WHERE user_id = $1 AND archived_at IS NULL", user_id).await
    }

    async fn one_id(&self, sql: &str, parameter: i64) -> Result<Option<i64>, DatabaseError> {
        let rows = self.database.read(sql, vec![parameter.into()]).await?;
        rows.first().map(|row| row.get(0)).transpose()
    }

    /// A page of sellers.
    pub async fn page(&self, filter: &Filter, part: OffsetLimit) -> Result<Page<Seller>, DatabaseError> {
        // The order is one of a few fixed texts, never a text of the request.
        let direction = if filter.ascending { "ASC" } else { "DESC" };
        let column = match filter.sort_by {
            SortBy::CreatedAt => "created_at",
            SortBy::BusinessName => "business_name",
            SortBy::Rating => "rating",
            SortBy::TotalSales => "total_sales",
            SortBy::TotalRevenue => "total_revenue",
        };
        let sql = page_statement(
            "($3::text IS NULL OR status = $3) AND ($4::text IS NULL OR verification_status = $4) \
             AND ($5::text IS NULL OR rating >= $5::text::numeric) \
             AND ($6::text IS NULL OR business_name ILIKE $6 OR business_email ILIKE $6)",
            column,
            direction,
        );
        let parameters = vec![
            nullable(filter.status.map(|status| status.name().to_owned())),
            nullable(filter.verification.map(|verification| verification.name().to_owned())),
            nullable(filter.min_rating.map(|rating| rating.to_string())),
            nullable(filter.search.as_deref().map(containing)),
        ];
        self.read_page(&sql, part, parameters).await
    }

    /// A page of the sellers that wait for verification, the oldest request first. Nobody can decide about suspended
    /// ones.
    pub async fn pending(&self, part: OffsetLimit) -> Result<Page<Seller>, DatabaseError> {
        let sql = page_statement(
            "verification_status = 'pending' AND status <> 'suspended'",
            "verification_requested_at",
            "ASC",
        );
        self.read_page(&sql, part, vec![]).await
    }

    async fn read_page(
        &self,
        sql: &str,
        part: OffsetLimit,
        more: Vec<ParameterValue>,
    ) -> Result<Page<Seller>, DatabaseError> {
        let parameters = part.parameters().into_iter().chain(more).collect();
        page(&self.database.read(sql, parameters).await?, Seller::from_columns)
    }

    /// A page of the history of a seller, the oldest change first; `None`: there is no such seller.
    pub async fn history(&self, id: i64, part: OffsetLimit) -> Result<Option<Page<HistoryRow>>, DatabaseError> {
        const SQL: &str = "SELECT (SELECT count(*) FROM seller_history WHERE seller_id = $3) AS total, row.* \
             FROM sellers LEFT JOIN LATERAL (SELECT id, action, actor, (extract(epoch FROM at) * 1000)::bigint, \
             from_status, from_verification, to_status, to_verification, reason FROM seller_history \
             WHERE seller_id = sellers.id ORDER BY id LIMIT $1 OFFSET $2) AS row ON true \
             WHERE sellers.id = $3 AND archived_at IS NULL ORDER BY row.id";
        let parameters = part.parameters().into_iter().chain([id.into()]).collect();
        let rows = self.database.read(SQL, parameters).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        page(&rows, history_row).map(Some)
    }
}

impl OffsetLimit {
    /// `$1` and `$2`: the limit and the offset.
    fn parameters(self) -> [ParameterValue; 2] {
        [self.limit.into(), self.offset.into()]
    }
}

/// One row for each seller of the page, after the total; if the page is empty, one row with the total only. Sellers
/// with equal values of the column `order` are ordered by id. Whole rows are read for the page only.
fn page_statement(condition: &str, order: &str, direction: &str) -> String {
    let order_by = format!("ORDER BY place {direction}, id {direction}");
    format!(
        "WITH matching AS MATERIALIZED (SELECT id, {order} AS place FROM sellers WHERE archived_at IS NULL \
         AND {condition}), page AS (SELECT id, place FROM matching {order_by} LIMIT $1 OFFSET $2) \
         SELECT (SELECT count(*) FROM matching) AS total, {} FROM (VALUES (1)) AS once (row) \
         LEFT JOIN (page JOIN sellers USING (id)) ON true {order_by}",
        columns!()
    )
}

/// The rows of a page statement: the total, then the columns that `read` takes. Their first one is an id.
fn page<T>(
    rows: &[Row],
    read: impl Fn(&mut Columns<'_>) -> Result<T, DatabaseError>,
) -> Result<Page<T>, DatabaseError> {
    let total = rows.first().map_or(Ok(0), |row| row.get(0))?;
    let mut page = Page { rows: Vec::with_capacity(rows.len()), total };
    for row in rows {
        if row.get::<Option<i64>>(1)?.is_some() {
            page.rows.push(read(&mut row.columns(1))?);
        }
    }
    Ok(page)
}

fn history_row(columns: &mut Columns<'_>) -> Result<HistoryRow, DatabaseError> {
    let (id, action, actor, at) = (columns.take()?, columns.take()?, columns.take()?, columns.take()?);
    let (status, verification): (Option<String>, Option<String>) = (columns.take()?, columns.take()?);
    let states = |status, verification_status| States { status, verification_status };
    let from = status.zip(verification).map(|(status, verification)| states(status, verification));
    let to = states(columns.take()?, columns.take()?);
    Ok(HistoryRow { id, action, actor, at, from, to, reason: columns.take()? })
}

/// The pattern for ILIKE: texts that contain `text`, whose characters have no special meaning.
fn containing(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('%', r"\%").replace('_', r"\_");
    format!("%{escaped}%")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_have_no_wildcards_of_the_request() {
        assert_eq!(containing("100%_a\\b"), r"%100\%\_a\\b%");
    }
}
