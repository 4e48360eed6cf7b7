//! osquery gives the empty text for a TEXT without a value, never NULL (its own fault since 4.0: the key is made before it
//! is looked for). Every query of the packs gives the same rows there as in mdm-health's own shell.

use crate::support::{self, findings};
use mdm_health::cli::packs::{ATTRIBUTES, Form, Kind, QUERIES};
use mdm_health::cli::shell::{self, Format};
use mdm_health::health::Findings;
use mdm_health::tables::{ColumnKind, Table, TableDefinition, Value};
use std::sync::Arc;

/// A table as osquery shows it.
struct InOsquery(Box<dyn Table>);

impl Table for InOsquery {
    fn definition(&self) -> &'static TableDefinition {
        self.0.definition()
    }

    fn rows(&self, findings: &Findings) -> Vec<Vec<Value>> {
        let columns = self.definition().columns;
        let shown = |(value, kind): (Value, ColumnKind)| match (value, kind) {
            (Value::Null, ColumnKind::Text) => Value::Text("".into()),
            (value, _) => value,
        };
        let kinds = || columns.iter().map(|column| column.kind);
        self.0.rows(findings).into_iter().map(|row| row.into_iter().zip(kinds()).map(shown).collect()).collect()
    }
}

/// The rows, with every text without a value as null: what a query only passes on is empty in osquery.
fn rows(sql: &str, tables: Vec<Box<dyn Table>>, findings: &Arc<Findings>) -> Vec<serde_json::Value> {
    let findings = findings.clone();
    let printed = shell::query(sql, Format::Json, tables, move || findings.clone());
    let mut rows: Vec<serde_json::Value> =
        serde_json::from_str(&printed.unwrap_or_else(|error| panic!("{error}: {sql}"))).unwrap();
    for value in rows.iter_mut().flat_map(|row| row.as_object_mut().unwrap().values_mut()) {
        if value == "" {
            *value = serde_json::Value::Null;
        }
    }
    rows
}

#[test]
fn every_query_gives_the_same_rows_in_osquery() {
    let mut all: Vec<(String, String)> = Vec::new();
    for query in QUERIES.iter().filter(|query| query.only_reads()) {
        all.push((query.name.to_owned(), query.sql.to_owned()));
        if matches!(query.kind, Kind::Policy(_)) {
            all.push((format!("{}, turned", query.name), query.turned()));
        }
    }
    all.extend(ATTRIBUTES.iter().map(|attribute| (attribute.name.to_owned(), attribute.sql.to_owned())));
    for check in Form::Kolide.text().unwrap().split("\n-- Check: ").skip(1) {
        let sql = check.lines().skip(1).filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
        all.push((check.lines().next().unwrap().to_owned(), sql));
    }
    let mut without_value = 0;
    for (capture, path) in support::captures() {
        let findings = Arc::new(findings(&path));
        let in_osquery =
            || support::tables().into_iter().map(|table| Box::new(InOsquery(table)) as Box<dyn Table>).collect();
        for (name, sql) in &all {
            let (here, there) = (rows(sql, support::tables(), &findings), rows(sql, in_osquery(), &findings));
            assert_eq!(here, there, "{name} on {capture}");
            without_value +=
                here.iter().flat_map(|row| row.as_object().unwrap().values()).filter(|value| value.is_null()).count();
        }
    }
    assert!(without_value > 100, "the captures have hardly a text without a value: {without_value}");
}

/// The words that a query without `nullif` would lose.
#[test]
fn a_query_that_forgets_it_gives_other_rows() {
    let findings = Arc::new(findings(&support::fixture("identity-deleted")));
    let forgetful = "SELECT coalesce(reason, matched_by, 'no reason') FROM mdm_identity";
    let in_osquery = support::tables().into_iter().map(|table| Box::new(InOsquery(table)) as Box<dyn Table>).collect();
    assert_ne!(rows(forgetful, support::tables(), &findings), rows(forgetful, in_osquery, &findings));
}
