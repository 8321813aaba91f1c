//! Statements that create and change sellers.

use http_api::Versions;
use http_api::response::to_json;
use spin_adapter::postgres::{DatabaseError, nullable};
use spin_sdk::pg::ParameterValue;

use super::{Store, StoreError, change_statement};
use crate::decimal::TwoDecimals;
use crate::fields::ColumnValues;
use crate::named::Named;
use crate::seller::{Seller, columns};
use crate::state::Action;

/// The unique index on the users of sellers that are not archived.
const USER_INDEX: &str = "sellers_user_id_key";

/// Whether a suspended seller may be edited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhileSuspended {
    /// No: changes of the profile and of banking details.
    Refuse,
    /// Yes: an administrator may change any field.
    Allow,
}

impl Store {
    /// Draws the id of a new seller. An id that is not used leaves a gap.
    ///
    /// # Errors
    /// Those of the database, as for all methods.
    pub async fn draw_id(&self) -> Result<i64, DatabaseError> {
        let rows = self.database.read("SELECT nextval(pg_get_serial_sequence('sellers', 'id'))", vec![]).await?;
        rows.first().ok_or_else(|| DatabaseError::Other("nextval gave no row".to_owned()))?.get(0)
    }

    /// Creates the seller of a user, and the first row of its history.
    ///
    /// # Errors
    /// [`StoreError::AlreadySeller`].
    pub async fn insert(&self, id: i64, user_id: i64, new: &ColumnValues) -> Result<Seller, StoreError> {
        const SQL: &str = concat!(
            "WITH created AS (INSERT INTO sellers (id, user_id, business_name, business_type, business_email, \
             business_phone, tax_id, business_address, business_city, business_state, business_country, \
             business_postal_code, logo_url, website, description, bank_name, bank_account_holder, \
             bank_account_number, bank_routing_number, payment_method, commission_rate) \
             SELECT $1, $2, business_name, COALESCE(business_type, 'individual'), business_email, business_phone, \
             tax_id, business_address, business_city, business_state, business_country, business_postal_code, \
             logo_url, website, description, bank_name, bank_account_holder, bank_account_number, bank_routing_number, \
             COALESCE(payment_method, 'bank_transfer'), COALESCE(commission_rate, 0.00) \
             FROM jsonb_to_record($3::jsonb) AS new (business_name text, business_type text, business_email text, \
             business_phone text, tax_id text, business_address text, business_city text, business_state text, \
             business_country text, business_postal_code text, logo_url text, website text, description text, \
             bank_name text, bank_account_holder text, bank_account_number text, bank_routing_number text, \
             payment_method text, commission_rate numeric) RETURNING *), \
             logged AS (INSERT INTO seller_history (seller_id, action, actor, to_status, to_verification) \
             SELECT id, 'register', user_id, status, verification_status FROM created) SELECT ",
            columns!(),
            " FROM created"
        );
        let parameters = vec![id.into(), user_id.into(), ParameterValue::Jsonb(to_json(&new.0))];
        let rows = self.database.query(SQL, parameters).await.map_err(|error| match error {
            DatabaseError::UniqueViolation { constraint } if constraint == USER_INDEX => StoreError::AlreadySeller,
            other => StoreError::Database(other),
        })?;
        let row = rows.first().ok_or_else(|| DatabaseError::Other("the INSERT gave no row".to_owned()))?;
        Ok(Seller::from_columns(&mut row.columns(0))?)
    }

    /// Sets these columns.
    ///
    /// # Errors
    /// [`StoreError::Refused`]: the seller is suspended, or would lose a member that its verification needed.
    pub async fn edit(
        &self,
        id: i64,
        changes: &ColumnValues,
        suspended: WhileSuspended,
        only: &Versions,
    ) -> Result<Seller, StoreError> {
        macro_rules! set {
            ($($column:literal),*) => {
                concat!(
                    $($column, " = CASE WHEN $4::jsonb ? '", $column, "' THEN $4->>'", $column, "' ELSE sellers.", $column,
                      " END, ",)*
                    "commission_rate = CASE WHEN $4::jsonb ? 'commission_rate' THEN ($4->>'commission_rate')::numeric \
                     ELSE sellers.commission_rate END"
                )
            };
        }
        const SQL: &str = change_statement!(
            set: set!(
                "business_name", "business_type", "business_email", "business_phone", "tax_id", "business_address",
                "business_city", "business_state", "business_country", "business_postal_code", "logo_url", "website",
                "description", "bank_name", "bank_account_holder", "bank_account_number", "bank_routing_number",
                "payment_method"
            ),
            only_if: "($5 OR before.status <> 'suspended') \
                      AND NOT ($6 AND before.verification_status IN ('pending', 'verified'))",
            then: ""
        );
        let always = ParameterValue::Boolean(suspended == WhileSuspended::Allow);
        let removes_needed = ParameterValue::Boolean(changes.removes_needed());
        let parameters = vec![ParameterValue::Jsonb(to_json(&changes.0)), always, removes_needed];
        self.change(SQL, id, only, parameters).await
    }

    /// Changes the state and adds a row to the history.
    ///
    /// # Errors
    /// [`StoreError::Refused`]: the state does not allow the action, or the seller lacks members that `verify` needs.
    pub async fn act(
        &self,
        action: Action,
        id: i64,
        actor: i64,
        reason: Option<String>,
        only: &Versions,
    ) -> Result<Seller, StoreError> {
        macro_rules! action {
            (set: $set:literal, only_if: $condition:literal) => {
                change_statement!(
                    set: $set,
                    only_if: $condition,
                    then: ", logged AS (INSERT INTO seller_history (seller_id, action, actor, at, from_status, \
                           from_verification, to_status, to_verification, reason) SELECT changed.id, $4, $5, \
                           before.time, before.status, before.verification_status, changed.status, \
                           changed.verification_status, $6::text FROM changed, before)"
                )
            };
        }
        let sql = match action {
            Action::Verify => action!(
                set: "verification_status = 'pending', verification_requested_at = before.time, \
                      rejection_reason = NULL, status = CASE sellers.status WHEN 'rejected' THEN 'pending' ELSE sellers.status END",
                only_if: "before.status <> 'suspended' AND before.verification_status IN ('unverified', 'rejected') \
                          AND before.business_email IS NOT NULL AND before.business_phone IS NOT NULL \
                          AND before.business_address IS NOT NULL AND before.business_city IS NOT NULL \
                          AND before.business_state IS NOT NULL AND before.business_country IS NOT NULL"
            ),
            Action::Approve => action!(
                set: "verification_status = 'verified', status = 'active', verified_at = before.time, \
                      verified_by = $5, rejection_reason = NULL",
                only_if: "before.status <> 'suspended' AND before.verification_status = 'pending'"
            ),
            Action::Reject => action!(
                set: "verification_status = 'rejected', status = 'rejected', rejection_reason = $6",
                only_if: "before.status <> 'suspended' AND before.verification_status = 'pending'"
            ),
            Action::Suspend => action!(
                set: "status = 'suspended', suspension_reason = $6",
                only_if: "before.status <> 'suspended'"
            ),
            Action::Reactivate => action!(
                set: "status = 'active', suspension_reason = NULL",
                only_if: "before.status = 'suspended' AND before.verification_status = 'verified'"
            ),
        };
        let action = action.name().to_owned().into();
        self.change(sql, id, only, vec![action, actor.into(), nullable(reason)]).await
    }

    /// Archives a seller without products and sales, and adds a row to the history.
    ///
    /// # Errors
    /// [`StoreError::Refused`]: it has some.
    pub async fn archive(&self, id: i64, actor: i64, only: &Versions) -> Result<Seller, StoreError> {
        const SQL: &str = change_statement!(
            set: "archived_at = before.time",
            only_if: "before.total_products = 0 AND before.total_sales = 0",
            then: ", logged AS (INSERT INTO seller_history (seller_id, action, actor, at, from_status, \
                   from_verification, to_status, to_verification) SELECT id, 'archive', $4, time, status, verification_status, status, \
                   verification_status FROM before WHERE EXISTS (SELECT FROM changed))"
        );
        self.change(SQL, id, only, vec![actor.into()]).await
    }

    /// Adds to the number of products.
    ///
    /// # Errors
    /// [`StoreError::Refused`]: it would be negative.
    pub async fn add_products(&self, id: i64, change: i64) -> Result<Seller, StoreError> {
        const SQL: &str = change_statement!(
            set: "total_products = sellers.total_products + $4",
            only_if: "before.total_products + $4 >= 0",
            then: ""
        );
        self.change(SQL, id, &Versions::ANY, vec![change.into()]).await
    }

    /// Adds a review to the average.
    ///
    /// # Errors
    /// Those of all statements.
    pub async fn add_review(&self, id: i64, rating: TwoDecimals) -> Result<Seller, StoreError> {
        const SQL: &str = change_statement!(
            set: "rating_sum = sellers.rating_sum + $4::text::numeric, total_reviews = sellers.total_reviews + 1",
            only_if: "true",
            then: ""
        );
        self.change(SQL, id, &Versions::ANY, vec![rating.to_string().into()]).await
    }
}
