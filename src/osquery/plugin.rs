//! A table as osquery sees it: what it is asked, and in which form it answers.
//!
//! Nearly every column is declared OPTIMIZED (8) and nothing else. osquery's default flags make INDEX of a column without
//! options, and then refuse an INSERT that leaves it out before we are asked ("datatype mismatch"); OPTIMIZED alone is
//! left as it is. It also means that osquery passes no constraints down. Only what large tables are joined by is INDEX (1)
//! too, so that a join asks for the rows with one value (see `constraints`). None of those columns is in the table that takes
//! INSERT. SQLite filters the rows again in any case.

use super::constraints::{self, WantedTexts};
use super::guard::{Guard, GuardError};
use super::manager::ALIVE;
use crate::tables::AskFindings;
use crate::tables::indexed::KeptFindings;
use crate::tables::{Table, Value, WriteError};
use osquery_rust_ng::plugin::{ColumnOptions, OsqueryPlugin, Registry};
use osquery_rust_ng::{ExtensionPluginRequest, ExtensionPluginResponse, ExtensionResponse, ExtensionStatus};
use std::collections::BTreeMap;
use std::sync::Arc;

/// How many bytes the values of an INSERT may have.
const LONGEST_INSERT: usize = 1 << 20;

/// How many rows an answer may have.
const MOST_ROWS: usize = 100_000;

/// How many bytes its texts and names may have: the maps in which the crate wants them take several times that, and
/// osquery's watchdog may end what uses more than 200 MB. osquery itself takes 100 MiB.
const MOST_BYTES: usize = 32 << 20;

/// A table in osquery's registry.
#[derive(Clone)]
pub struct TablePlugin {
    table: Arc<dyn Table>,
    ask: AskFindings,
    guard: Guard,
    kept: Arc<KeptFindings>,
}

impl TablePlugin {
    /// The table, with where it gets its findings and what guards its calls.
    pub fn new(table: Box<dyn Table>, ask: AskFindings, guard: Guard) -> Self {
        Self { table: table.into(), ask, guard, kept: Arc::default() }
    }

    pub fn table_name(&self) -> &'static str {
        self.table.definition().name
    }

    fn generate(&self, request: &ExtensionPluginRequest) -> ExtensionResponse {
        let context = request.get("context").map_or("", String::as_str);
        let wanted = constraints::wanted(self.table.definition(), context);
        let (table, ask, kept) = (self.table.clone(), self.ask.clone(), self.kept.clone());
        match self.guard.run(self.table_name(), move || rows(table.as_ref(), &ask, &kept, wanted)).flatten() {
            Ok(rows) => response(0, "OK", rows),
            Err(error) => response(1, &error.to_string(), Vec::new()),
        }
    }

    /// osquery looks at the row alone, not at the status. An id is given in any case: it is needed when SQLite gave none.
    fn insert(&self, request: &ExtensionPluginRequest) -> ExtensionResponse {
        let table = self.table.clone();
        let values = request.get("json_value_array").map_or("", String::as_str).to_owned();
        let insert = move || table.insert(&read_values(&values, table.definition().columns.len())?);
        match self.guard.run(self.table_name(), insert) {
            Ok(Ok(id)) => written(&[("status", "success"), ("id", &id.to_string())]),
            Ok(Err(WriteError::ReadOnly)) => read_only(),
            Ok(Err(WriteError::Refused(sentence))) => failed(&format!("{}: {sentence}", self.table_name())),
            Err(error @ GuardError::TooLate { .. }) => failed(&format!("{error}, but it may still be carried out")),
            Err(error) => failed(&error.to_string()),
        }
    }
}

impl OsqueryPlugin for TablePlugin {
    fn name(&self) -> String {
        self.table_name().to_owned()
    }

    fn registry(&self) -> Registry {
        Registry::Table
    }

    fn routes(&self) -> ExtensionPluginResponse {
        let columns = self.table.definition().columns.iter();
        columns
            .map(|column| {
                let hidden = if column.hidden { ColumnOptions::HIDDEN } else { ColumnOptions::empty() };
                let index = if column.indexed { ColumnOptions::INDEX } else { ColumnOptions::empty() };
                let options = (ColumnOptions::OPTIMIZED | hidden | index).bits().to_string();
                row(&[("id", "column"), ("name", column.name), ("type", column.kind.sql()), ("op", &options)])
            })
            .collect()
    }

    fn ping(&self) -> ExtensionStatus {
        ExtensionStatus::default()
    }

    fn handle_call(&self, request: ExtensionPluginRequest) -> ExtensionResponse {
        match request.get("action").map_or("", String::as_str) {
            "generate" => self.generate(&request),
            "columns" => response(0, "OK", self.routes()),
            ALIVE => response(0, "OK", Vec::new()),
            "insert" => self.insert(&request),
            // What is on record cannot be edited.
            "update" | "delete" => read_only(),
            _ => response(1, &format!("{}: osquery asks for an unknown action", self.table_name()), Vec::new()),
        }
    }

    fn shutdown(&self) {}
}

/// The rows as maps of texts, all of them or those that may be wanted. A missing key is NULL.
fn rows(
    table: &dyn Table,
    ask: &AskFindings,
    kept: &KeptFindings,
    wanted: Option<WantedTexts>,
) -> Result<ExtensionPluginResponse, GuardError> {
    let definition = table.definition();
    let rows = kept.rows(table, &ask());
    let places = wanted.and_then(|wanted| rows.places(wanted.column, &wanted.texts));
    let places = places.unwrap_or_else(|| (0..rows.rows.len()).collect());
    let mut bytes = 0;
    let mut found = Vec::new();
    for row in places.into_iter().filter_map(|place| rows.rows.get(place)) {
        let texts = definition.columns.iter().zip(row).filter_map(|(column, value)| match value {
            Value::Null => None,
            Value::Integer(number) => Some((column.name.to_owned(), number.to_string())),
            Value::Text(text) => Some((column.name.to_owned(), text.to_string())),
        });
        let texts: BTreeMap<String, String> = texts.collect();
        bytes += texts.iter().map(|(name, text)| name.len() + text.len()).sum::<usize>();
        found.push(texts);
        if found.len() > MOST_ROWS || bytes > MOST_BYTES {
            return Err(GuardError::TooMuch { table: definition.name, most_rows: MOST_ROWS, most_bytes: MOST_BYTES });
        }
    }
    Ok(found)
}

/// The values of an INSERT: a JSON array with one value a column, null where none was given.
fn read_values(json: &str, columns: usize) -> Result<Vec<Value>, WriteError> {
    let refused = |why: &str| WriteError::Refused(format!("the values cannot be read: {why}"));
    if json.len() > LONGEST_INSERT {
        return Err(refused(&format!("they are longer than {LONGEST_INSERT} bytes")));
    }
    let values: Vec<serde_json::Value> = serde_json::from_str(json).map_err(|why| refused(&why.to_string()))?;
    if values.len() != columns {
        return Err(refused(&format!("there are {} for {columns} columns", values.len())));
    }
    let value = |value| match value {
        serde_json::Value::Null => Ok(Value::Null),
        serde_json::Value::String(text) => Ok(Value::Text(text.into())),
        serde_json::Value::Number(number) => {
            Ok(number.as_i64().map_or_else(|| Value::Text(number.to_string().into()), Value::Integer))
        }
        serde_json::Value::Bool(_) | serde_json::Value::Array(_) | serde_json::Value::Object(_) => {
            Err(refused("one is neither a text nor a number"))
        }
    };
    values.into_iter().map(value).collect()
}

fn read_only() -> ExtensionResponse {
    written(&[("status", "readonly")])
}

fn failed(sentence: &str) -> ExtensionResponse {
    written(&[("status", "failure"), ("message", sentence)])
}

fn written(fields: &[(&str, &str)]) -> ExtensionResponse {
    response(0, "OK", vec![row(fields)])
}

fn row(fields: &[(&str, &str)]) -> BTreeMap<String, String> {
    fields.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn response(code: i32, message: &str, rows: ExtensionPluginResponse) -> ExtensionResponse {
    ExtensionResponse::new(ExtensionStatus { code: Some(code), message: Some(message.to_owned()), uuid: None }, rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collect::source::SourceOptions;
    use crate::health::Findings;
    use crate::tables::{DEFINITIONS, TableDefinition};
    use std::time::Duration;

    /// A table whose first column says what is to happen.
    struct Ledger;

    impl Table for Ledger {
        fn definition(&self) -> &'static TableDefinition {
            DEFINITIONS[0]
        }

        fn rows(&self, _: &Findings) -> Vec<Vec<Value>> {
            panic!("the ledger is torn")
        }

        fn insert(&self, values: &[Value]) -> Result<i64, WriteError> {
            match &values[0] {
                Value::Text(text) if text == "panic" => panic!("the ledger is torn"),
                Value::Text(text) => Err(WriteError::Refused(format!("refused: {text}"))),
                Value::Integer(number) => Ok(*number),
                Value::Null => Err(WriteError::ReadOnly),
            }
        }
    }

    fn ask(entries: &[(&str, &str)]) -> (Option<String>, ExtensionPluginResponse) {
        let log = tempfile::NamedTempFile::new().unwrap();
        let source = SourceOptions {
            source: Some(log.path().to_str().unwrap().to_owned()),
            root: "/".into(),
            state_dir: None,
            now: None,
            utc_offset: None,
        };
        let evidence =
            crate::collect::evidence(source.open().unwrap().as_ref(), &source.read_options(), &source.state_dir());
        let findings = Arc::new(Findings::new(evidence));
        let guard = Guard::new(Duration::from_secs(60));
        let answer =
            TablePlugin::new(Box::new(Ledger), Arc::new(move || findings.clone()), guard).handle_call(row(entries));
        (answer.status.unwrap().message, answer.response.unwrap())
    }

    fn insert(first: &str) -> BTreeMap<String, String> {
        let rest = ",null".repeat(DEFINITIONS[0].columns.len() - 1);
        let (_, mut rows) = ask(&[("action", "insert"), ("json_value_array", &format!("[{first}{rest}]"))]);
        assert_eq!(rows.len(), 1, "osquery wants exactly one row");
        rows.remove(0)
    }

    #[test]
    fn a_panic_in_a_query_reaches_the_client_as_the_status_message() {
        let (message, rows) = ask(&[("action", "generate")]);
        let name = DEFINITIONS[0].name;
        assert_eq!((message, rows), (Some(format!("{name}: internal error: the ledger is torn")), Vec::new()));
    }

    #[test]
    fn a_write_is_answered_in_its_row() {
        let name = DEFINITIONS[0].name;
        let failure = |words: &str| row(&[("status", "failure"), ("message", &format!("{name}: {words}"))]);
        assert_eq!(insert("7"), row(&[("status", "success"), ("id", "7")]));
        assert_eq!(insert("null"), row(&[("status", "readonly")]));
        assert_eq!(insert(r#""not \"now\" é""#), failure("refused: not \"now\" é"));
        assert_eq!(insert("\"panic\""), failure("internal error: the ledger is torn"));
        assert_eq!(insert("1.5"), failure("refused: 1.5"));
        assert_eq!(insert("18446744073709551615"), failure("refused: 18446744073709551615"));
    }

    #[test]
    fn values_that_cannot_be_a_row_are_refused_with_a_sentence() {
        let long = format!("[\"{}\"]", "x".repeat(LONGEST_INSERT));
        for (values, words) in [
            ("", "EOF"),
            ("[]", "there are 0 for"),
            ("{}", "expected a sequence"),
            (&"[".repeat(5000), "recursion limit"),
            (&long, "longer than 1048576 bytes"),
        ] {
            let (_, rows) = ask(&[("action", "insert"), ("json_value_array", values)]);
            assert_eq!(rows[0]["status"], "failure");
            assert!(rows[0]["message"].contains(words), "{}", rows[0]["message"]);
        }
        assert!(insert("[1]")["message"].ends_with("one is neither a text nor a number"));
        assert!(insert("true")["message"].ends_with("one is neither a text nor a number"));
    }
}
