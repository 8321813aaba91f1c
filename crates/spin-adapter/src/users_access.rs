//! Which token the users service needs: the variable `users_access`. The service and its client, sellers, read it.

use std::str::FromStr;

use crate::variables::{Variable, VariableError};

/// Who may use the routes of the users service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UsersAccess {
    /// Everybody.
    Open,
    /// Programs with the API token or the admin token.
    Token,
    /// Users with a JSON Web Token. What they may do depends on the route.
    Jwt,
}

impl UsersAccess {
    /// Parses the variable.
    ///
    /// # Errors
    /// It is not one of the three.
    pub fn of(variable: Variable) -> Result<Self, VariableError> {
        variable.parsed("open, token or jwt", |_| true)
    }
}

impl FromStr for UsersAccess {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text {
            "open" => Ok(Self::Open),
            "token" => Ok(Self::Token),
            "jwt" => Ok(Self::Jwt),
            _ => Err(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_three_words_are_accepted() {
        let access = |text: &str| UsersAccess::of(Variable::new("users_access", text));
        assert_eq!(
            ["open", "token", "jwt"].map(access),
            [Ok(UsersAccess::Open), Ok(UsersAccess::Token), Ok(UsersAccess::Jwt)]
        );
        // No other value may open the service, not even an empty one or one of white space.
        for bad in ["", "Open", "open ", "none", "JWT"] {
            let error = access(bad).unwrap_err().to_string();
            assert_eq!(error, "the variable users_access must be open, token or jwt", "{bad:?}");
        }
    }
}
