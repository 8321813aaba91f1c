//! Who may use which routes.

pub mod bearer;
