//! The states of a seller, and the actions that change them. The SQL of each action checks the state again, so that of two
//! actions at the same time one wins.

use serde::Serialize;

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

/// Texts that stand for a value in the table, in query strings and in responses.
pub trait Named: Copy + PartialEq + 'static {
    /// All values with their texts.
    const ALL: &'static [(&'static str, Self)];

    /// The value of `text`.
    fn of(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, value)| *value)
    }

    /// The text of this value.
    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, value)| *value == self).map_or("", |(name, _)| name)
    }

    /// The rule for texts in requests.
    ///
    /// # Errors
    /// The detail: what it must be.
    fn parse(text: &str) -> Result<Self, String> {
        Self::of(text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("must be one of {}", names.join(", "))
        })
    }
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

impl Action {
    /// Whether a seller in this state allows the action. It only explains a refusal: the SQL decides.
    pub fn is_allowed(self, status: Status, verification: Verification) -> bool {
        let suspended = status == Status::Suspended;
        match self {
            Self::Verify => !suspended && matches!(verification, Verification::Unverified | Verification::Rejected),
            Self::Approve | Self::Reject => !suspended && verification == Verification::Pending,
            Self::Suspend => !suspended,
            Self::Reactivate => suspended && verification == Verification::Verified,
        }
    }
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
