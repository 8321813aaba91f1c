//! Why a component gave no answer.

use http::StatusCode;

/// Why a component gave no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The instance trapped, perhaps in another of its requests.
    Trapped,
    /// No answer within `--request-timeout`.
    TimedOut,
    /// No instance could be made.
    NotInstantiated,
    /// The component returned an error code instead of an answer.
    ErrorCode(String),
    /// Too many requests are waiting.
    Overloaded,
}

impl Failure {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// What the client is told: never what is inside.
    pub fn detail(&self) -> &'static str {
        match self {
            Self::Trapped => "The component failed while it answered this request.",
            Self::TimedOut => "The component did not answer in time.",
            Self::NotInstantiated => "The component could not be started.",
            Self::ErrorCode(_) => "The component answered with an error.",
            Self::Overloaded => "Too many requests are waiting for this component.",
        }
    }
}
