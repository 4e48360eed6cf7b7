//! The files generated from the queries of the packs, and the source files of the queries.

#[path = "../../build/packs.rs"]
mod source;

use crate::support::heal_mac::{self, HealMac};
use crate::support::{findings, fixture, tables};
use mdm_health::cli::packs::{self, Form, Kind, QUERIES, Query};
use mdm_health::cli::shell::{self, Format};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pack {
    platform: String,
    #[serde(default)]
    discovery: Vec<String>,
    queries: BTreeMap<String, Scheduled>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scheduled {
    query: String,
    interval: u32,
    removed: bool,
    description: String,
}

/// A report as Fleet's GitOps accepts it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Report {
    name: String,
    description: String,
    platform: String,
    query: String,
    interval: u32,
    logging: String,
    observer_can_run: bool,
    automations_enabled: bool,
    labels_include_any: Vec<String>,
}

/// A policy as Fleet's GitOps accepts it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Policy {
    name: String,
    description: String,
    resolution: String,
    platform: String,
    query: String,
    critical: bool,
    labels_include_any: Vec<String>,
}

/// A label as Fleet's GitOps accepts it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    name: String,
    description: String,
    platform: String,
    label_membership_type: String,
    query: String,
}

fn pack(form: Form) -> Pack {
    serde_json::from_str(&form.text().unwrap()).unwrap()
}

fn yaml<T: DeserializeOwned>(form: Form) -> T {
    serde_saphyr::from_str(&form.text().unwrap()).unwrap()
}

fn policies() -> Vec<Policy> {
    yaml(Form::FleetPolicies)
}

/// The report of which a policy is the inverse.
fn report_of(policy: &Policy) -> &'static Query {
    let is_its = |query: &&Query| matches!(query.kind, Kind::Policy { title, .. } if title == policy.name);
    QUERIES.iter().find(is_its).unwrap()
}

/// The text with every run of whitespace as one space.
fn words(sql: &str) -> Vec<&str> {
    sql.split_whitespace().collect()
}

#[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mdm-health")).args(arguments).env_remove("MDM_HEALTH_SOURCE").output().unwrap()
}

#[test]
fn the_sql_in_every_format_runs() {
    let mut all: Vec<String> = policies().into_iter().map(|policy| policy.query).collect();
    let reports = yaml::<Vec<Report>>(Form::FleetReports).into_iter().map(|report| report.query);
    all.extend(reports.filter(|sql| !sql.starts_with("INSERT")));
    for form in [Form::Osquery, Form::Kolide] {
        all.extend(pack(form).queries.into_values().map(|scheduled| scheduled.query));
    }
    let findings = Arc::new(findings(&fixture("updates/macos-26-two-on-offer")));
    for sql in &all {
        let findings = findings.clone();
        let ran = shell::query(sql, Format::Json, tables(), move || findings.clone());
        ran.unwrap_or_else(|error| panic!("{error}: {sql}"));
    }
}

#[test]
fn the_heal_query_is_refused_on_a_recorded_mac() {
    let heal = packs::text("mdm-heal").unwrap();
    let output = run(&["query", &heal, "--source", fixture("update-command-never-answered").to_str().unwrap()]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(1), 0));
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(stderr.contains("this is a recorded Mac, and only a live one can be healed"), "{stderr}");
}

#[test]
fn the_heal_query_restarts_what_is_stuck_and_shows_the_result() {
    let mac = HealMac::stuck();
    let output = mac.program(&["query", "--csv", &packs::text("mdm-heal").unwrap()]).output().unwrap();
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let outcomes: Vec<String> =
        printed.lines().skip(1).map(|line| line.split(',').take(5).collect::<Vec<_>>().join(",")).collect();
    assert_eq!(
        outcomes,
        [
            "3,restart_mdmclient,heal 1: incident,done,kickstart",
            "2,restart_softwareupdated,heal 1: incident,done,kickstart",
            "1,heal,incident,done,"
        ],
        "{printed}"
    );
    assert_eq!(mac.restarts("com.apple.mdmclient.daemon"), 1);
    let ledger = mac.program(&["query", "--csv", &packs::text("mdm-heal-ledger").unwrap()]).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ledger.stdout).lines().count(), 4);
}

#[test]
fn the_timeline_has_log_events_commands_and_heals_in_order() {
    let mac = HealMac::stuck();
    mac.say(&[
        heal_mac::mdmclient("15:10:00", ">>>>> Sending HTTP request (PUT) [Idle] >>>>>"),
        heal_mac::mdmclient("15:10:01", "<<<<< Received HTTP response (200) [Idle] <<<<<"),
        heal_mac::progress("15:20:00", "inter", "PREPARING_UPDATE"),
        heal_mac::mdmclient("15:30:00", "Processing server request: ProfileList for: <Device> (A-1) PowerNap: no"),
    ]);
    let asked = format!("{} {}", packs::text("mdm-heal").unwrap(), packs::text("mdm-timeline").unwrap());
    let printed = mac.program(&["query", "--csv", &asked]).output().unwrap().stdout;
    let printed = String::from_utf8(printed).unwrap();
    let seen: Vec<String> =
        printed.lines().skip(1).map(|line| line.split(',').take(4).collect::<Vec<_>>().join(",")).collect();
    assert_eq!(
        seen,
        [
            "2026-11-23 15:10:00,exchange,Idle,ok",
            "2026-11-23 15:20:00,update progress,softwareupdated,PREPARING_UPDATE",
            "2026-11-23 15:30:00,command received,ProfileList,",
            "2026-11-23 18:00:00,heal,heal,done",
            "2026-11-23 18:00:00,heal,restart_mdmclient,done",
        ],
        "{printed}"
    );
}

#[test]
fn every_format_has_the_same_sql() {
    let (osquery, kolide) = (pack(Form::Osquery), pack(Form::Kolide));
    let (reports, policies): (Vec<Report>, Vec<Policy>) = (yaml(Form::FleetReports), policies());
    assert_eq!(reports.len(), QUERIES.len());
    for (query, report) in QUERIES.iter().zip(&reports) {
        assert_eq!((report.name.as_str(), report.query.as_str()), (query.title, query.sql));
        assert_eq!((report.description.as_str(), report.interval), (query.description, query.interval));
        let is_record = matches!(query.kind, Kind::Report);
        assert_eq!(
            (report.logging == "differential_ignore_removals", report.automations_enabled),
            (is_record, is_record)
        );
        for pack in [&osquery, &kolide] {
            let Some(scheduled) = pack.queries.get(query.name) else {
                assert!(matches!(query.kind, Kind::Incident), "{}", query.name);
                continue;
            };
            assert_eq!(words(&scheduled.query), words(query.sql));
            assert_eq!((scheduled.query.lines().count(), scheduled.removed), (1, !is_record));
            assert_eq!((scheduled.interval, scheduled.description.as_str()), (query.interval, query.description));
        }
        let turned = policies.iter().filter(|policy| report_of(policy).name == query.name).count();
        assert_eq!(turned, usize::from(matches!(query.kind, Kind::Policy { .. })), "{}", query.name);
    }
    for policy in &policies {
        let inner = report_of(policy).sql.trim_end_matches(';');
        assert_eq!(
            words(&policy.query),
            words(&format!("SELECT 1 WHERE NOT EXISTS ( SELECT 1 FROM ( {inner} ) WHERE state <> 'unknown' );"))
        );
        assert!(!policy.critical && !policy.description.is_empty() && !policy.resolution.is_empty());
    }
}

#[test]
fn every_format_is_limited_to_macs_with_the_tables() {
    let [label] = &yaml::<Vec<Label>>(Form::FleetLabels)[..] else { panic!("more than one label") };
    assert_eq!((label.platform.as_str(), label.label_membership_type.as_str()), ("darwin", "dynamic"));
    assert!(!label.description.is_empty());
    let (osquery, kolide) = (pack(Form::Osquery), pack(Form::Kolide));
    assert_eq!(osquery.discovery, std::slice::from_ref(&label.query));
    // The server that distributes the pack selects the Macs.
    assert_eq!(kolide.discovery, Vec::<String>::new());
    assert_eq!((osquery.platform.as_str(), kolide.platform.as_str()), ("darwin", "darwin"));
    for report in yaml::<Vec<Report>>(Form::FleetReports) {
        assert_eq!((report.platform.as_str(), &report.labels_include_any[..]), ("darwin", &[label.name.clone()][..]));
    }
    for policy in policies() {
        assert_eq!((policy.platform.as_str(), &policy.labels_include_any[..]), ("darwin", &[label.name.clone()][..]));
    }
}

#[test]
fn observers_may_run_the_queries_that_only_read() {
    for report in yaml::<Vec<Report>>(Form::FleetReports) {
        assert_eq!(report.observer_can_run, !report.query.contains("INSERT"), "{}", report.name);
    }
}

#[test]
fn the_program_prints_each_format_each_query_and_a_list() {
    for name in packs::names() {
        let output = run(&["packs", name]);
        assert_eq!(String::from_utf8_lossy(&output.stdout), packs::text(name).unwrap(), "{name}");
        assert!(!output.stdout.is_empty(), "{name}");
    }
    let list = run(&["packs"]).stdout;
    assert!(QUERIES.iter().all(|query| String::from_utf8_lossy(&list).contains(&format!("| `{}` |", query.name))));
    assert_eq!(run(&["packs", "nonsense"]).status.code(), Some(2));
}

const SOURCE: &str = "\
-- name: some-query
-- kind: policy
-- platform: darwin
-- interval: 3600
-- report: What is wrong
-- description: A row goes
--   on in the next line.
-- policy: All is well
-- passes: Passes if all is well.
-- resolution: Mend it.
SELECT 1
FROM mdm_watchdog;
";

#[test]
fn a_source_file_is_a_header_and_sql() {
    let code = source::code(&[source::Source::read("some-query", SOURCE).unwrap()]);
    for part in ["name: \"some-query\"", "\"A row goes on in the next line.\"", "interval: 3600", "\"SELECT 1\\nFROM"] {
        assert!(code.contains(part), "{part}: {code}");
    }
}

#[test]
fn a_source_file_with_a_wrong_header_stops_the_build_with_a_message() {
    for (right, wrong, sentence) in [
        ("-- kind: policy\n", "", "the header has no kind"),
        ("kind: policy", "kind: poem", "the kind is poem, not policy, report or incident"),
        ("kind: policy", "kind: report", "the header has passes, which a query of this kind has no use for"),
        ("name: some-query", "name: other", "the file and its query have different names"),
        ("darwin", "linux", "the platform is not darwin, and every table is"),
        ("3600", "30", "the interval is 30, not 60 to 604800 seconds"),
        ("3600", "soon", "the interval is soon, not 60 to 604800 seconds"),
        ("-- resolution: Mend it.\n", "", "the header has no resolution"),
        ("-- platform", "-- kind: policy\n-- platform", "the header has kind twice"),
        ("-- name", "--   on\n-- name", "the header begins in the middle of a value"),
        ("-- report: What", "-- What", "the header has the line \" What is wrong\", which is no key: value"),
        ("mdm_watchdog;", "mdm_watchdog", "the SQL does not end with a semicolon"),
        ("FROM", "-- what\nFROM", "the SQL has a comment in it, and some forms hold it in one line"),
        ("SELECT 1", "SELECT 1; SELECT 1", "what is scheduled is one SELECT"),
        ("SELECT 1", "INSERT 1", "what is scheduled is one SELECT"),
    ] {
        let text = SOURCE.replacen(right, wrong, 1);
        assert_ne!(text, SOURCE);
        assert_eq!(source::Source::read("some-query", &text).unwrap_err(), sentence);
    }
}
