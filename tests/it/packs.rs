//! The files generated from the queries of the packs, and the source files of the queries.

#[path = "../../build/packs.rs"]
mod source;

use crate::support::heal_mac::{self, HealMac};
use crate::support::{findings, fixture, tables};
use mdm_health::cli::packs::{self, Form, Kind, OSQUERYS_OWN, QUERIES, Query};
use mdm_health::cli::shell::{self, Format};
use mdm_health::vocabulary::Code as _;
use mdm_health::vocabulary::codes::WatchdogReason;
use rusqlite::Connection;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::process::{Command, Output};
use std::sync::Arc;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pack {
    platform: String,
    discovery: Vec<String>,
    queries: BTreeMap<String, Scheduled>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scheduled {
    query: String,
    interval: u32,
    removed: bool,
    denylist: bool,
    description: String,
}

/// What of Fleet's reports, policies and labels concerns the queries; `fleet_forms` checks every key.
#[derive(Deserialize)]
struct Entry {
    name: String,
    description: String,
    platform: String,
    query: String,
    #[serde(default)]
    interval: u32,
    #[serde(default)]
    logging: String,
    #[serde(default)]
    observer_can_run: bool,
    #[serde(default)]
    automations_enabled: bool,
    #[serde(default)]
    labels_include_any: Vec<String>,
}

fn pack() -> Pack {
    serde_json::from_str(&Form::Osquery.text().unwrap()).unwrap()
}

fn entries(form: Form) -> Vec<Entry> {
    serde_saphyr::from_str(&form.text().unwrap()).unwrap()
}

/// The report of which a policy is the inverse; none for the one over osquery's own tables.
fn report_of(policy: &Entry) -> Option<&'static Query> {
    let is_its = |query: &&Query| matches!(&query.kind, Kind::Policy(its) if its.title == policy.name);
    QUERIES.iter().find(is_its)
}

/// The text with every run of whitespace as one space.
fn words(sql: &str) -> Vec<&str> {
    sql.split_whitespace().collect()
}

#[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mdm-health")).args(arguments).env_remove("MDM_HEALTH_SOURCE").output().unwrap()
}

/// What Kolide's and Fleet's forms hold in lines runs in osquery's pack in one.
#[test]
fn the_sql_in_the_pack_runs() {
    let findings = Arc::new(findings(&fixture("updates/macos-26-two-on-offer")));
    for (name, scheduled) in pack().queries {
        let findings = findings.clone();
        let ran = shell::query(&scheduled.query, Format::Json, tables(), move || findings.clone());
        ran.unwrap_or_else(|error| panic!("{error}: {name}"));
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
            "3,restart_mdmclient,heal 1: INC-42,done,kickstart",
            "2,restart_softwareupdated,heal 1: INC-42,done,kickstart",
            "1,heal,INC-42,done,"
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
    // Each result is printed; the timeline is the last.
    let timeline = printed.trim_end().rsplit("\n\n").next().unwrap();
    let seen: Vec<String> =
        timeline.lines().skip(1).map(|line| line.split(',').take(4).collect::<Vec<_>>().join(",")).collect();
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
    let pack = pack();
    for query in QUERIES {
        let is_record = matches!(query.kind, Kind::Report);
        for form in [Form::FleetReports, Form::FleetFreeReports] {
            let reports = entries(form);
            assert_eq!(reports.len(), QUERIES.len());
            let report = reports.iter().find(|report| report.name == query.title).unwrap();
            assert_eq!((report.query.as_str(), report.interval), (query.sql, query.interval));
            assert!(report.description.starts_with(query.description));
            assert_eq!(report.logging == "differential_ignore_removals", is_record);
            assert_eq!((report.automations_enabled, report.observer_can_run), (is_record, query.name != "mdm-heal"));
        }
        let Some(scheduled) = pack.queries.get(query.name) else {
            assert!(matches!(query.kind, Kind::Incident), "{}", query.name);
            continue;
        };
        match query.brief {
            [] => assert_eq!(words(&scheduled.query), words(query.sql)),
            brief => {
                let (inner, reasons) = (query.sql.trim_end_matches(';'), brief.join("', '"));
                let expected = format!("SELECT * FROM ({inner}) WHERE coalesce(reason, '') NOT IN ('{reasons}');");
                assert_eq!(words(&scheduled.query), words(&expected));
                assert!(brief.iter().all(|word| WatchdogReason::from_word(word).is_some()), "{brief:?}");
            }
        }
        assert_eq!((scheduled.query.lines().count(), scheduled.removed), (1, !is_record));
        assert_eq!((scheduled.interval, scheduled.description.as_str()), (query.interval, query.description));
        // osquery does not run a query for a day that ran when the power failed, unless it is told not to.
        assert!(!scheduled.denylist);
    }
    for form in [Form::FleetPolicies, Form::FleetFreePolicies] {
        let policies = entries(form);
        assert_eq!(policies.iter().filter(|policy| report_of(policy).is_none()).count(), OSQUERYS_OWN.len());
        for query in QUERIES.iter().filter(|query| matches!(query.kind, Kind::Policy(_))) {
            let policy =
                policies.iter().find(|policy| report_of(policy).is_some_and(|of| of.name == query.name)).unwrap();
            let inner = query.sql.trim_end_matches(';');
            assert_eq!(
                words(&policy.query),
                words(&format!("SELECT 1 WHERE NOT EXISTS ( SELECT 1 FROM ( {inner} ) WHERE state <> 'unknown' );"))
            );
        }
    }
}

#[test]
fn every_format_is_limited_to_macs_with_the_tables() {
    let [label] = &entries(Form::FleetLabels)[..] else { panic!("more than one label") };
    assert_eq!((label.name.as_str(), label.platform.as_str()), ("mdm-health installed", "darwin"));
    assert_eq!(pack().platform, "darwin");
    let with_label = entries(Form::FleetReports).into_iter().chain(entries(Form::FleetPolicies));
    for entry in with_label {
        // Whether it is installed is asked of every Mac.
        let asked_of_all = OSQUERYS_OWN.iter().any(|query| query.sql == entry.query);
        let labels = if asked_of_all { Vec::new() } else { vec![label.name.clone()] };
        assert_eq!((entry.platform.as_str(), entry.labels_include_any), ("darwin", labels), "{}", entry.name);
    }
}

/// osquery's own tables, as they are on a Mac.
fn osquerys(extension_file: bool, registered: bool, running_for: i64, disabled: &str) -> Connection {
    let osquery = Connection::open_in_memory().unwrap();
    let file = if extension_file { "('/usr/local/mdm-health/mdm_health.ext')" } else { "('/bin/sh')" };
    osquery
        .execute_batch(&format!(
            "CREATE TABLE file(path TEXT); INSERT INTO file VALUES {file};
             CREATE TABLE osquery_registry(registry TEXT, name TEXT, active INTEGER);
             INSERT INTO osquery_registry VALUES ('table', 'users', 1);
             CREATE TABLE osquery_info(start_time BIGINT);
             INSERT INTO osquery_info VALUES (strftime('%s', 'now') - {running_for});
             CREATE TABLE osquery_flags(name TEXT, value TEXT);
             INSERT INTO osquery_flags VALUES ('disable_tables', '{disabled}'), ('verbose', 'false');"
        ))
        .unwrap();
    if registered {
        osquery.execute("INSERT INTO osquery_registry VALUES ('table', 'mdm_watchdog', 1)", []).unwrap();
    }
    osquery
}

fn gives_rows(osquery: &Connection, sql: &str) -> bool {
    osquery.prepare(sql).unwrap().query([]).unwrap().next().unwrap().is_some()
}

/// osqueryd asks before any extension has registered, and keeps the answer for an hour.
#[test]
fn the_pack_is_on_before_the_extension_has_registered() {
    let on = |osquery: &Connection| pack().discovery.iter().all(|sql| gives_rows(osquery, sql));
    assert!(on(&osquerys(true, false, 1, "")), "at the start of osqueryd");
    assert!(on(&osquerys(false, true, 9_999, "")), "the extension lies elsewhere");
    assert!(!on(&osquerys(false, false, 9_999, "")));
    for (disabled, is_on) in
        [("mdm_heal", true), ("mdm_watchdog", false), ("users, mdm_watchdog", false), ("mdm_watchdog2", true)]
    {
        assert_eq!(on(&osquerys(true, true, 9_999, disabled)), is_on, "{disabled}");
    }
}

#[test]
fn mdm_health_counts_as_installed_while_osquery_starts() {
    let [installed] = OSQUERYS_OWN else { panic!("there is more than one") };
    let passes = |osquery: Connection| gives_rows(&osquery, installed.sql);
    assert!(passes(osquerys(true, true, 9_999, "")));
    assert!(passes(osquerys(false, true, 9_999, "")), "the extension lies elsewhere");
    assert!(passes(osquerys(true, false, 60, "")), "it may not have registered yet");
    assert!(!passes(osquerys(true, false, 9_999, "")), "it does not run");
    assert!(!passes(osquerys(false, false, 60, "")), "it is not there");
}

#[test]
fn a_mac_that_is_enrolled_elsewhere_is_found_by_its_server_or_topic() {
    let mac = HealMac::stuck();
    let mine =
        mac.program(&["query", "--csv", "SELECT server_url, topic FROM mdm_enrollment"]).output().unwrap().stdout;
    let mine = String::from_utf8(mine).unwrap();
    let (server, topic) = mine.lines().nth(1).unwrap().split_once(',').unwrap();
    let asked = |server: &str, topic: &str| {
        let sql = packs::text("mdm-other-server").unwrap();
        let sql = sql.replace("https://mdm.example.com/mdm", server);
        let sql = sql.replace("com.apple.mgmt.External.11111111-2222-3333-4444-555555555555", topic);
        let printed = mac.program(&["query", "--csv", &sql]).output().unwrap().stdout;
        let answer =
            String::from_utf8(printed).unwrap().lines().nth(1).map(|row| row.split(',').next().unwrap().to_owned());
        answer.unwrap_or_else(|| "ours".to_owned())
    };
    assert!(!server.is_empty());
    assert_eq!(asked(server, topic), "ours");
    assert_eq!(asked(&format!("{}/", server.to_uppercase()), topic), "ours");
    assert_eq!(asked("https://other.example.com/mdm", topic), "other_server");
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
-- resolution: Call us.
-- admin: Mend it.
-- well: All is well.
-- fault: 'It is ' || p.state || '.'
-- only: enrolled
-- fleet: critical, heal
SELECT 1
FROM mdm_watchdog;
";

#[test]
fn a_source_file_is_a_header_and_sql() {
    let code = source::code(&[source::Source::read("some-query", SOURCE).unwrap()]);
    for part in [
        "name: \"some-query\"",
        "\"A row goes on in the next line.\"",
        "interval: 3600",
        "\"SELECT 1\\nFROM",
        "enrolled_only: true, critical: true, calendar: false, heal: true",
    ] {
        assert!(code.contains(part), "{part}: {code}");
    }
}

#[test]
fn a_source_file_with_a_wrong_header_stops_the_build_with_a_message() {
    for (right, wrong, sentence) in [
        ("-- kind: policy\n", "", "the header has no kind"),
        ("kind: policy", "kind: poem", "the kind is poem, not policy, report, incident, installed or attribute"),
        ("kind: policy", "kind: report", "the header has admin, which a query of this kind has no use for"),
        ("only: enrolled", "only: mine", "only can say enrolled and nothing else"),
        ("critical, heal", "critical, sing", "fleet says sing, not critical, calendar, heal"),
        ("name: some-query", "name: other", "the file and its query have different names"),
        ("darwin", "linux", "the platform is not darwin, and every table is"),
        ("3600", "30", "the interval is 30, not 60 to 604800 seconds"),
        ("3600", "soon", "the interval is soon, not 60 to 604800 seconds"),
        ("-- resolution: Call us.\n", "", "the header has no resolution"),
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
