//! A seller as the API shows it, in three forms: to everybody, to its owner and administrators, and in lists.

use http_api::response::{optional_rfc3339, rfc3339, to_json};
use serde::Serialize;
use spin_adapter::postgres::{Columns, DatabaseError};

use crate::decimal::TwoDecimals;
use crate::named::Named;
use crate::state::{Status, Verification};

/// A seller that is not archived. The members have the order of the JSON; `version` comes last, where
/// `ETag::of_last_version` finds it without parsing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Seller {
    /// The identity: greater than 0.
    pub id: i64,
    /// The user whose seller it is. It never changes.
    pub user_id: i64,
    /// The name.
    pub business_name: String,
    /// The legal form.
    pub business_type: String,
    /// The email address.
    pub business_email: Option<String>,
    /// The phone number.
    pub business_phone: Option<String>,
    /// Street and number.
    pub business_address: Option<String>,
    /// The city.
    pub business_city: Option<String>,
    /// The state or province.
    pub business_state: Option<String>,
    /// The country.
    pub business_country: Option<String>,
    /// The postal code.
    pub business_postal_code: Option<String>,
    /// The URL of the logo.
    pub logo_url: Option<String>,
    /// The URL of the website.
    pub website: Option<String>,
    /// A text about the seller.
    pub description: Option<String>,
    /// `None`: not shown.
    #[serde(flatten)]
    pub private: Option<Private>,
    /// What the marketplace keeps of each sale, in percent.
    pub commission_rate: TwoDecimals,
    /// Whether the seller may sell.
    pub status: Status,
    /// How far the verification is.
    pub verification_status: Verification,
    /// The average of the reviews; 0.00 without reviews.
    pub rating: TwoDecimals,
    /// The number of reviews.
    pub total_reviews: i64,
    /// The number of products.
    pub total_products: i64,
    /// The number of sales that are not refunded.
    pub total_sales: i64,
    /// The sum of their amounts.
    pub total_revenue: TwoDecimals,
    /// The currency of all sales; `None` before the first one.
    pub currency: Option<String>,
    /// When the seller was verified, in milliseconds since the Unix epoch.
    #[serde(serialize_with = "optional_rfc3339")]
    pub verified_at: Option<i64>,
    /// The administrator who did it.
    pub verified_by: Option<i64>,
    /// Why the verification was refused.
    pub rejection_reason: Option<String>,
    /// Why the seller is suspended.
    pub suspension_reason: Option<String>,
    /// When the seller was registered, in milliseconds since the Unix epoch.
    #[serde(serialize_with = "rfc3339")]
    pub created_at: i64,
    /// When the seller was last changed, in milliseconds since the Unix epoch.
    #[serde(serialize_with = "rfc3339")]
    pub updated_at: i64,
    /// 1; each change adds 1.
    pub version: i64,
}

/// The members that only the owner and administrators see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Private {
    /// The tax number.
    pub tax_id: Option<String>,
    /// The name of the bank.
    pub bank_name: Option<String>,
    /// The name of the account's holder.
    pub bank_account_holder: Option<String>,
    /// The number of the account.
    pub bank_account_number: Option<String>,
    /// The routing number of the bank.
    pub bank_routing_number: Option<String>,
    /// How the seller is paid.
    pub payment_method: String,
}

/// Who reads a seller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum View {
    /// Any user: without private members.
    Public,
    /// The owner or an administrator.
    Private,
}

/// The columns that [`Seller::from_columns`] reads, in this order. Times are numbers, because the host does not support
/// `timestamptz`; decimals are texts.
macro_rules! columns {
    () => {
        "id, user_id, business_name, business_type, business_email, business_phone, business_address, business_city, \
         business_state, business_country, business_postal_code, logo_url, website, description, tax_id, bank_name, \
         bank_account_holder, bank_account_number, bank_routing_number, payment_method, commission_rate::text, status, \
         verification_status, rating::text, total_reviews, total_products, total_sales, total_revenue::text, currency, \
         (extract(epoch FROM verified_at) * 1000)::bigint AS verified_ms, verified_by, rejection_reason, \
         suspension_reason, (extract(epoch FROM created_at) * 1000)::bigint AS created_ms, \
         (extract(epoch FROM updated_at) * 1000)::bigint AS updated_ms, version"
    };
}
pub(crate) use columns;

impl Seller {
    /// Reads the columns of [`columns!`], private ones included.
    ///
    /// # Errors
    /// [`DatabaseError::Other`] if the row has other columns.
    pub fn from_columns(columns: &mut Columns<'_>) -> Result<Self, DatabaseError> {
        // The fields of an expression are evaluated in the order in which they are written.
        Ok(Self {
            id: columns.take()?,
            user_id: columns.take()?,
            business_name: columns.take()?,
            business_type: columns.take()?,
            business_email: columns.take()?,
            business_phone: columns.take()?,
            business_address: columns.take()?,
            business_city: columns.take()?,
            business_state: columns.take()?,
            business_country: columns.take()?,
            business_postal_code: columns.take()?,
            logo_url: columns.take()?,
            website: columns.take()?,
            description: columns.take()?,
            private: Some(Private {
                tax_id: columns.take()?,
                bank_name: columns.take()?,
                bank_account_holder: columns.take()?,
                bank_account_number: columns.take()?,
                bank_routing_number: columns.take()?,
                payment_method: columns.take()?,
            }),
            commission_rate: TwoDecimals::of_sql(&columns.take::<String>()?)?,
            status: named(columns.take()?)?,
            verification_status: named(columns.take()?)?,
            rating: TwoDecimals::of_sql(&columns.take::<String>()?)?,
            total_reviews: columns.take()?,
            total_products: columns.take()?,
            total_sales: columns.take()?,
            total_revenue: TwoDecimals::of_sql(&columns.take::<String>()?)?,
            currency: columns.take()?,
            verified_at: columns.take()?,
            verified_by: columns.take()?,
            rejection_reason: columns.take()?,
            suspension_reason: columns.take()?,
            created_at: columns.take()?,
            updated_at: columns.take()?,
            version: columns.take()?,
        })
    }

    /// The JSON of this seller for this reader, without insignificant white space.
    pub fn to_json(&self, view: View) -> Vec<u8> {
        match view {
            View::Private => to_json(self),
            View::Public => to_json(&Self { private: None, ..self.clone() }),
        }
    }

    /// The seller as lists show it: of the account number only the end.
    #[must_use]
    pub fn masked(mut self) -> Self {
        if let Some(number) = self.private.as_mut().and_then(|private| private.bank_account_number.as_mut()) {
            *number = mask(number);
        }
        self
    }
}

/// The last four characters behind four asterisks. A number of four characters or fewer shows none of them.
fn mask(number: &str) -> String {
    let count = number.chars().count();
    let shown = if count > SHOWN { number.chars().skip(count - SHOWN).collect() } else { String::new() };
    ["****", &shown].concat()
}

/// Characters of an account number in lists.
const SHOWN: usize = 4;

fn named<T: Named>(text: String) -> Result<T, DatabaseError> {
    T::of(&text).ok_or_else(|| DatabaseError::Other(format!("{text} is not a state")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seller() -> Seller {
        let private = Private {
            tax_id: Some("12-3456789".to_owned()),
            bank_name: None,
            bank_account_holder: None,
            bank_account_number: Some("DE0012345678".to_owned()),
            bank_routing_number: None,
            payment_method: "bank_transfer".to_owned(),
        };
        Seller {
            id: 7,
            user_id: 42,
            business_name: "Acme".to_owned(),
            business_type: "llc".to_owned(),
            business_email: None,
            business_phone: None,
            business_address: None,
            business_city: None,
            business_state: None,
            business_country: None,
            business_postal_code: None,
            logo_url: None,
            website: None,
            description: None,
            private: Some(private),
            commission_rate: TwoDecimals::of_sql("12.50").unwrap(),
            status: Status::Active,
            verification_status: Verification::Verified,
            rating: TwoDecimals::default(),
            total_reviews: 0,
            total_products: 0,
            total_sales: 3,
            total_revenue: TwoDecimals::of_sql("30.30").unwrap(),
            currency: Some("EUR".to_owned()),
            verified_at: Some(1_767_225_600_000),
            verified_by: Some(1),
            rejection_reason: None,
            suspension_reason: None,
            created_at: 1_767_225_600_000,
            updated_at: 1_767_225_600_120,
            version: 3,
        }
    }

    #[test]
    fn only_the_private_form_has_private_members() {
        let private = String::from_utf8(seller().to_json(View::Private)).unwrap();
        let public = String::from_utf8(seller().to_json(View::Public)).unwrap();
        for member in
            ["taxId", "bankName", "bankAccountHolder", "bankAccountNumber", "bankRoutingNumber", "paymentMethod"]
        {
            assert!(private.contains(member), "{member}");
            assert!(!public.contains(member), "{member}");
        }
        for form in [&private, &public] {
            assert!(form.starts_with(r#"{"id":7,"userId":42,"businessName":"Acme","businessType":"llc","#), "{form}");
            assert!(
                form.contains(r#""commissionRate":12.50,"status":"active","verificationStatus":"verified""#),
                "{form}"
            );
            assert!(form.contains(r#""totalRevenue":30.30,"currency":"EUR","verifiedAt":"2026-01-01T00:00:00.000Z""#));
            assert!(form.ends_with(r#""updatedAt":"2026-01-01T00:00:00.120Z","version":3}"#), "{form}");
        }
    }

    #[test]
    fn lists_show_the_end_of_account_numbers() {
        let masked = seller().masked().private.unwrap();
        assert_eq!(masked.bank_account_number.as_deref(), Some("****5678"));
        assert_eq!(masked.tax_id.as_deref(), Some("12-3456789"));
        assert_eq!([mask("1234"), mask(""), mask("éèêëé")], ["****", "****", "****èêëé"]);
    }
}
