//! One error type: a bench that cannot measure says why in one sentence and stops.

/// Why a measurement could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Failure(pub String);

pub type Result<T, E = Failure> = std::result::Result<T, E>;

/// Adds what was being done to an error of a library.
pub trait Context<T> {
    fn context(self, doing: impl std::fmt::Display) -> Result<T>;
}

// === impl Context ===

impl<T, E: std::fmt::Display> Context<T> for Result<T, E> {
    fn context(self, doing: impl std::fmt::Display) -> Result<T> {
        self.map_err(|error| Failure(format!("{doing}: {error}")))
    }
}

impl<T> Context<T> for Option<T> {
    fn context(self, doing: impl std::fmt::Display) -> Result<T> {
        self.ok_or_else(|| Failure(doing.to_string()))
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}
