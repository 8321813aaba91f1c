//! Why a component gave no response.

/// Why a component gave no response. The texts are for clients: they say nothing about the inside of the component.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The instance trapped, perhaps in another of its requests.
    #[error("The component failed while it answered this request.")]
    Trapped,
    /// No response within `--request-timeout`.
    #[error("The component did not answer in time.")]
    TimedOut,
    /// No instance could be started.
    #[error("The component could not be started.")]
    NotInstantiated,
    /// The component returned this error code instead of a response.
    #[error("The component answered with an error.")]
    ErrorCode(String),
    /// `--max-queue` requests are waiting.
    #[error("Too many requests are waiting for this component.")]
    Overloaded,
}
