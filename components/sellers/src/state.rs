//! The states of a seller, and the actions that change them. Only the SQL of an action checks whether the state allows
//! it.

use serde::Serialize;

use crate::named::Named;

/// Whether a seller may sell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Registered, not verified yet.
    Pending,
    /// Verified, and not suspended.
    Active,
    /// The verification was refused.
    Rejected,
    /// Stopped by an administrator.
    Suspended,
}

/// How far the verification of a seller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verification {
    /// Not asked for.
    Unverified,
    /// Asked for.
    Pending,
    /// Approved.
    Verified,
    /// Refused.
    Rejected,
}

impl Named for Status {
    const ALL: &'static [(&'static str, Self)] = &[
        ("pending", Self::Pending),
        ("active", Self::Active),
        ("rejected", Self::Rejected),
        ("suspended", Self::Suspended),
    ];
}

impl Named for Verification {
    const ALL: &'static [(&'static str, Self)] = &[
        ("unverified", Self::Unverified),
        ("pending", Self::Pending),
        ("verified", Self::Verified),
        ("rejected", Self::Rejected),
    ];
}

/// What changes the state of a seller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The owner asks for verification.
    Verify,
    /// An administrator verifies the seller.
    Approve,
    /// An administrator refuses the verification.
    Reject,
    /// An administrator stops the seller.
    Suspend,
    /// An administrator ends a suspension.
    Reactivate,
}

impl Named for Action {
    const ALL: &'static [(&'static str, Self)] = &[
        ("verify", Self::Verify),
        ("approve", Self::Approve),
        ("reject", Self::Reject),
        ("suspend", Self::Suspend),
        ("reactivate", Self::Reactivate),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_and_written() {
        assert_eq!(Status::parse("active"), Ok(Status::Active));
        assert_eq!(Status::Suspended.name(), "suspended");
        assert_eq!(
            Verification::parse("Pending"),
            Err("must be one of unverified, pending, verified, rejected".to_owned())
        );
        for (name, status) in Status::ALL {
            assert_eq!(serde_json::to_value(status).unwrap(), *name);
        }
        for (name, verification) in Verification::ALL {
            assert_eq!(serde_json::to_value(verification).unwrap(), *name);
        }
    }
}
