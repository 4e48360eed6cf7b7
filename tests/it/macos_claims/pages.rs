//! The two pages, and what is missing on them.

use super::root;
use super::scan::{Constant, Kind};
use std::fs;

pub const FACTS: &str = "docs/macos-facts.md";
pub const GRAMMAR: &str = "docs/log-grammar.md";

/// What stands in code on the two pages.
pub struct Pages(Vec<String>);

impl Pages {
    pub fn new(spans: Vec<String>) -> Self {
        Self(spans)
    }

    pub fn read() -> Self {
        let pages = [FACTS, GRAMMAR].map(|page| fs::read_to_string(root().join(page)).unwrap());
        Self(pages.iter().flat_map(|page| code_spans(page).unwrap_or_else(|error| panic!("{error}"))).collect())
    }

    /// A sentence for each constant that is on neither page.
    pub fn lacking(&self, constants: &[Constant]) -> Vec<String> {
        let on_a_page = |constant: &&Constant| !self.0.iter().any(|span| names(span, &constant.text));
        constants.iter().filter(on_a_page).map(lack).collect()
    }
}

fn lack(Constant { text, kind, file, line }: &Constant) -> String {
    let page = match kind {
        Kind::Path | Kind::Label | Kind::Command => format!(
            "Add a row to {FACTS}: the claim with the constant in `code`, the macOS versions, how we know, {file}, and whether it \
             holds"
        ),
        Kind::Key | Kind::Pattern => format!(
            "Add a row to {GRAMMAR}: the line or key with the constant in `code`, the macOS versions, the mark, the public source, \
             and {file}"
        ),
    };
    format!("{file}, line {line}: {text:?}, {kind}, is on neither page. {page}.")
}

/// Whether a code span contains the constant, not as a part of a longer word.
fn names(span: &str, constant: &str) -> bool {
    let constant = squeezed(constant);
    let is_word = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    span.match_indices(&constant).any(|(at, _)| {
        let (before, after) = (span.get(..at).unwrap_or(""), span.get(at + constant.len()..).unwrap_or(""));
        let cut_before = is_word(before.chars().next_back()) && is_word(constant.chars().next());
        let cut_after = is_word(after.chars().next()) && is_word(constant.chars().next_back());
        !cut_before && !cut_after
    })
}

/// The code of a page in Markdown: fenced blocks line by line, and what stands between backticks.
pub fn code_spans(page: &str) -> Result<Vec<String>, String> {
    let (mut spans, mut paragraph, mut fenced) = (Vec::new(), String::new(), false);
    for line in page.lines().chain([""]) {
        if line.starts_with("```") {
            fenced = !fenced;
        } else if fenced {
            spans.push(squeezed(line));
        } else if line.trim().is_empty() || line.starts_with('|') || line.starts_with('#') {
            for text in [std::mem::take(&mut paragraph), line.replace("\\|", "|")] {
                let parts: Vec<&str> = text.split('`').collect();
                if parts.len().is_multiple_of(2) {
                    return Err(format!("A backtick without its other one: {text}"));
                }
                spans.extend(parts.into_iter().skip(1).step_by(2).map(squeezed));
            }
        } else {
            paragraph.push_str(line);
            paragraph.push(' ');
        }
    }
    Ok(spans)
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
