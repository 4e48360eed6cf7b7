//! A value that was found in a text, and the patterns that find it.

use super::kind::Kind;
use regex::{Captures, Regex};
use std::ops::Range;

/// A value found in a text.
#[derive(Debug, PartialEq, Eq)]
pub struct Find {
    /// Where; `None` if it only became known there.
    pub span: Option<Range<usize>>,
    /// The value as it is meant, if it is written in another way.
    pub value: Option<String>,
    pub kind: Kind,
    pub scope: Scope,
}

/// Where else a value is replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Everywhere,
    /// It is found by its looks wherever it stands, or may mean nothing elsewhere.
    Here,
}

impl Find {
    /// A value that is written as it is meant.
    pub fn whole(span: Range<usize>, _value: &str, kind: Kind, scope: Scope) -> Self {
        Self { span: Some(span), value: None, kind, scope }
    }

    /// A value that became known.
    pub fn known(value: &str, kind: Kind) -> Self {
        Self { span: None, value: Some(value.to_owned()), kind, scope: Scope::Everywhere }
    }
}

/// The part of that name, empty where there is none.
pub fn part<'t>(found: &Captures<'t>, name: &str) -> &'t str {
    found.name(name).map_or("", |part| part.as_str())
}

/// A pattern of this program.
#[allow(clippy::expect_used, reason = "every use of it is a constant, and the tests use them all")]
pub fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern")
}
