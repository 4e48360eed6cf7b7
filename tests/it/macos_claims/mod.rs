//! Keeps docs/macos-facts.md and docs/log-grammar.md together with the code: whatever the code takes for granted about
//! macOS (a path, a label, a key, a command, a log pattern) must stand on one of the two pages.

mod pages;
pub mod scan;

use pages::{FACTS, GRAMMAR, Pages, code_spans};
use scan::{Kind, constants};
use std::fs;
use std::path::{Path, PathBuf};

/// The rooms that read from a Mac or act on it, and the file that looks for other programs there.
const ROOMS: [&str; 5] = ["src/host", "src/event", "src/facts", "src/heal", "src/cli/doctor/neighbours.rs"];

#[test]
fn what_the_code_takes_for_granted_about_macos_is_on_the_pages() {
    let pages = Pages::read();
    let mut missing = Vec::new();
    for file in ROOMS.iter().flat_map(|room| rust_files(&root().join(room))) {
        let name = relative(&file);
        let source = fs::read_to_string(&file).unwrap();
        missing.extend(pages.lacking(&constants(&name, &source)));
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

#[test]
fn the_files_that_the_pages_name_exist() {
    let mut missing = Vec::new();
    for page in [FACTS, GRAMMAR, "CONTRIBUTING.md", "SECURITY.md"] {
        for span in code_spans(&fs::read_to_string(root().join(page)).unwrap()).unwrap() {
            let ours = [
                "src/",
                "tests/",
                "docs/",
                "packaging/",
                "packs/",
                "tables/",
                "codes/",
                "fuzz/",
                "benches/",
                ".github/",
            ];
            let is_ours = ours.iter().any(|folder| span.starts_with(folder));
            // Not a pattern such as `tables/*.yml` or `tests/fixtures/NAME`.
            let is_one = !span.contains([' ', '*', '…', '<'])
                && !span.split('/').any(|part| part.chars().all(char::is_uppercase));
            if is_ours && is_one && !root().join(&span).exists() {
                missing.push(format!("{page} names {span}, which does not exist: name the file that it became."));
            }
        }
    }
    assert!(missing.is_empty(), "\n{}", missing.join("\n"));
}

/// A made-up source with one constant of each kind, and with texts that say nothing about macOS.
const MADE_UP: &str = r##"
//! A file about `/private/var/db/only-a-comment`.
const PLACE: &str = "/private/var/db/made-up.plist";
const PREDICATE: &str = concat!(r#"process == "madeupd" OR (subsystem == "com.example.madeup""#, r#" AND eventMessage CONTAINS "it is made up: ")"#);

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listing {
    #[serde(rename = "_userlevel")]
    users: Vec<String>,
    #[serde(default)]
    made_up_name: std::option::Option<String>,
}

impl Command {
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::MadeUp => &["made-up", "-v", PLACE, "behind"],
        }
    }
}

fn read(root: &Dictionary) -> Result<u32, Error> {
    let count = get(root, "MadeUpCount", number).ok_or("not_understood")?;
    let state = system("system/com.example.madeup.daemon");
    Err(Error::new(format!("{PLACE} says MadeUpNonsense of {count}: look at it")))
}

#[cfg(test)]
mod tests {
    const ONLY_A_TEST: &str = "/private/var/db/only-a-test";
}

fn later(line: &str) -> bool { line.strip_prefix("Behind the tests: ").is_some() }
"##;

fn found_in(file: &str) -> Vec<(Kind, String)> {
    constants(file, MADE_UP).into_iter().map(|constant| (constant.kind, constant.text)).collect()
}

#[test]
fn a_made_up_source_gives_each_of_its_constants_and_nothing_else() {
    let expected = [
        (Kind::Path, "/private/var/db/made-up.plist"),
        (Kind::Pattern, "madeupd"),
        (Kind::Label, "com.example.madeup"),
        (Kind::Pattern, "it is made up:"),
        (Kind::Key, "_userlevel"),
        (Kind::Key, "MadeUpName"),
        (Kind::Command, "made-up -v"),
        (Kind::Key, "MadeUpCount"),
        (Kind::Label, "system/com.example.madeup.daemon"),
        (Kind::Key, "Behind the tests:"),
    ];
    assert_eq!(found_in("src/facts/made_up.rs"), expected.map(|(kind, text)| (kind, text.to_owned())));
}

#[test]
fn every_text_that_a_speakers_file_compares_with_is_a_pattern() {
    let kinds = found_in("src/event/made_up.rs");
    assert!(kinds.contains(&(Kind::Pattern, "MadeUpCount".to_owned())), "{kinds:?}");
    assert!(kinds.contains(&(Kind::Pattern, "Behind the tests:".to_owned())), "{kinds:?}");
}

#[test]
fn what_no_page_names_is_a_sentence_with_the_constant_its_place_and_what_to_add() {
    let found = constants("src/facts/made_up.rs", MADE_UP);
    let pages = |page: &str| Pages::new(code_spans(page).unwrap());
    let all = "Only prose: /private/var/db/made-up.plist, MadeUpCount.";
    assert_eq!(pages(all).lacking(&found).len(), found.len());
    let but_one = "| `/private/var/db/made-up.plist` | `made-up -v PLACE` |\n\n`process == \"madeupd\" OR subsystem == \"com.example.madeup\"`\n\
                   ```text\nit is made up:   17\nBehind the tests: 1\n```\n`_userlevel`, `MadeUpName`, `system/com.example.madeup.daemon`, \
                   `MadeUpCounts`";
    assert_eq!(
        pages(but_one).lacking(&found),
        [
            "src/facts/made_up.rs, line 24: \"MadeUpCount\", a key, is on neither page. Add a row to docs/log-grammar.md: the line or key \
          with the constant in `code`, the macOS versions, the mark, the public source, and src/facts/made_up.rs."
        ]
    );
}

#[test]
fn a_backtick_without_its_other_one_is_refused() {
    assert!(code_spans("| `a` | `b |").is_err());
    assert_eq!(code_spans("a `b\nc` d\n\n| `e\\|f` |").unwrap(), ["b c", "e|f"]);
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn relative(file: &Path) -> String {
    file.strip_prefix(root()).unwrap_or(file).display().to_string()
}

/// A source, or the sources of a folder but for files that hold only tests.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    if folder.is_file() {
        return vec![folder.to_owned()];
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|ending| ending == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}
