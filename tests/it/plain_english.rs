//! Phrases that nobody uses, kept out of everything that users read.

use crate::macos_claims::scan;
use regex::Regex;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// Each once stood in many places; the words in brackets are what to write instead.
static PHRASES: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?ix)
        \bcould\ not\ be\ told\b          # is unknown
        | \bbear(?:s|ing)?\b              # has, names
        | \blet\ go\b                     # dropped
        | \bof\ late\b                    # recently
        | \b(?:a|one)\ row\ an?\b         # one row for each
        | \bwhat\ is\ to\ know\b          # its documentation
        ",
    )
    .unwrap()
});

/// Texts for users; programs print the string literals of `src` too.
const TEXTS: [&str; 10] = [
    "README.md",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs",
    "codes",
    "tables",
    "packs",
    "packaging",
];

#[test]
fn users_read_plain_english() {
    let mut found = Vec::new();
    for path in TEXTS.iter().flat_map(|text| files(Path::new(text))) {
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let lines = text.lines().zip(1..).filter(|(line, _)| PHRASES.is_match(line));
        found.extend(lines.map(|(line, number)| format!("{}:{number}: {}", path.display(), line.trim())));
    }
    for path in files(Path::new("src")).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "rs"))
    {
        let source = fs::read_to_string(&path).unwrap();
        let literals = scan::literals(&path.display().to_string(), &source);
        let literals = literals.into_iter().filter(|(text, _)| PHRASES.is_match(text));
        found.extend(literals.map(|(text, line)| format!("{}:{line}: {text}", path.display())));
    }
    assert!(found.is_empty(), "Say this in plain words:\n{}", found.join("\n"));
}

#[test]
fn the_phrases_are_found_and_words_like_them_are_not() {
    for phrase in
        ["Since when could not be told.", "a log that bears a date", "events were let go", "one row a command"]
    {
        assert!(PHRASES.is_match(phrase), "{phrase}");
    }
    for phrase in ["the times of later phases", "the bearer", "one row after another", "deleted from"] {
        assert!(!PHRASES.is_match(phrase), "{phrase}");
    }
    let source = "//! What could not be told.\nfn f() -> &'static str { \"it was let go\" }\n#[cfg(test)]\nmod tests { const T: &str = \"let go\"; }";
    assert_eq!(scan::literals("made_up.rs", source), [("it was let go".to_owned(), 2)]);
}

/// The files below a folder of the repository, or the file itself.
fn files(path: &Path) -> Vec<PathBuf> {
    // Tests run in the repository's root.
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    entries.flat_map(|entry| files(&entry.unwrap().path())).collect()
}
