//! The tables: findings made into rows. Columns come from `tables/*.yml`; `build.rs` makes the row structs.

pub mod indexed;
mod mdm_client_events;
mod mdm_commands_recent;
mod mdm_declarations;
mod mdm_enrollment;
mod mdm_exchanges;
mod mdm_heal;
mod mdm_health_status;
mod mdm_identity;
mod mdm_watchdog;
mod mdm_watchdog_history;
mod os_update_enforcement;
mod os_update_events;
mod os_update_settings;
mod os_update_status;

use crate::heal::Healer;
use crate::health::Findings;
use crate::vocabulary::codes::*;
use crate::vocabulary::{Code, Time};
use std::borrow::Cow;
use std::sync::Arc;

include!(concat!(env!("OUT_DIR"), "/rows.rs"));

/// Where a table gets its findings.
pub type AskFindings = Arc<dyn Fn() -> Arc<Findings> + Send + Sync>;

/// A table as its page declares it.
#[derive(Debug)]
pub struct TableDefinition {
    /// The table's name in SQL.
    pub name: &'static str,
    /// One sentence that says what a row is.
    pub description: &'static str,
    /// Markdown with queries that run.
    pub examples: &'static str,
    /// Markdown with what to know before trusting the table.
    pub notes: &'static str,
    /// The columns in the order of `SELECT *`.
    pub columns: &'static [ColumnDefinition],
}

/// A column as its page declares it.
#[derive(Debug)]
pub struct ColumnDefinition {
    /// The column's name in SQL.
    pub name: &'static str,
    /// What it holds, its unit, and when it is NULL.
    pub description: &'static str,
    /// Its SQL type.
    pub kind: ColumnKind,
    pub holds: Holds,
    /// The words that it may hold.
    pub codes: Option<&'static CodeSet>,
    /// Whether `SELECT *` leaves it out.
    pub hidden: bool,
    /// Whether rows with one value are found without looking through all of them.
    pub indexed: bool,
}

/// What a column holds, where its SQL type does not say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    Plain,
    /// Epoch seconds.
    Time,
    /// 1 or 0.
    Boolean,
    /// A word of the column's set.
    Code,
    /// Words of the column's set with commas between.
    CodeList,
    Bytes,
    Percent,
    Count,
    Seconds,
    Milliseconds,
}

/// The SQL types in use. INTEGER is cut to 32 bits by osquery, so times, sizes and ids are BIGINT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// UTF-8 text.
    Text,
    /// A 32-bit number.
    Integer,
    /// A 64-bit number.
    BigInt,
}

impl ColumnKind {
    /// The type's name in SQL and in osquery's routes.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Text => "TEXT",
            Self::Integer => "INTEGER",
            Self::BigInt => "BIGINT",
        }
    }
}

/// Text in a row: a constant or an owned string.
pub type Text = Cow<'static, str>;

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Unknown, or does not apply.
    Null,
    /// INTEGER and BIGINT.
    Integer(i64),
    Text(Text),
}

impl From<Text> for Value {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<i32> for Value {
    fn from(number: i32) -> Self {
        Self::Integer(number.into())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Integer(number)
    }
}

// What the generated rows call, one function for each kind of column.

fn plain(value: Option<impl Into<Value>>) -> Value {
    value.map_or(Value::Null, Into::into)
}

fn time(value: Option<Time>) -> Value {
    plain(value.map(|time| time.timestamp()))
}

fn boolean(value: Option<bool>) -> Value {
    plain(value.map(i32::from))
}

fn percent(value: Option<u8>) -> Value {
    plain(value.map(i32::from))
}

/// Cut at what SQL can hold.
fn count(value: Option<u64>) -> Value {
    plain(value.map(|count| i64::try_from(count).unwrap_or(i64::MAX)))
}

/// Cut at what osquery's INTEGER can hold.
fn count32(value: Option<u32>) -> Value {
    plain(value.map(|count| i32::try_from(count).unwrap_or(i32::MAX)))
}

fn code(value: Option<impl Code>) -> Value {
    plain(value.map(|code| Text::Borrowed(code.word())))
}

/// Words in alphabetical order, separated by commas. NULL if there are none.
fn code_list(value: Option<Vec<impl Code>>) -> Value {
    let words = value.map(|codes| {
        let mut words: Vec<&str> = codes.into_iter().map(Code::word).collect();
        words.sort_unstable();
        words.join(",")
    });
    plain(words.filter(|words| !words.is_empty()).map(Text::Owned))
}

// What the tables call to fill a text column.

fn text(value: impl Into<Option<String>>) -> Option<Text> {
    value.into().map(Cow::Owned)
}

/// With commas between; NULL without any.
fn joined(texts: &[String]) -> Option<Text> {
    text(Some(texts.join(",")).filter(|joined| !joined.is_empty()))
}

/// A row struct that `build.rs` made.
pub trait Row {
    /// The table it is a row of.
    const TABLE: &'static TableDefinition;
    /// Its values in the order of the table's columns.
    fn into_values(self) -> Vec<Value>;
}

/// Why a row was not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteError {
    /// The table cannot be written, or not in this way.
    ReadOnly,
    /// The table refuses this row; a sentence says why.
    Refused(String),
}

/// A table that can be read, and written if it says so.
pub trait Table: Send + Sync {
    /// What its page declares.
    fn definition(&self) -> &'static TableDefinition;
    /// Its rows, each with one value a column, in the order of the columns.
    fn rows(&self, findings: &Findings) -> Vec<Vec<Value>>;
    /// Whether its rows follow from the findings alone, so that the same findings give the same rows.
    fn is_of_findings(&self) -> bool {
        false
    }
    /// Writes a row, given with one value a column, and gives its row id.
    fn insert(&self, _values: &[Value]) -> Result<i64, WriteError> {
        Err(WriteError::ReadOnly)
    }
}

/// A table whose rows are a function of the findings.
struct ReadOnly<R: Row>(fn(&Findings) -> Vec<R>);

impl<R: Row> Table for ReadOnly<R> {
    fn definition(&self) -> &'static TableDefinition {
        R::TABLE
    }

    fn rows(&self, findings: &Findings) -> Vec<Vec<Value>> {
        (self.0)(findings).into_iter().map(Row::into_values).collect()
    }

    fn is_of_findings(&self) -> bool {
        true
    }
}

/// Every table. `healer` carries out what is inserted into `mdm_heal`.
pub fn all(healer: Arc<Healer>) -> Vec<Box<dyn Table>> {
    vec![
        Box::new(ReadOnly(mdm_watchdog::rows)),
        Box::new(ReadOnly(mdm_watchdog_history::rows)),
        Box::new(ReadOnly(mdm_commands_recent::rows)),
        Box::new(ReadOnly(mdm_exchanges::rows)),
        Box::new(ReadOnly(mdm_client_events::rows)),
        Box::new(ReadOnly(mdm_enrollment::rows)),
        Box::new(ReadOnly(mdm_identity::rows)),
        Box::new(ReadOnly(os_update_status::rows)),
        Box::new(ReadOnly(os_update_events::rows)),
        Box::new(ReadOnly(os_update_enforcement::rows)),
        Box::new(ReadOnly(os_update_settings::rows)),
        Box::new(ReadOnly(mdm_declarations::rows)),
        Box::new(mdm_heal::MdmHeal(healer)),
        Box::new(ReadOnly(mdm_health_status::rows)),
    ]
}
