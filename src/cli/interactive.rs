//! `query` without SQL, on a terminal: an interactive shell with history and completion.

use super::functions;
use super::layout;
use super::shell::{Format, Shell, ShellError};
use super::vtab::columns;
use crate::tables::{DEFINITIONS, TableDefinition};
use crate::vocabulary::printable;
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::FileHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{CompletionType, Config, Context, Editor, Helper};
use std::env;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

const PROMPT: &str = "mdm-health> ";

/// How many entries the history keeps.
const HISTORY: usize = 1000;

const HELP: &str = "\
.tables          the tables
.schema [TABLE]  the columns of a table, or of all
.mode MODE       how to print rows: auto, table, list, csv or json
.help            this list
.quit            end; Ctrl-D does the same
SQL ends with a semicolon and may have several lines. Tab completes names. Rows of a live Mac are at most a minute
old, unless you ask very often; mdm-health tables NAME explains a table.
";

const COMMANDS: [&str; 6] = [".help", ".mode", ".quit", ".exit", ".schema", ".tables"];
const MODES: [&str; 5] = ["auto", "table", "list", "csv", "json"];
const KEYWORDS: [&str; 26] = [
    "AND",
    "AS",
    "BETWEEN",
    "COUNT",
    "DATETIME",
    "DESC",
    "DISTINCT",
    "EXPLAIN",
    "FROM",
    "GROUP BY",
    "HAVING",
    "INSERT INTO",
    "IS NOT NULL",
    "IS NULL",
    "JOIN",
    "LEFT JOIN",
    "LIKE",
    "LIMIT",
    "NOT",
    "OR",
    "ORDER BY",
    "SELECT",
    "UNION",
    "VALUES",
    "WHERE",
    "WITH",
];

/// Reads statements and runs them, until the person who types them ends it.
pub fn run(
    shell: &Shell,
    format: Format,
    source: &str,
    show: impl Fn(&str) -> Result<(), ShellError>,
) -> Result<(), ShellError> {
    let output = |error: ReadlineError| ShellError::Output(format!("the terminal cannot be used: {error}"));
    let config = Config::builder().completion_type(CompletionType::List).auto_add_history(true);
    let config = config.max_history_size(HISTORY).map_err(output)?.build();
    let mut editor: Editor<Names, FileHistory> = Editor::with_config(config).map_err(output)?;
    editor.set_helper(Some(Names));
    let history = history();
    if let Some(history) = &history {
        // There is none the first time.
        let _ = editor.load_history(history);
    }
    show(&format!("mdm-health {} on {}; .help says what there is beside SQL\n", crate::VERSION, printable(source)))?;
    let mut format = format;
    let ended = loop {
        match editor.readline(PROMPT) {
            Ok(line) if [".quit", ".exit"].contains(&line.trim().trim_end_matches(';')) => break Ok(()),
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) if line.trim_start().starts_with('.') => match command(line.trim(), &mut format) {
                Ok(text) => show(&text)?,
                Err(sentence) => complain(&sentence),
            },
            Ok(line) => match shell.run(&line, |rows| show(&rows.printed(now(format))?)) {
                Err(ShellError::Output(why)) => break Err(ShellError::Output(why)),
                Err(error) => complain(&format!("{error}.")),
                Ok(()) => {}
            },
            // Ctrl-C leaves what was typed, as in every shell.
            Err(ReadlineError::Interrupted) => {}
            Err(ReadlineError::Eof) => break Ok(()),
            Err(error) => break Err(output(error)),
        }
    };
    if let Some(history) = &history {
        // Without it the next shell remembers less.
        let _ = editor.save_history(history);
    }
    ended
}

/// The window may have another width by now.
fn now(format: Format) -> Format {
    if matches!(format, Format::Fitting(_)) { Format::Fitting(layout::width_of_output()) } else { format }
}

fn complain(sentence: &str) {
    let _ = writeln!(io::stderr(), "{}", printable(sentence));
}

/// Carries out a line that begins with a dot.
fn command(line: &str, format: &mut Format) -> Result<String, String> {
    let mut words = line.trim_end_matches(';').split_whitespace();
    match (words.next().unwrap_or_default(), words.next()) {
        (".help", _) => Ok(HELP.to_owned()),
        (".tables", _) => Ok(DEFINITIONS.iter().map(|table| format!("{}\n", table.name)).collect()),
        (".schema", None) => Ok(DEFINITIONS.iter().map(|table| schema(table)).collect()),
        (".schema", Some(name)) => DEFINITIONS
            .iter()
            .find(|table| table.name.eq_ignore_ascii_case(name))
            .map(|table| schema(table))
            .ok_or_else(|| format!("there is no table {name}; .tables lists those that there are.")),
        (".mode", Some(mode)) => {
            *format = match mode {
                "auto" => Format::Fitting(layout::width_of_output()),
                "table" => Format::Table,
                "list" | "line" => Format::List,
                "csv" => Format::Csv,
                "json" => Format::Json,
                _ => return Err(format!("there is no mode {mode}: the modes are {}.", MODES.join(", "))),
            };
            Ok(String::new())
        }
        (".mode", None) => Err(format!("which mode? They are {}.", MODES.join(", "))),
        (other, _) => Err(format!("there is no {other}; .help lists what there is.")),
    }
}

fn schema(table: &TableDefinition) -> String {
    format!("CREATE TABLE {}(\n    {}\n);\n", table.name, columns(table).join(",\n    "))
}

/// Where the history is kept: in the home of the user whose shell it is. Under sudo that home is another's, in which root
/// writes nothing.
fn history() -> Option<PathBuf> {
    let home = PathBuf::from(env::var_os("HOME").filter(|home| !home.is_empty())?);
    let own = rustix::process::geteuid().as_raw();
    let is_ours = fs::metadata(&home).is_ok_and(|home| home.is_dir() && home.uid() == own);
    is_ours.then(|| home.join(".mdm-health_history"))
}

/// The names that Tab completes, and where a statement ends.
struct Names;

impl Helper for Names {}
impl Highlighter for Names {}
impl Hinter for Names {
    type Hint = String;
}

impl Completer for Names {
    type Candidate = String;

    fn complete(&self, line: &str, at: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(completions(line, at))
    }
}

impl Validator for Names {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        let is_whole = is_complete(context.input());
        Ok(if is_whole { ValidationResult::Valid(None) } else { ValidationResult::Incomplete })
    }
}

/// Where the word begins that ends there, and what it may become.
fn completions(line: &str, at: usize) -> (usize, Vec<String>) {
    let before = line.get(..at).unwrap_or(line);
    let is_word = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.';
    let begin = before.char_indices().rev().find(|(_, letter)| !is_word(*letter));
    let mut begin = begin.map_or(0, |(at, letter)| at + letter.len_utf8());
    let mut word = before.get(begin..).unwrap_or_default();
    let head = before.get(..begin).unwrap_or_default().trim();
    let fitting = |names: &mut dyn Iterator<Item = &str>, word: &str| -> Vec<String> {
        let fits = |name: &&str| name.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word));
        let mut names: Vec<String> = names.filter(fits).map(str::to_owned).collect();
        names.sort();
        names.dedup();
        names
    };
    let mut tables = DEFINITIONS.iter().map(|table| table.name);
    match head {
        "" if word.starts_with('.') => return (begin, fitting(&mut COMMANDS.into_iter(), word)),
        ".mode" => return (begin, fitting(&mut MODES.into_iter(), word)),
        ".schema" => return (begin, fitting(&mut tables, word)),
        _ => {}
    }
    // `w.state`: the name of the table stays.
    if let Some(dot) = word.rfind('.') {
        begin += dot + 1;
        word = word.get(dot + 1..).unwrap_or_default();
    }
    if ["from", "join", "into"].iter().any(|before| head.to_lowercase().ends_with(before)) {
        return (begin, fitting(&mut tables, word));
    }
    let mut words = line.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
    let named: Vec<&TableDefinition> = DEFINITIONS
        .iter()
        .copied()
        .filter(|table| words.clone().any(|word| word.eq_ignore_ascii_case(table.name)))
        .collect();
    let _ = words.next();
    let of: Vec<&TableDefinition> = if named.is_empty() { DEFINITIONS.to_vec() } else { named };
    let columns = of.iter().flat_map(|table| table.columns).map(|column| column.name);
    let all = columns.chain(tables).chain(functions::NAMES);
    (begin, fitting(&mut all.chain(if word.is_empty() { &[][..] } else { &KEYWORDS[..] }.iter().copied()), word))
}

/// Whether what was typed is to be run: a line with a dot, nothing at all, or SQL that ends with a semicolon outside of
/// quotes and comments.
fn is_complete(input: &str) -> bool {
    let typed = input.trim();
    if typed.is_empty() || typed.starts_with('.') {
        return true;
    }
    let (mut letters, mut ended) = (typed.chars().peekable(), false);
    while let Some(letter) = letters.next() {
        match letter {
            '\'' | '"' | '`' => {
                ended = false;
                if !letters.by_ref().any(|other| other == letter) {
                    return false;
                }
            }
            '-' if letters.peek() == Some(&'-') => {
                letters.by_ref().find(|letter| *letter == '\n');
            }
            '/' if letters.peek() == Some(&'*') => {
                letters.next();
                let mut before = ' ';
                let closed =
                    letters.by_ref().any(|letter| std::mem::replace(&mut before, letter) == '*' && letter == '/');
                if !closed {
                    return false;
                }
            }
            ';' => ended = true,
            letter if letter.is_whitespace() => {}
            _ => ended = false,
        }
    }
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_ends_with_a_semicolon_outside_of_quotes_and_comments() {
        for whole in [
            "",
            " ",
            ".tables",
            "SELECT 1;",
            "SELECT 1; -- done",
            "SELECT ';';",
            "SELECT 1; /* a */ ",
            "-- a\nSELECT 1;",
        ] {
            assert!(is_complete(whole), "{whole}");
        }
        for part in
            ["SELECT 1", "SELECT ';", "SELECT 1 -- ;", "SELECT 1; SELECT", "SELECT 1 /* ;", "SELECT \"a;", "-- a;"]
        {
            assert!(!is_complete(part), "{part}");
        }
    }

    #[test]
    fn tab_completes_tables_columns_and_commands() {
        let after = |line: &str| completions(line, line.len());
        let tables = vec!["mdm_watchdog".to_owned(), "mdm_watchdog_history".to_owned()];
        assert_eq!(after("SELECT * FROM mdm_w"), (14, tables));
        assert_eq!(after(".sch"), (0, vec![".schema".to_owned()]));
        assert_eq!(after(".mode j"), (6, vec!["json".to_owned()]));
        assert_eq!(after(".schema mdm_id"), (8, vec!["mdm_identity".to_owned()]));
        let line = "SELECT w.las FROM mdm_watchdog w";
        let (begin, columns) = completions(line, 12);
        assert_eq!((begin, columns.iter().any(|name| name == "last_success_at")), (9, true));
        assert!(columns.iter().all(|name| name.starts_with("last_")), "{columns:?}");
        assert!(after("SELECT version_c").1.contains(&"version_compare".to_owned()));
        assert!(after("sel").1.contains(&"SELECT".to_owned()));
        // A letter that is cut in two, or a place that is none.
        assert_eq!(completions("SELECT ä", 8).0, 7);
    }

    #[test]
    fn each_command_answers_and_a_wrong_one_says_what_there_is() {
        let mut format = Format::Csv;
        assert!(command(".tables", &mut format).unwrap().contains("mdm_heal\n"));
        assert!(
            command(".schema mdm_heal;", &mut format)
                .unwrap()
                .starts_with("CREATE TABLE mdm_heal(\n    action TEXT,\n")
        );
        assert!(command(".schema nowhere", &mut format).unwrap_err().contains(".tables"));
        for mode in MODES {
            assert_eq!(command(&format!(".mode {mode}"), &mut format), Ok(String::new()));
        }
        assert_eq!(format, Format::Json);
        assert!(command(".mode up", &mut format).unwrap_err().contains("auto, table, list, csv, json"));
        assert!(command(".import x", &mut format).unwrap_err().contains(".help"));
    }
}
