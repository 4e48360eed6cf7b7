//! The packs: the queries of `packs/queries` in the forms that osquery, Kolide and Fleet take.
//!
//! A policy is a report turned around: it gives a row exactly when the report gives none. So a predicate is written once,
//! and an unknown answer is a row of the report and fails the policy.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

include!(concat!(env!("OUT_DIR"), "/packs.rs"));

/// Asked before the queries are scheduled, so that a Mac without the extension logs no `no such table`.
const GUARD: &str = "SELECT 1 FROM osquery_registry WHERE registry = 'table' AND name = 'mdm_watchdog' AND active = 1;";

/// The Fleet label of the Macs on which the guard gives a row.
const LABEL: &str = "mdm-health installed";

/// A query, as its source declares it.
#[derive(Debug)]
pub struct Query {
    /// Its name in osquery's packs and on the command line.
    pub name: &'static str,
    /// Its name in Fleet.
    pub title: &'static str,
    /// What its rows say.
    pub description: &'static str,
    /// What it is for.
    pub kind: Kind,
    /// Seconds between two runs; 0 for what is never scheduled.
    pub interval: u32,
    /// The SQL as it was written.
    pub sql: &'static str,
}

/// What a query is for.
#[derive(Debug)]
pub enum Kind {
    /// Its rows say what is wrong now, and there is a policy that passes when there are none.
    Policy {
        /// The policy's name in Fleet.
        title: &'static str,
        /// When it passes.
        passes: &'static str,
        /// What to do when it does not.
        resolution: &'static str,
    },
    /// Its rows are records of what happened.
    Report,
    /// A person runs it on one Mac.
    Incident,
}

impl Query {
    /// The SQL in one line. A source has no comments in its SQL.
    fn line(&self) -> String {
        self.sql.lines().map(str::trim).collect::<Vec<_>>().join(" ")
    }

    /// The SQL turned around: one row if it gives none that somebody can act on. What is unknown stays in the report.
    pub fn turned(&self) -> String {
        let lines = self.sql.trim_end_matches(';').lines().map(|line| format!("    {line}\n"));
        format!(
            "SELECT 1 WHERE NOT EXISTS (\n  SELECT 1 FROM (\n{}  ) WHERE state <> 'unknown'\n);",
            lines.collect::<String>()
        )
    }
}

/// A file that is made from the queries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// An osquery pack, with a guard.
    Osquery,
    /// An osquery pack without a guard: launcher's osqueryd cannot be made to wait for another extension than launcher, so
    /// a guard would be asked too early at each start, and an hour would pass before it is asked again.
    Kolide,
    /// Fleet's reports, for GitOps.
    FleetReports,
    /// Fleet's policies, for GitOps.
    FleetPolicies,
    /// The label that both name, for GitOps.
    FleetLabels,
}

impl Form {
    /// Every form.
    pub const ALL: [Self; 5] =
        [Self::Osquery, Self::Kolide, Self::FleetReports, Self::FleetPolicies, Self::FleetLabels];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Osquery => "osquery",
            Self::Kolide => "kolide",
            Self::FleetReports => "fleet-reports",
            Self::FleetPolicies => "fleet-policies",
            Self::FleetLabels => "fleet-labels",
        }
    }

    /// The file.
    pub fn text(self) -> Result<String, serde_json::Error> {
        match self {
            Self::Osquery => osquery_pack(vec![GUARD]),
            Self::Kolide => osquery_pack(Vec::new()),
            Self::FleetReports => fleet_reports(),
            Self::FleetPolicies => fleet_policies(),
            Self::FleetLabels => fleet_labels(),
        }
    }
}

/// The names that can be printed.
pub fn names() -> impl Iterator<Item = &'static str> {
    Form::ALL.into_iter().map(Form::name).chain(QUERIES.iter().map(|query| query.name))
}

/// The form or the SQL of a query by that name.
pub fn text(name: &str) -> Result<String, serde_json::Error> {
    match Form::ALL.into_iter().find(|form| form.name() == name) {
        Some(form) => form.text(),
        None => Ok(QUERIES.iter().filter(|query| query.name == name).map(|query| format!("{}\n", query.sql)).collect()),
    }
}

/// Printed below the list: why a pack may stay off.
const GUARD_NOTE: &str = "\
The osquery pack has a discovery guard. osqueryd runs it when it loads its configuration, before the extension has
registered, and keeps the answer for `--pack_refresh_interval`, an hour by default. With
`--extensions_require=mdm_health` osqueryd waits, and the pack is active at once; but it then does not run without the
extension. A shorter `--pack_refresh_interval`, such as 60, makes osqueryd ask again soon.
`SELECT name, active FROM osquery_packs` shows whether the pack is active.
";

/// The queries and what their rows say, in Markdown.
pub fn list() -> String {
    let rows = QUERIES.iter().map(|query| {
        let run = match query.kind {
            Kind::Policy { .. } => "report and policy",
            Kind::Report => "report",
            Kind::Incident => "by hand",
        };
        format!("| `{}` | {run} | {} |\n", query.name, query.description)
    });
    format!("| query | runs as | what its rows say |\n|---|---|---|\n{}\n{GUARD_NOTE}", rows.collect::<String>())
}

#[derive(Serialize)]
struct Pack {
    platform: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    discovery: Vec<&'static str>,
    queries: BTreeMap<&'static str, Scheduled>,
}

#[derive(Serialize)]
struct Scheduled {
    query: String,
    interval: u32,
    /// Whether osquery logs a row that is gone: for a problem it means that it is over, for a record nothing.
    removed: bool,
    description: &'static str,
}

fn osquery_pack(discovery: Vec<&'static str>) -> Result<String, serde_json::Error> {
    let scheduled = QUERIES.iter().filter(|query| query.interval > 0).map(|query| {
        let removed = matches!(query.kind, Kind::Policy { .. });
        let (query_line, description) = (query.line(), query.description);
        (query.name, Scheduled { query: query_line, interval: query.interval, removed, description })
    });
    let pack = Pack { platform: "darwin", discovery, queries: scheduled.collect() };
    Ok(serde_json::to_string_pretty(&pack)? + "\n")
}

/// Fleet stores and shows the last snapshot of problems; records go to its log, each once.
fn fleet_reports() -> Result<String, serde_json::Error> {
    let mut file = fleet_head(Form::FleetReports);
    for query in QUERIES {
        let logging = match query.kind {
            Kind::Report => "differential_ignore_removals",
            Kind::Policy { .. } | Kind::Incident => "snapshot",
        };
        // Whoever runs an INSERT changes something, so observers may not.
        let observers = query.sql.starts_with("SELECT");
        let _ = write!(
            file,
            "- name: {}\n  description: {}\n  platform: darwin\n  query: {}  interval: {}\n  logging: {logging}\n  \
             observer_can_run: {observers}\n  automations_enabled: {}\n{}",
            quoted(query.title)?,
            quoted(query.description)?,
            block(query.sql),
            query.interval,
            matches!(query.kind, Kind::Report),
            label_gate(),
        );
    }
    Ok(file)
}

fn fleet_policies() -> Result<String, serde_json::Error> {
    let mut file = fleet_head(Form::FleetPolicies);
    for query in QUERIES {
        let Kind::Policy { title, passes, resolution } = query.kind else { continue };
        let _ = write!(
            file,
            "- name: {}\n  description: {}\n  resolution: {}\n  platform: darwin\n  query: {}  critical: false\n{}",
            quoted(title)?,
            quoted(passes)?,
            quoted(resolution)?,
            block(&query.turned()),
            label_gate(),
        );
    }
    Ok(file)
}

fn fleet_labels() -> Result<String, serde_json::Error> {
    Ok(format!(
        "{}- name: {}\n  description: Macs on which osquery has the tables of mdm-health.\n  platform: darwin\n  \
         label_membership_type: dynamic\n  query: {}",
        fleet_head(Form::FleetLabels),
        quoted(LABEL)?,
        block(GUARD),
    ))
}

fn fleet_head(form: Form) -> String {
    const GATE: &str = "# Each is for the Macs with the label of: mdm-health packs fleet-labels (Fleet Premium).\n";
    let (key, notes) = match form {
        Form::FleetPolicies => (
            "policies",
            [
                GATE,
                "# A policy fails only for what somebody can act on: if the answer is unknown it passes, and its report says why.\n",
            ],
        ),
        Form::FleetLabels => (
            "labels",
            [
                "# Fleet updates labels once an hour, so a Mac gets the label up to an hour after the extension started,\n",
                "# and its reports and policies after that.\n",
            ],
        ),
        _ => (
            "reports",
            [
                GATE,
                "# Reports with the interval 0 are run by hand, on one Mac. Before Fleet 4.82 the key was queries.\n",
            ],
        ),
    };
    let (version, name, [first, second]) = (crate::VERSION, form.name(), notes);
    format!(
        "# Made by: mdm-health packs {name} (mdm-health {version})\n\
         # For GitOps: name this file, with - path:, under {key}: in default.yml or the YAML of a fleet.\n{first}{second}"
    )
}

fn label_gate() -> String {
    format!("  labels_include_any:\n    - {LABEL}\n")
}

/// A text in double quotes, which YAML reads as JSON does.
fn quoted(text: &str) -> Result<String, serde_json::Error> {
    serde_json::to_string(text)
}

/// Lines as they are, below a key of a list's entry.
fn block(text: &str) -> String {
    format!("|-\n{}", text.lines().map(|line| format!("    {line}\n")).collect::<String>())
}
