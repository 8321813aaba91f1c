//! The problems of this service. Texts of the database and of the users service go to the log only.

use axum::http::HeaderValue;
use axum::http::header::RETRY_AFTER;
use http_api::{FieldError, Kind, Problem, precondition_failed};
use spin_adapter::cache::write_problem;
use versioned_cache::WriteError;

use crate::named::Named;
use crate::seller::Seller;
use crate::state::{Action, Status, Verification};
use crate::store::{StoreError, WhileSuspended};
use crate::user_service::UserServiceError;

/// The seller does not exist.
pub fn no_such_seller(id: i64) -> Problem {
    Problem::new(Kind::NotFound, format!("There is no seller {id}."))
}

/// The user is not a seller.
pub fn no_seller_of_user(user: i64) -> Problem {
    Problem::new(Kind::NotFound, format!("User {user} is not a seller."))
}

/// The seller has no such sale.
pub fn no_such_sale(id: i64, sale: i64) -> Problem {
    Problem::new(Kind::NotFound, format!("Seller {id} has no sale {sale}."))
}

/// A write of the seller `id` failed; `refused` explains why the seller does not allow it.
pub fn write(error: WriteError<StoreError>, id: i64, refused: impl FnOnce(&Seller) -> Problem) -> Problem {
    write_problem(error, |error| match error {
        StoreError::NotFound => no_such_seller(id),
        StoreError::VersionMismatch => precondition_failed(),
        StoreError::Refused(seller) => refused(&seller),
        StoreError::AlreadySeller => {
            Problem::new(Kind::Conflict, "This user is a seller already: see GET /sellers/me.")
        }
        StoreError::Database(error) => error.into_write_problem(),
    })
}

/// The state of the seller does not allow the action; or members are missing that it needs.
pub fn action_refused(action: Action, seller: &Seller) -> Problem {
    let may_ask = seller.status != Status::Suspended
        && matches!(seller.verification_status, Verification::Unverified | Verification::Rejected);
    if action == Action::Verify && may_ask {
        let missing = |(name, _): (&str, _)| FieldError::at(["/", name].concat(), "is missing");
        let needed = [
            ("businessEmail", &seller.business_email),
            ("businessPhone", &seller.business_phone),
            ("businessAddress", &seller.business_address),
            ("businessCity", &seller.business_city),
            ("businessState", &seller.business_state),
            ("businessCountry", &seller.business_country),
        ];
        let errors = needed.into_iter().filter(|(_, value)| value.is_none()).map(missing).collect();
        return Problem::new(Kind::Validation, "The seller lacks members that a verification needs.")
            .with_errors(errors);
    }
    in_state(seller, &format!("does not allow {}", action.name()))
}

/// The seller is suspended, or must keep a member.
pub fn edit_refused(seller: &Seller, suspended: WhileSuspended) -> Problem {
    if seller.status == Status::Suspended && suspended == WhileSuspended::Refuse {
        return in_state(seller, "is suspended: its profile and banking details cannot be changed");
    }
    in_state(seller, "must keep the members that a verification needs")
}

/// For changes that no state refuses.
pub fn never_refused(_: &Seller) -> Problem {
    Problem::internal("a change without a condition was refused")
}

fn in_state(seller: &Seller, what: &str) -> Problem {
    let (status, verification) = (seller.status.name(), seller.verification_status.name());
    let detail = format!("The seller {what}. Its status is {status}, its verification {verification}.");
    // `status` is a standard member of problems.
    Problem::new(Kind::Conflict, detail)
        .with_extension("sellerStatus", status)
        .with_extension("verificationStatus", verification)
}

/// The seller has products or sales.
pub fn in_use(seller: &Seller) -> Problem {
    Problem::new(Kind::Conflict, "A seller with products or sales cannot be removed.")
        .with_extension("totalProducts", seller.total_products)
        .with_extension("totalSales", seller.total_sales)
}

/// The number of products would be negative.
pub fn too_few_products(seller: &Seller) -> Problem {
    Problem::new(
        Kind::Conflict,
        format!("The seller has {} products: the number cannot be negative.", seller.total_products),
    )
    .with_extension("totalProducts", seller.total_products)
}

/// The sales of the seller have another currency.
pub fn other_currency(currency: &str) -> Problem {
    let detail = format!("All sales of a seller have the same currency, which is {currency} for this one.");
    let error = FieldError::at("/currency", format!("must be {currency}"));
    Problem::new(Kind::Conflict, detail).with_errors(vec![error])
}

/// The sale is refunded.
pub fn already_refunded(sale: i64) -> Problem {
    Problem::new(Kind::Conflict, format!("Sale {sale} is refunded already."))
}

/// The key was used for another request.
pub fn key_reused() -> Problem {
    let error = FieldError::field("idempotency-key", "was used with another body: choose a new key");
    Problem::new(Kind::IdempotencyKeyReused, "This Idempotency-Key belongs to another sale.").with_errors(vec![error])
}

/// Only administrators may set the commission rate.
pub fn commission_rate_refused() -> Problem {
    let error = FieldError::at("/commissionRate", "may be set by an administrator only");
    Problem::new(Kind::Forbidden, "Only an administrator may set the commission rate.").with_errors(vec![error])
}

/// The user of the token does not exist.
pub fn no_such_user(id: i64) -> Problem {
    Problem::new(Kind::UserNotFound, format!("The users service has no user {id}."))
}

/// The user of the token is not active.
pub fn user_inactive(id: i64) -> Problem {
    Problem::new(Kind::UserInactive, format!("User {id} is not active.")).with_extension("user", format!("/users/{id}"))
}

/// The users service failed. The client of the service logs when it becomes unavailable.
pub fn user_service(error: UserServiceError) -> Problem {
    match error {
        UserServiceError::Unavailable(_) => {
            Problem::new(Kind::UserServiceUnavailable, "The users service is unavailable: try again later.")
                .with_header((RETRY_AFTER, HeaderValue::from_static("3")))
        }
        UserServiceError::Unusable(_) => {
            tracing::warn!(%error, "the response of the users service cannot be used");
            Problem::new(Kind::UserServiceFailed, "The users service gave a response that cannot be used.")
        }
    }
}
