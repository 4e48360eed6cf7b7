//! The tables as a SQL database, without osquery: runs statements, and prints their rows.

use super::layout;
use super::sql_limits::{self, Refused};
use super::{functions, nearest, vtab};
use crate::health::Findings;
use crate::tables::{AskFindings, Table, Value};
use crate::vocabulary::{printable, printable_json};
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use thiserror::Error;

/// How to print rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A JSON array with one object per row. Integers are numbers, everything else is text, NULL is null.
    Json,
    /// CSV with a header line; NULL is empty.
    Csv,
    /// A table, however wide.
    Table,
    /// A list of columns for each row.
    List,
    /// A table if it is no wider than so many columns, else lists.
    Fitting(usize),
}

/// Why a query has no answer.
#[derive(Debug, Error)]
pub enum ShellError {
    /// SQLite or a table refuses it.
    #[error("{0}")]
    Sql(String),
    /// It is more than this shell is for.
    #[error(
        "{0} is not allowed here: query runs SELECT, WITH, EXPLAIN and INSERT INTO mdm_heal, on mdm-health's own tables"
    )]
    NotAllowed(String),
    #[error("the query is empty: pass one such as \"SELECT * FROM mdm_watchdog\"")]
    NoQuery,
    #[error("the rows cannot be printed as CSV: {0}")]
    Csv(String),
    #[error("{0}")]
    Output(String),
}

/// The rows of a statement, each with one value per column.
pub struct Rows {
    pub columns: Vec<String>,
    pub rows: Vec<Vec<Value>>,
}

impl Rows {
    /// The rows as text.
    pub fn printed(&self, format: Format) -> Result<String, ShellError> {
        Ok(match format {
            Format::Json => json(self),
            Format::Csv => csv(self)?,
            Format::Table => layout::table(self, usize::MAX),
            Format::List => layout::table(self, 0),
            Format::Fitting(width) => layout::table(self, width),
        })
    }
}

/// The database.
pub struct Shell {
    connection: Connection,
    denied: Refused,
    /// What all tables of one call show.
    seen: Arc<Mutex<Option<Arc<Findings>>>>,
}

impl Shell {
    pub fn new(
        tables: Vec<Box<dyn Table>>,
        ask: impl Fn() -> Arc<Findings> + Send + Sync + 'static,
    ) -> Result<Self, ShellError> {
        let open = || {
            let seen: Arc<Mutex<Option<Arc<Findings>>>> = Arc::default();
            let kept = seen.clone();
            let ask = move || kept.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert_with(&ask).clone();
            let mut connection = Connection::open_in_memory()?;
            functions::register(&connection)?;
            vtab::register(&connection, tables, &(Arc::new(ask) as AskFindings))?;
            let denied = sql_limits::apply(&mut connection)?;
            Ok(Self { connection, denied, seen })
        };
        open().map_err(|error: rusqlite::Error| ShellError::Sql(error.to_string()))
    }

    /// Runs one or more statements, and shows the rows of each that has columns before the next one begins. All tables of
    /// one call show the same evidence.
    pub fn run(&self, sql: &str, mut show: impl FnMut(&Rows) -> Result<(), ShellError>) -> Result<(), ShellError> {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let refused = |error: rusqlite::Error| match self.denied.take() {
            Some(what) => ShellError::NotAllowed(what),
            None => ShellError::Sql(nearest::explained(&error, sql)),
        };
        let mut batch = Batch::new(&self.connection, sql);
        let mut any = false;
        while let Some(mut statement) = batch.next().map_err(refused)? {
            any = true;
            let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
            let mut found = Vec::new();
            let mut rows = statement.raw_query();
            while let Some(row) = rows.next().map_err(refused)? {
                found.push((0..columns.len()).map(|column| row.get_ref(column).map_or(Value::Null, value)).collect());
            }
            if !columns.is_empty() {
                show(&Rows { columns, rows: found })?;
            }
        }
        if any { Ok(()) } else { Err(ShellError::NoQuery) }
    }
}

/// Runs statements, and gives the rows of all of them.
pub fn query(
    sql: &str,
    format: Format,
    tables: Vec<Box<dyn Table>>,
    ask: impl Fn() -> Arc<Findings> + Send + Sync + 'static,
) -> Result<String, ShellError> {
    let mut printed = String::new();
    Shell::new(tables, ask)?.run(sql, |rows| {
        printed += &rows.printed(format)?;
        Ok(())
    })?;
    Ok(printed)
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Text(number.to_string().into()),
        ValueRef::Text(text) | ValueRef::Blob(text) => Value::Text(String::from_utf8_lossy(text).into_owned().into()),
    }
}

/// A JSON array, one object per line.
fn json(rows: &Rows) -> String {
    let mut printed = String::from("[");
    for (index, row) in rows.rows.iter().enumerate() {
        let fields: Vec<String> = (rows.columns.iter().zip(row))
            .map(|(column, value)| format!("{}:{}", serde_json::Value::from(column.as_str()), json_value(value)))
            .collect();
        let _ = write!(printed, "{}\n  {{{}}}", if index == 0 { "" } else { "," }, fields.join(","));
    }
    printed.push_str("\n]\n");
    printable_json(&printed)
}

fn json_value(value: &Value) -> serde_json::Value {
    match value {
        Value::Null => serde_json::Value::Null,
        Value::Integer(number) => (*number).into(),
        Value::Text(text) => text.as_ref().into(),
    }
}

fn csv(rows: &Rows) -> Result<String, ShellError> {
    let wrong = |why: &dyn std::fmt::Display| ShellError::Csv(why.to_string());
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(rows.columns.iter().map(|name| not_a_formula(name))).map_err(|error| wrong(&error))?;
    for row in &rows.rows {
        let fields = row.iter().map(|value| match value {
            Value::Null => String::new(),
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => not_a_formula(text),
        });
        writer.write_record(fields).map_err(|error| wrong(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| wrong(&error))?;
    String::from_utf8(bytes).map_err(|error| wrong(&error))
}

/// A text that no spreadsheet runs as a formula: anybody can write log lines.
fn not_a_formula(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("{}{}", if formula { "'" } else { "" }, printable(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::Collector;
    use crate::heal::Healer;
    use crate::host::Recorded;
    use crate::log::ReadOptions;
    use std::fs;
    use std::path::Path;
    use std::time::Duration;

    fn ask(sql: &str) -> Result<String, ShellError> {
        let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/quiet-healthy-day");
        let host = Box::new(Recorded::open(&fixture, None).unwrap());
        let collector = Collector::new(host, ReadOptions::default(), fixture.join("state"), None);
        let tables = crate::tables::all(Arc::new(Healer::new(collector.clone(), None, Duration::ZERO)));
        query(sql, Format::Csv, tables, move || collector.findings_of_a_day(Duration::from_secs(60)))
    }

    #[test]
    fn no_statement_reaches_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("heal.db");
        let file = file.to_str().unwrap();
        for (sql, what) in [
            (format!("ATTACH '{file}' AS x"), "attaching a database"),
            (format!("ATTACH '' || '{file}' AS x"), ""),
            (format!("ATTACH 'file:{file}?mode=rwc' AS x; CREATE TABLE x.t(a)"), "attaching a database"),
            (format!("VACUUM INTO '{file}'"), "attaching a database"),
            (format!("VACUUM main INTO '{file}'"), "attaching a database"),
            ("VACUUM".to_owned(), ""),
            ("DETACH main".to_owned(), "changing the database"),
            (format!("SELECT load_extension('{file}')"), ""),
            (format!("PRAGMA temp_store_directory = '{}'", folder.path().display()), "PRAGMA temp_store_directory"),
            ("PRAGMA temp_store = FILE".to_owned(), "PRAGMA temp_store"),
            ("PRAGMA writable_schema = 1".to_owned(), "PRAGMA writable_schema"),
            ("PRAGMA trusted_schema = 0".to_owned(), "PRAGMA trusted_schema"),
            ("PRAGMA journal_mode = WAL".to_owned(), "PRAGMA journal_mode"),
            ("PRAGMA main.user_version = 7".to_owned(), "PRAGMA user_version"),
            ("SELECT * FROM pragma_user_version".to_owned(), "PRAGMA user_version"),
            ("CREATE TABLE t(a)".to_owned(), ""),
            ("CREATE TEMP TABLE t AS SELECT 1".to_owned(), ""),
            ("CREATE VIRTUAL TABLE t USING fts5(a)".to_owned(), ""),
            ("CREATE TEMP VIEW v AS SELECT 1".to_owned(), ""),
            ("INSERT INTO sqlite_schema VALUES ('table', 't', 't', 0, 'x')".to_owned(), ""),
            ("DROP TABLE mdm_heal".to_owned(), ""),
            ("ALTER TABLE mdm_heal RENAME TO x".to_owned(), ""),
            ("ANALYZE".to_owned(), ""),
            ("BEGIN; SELECT 1".to_owned(), "a transaction"),
            ("SAVEPOINT x".to_owned(), "a transaction"),
        ] {
            let refusal = ask(&sql).expect_err(&sql).to_string();
            assert!(refusal.contains(what), "{sql}: {refusal}");
            assert!(what.is_empty() || refusal.contains("query runs SELECT"), "{sql}: {refusal}");
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "{sql}");
        }
    }

    #[test]
    fn what_the_shell_is_for_works() {
        for sql in [
            "SELECT state FROM mdm_watchdog",
            "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 3) SELECT max(x) FROM n",
            "SELECT datetime(last_success_at, 'unixepoch'), upper(state), json_object('a', 1) FROM mdm_watchdog",
            "SELECT count(*) OVER (ORDER BY at) FROM os_update_events",
            "EXPLAIN QUERY PLAN SELECT * FROM mdm_watchdog JOIN mdm_enrollment ORDER BY 1",
            "SELECT name FROM pragma_table_info('mdm_watchdog')",
            "PRAGMA table_xinfo(mdm_heal)",
            "SELECT name FROM sqlite_schema",
            "VALUES (1), (2)",
        ] {
            ask(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        let refusal = ask("UPDATE mdm_watchdog SET state = 'ok'").unwrap_err().to_string();
        assert!(refusal.contains("mdm_watchdog may not be modified"), "{refusal}");
        let refusal = ask("INSERT INTO mdm_heal(action) VALUES ('heal')").unwrap_err().to_string();
        assert!(refusal.starts_with("mdm_heal: "), "{refusal}");
    }

    #[test]
    fn a_column_name_is_escaped_like_a_value() {
        let printed = ask("SELECT 1 AS \"=a\u{1b}[2J\"").unwrap();
        assert_eq!(printed, "'=a\\u{1b}[2J\n1\n");
    }
}
