//! A fact is known, or it is known why not.

use super::codes::SourceReason;

/// Something that was found out, or why it could not be. An unknown fact is never a false one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact<T> {
    Known(T),
    Unknown {
        reason: SourceReason,
        /// A sentence for people.
        why: String,
    },
}

impl<T> Fact<T> {
    /// The value, if it is known.
    pub fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::Unknown { .. } => None,
        }
    }

    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(with(value)),
            Self::Unknown { reason, why } => Fact::Unknown { reason, why },
        }
    }

    pub fn unknown(reason: SourceReason, why: impl Into<String>) -> Self {
        Self::Unknown { reason, why: why.into() }
    }
}
