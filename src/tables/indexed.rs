//! A table's rows with an index of what tables are joined by: where one of our tables is the inner side of a join, it is asked
//! once for every row of the outer side.

use super::{Table, Value};
use crate::health::Findings;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// The rows of a table.
#[derive(Debug, Default)]
pub struct Indexed {
    pub rows: Vec<Vec<Value>>,
    /// For each column that has an index: the places of the rows with each text.
    places: BTreeMap<usize, HashMap<String, Vec<usize>>>,
}

impl Indexed {
    fn new(table: &dyn Table, rows: Vec<Vec<Value>>) -> Self {
        let columns = table.definition().columns.iter().enumerate().filter(|(_, column)| column.indexed);
        let places = columns.map(|(column, _)| {
            let mut places: HashMap<String, Vec<usize>> = HashMap::new();
            for (place, row) in rows.iter().enumerate() {
                if let Some(Value::Text(text)) = row.get(column) {
                    places.entry(key(text)).or_default().push(place);
                }
            }
            (column, places)
        });
        Self { places: places.collect(), rows }
    }

    /// The places, in order, of the rows that may hold one of these texts in that column; none is left out. `None` if only
    /// all rows will do: the column has no index, or a text is empty, as osquery shows one that is missing.
    pub fn places(&self, column: usize, wanted: &[String]) -> Option<Vec<usize>> {
        let index = self.places.get(&column).filter(|_| wanted.iter().all(|text| !text.is_empty()))?;
        let mut places: Vec<usize> =
            wanted.iter().filter_map(|text| index.get(&key(text))).flatten().copied().collect();
        places.sort_unstable();
        places.dedup();
        Some(places)
    }
}

/// Whoever asks may compare texts without regard to case, and filters the rows again.
fn key(text: &str) -> String {
    text.to_ascii_lowercase()
}

/// The rows that were made last, as long as the findings are the same.
#[derive(Debug, Default)]
pub struct KeptFindings(Mutex<Option<(Weak<Findings>, Arc<Indexed>)>>);

impl KeptFindings {
    /// The table's rows for those findings.
    pub fn rows(&self, table: &dyn Table, findings: &Arc<Findings>) -> Arc<Indexed> {
        let make = || Arc::new(Indexed::new(table, table.rows(findings)));
        if !table.is_of_findings() || !table.definition().columns.iter().any(|column| column.indexed) {
            return make();
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match kept.as_ref() {
            Some((of, rows)) if Weak::as_ptr(of) == Arc::as_ptr(findings) => rows.clone(),
            _ => kept.insert((Arc::downgrade(findings), make())).1.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tables::{MDM_EXCHANGES, TableDefinition};

    /// Exchanges that answered these commands.
    struct Exchanges(Vec<Option<&'static str>>);

    impl Table for Exchanges {
        fn definition(&self) -> &'static TableDefinition {
            &MDM_EXCHANGES
        }

        fn rows(&self, _: &Findings) -> Vec<Vec<Value>> {
            let row = |uuid: &Option<&'static str>| {
                let column = |index| match uuid {
                    Some(uuid) if index == place() => Value::Text((*uuid).into()),
                    _ => Value::Null,
                };
                (0..MDM_EXCHANGES.columns.len()).map(column).collect()
            };
            self.0.iter().map(row).collect()
        }
    }

    fn place() -> usize {
        MDM_EXCHANGES.columns.iter().position(|column| column.name == "command_uuid").unwrap()
    }

    #[test]
    fn the_rows_with_a_value_are_found_and_none_is_left_out() {
        let table = Exchanges(vec![Some("A-1"), None, Some("b-2"), Some("a-1"), Some("")]);
        let source = crate::host::Recorded::open(std::path::Path::new("/dev/null"), None).unwrap();
        let evidence =
            crate::collect::evidence(&source, &crate::log::ReadOptions::default(), std::path::Path::new("/"));
        let rows = KeptFindings::default().rows(&table, &Arc::new(Findings::new(evidence)));
        let places = |wanted: &[&str]| {
            let wanted: Vec<String> = wanted.iter().map(|text| (*text).to_owned()).collect();
            rows.places(place(), &wanted)
        };
        assert_eq!(places(&["A-1"]), Some(vec![0, 3]), "SQLite may compare without regard to case");
        assert_eq!(places(&["b-2", "A-1", "b-2"]), Some(vec![0, 2, 3]));
        assert_eq!(places(&["c-3"]), Some(Vec::new()));
        assert_eq!(places(&["b-2", ""]), None, "osquery shows a text that is missing as an empty one");
        assert_eq!(rows.places(place() + 1, &[]), None, "no index");
    }
}
