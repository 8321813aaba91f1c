//! The events about sellers. They have the id and the version of a seller; some have its state or the id of a sale in
//! `data`. They have none of its other members.

use events::NewEvent;
use serde_json::json;

use crate::named::Named;
use crate::seller::Seller;
use crate::state::Action;

/// A user has become a seller.
pub fn registered(seller: &Seller) -> NewEvent {
    about("tumbler.seller.registered", seller.id, seller.version)
}

/// Members of a seller were changed.
pub fn updated(seller: &Seller) -> NewEvent {
    about("tumbler.seller.updated", seller.id, seller.version)
}

/// A seller was archived.
pub fn deleted(seller: &Seller) -> NewEvent {
    about("tumbler.seller.deleted", seller.id, seller.version)
}

/// The state of a seller was changed.
pub fn acted(action: Action, seller: &Seller) -> NewEvent {
    let kind = match action {
        Action::Verify | Action::Approve | Action::Reject => "tumbler.seller.verification-changed",
        Action::Suspend | Action::Reactivate => "tumbler.seller.status-changed",
    };
    let state = json!({
        "action": action.name(), "status": seller.status, "verificationStatus": seller.verification_status
    });
    about(kind, seller.id, seller.version).data(state)
}

/// A sale was recorded.
pub fn sale_recorded(seller: i64, version: i64, sale: i64) -> NewEvent {
    about("tumbler.seller.sale-recorded", seller, version).data(json!({ "saleId": sale }))
}

/// A sale was refunded.
pub fn sale_refunded(seller: i64, version: i64, sale: i64) -> NewEvent {
    about("tumbler.seller.sale-refunded", seller, version).data(json!({ "saleId": sale }))
}

/// The number of products was changed.
pub fn products_changed(seller: &Seller) -> NewEvent {
    about("tumbler.seller.products-changed", seller.id, seller.version)
}

/// A review was added.
pub fn review_added(seller: &Seller) -> NewEvent {
    about("tumbler.seller.review-added", seller.id, seller.version)
}

fn about(kind: &'static str, id: i64, version: i64) -> NewEvent {
    NewEvent::new(kind, format!("sellers/{id}")).version(version)
}
