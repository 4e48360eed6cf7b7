//! Reads `codes/*.yml`, the only place where states, reasons and other words of SQL are declared, and makes enums of them.

use crate::camel;
use crate::tables::Page;
use serde::Deserialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// A set of words: one enum.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Set {
    #[serde(default)]
    pub name: String,
    /// The name of the enum.
    pub r#enum: String,
    pub meaning: String,
    codes: Vec<Code>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Code {
    word: String,
    meaning: String,
    /// What to do; empty where nothing is to be done, or where the word that it belongs to says it.
    #[serde(default)]
    advice: String,
    /// The word of another set that it belongs to, such as the state of a reason.
    #[serde(default)]
    of: String,
    /// Where in public its meaning stands, of a word that is not ours.
    #[serde(default)]
    source: String,
}

impl Set {
    pub fn read(stem: &str, text: &str) -> Result<Self, String> {
        let mut set: Self = serde_saphyr::from_str(text).map_err(|e| format!("it is not a set of codes: {e}"))?;
        let mut seen = BTreeSet::new();
        for code in &set.codes {
            if !code.word.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_') {
                return Err(format!("the word {} has other characters than letters, digits and _", code.word));
            }
            if !seen.insert(&code.word) {
                return Err(format!("the word {} is there twice", code.word));
            }
        }
        set.name = stem.to_owned();
        Ok(set)
    }
}

/// The enums as Rust. A set that no column and no other set uses is an error: nothing could show its words.
pub fn code(sets: &[Set], pages: &[Page]) -> Result<String, String> {
    let mut code = String::new();
    for set in sets {
        if !pages.iter().any(|page| page.uses(&set.name)) {
            return Err(format!("codes/{}.yml is used by no column of tables/*.yml.", set.name));
        }
        code.push_str(&set.code());
    }
    let all = sets.iter().map(|set| format!("&{}::SET", set.r#enum)).collect::<Vec<_>>().join(", ");
    let _ = writeln!(code, "/// Every set, by the name of its file.\npub static CODE_SETS: &[&CodeSet] = &[{all}];");
    Ok(code)
}

impl Set {
    fn code(&self) -> String {
        let (name, meaning) = (&self.r#enum, &self.meaning);
        let (mut variants, mut words, mut all, mut codes) =
            (String::new(), String::new(), String::new(), String::new());
        for Code { word, meaning, advice, of, source } in &self.codes {
            let variant = camel(word);
            let _ = writeln!(variants, "    #[doc = {meaning:?}]\n    #[serde(rename = {word:?})]\n    {variant},");
            let _ = writeln!(words, "            Self::{variant} => {word:?},");
            let _ = write!(all, "Self::{variant}, ");
            let _ = writeln!(
                codes,
                "            CodeDefinition {{ word: {word:?}, meaning: {meaning:?}, advice: {advice:?}, of: {of:?}, source: {source:?} }},"
            );
        }
        format!(
            "#[doc = {meaning:?}]\n#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]\n\
             pub enum {name} {{\n{variants}}}\n\n\
             impl {name} {{\n    /// All of them, in the order of the file.\n    pub const ALL: &'static [Self] = &[{all}];\n\
             \n    const SET: CodeSet = CodeSet {{\n        name: {set:?},\n        meaning: {meaning:?},\n        codes: &[\n{codes}        ],\n    }};\n\n    \
             /// The word in SQL.\n    pub const fn word(self) -> &'static str {{\n        match self {{\n{words}        }}\n    }}\n}}\n\n\
             impl Code for {name} {{\n    const SET: &'static CodeSet = &Self::SET;\n    const ALL: &'static [Self] = Self::ALL;\n    \
             fn word(self) -> &'static str {{ Self::word(self) }}\n}}\n\n",
            set = self.name,
        )
    }
}
