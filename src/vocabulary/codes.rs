//! The words of SQL as enums: `build.rs` makes them of `codes/*.yml`, so that no string decides anything.

use serde::{Deserialize, Serialize};

include!(concat!(env!("OUT_DIR"), "/codes.rs"));

/// A word of one of the sets.
pub trait Code: Copy + PartialEq + 'static {
    const SET: &'static CodeSet;
    const ALL: &'static [Self];

    /// The word in SQL.
    fn word(self) -> &'static str;

    fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|code| code.word() == word)
    }

    fn definition(self) -> Option<&'static CodeDefinition> {
        Self::SET.codes.iter().find(|code| code.word == self.word())
    }

    /// What the word means, in a sentence.
    fn meaning(self) -> &'static str {
        self.definition().map_or("", |code| code.meaning)
    }

    /// What to do; empty where nothing is to be done, or where the word that it belongs to says it.
    fn advice(self) -> &'static str {
        self.definition().map_or("", |code| code.advice)
    }
}

/// A file of `codes/`.
#[derive(Debug, PartialEq, Eq)]
pub struct CodeSet {
    /// The file's name without its ending.
    pub name: &'static str,
    pub meaning: &'static str,
    pub codes: &'static [CodeDefinition],
}

#[derive(Debug, PartialEq, Eq)]
pub struct CodeDefinition {
    pub word: &'static str,
    pub meaning: &'static str,
    pub advice: &'static str,
    /// The word of another set that it belongs to, such as the state of a reason; may be empty.
    pub of: &'static str,
    /// Where in public its meaning stands, of a word that is not ours; else empty.
    pub source: &'static str,
}
