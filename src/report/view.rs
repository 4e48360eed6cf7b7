//! A table as the page shows it: its declaration and its rows, read by the names of their columns.

use crate::health::Findings;
use crate::tables::{ColumnDefinition, Table, TableDefinition, Value};
use crate::vocabulary::{Code, Time};
use chrono::DateTime;

/// A table and its rows.
pub struct TableView {
    /// What its page declares.
    pub definition: &'static TableDefinition,
    rows: Vec<Vec<Value>>,
}

/// A row. What it does not hold reads as NULL.
#[derive(Clone, Copy)]
pub struct RowView<'t> {
    definition: &'static TableDefinition,
    values: &'t [Value],
}

impl TableView {
    /// Asks the table.
    pub fn new(table: &dyn Table, findings: &Findings) -> Self {
        Self { definition: table.definition(), rows: table.rows(findings) }
    }

    /// Its rows, in its own order.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = RowView<'_>> + ExactSizeIterator {
        self.rows.iter().map(|values| RowView { definition: self.definition, values })
    }
}

impl<'t> RowView<'t> {
    /// A row that holds nothing.
    pub fn empty(definition: &'static TableDefinition) -> Self {
        Self { definition, values: &[] }
    }

    /// The columns that `SELECT *` shows, with their values.
    pub fn shown(self) -> impl Iterator<Item = (&'static ColumnDefinition, &'t Value)> {
        self.definition.columns.iter().zip(self.values).filter(|(column, _)| !column.hidden)
    }

    pub fn text(self, column: &str) -> Option<&'t str> {
        match self.value(column)? {
            Value::Text(text) => Some(text),
            Value::Integer(_) | Value::Null => None,
        }
    }

    pub fn number(self, column: &str) -> Option<i64> {
        match self.value(column)? {
            Value::Integer(number) => Some(*number),
            Value::Text(_) | Value::Null => None,
        }
    }

    pub fn flag(self, column: &str) -> Option<bool> {
        self.number(column).map(|number| number != 0)
    }

    /// A word of a set.
    pub fn code<C: Code>(self, column: &str) -> Option<C> {
        C::from_word(self.text(column)?)
    }

    /// A moment.
    pub fn time(self, column: &str) -> Option<Time> {
        moment(self.number(column)?)
    }

    fn value(self, column: &str) -> Option<&'t Value> {
        let at = self.definition.columns.iter().position(|one| one.name == column);
        debug_assert!(at.is_some(), "{} has no column {column}", self.definition.name);
        self.values.get(at?)
    }
}

/// The moment of an epoch second, if a calendar has it.
pub fn moment(seconds: i64) -> Option<Time> {
    DateTime::from_timestamp(seconds, 0)
}
