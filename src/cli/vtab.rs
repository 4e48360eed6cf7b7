//! The tables as SQLite virtual tables, for `mdm-health query`.
//!
//! The only module with the word `unsafe`: two of rusqlite's traits require that the types which implement them are
//! `repr(C)` and begin with SQLite's own struct. Both are. There is no unsafe block.

use crate::tables::indexed::{Indexed, KeptFindings};
use crate::tables::{AskFindings, Table, TableDefinition, Value, WriteError};
use rusqlite::types::{Null, ValueRef};
use rusqlite::vtab::{
    Context, CreateVTab, Filters, IndexConstraintOp, IndexInfo, Inserts, Module, UpdateVTab, Updates, VTab,
    VTabConnection, VTabCursor, VTabKind,
};
use rusqlite::{Connection, Error, Result, ffi};
use std::borrow::Cow;
use std::ffi::{CStr, CString, c_int};
use std::marker::PhantomData;
use std::sync::Arc;

/// The plan that asks for all rows of a table.
const ALL: c_int = -1;

/// Adds the tables to a connection.
pub fn register(connection: &Connection, tables: Vec<Box<dyn Table>>, ask: &AskFindings) -> Result<()> {
    const MODULE: Module<'static, Virtual> = Module::update_module();
    for table in tables {
        let definition = table.definition();
        let (name, columns) = (definition.name, columns(definition).join(", "));
        let shared = Shared { table: table.into(), ask: ask.clone(), kept: Arc::default() };
        connection.create_module(name, &MODULE, Some(shared))?;
        // It would be there without this, but sqlite_master would not list it.
        connection.execute_batch(&format!("CREATE VIRTUAL TABLE {name} USING {name}({columns})"))?;
    }
    Ok(())
}

/// What SQLite keeps for each table.
#[derive(Clone)]
struct Shared {
    table: Arc<dyn Table>,
    ask: AskFindings,
    kept: Arc<KeptFindings>,
}

#[repr(C)]
struct Virtual {
    base: ffi::sqlite3_vtab,
    shared: Shared,
}

#[allow(unsafe_code, reason = "`base` is the first field of a repr(C) struct")]
unsafe impl<'vtab> VTab<'vtab> for Virtual {
    type Aux = Shared;
    type Cursor = Cursor<'vtab>;

    fn connect(
        _: &mut VTabConnection,
        shared: Option<&Shared>,
        _: &[u8],
        _: &[u8],
        _: &[u8],
        _: &[&[u8]],
    ) -> Result<(Cow<'static, CStr>, Self)> {
        let shared =
            shared.ok_or_else(|| Error::ModuleError("a table was registered without its module data".to_owned()))?;
        let schema = CString::new(schema(shared.table.definition()))
            .map_err(|_| Error::ModuleError("a column name contains a NUL byte".to_owned()))?;
        Ok((Cow::Owned(schema), Self { base: ffi::sqlite3_vtab::default(), shared: shared.clone() }))
    }

    /// A plan asks for the rows with one value of an indexed column, and is that column's number, or for [`ALL`].
    fn best_index(&self, info: &mut IndexInfo) -> Result<bool> {
        let columns = self.shared.table.definition().columns;
        let indexed =
            |column: c_int| usize::try_from(column).ok().and_then(|at| columns.get(at)).is_some_and(|one| one.indexed);
        let equals = info.constraints().enumerate().find_map(|(place, constraint)| {
            let equals = constraint.operator() == IndexConstraintOp::SQLITE_INDEX_CONSTRAINT_EQ;
            (equals && constraint.is_usable() && indexed(constraint.column())).then(|| (place, constraint.column()))
        });
        if let Some((place, column)) = equals {
            info.constraint_usage(place).set_argv_index(1);
            info.set_idx_num(column);
            info.set_estimated_cost(10.0);
            info.set_estimated_rows(10);
        } else {
            info.set_idx_num(ALL);
            info.set_estimated_cost(1000.0);
        }
        Ok(true)
    }

    fn open(&'vtab mut self) -> Result<Cursor<'vtab>> {
        let base = ffi::sqlite3_vtab_cursor::default();
        Ok(Cursor {
            base,
            shared: self.shared.clone(),
            rows: Arc::default(),
            places: Vec::new(),
            at: 0,
            table: PhantomData,
        })
    }
}

impl CreateVTab<'_> for Virtual {
    const KIND: VTabKind = VTabKind::Eponymous;
}

impl UpdateVTab<'_> for Virtual {
    fn insert(&mut self, arguments: &Inserts<'_>) -> Result<i64> {
        // The first two are the old and the new row ID.
        let values: Vec<Value> = arguments.iter().skip(2).map(value).collect();
        self.shared.table.insert(&values).map_err(|error| self.refusal(&error))
    }

    fn update(&mut self, _: &Updates<'_>) -> Result<()> {
        Err(self.refusal(&WriteError::ReadOnly))
    }

    fn delete(&mut self, _: ValueRef<'_>) -> Result<()> {
        Err(self.refusal(&WriteError::ReadOnly))
    }
}

impl Virtual {
    fn refusal(&self, error: &WriteError) -> Error {
        let name = self.shared.table.definition().name;
        Error::ModuleError(match error {
            WriteError::ReadOnly => format!("table {name} may not be modified"),
            WriteError::Refused(sentence) => format!("{name}: {sentence}"),
        })
    }
}

#[repr(C)]
struct Cursor<'vtab> {
    base: ffi::sqlite3_vtab_cursor,
    shared: Shared,
    rows: Arc<Indexed>,
    /// The places of the rows that are shown.
    places: Vec<usize>,
    at: usize,
    table: PhantomData<&'vtab Virtual>,
}

#[allow(unsafe_code, reason = "`base` is the first field of a repr(C) struct")]
unsafe impl VTabCursor for Cursor<'_> {
    fn filter(&mut self, plan: c_int, _: Option<&str>, filters: &Filters<'_>) -> Result<()> {
        self.rows = self.shared.kept.rows(self.shared.table.as_ref(), &(self.shared.ask)());
        let wanted = match filters.iter().next() {
            Some(ValueRef::Text(text)) if plan != ALL => Some(String::from_utf8_lossy(text).into_owned()),
            _ => None,
        };
        let places =
            usize::try_from(plan).ok().zip(wanted).and_then(|(column, text)| self.rows.places(column, &[text]));
        self.places = places.unwrap_or_else(|| (0..self.rows.rows.len()).collect());
        self.at = 0;
        Ok(())
    }

    fn next(&mut self) -> Result<()> {
        self.at += 1;
        Ok(())
    }

    fn eof(&self) -> bool {
        self.at >= self.places.len()
    }

    fn column(&self, context: &mut Context, column: c_int) -> Result<()> {
        let column = usize::try_from(column).unwrap_or(usize::MAX);
        let row = self.places.get(self.at).and_then(|place| self.rows.rows.get(*place));
        match row.and_then(|row| row.get(column)) {
            Some(Value::Text(text)) => context.set_result(text.as_ref()),
            Some(Value::Integer(number)) => context.set_result(number),
            Some(Value::Null) | None => context.set_result(Null),
        }
    }

    fn rowid(&self) -> Result<i64> {
        let place = self.places.get(self.at).and_then(|place| i64::try_from(*place).ok());
        Ok(place.unwrap_or(i64::MAX))
    }
}

fn schema(table: &TableDefinition) -> String {
    format!("CREATE TABLE x({})", columns(table).join(", "))
}

/// Each column of a table with its type.
pub fn columns(table: &TableDefinition) -> Vec<String> {
    let hidden = |hidden| if hidden { " HIDDEN" } else { "" };
    table
        .columns
        .iter()
        .map(|column| format!("{} {}{}", column.name, column.kind.sql(), hidden(column.hidden)))
        .collect()
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Real(number) => Value::Text(number.to_string().into()),
        ValueRef::Text(text) | ValueRef::Blob(text) => Value::Text(String::from_utf8_lossy(text).into_owned().into()),
    }
}
