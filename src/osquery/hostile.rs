//! What osquery's side could send, fed to the code that reads it: for the fuzz targets and for the tests of their seeds.

use super::arguments::{Arguments, are_of_osquery};
use super::guard::Guard;
use super::plugin::TablePlugin;
use super::thrift::Message;
use crate::collect::Collector;
use crate::heal::Healer;
use crate::health::Findings;
use crate::host::Recorded;
use crate::log::ReadOptions;
use crate::tables::AskFindings;
use crate::tables::{Table, TableDefinition, Value, WriteError, all};
use osquery_rust_ng::plugin::OsqueryPlugin;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// Reads one message after the other as the relay does; gives how many bytes of whole messages there were.
pub fn messages(mut bytes: &[u8], limit: usize) -> usize {
    let mut whole = 0;
    while let Ok(Some(message)) = Message::read(&mut bytes, limit) {
        whole += message.bytes().len();
        // Whatever they find, they must end.
        let _ = (message.registry(), message.status(), message.uuids(), message.target());
        let _ = message.answer_to(&message);
    }
    whole
}

/// Reads a command line; gives how long it waits for osquery and how often it looks at it, if it can be followed.
pub fn arguments(words: Vec<OsString>) -> Option<[Duration; 2]> {
    let of_osquery = are_of_osquery(&words);
    Arguments::read(words).ok().filter(|_| of_osquery).map(|read| [read.timeout, read.interval])
}

/// Every table, over a recorded Mac, which nothing can change.
pub fn tables(mac: Recorded) -> Vec<Box<dyn Table>> {
    let collector = Collector::new(Box::new(mac), ReadOptions::default(), PathBuf::from("/dev/null"), None);
    all(Arc::new(Healer::new(collector, None, Duration::ZERO)))
}

/// Asks every table with that request and gives the status codes. A recorded Mac's tables take no INSERT, so that a
/// stand-in for each does so too.
pub fn calls(findings: &Arc<Findings>, action: &str, context: &str, values: &str) -> Vec<Option<i32>> {
    let findings = findings.clone();
    let ask: AskFindings = Arc::new(move || findings.clone());
    let entries = [("action", action), ("context", context), ("json_value_array", values)];
    let request = || entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    // Nothing is known of that Mac.
    let tables = || Recorded::open(Path::new("/dev/null"), None).map(tables).unwrap_or_default();
    let stand_ins = tables().into_iter().filter(|_| action == "insert");
    let stand_ins = stand_ins.map(|table| Box::new(Takes(table.definition())) as Box<dyn Table>);
    let tables = tables().into_iter().chain(stand_ins);
    let plugins = tables.map(|table| TablePlugin::new(table, ask.clone(), Guard::new(Duration::from_secs(60))));
    plugins.map(|plugin| plugin.handle_call(request()).status.and_then(|status| status.code)).collect()
}

/// A table that takes every row.
struct Takes(&'static TableDefinition);

impl Table for Takes {
    fn definition(&self) -> &'static TableDefinition {
        self.0
    }

    fn rows(&self, _: &Findings) -> Vec<Vec<Value>> {
        Vec::new()
    }

    fn insert(&self, values: &[Value]) -> Result<i64, WriteError> {
        i64::try_from(values.len()).map_err(|_| WriteError::ReadOnly)
    }
}
