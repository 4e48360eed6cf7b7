//! The embedded SQL shell: queries over the tables without osquery.

use super::layout;
use super::vtab;
use crate::health::Findings;
use crate::tables::{Ask, Table, Value};
use crate::vocabulary::{printable, printable_json};
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection};
use std::fmt::Write as _;
use std::sync::{Arc, OnceLock};
use thiserror::Error;

/// How to print rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A JSON array with an object a row; whole numbers are numbers, others texts, and NULL is null.
    Json,
    /// CSV with a head line; NULL is empty.
    Csv,
    /// A table, or a list of columns a row where a table would be too wide.
    Table,
}

/// Why a query has no answer.
#[derive(Debug, Error)]
pub enum ShellError {
    /// SQLite or a table refuses it.
    #[error("{0}")]
    Sql(String),
    /// It is blank.
    #[error("there is no query: pass one such as \"SELECT * FROM mdm_watchdog\"")]
    NoQuery,
    /// The rows cannot be printed.
    #[error("the rows cannot be printed as CSV: {0}")]
    Csv(String),
}

/// The rows of a statement.
pub struct Rows {
    /// The columns' names.
    pub columns: Vec<String>,
    /// The rows, each with a value a column.
    pub rows: Vec<Vec<Value>>,
}

/// Runs one or more statements and prints the rows of the last one that has any columns. The tables of one call see one
/// and the same evidence.
pub fn query(
    sql: &str,
    format: Format,
    tables: Vec<Box<dyn Table>>,
    ask: impl Fn() -> Arc<Findings> + Send + Sync + 'static,
) -> Result<String, ShellError> {
    let seen = OnceLock::new();
    let rows = run(sql, tables, &(Arc::new(move || seen.get_or_init(&ask).clone()) as Ask))?;
    match (rows, format) {
        (None, _) => Ok(String::new()),
        (Some(rows), Format::Json) => Ok(json(&rows)),
        (Some(rows), Format::Csv) => csv(&rows),
        (Some(rows), Format::Table) => Ok(layout::table(&rows)),
    }
}

fn run(sql: &str, tables: Vec<Box<dyn Table>>, ask: &Ask) -> Result<Option<Rows>, ShellError> {
    let refused = |error: rusqlite::Error| ShellError::Sql(error.to_string());
    let connection = Connection::open_in_memory().map_err(refused)?;
    vtab::register(&connection, tables, ask).map_err(refused)?;
    let mut batch = Batch::new(&connection, sql);
    let (mut last, mut any) = (None, false);
    while let Some(mut statement) = batch.next().map_err(refused)? {
        any = true;
        let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
        let mut found = Vec::new();
        let mut rows = statement.raw_query();
        while let Some(row) = rows.next().map_err(refused)? {
            found.push((0..columns.len()).map(|column| row.get_ref(column).map_or(Value::Null, value)).collect());
        }
        if !columns.is_empty() {
            last = Some(Rows { columns, rows: found });
        }
    }
    if any { Ok(last) } else { Err(ShellError::NoQuery) }
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Text(number.to_string().into()),
        ValueRef::Text(text) | ValueRef::Blob(text) => Value::Text(String::from_utf8_lossy(text).into_owned().into()),
    }
}

/// An array with an object a line.
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
    writer.write_record(&rows.columns).map_err(|error| wrong(&error))?;
    for row in &rows.rows {
        let fields = row.iter().map(|value| match value {
            Value::Null => String::new(),
            Value::Integer(number) => number.to_string(),
            Value::Text(text) => harmless(text),
        });
        writer.write_record(fields).map_err(|error| wrong(&error))?;
    }
    let bytes = writer.into_inner().map_err(|error| wrong(&error))?;
    String::from_utf8(bytes).map_err(|error| wrong(&error))
}

/// A text that no spreadsheet takes for a formula: log lines are written by anybody.
fn harmless(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    format!("{}{}", if formula { "'" } else { "" }, printable(text))
}
