//! osquery's own form: a pack for osqueryd.

use super::query::{Kind, QUERIES};
use serde::Serialize;
use std::collections::BTreeMap;

/// Whether osquery has the tables now.
pub const REGISTERED: &str =
    "SELECT 1 FROM osquery_registry WHERE registry = 'table' AND name = 'mdm_watchdog' AND active = 1;";

/// Whether the extension is on this Mac or registered. osqueryd asks this when it loads its configuration, before any
/// extension has registered, and keeps the answer for an hour: a question for the table alone would be answered with no.
const INSTALLED: &str = "SELECT 1 FROM file WHERE path IN ('/usr/local/mdm-health/mdm_health.ext', \
     '/var/fleet/extensions/mdm_health.ext') UNION SELECT 1 FROM osquery_registry WHERE registry = 'table' \
     AND name = 'mdm_watchdog' AND active = 1;";

/// Whether `--disable_tables` leaves the table that nearly all queries need. The registry lists a table that is disabled.
const NOT_DISABLED: &str = "SELECT 1 FROM osquery_flags WHERE name = 'disable_tables' \
     AND ',' || replace(value, ' ', '') || ',' NOT LIKE '%,mdm_watchdog,%';";

#[derive(Serialize)]
struct Pack {
    platform: &'static str,
    discovery: [&'static str; 2],
    queries: BTreeMap<&'static str, Scheduled>,
}

#[derive(Serialize)]
struct Scheduled {
    query: String,
    interval: u32,
    /// Whether osquery logs a row that is gone: for a problem it means that it is over, for a record nothing.
    removed: bool,
    /// A query that runs when the power fails would otherwise not run for a day.
    denylist: bool,
    description: &'static str,
}

pub fn pack() -> Result<String, serde_json::Error> {
    let scheduled = QUERIES.iter().filter(|query| query.interval > 0).map(|query| {
        let removed = matches!(query.kind, Kind::Policy(_));
        let (line, description) = (query.scheduled(), query.description);
        (query.name, Scheduled { query: line, interval: query.interval, removed, denylist: false, description })
    });
    let pack = Pack { platform: "darwin", discovery: [INSTALLED, NOT_DISABLED], queries: scheduled.collect() };
    Ok(serde_json::to_string_pretty(&pack)? + "\n")
}
