//! The queries of the packs over every capture and over Macs of all kinds: problems are reported, unknown is never
//! healthy, and a policy is the inverse of its report.

use crate::support;
use crate::support::fake_mac::FakeMac;
use crate::support::keychain::{Keychain, MANAGED, profiles_list, scep};
use crate::support::query as rows;
use crate::support::{MDMCLIENT, Mac, capture, captures, findings, no_state, record};
use chrono::{TimeDelta, Utc};
use mdm_health::cli::packs::{Kind, QUERIES, Query};
use mdm_health::collect;
use mdm_health::facts::{ddm_state, software_update_preferences, system_version};
use mdm_health::health::Findings;
use mdm_health::host::{Host, Recorded};
use mdm_health::log::ReadOptions;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

const NOW: &str = "2026-11-23T18:00:00Z";
const INSTALL_LOG: &str = "/private/var/log/install.log";
const SOFTWAREUPDATED: &str = "</System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated>";

/// Other people's logs, where they are present.
fn real_logs() -> BTreeMap<String, PathBuf> {
    let files = capture("log").into_iter().flat_map(|folder| fs::read_dir(folder).unwrap());
    let files = files.map(|entry| entry.unwrap().path());
    files.map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), path)).collect()
}

/// The states and reasons in the rows of a query.
fn said(query: &str, mac: &Mac) -> Vec<String> {
    let query = QUERIES.iter().find(|one| one.name == query).unwrap();
    rows(query.sql, &Arc::new(mac.findings())).iter().map(state).collect()
}

fn state(row: &Value) -> String {
    format!("{}, {}", row["state"].as_str().unwrap_or("-"), row["reason"].as_str().unwrap_or("-"))
}

fn policies() -> impl Iterator<Item = &'static Query> {
    QUERIES.iter().filter(|query| matches!(query.kind, Kind::Policy { .. }))
}

/// A Mac that is healthy in every respect, as of now.
fn healthy_mac() -> FakeMac {
    let now = Utc::now();
    let keychain = Keychain::at(&now.to_rfc3339()).identity("Mac 42", "Example CA", -65..300);
    let answer = record(
        MDMCLIENT,
        &(now - TimeDelta::minutes(10)).format("%F %T%.6f+0000").to_string(),
        300,
        0x6c0d,
        "<<<<< Received HTTP response (200) [Idle] <<<<<",
    );
    let boot = (now - TimeDelta::days(3)).timestamp();
    let mac = FakeMac::new();
    mac.answers("/usr/bin/profiles", "status", support::ENROLLED)
        .answers("/usr/bin/profiles", "-C", &profiles_list(&scep("Mac 42")))
        .command("/usr/libexec/mdmclient", MANAGED)
        .answers("/usr/bin/security", "find-identity", &keychain.identities())
        .answers("/usr/bin/security", "find-certificate", keychain.certificates())
        .command("/usr/sbin/sysctl", &format!("{{ sec = {boot}, usec = 0 }} then\n{{ sec = 0, usec = 0 }} never\n"))
        .answers("/usr/sbin/scutil", "--nwi", support::ONLINE)
        .platform()
        .log(&format!("{answer}\n"))
        .file(INSTALL_LOG, "2026-11-23 10:00:00-08 mac softwareupdated[301]: SUScan: done\n")
        .file(software_update_preferences::PATH, "<plist version=\"1.0\"><dict/></plist>")
        .file(
            system_version::PATH,
            "<plist version=\"1.0\"><dict><key>ProductVersion</key><string>26.1</string>\
             <key>ProductBuildVersion</key><string>25B78</string></dict></plist>",
        );
    mac
}

/// The policies that fail on that Mac, each with the rows of its report.
fn failing(mac: &FakeMac) -> BTreeMap<&'static str, Vec<String>> {
    let passes = ask_all(mac, policies().map(Query::turned));
    let failing = policies().zip(passes).filter(|(_, passes)| passes.is_empty()).map(|(query, _)| query);
    failing.map(|query| (query.name, ask(mac, query.sql).iter().map(state).collect())).collect()
}

fn ask(mac: &FakeMac, sql: &str) -> Vec<Value> {
    ask_all(mac, std::iter::once(sql.to_owned())).remove(0)
}

/// The rows of each policy's report, all of one reading.
fn reports(mac: &FakeMac) -> impl Iterator<Item = (&'static Query, Vec<Value>)> {
    policies().zip(ask_all(mac, policies().map(|query| query.sql.to_owned())))
}

/// The rows of each statement, all of one reading.
#[allow(clippy::disallowed_methods, reason = "the tests start the program itself")]
fn ask_all(mac: &FakeMac, statements: impl Iterator<Item = String>) -> Vec<Vec<Value>> {
    let statements: Vec<String> = statements.collect();
    let sql = statements.join("\n");
    let mut program = Command::new(env!("CARGO_BIN_EXE_mdm-health"));
    program.args(["query", &sql, "--json", "--root"]).arg(mac.root()).env_remove("MDM_HEALTH_SOURCE");
    let output = program.output().unwrap();
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    let results = serde_json::Deserializer::from_slice(&output.stdout).into_iter();
    let results: Vec<Vec<Value>> = results.collect::<Result<_, _>>().unwrap();
    assert_eq!(results.len(), statements.len(), "{sql}");
    results
}

#[test]
fn every_query_runs_over_every_capture_and_a_policy_fails_only_for_what_is_known() {
    for (name, path) in captures().into_iter().chain(real_logs()) {
        let findings = Arc::new(findings(&path));
        for query in QUERIES.iter().filter(|query| query.only_reads()) {
            let wrong = rows(query.sql, &findings);
            if matches!(query.kind, Kind::Policy { .. }) {
                let passes = rows(&query.turned(), &findings);
                let known = wrong.iter().map(state).any(|said| !said.starts_with("unknown, "));
                assert_eq!(passes.len(), usize::from(!known), "{} on {name}: {wrong:?}", query.name);
            }
        }
    }
}

/// What the policies' reports say about each fixture, without what was not captured.
#[test]
fn every_problem_of_every_capture_is_reported() {
    let mut seen = String::new();
    for (name, path) in captures() {
        let findings = Arc::new(findings(&path));
        let _ = writeln!(seen, "{name}");
        for query in policies() {
            for said in rows(query.sql, &findings).iter().map(state) {
                let not_captured = ["not_captured", "_unavailable", "identities_unknown"];
                if !not_captured.iter().any(|reason| said.ends_with(reason)) {
                    let _ = writeln!(seen, "  {}: {said}", query.name);
                }
            }
        }
    }
    insta::assert_snapshot!("wrong", seen);
}

/// Otherwise a differential log would have two lines per hour from each Mac.
#[test]
fn scheduled_queries_give_the_same_rows_while_nothing_happens() {
    for (name, path) in captures() {
        let now = Recorded::open(&path, None).unwrap().now().unwrap();
        let at = |now| {
            let host = Recorded::open(&path, Some(now)).unwrap();
            Arc::new(Findings::new(collect::evidence(&host, &ReadOptions::default(), &no_state())))
        };
        let (now, later) = (at(now), at(now + TimeDelta::seconds(90)));
        for query in QUERIES.iter().filter(|query| query.interval > 0) {
            assert_eq!(rows(query.sql, &now), rows(query.sql, &later), "{} on {name}", query.name);
        }
    }
}

#[test]
fn a_healthy_mac_passes_every_policy() {
    assert_eq!(failing(&healthy_mac()), BTreeMap::new());
}

#[test]
fn a_mac_without_evidence_is_unknown_in_each_report_and_fails_one_policy() {
    let mac = FakeMac::new();
    assert_eq!(failing(&mac).into_keys().collect::<Vec<_>>(), ["mdm-sources-trouble"]);
    for (query, rows) in reports(&mac) {
        let said: Vec<String> = rows.iter().map(state).collect();
        let expected = if query.name == "mdm-sources-trouble" { "error, " } else { "unknown, " };
        assert!(!said.is_empty() && said.iter().all(|said| said.starts_with(expected)), "{}: {said:?}", query.name);
    }
}

#[test]
fn a_failed_source_affects_only_what_depends_on_it() {
    // Only the policy about unreadable sources fails. The reports of the others say that their answer is unknown.
    let failing_after = |change: &dyn Fn(&FakeMac)| {
        let mac = healthy_mac();
        change(&mac);
        assert_eq!(failing(&mac).into_keys().collect::<Vec<_>>(), ["mdm-sources-trouble"]);
        reports(&mac).filter(|(_, rows)| !rows.is_empty()).map(|(query, _)| query.name).collect::<Vec<_>>()
    };
    let without = |path: &str| failing_after(&|mac| fs::remove_file(mac.path(path)).unwrap());
    let damaged = |path: &str| {
        failing_after(&|mac| {
            mac.file(path, "");
        })
    };
    assert_eq!(without("/usr/bin/security"), ["mdm-identity-expiring", "mdm-sources-trouble"]);
    assert_eq!(without(INSTALL_LOG), ["mdm-sources-trouble", "os-updates-stalled"]);
    assert_eq!(damaged(software_update_preferences::PATH), ["mdm-sources-trouble", "os-updates-stalled"]);
    assert_eq!(damaged(ddm_state::PATH), ["mdm-sources-trouble", "os-update-enforcement"]);
    assert_eq!(damaged(system_version::PATH), ["mdm-sources-trouble", "os-update-enforcement"]);
    let of_the_log = ["mdm-client-stuck", "mdm-commands-pending", "mdm-sources-trouble", "os-updates-stalled"];
    assert_eq!(without("/usr/bin/log"), of_the_log);
}

#[test]
fn all_valid_identities_pass_although_the_mdms_is_unknown() {
    let said = |second: std::ops::Range<i64>| {
        let keychain = Keychain::at(NOW).identity("Mac 42", "Example CA", -65..300);
        let keychain = keychain.identity("Mac 42", "Example CA", second);
        let mac = Mac::at(NOW)
            .command("profiles-list", &profiles_list(&scep("Mac 42")))
            .command("identities", &keychain.identities())
            .command("certificates", keychain.certificates());
        said("mdm-identity-expiring", &mac)
    };
    assert_eq!(said(-65..32), Vec::<String>::new());
    for second in [-65..30, -65..-1, 1..300] {
        assert_eq!(said(second.clone()), ["ambiguous, -"], "{second:?}");
    }
}

#[test]
fn a_command_is_pending_after_the_window_and_only_where_the_log_was_read() {
    let received = "2026-11-23 16:00:00 Processing server request: ProfileList for: <Device> (A-1) PowerNap: no";
    let put_off = "2026-11-23 16:00:01 >>>>> Sending HTTP request (PUT) [NotNow(ProfileList):A-1] >>>>>";
    let again = "2026-11-23 17:59:59 Processing server request: ProfileList for: <Device> (A-1) PowerNap: no";
    let of = |mac: Mac| said("mdm-commands-pending", &mac);
    let nothing = Vec::<String>::new();
    assert_eq!(of(Mac::at(NOW).said(received)), ["pending, never_answered"]);
    assert_eq!(of(Mac::at(NOW).said(&received.replace("16:00", "17:00"))), nothing);
    assert_eq!(
        of(Mac::at(NOW).said(&format!("{received}\n{put_off}\n{again}"))),
        nothing,
        "put off, and at work on it"
    );
    // Its response may be in the part of the log that was not read.
    let late = Mac::at(NOW).said(received).log_span("2026-11-23T16:15:00Z", NOW);
    assert_eq!(of(late), nothing);
    let too_late = Mac::at(NOW).said(received).log_span("2026-11-23T17:15:00Z", NOW);
    assert_eq!(of(too_late), ["unknown, log_incomplete"]);
    let off = Mac::at(NOW).command("profiles-status", support::NOT_ENROLLED).without_log();
    assert_eq!(of(off), nothing);
}

#[test]
fn an_update_without_progress_is_stalled_unless_it_has_ended() {
    const WITHOUT: &str = "<plist version=\"1.0\"><dict/></plist>";
    let progress = |at: &str, report: &str, stalled: &str| {
        format!(
            "{at} {SOFTWAREUPDATED} [SUMacControllerProgressManager] Reported progress ({report}): phase:PREPARING_UPDATE \
             stalled:{stalled} portionComplete:0.500000 estimatedTimeRemaining:-1.000000"
        )
    };
    let mac = |lines: &str| {
        Mac::at(NOW)
            .log_span("2026-09-01T00:00:00Z", NOW)
            .file(software_update_preferences::PATH, WITHOUT)
            .file(INSTALL_LOG, "2026-11-23 12:00:00+00 host softwareupdated[754]: hello\n")
            .said(lines)
    };
    let of = |mac: Mac| said("os-updates-stalled", &mac);
    let nothing = Vec::<String>::new();
    assert_eq!(of(mac(&progress("2026-11-22 17:00:00", "inter", "NO"))), ["stalled, no_progress"]);
    assert_eq!(of(mac(&progress("2026-11-22 19:00:00", "inter", "NO"))), nothing);
    assert_eq!(of(mac(&progress("2026-11-23 17:59:00", "inter", "YES"))), ["stalled, progress_stalled"]);
    assert_eq!(of(mac(&progress("2026-10-22 17:00:00", "inter", "YES"))), nothing, "no event for a month");
    let overtaken = "2026-11-22 16:00:00+00 host softwareupdated[754]: softwareupdated: Starting with build 26.6 (25G83)\n\
                     2026-11-22 16:30:00+00 host softwareupdated[754]: MSU updates found: (\n\
                     \t    \"<SUOSUProduct: MSU_UPDATE_25G229_patch_26.7_minor>\"\n\t)\n\
                     2026-11-22 17:30:00+00 host softwareupdated[754]: MSU updates found: (\n\
                     \t    \"<SUOSUProduct: MSU_UPDATE_26A428_patch_27.0_major>\"\n\t)\n";
    let runs = "2026-11-22 18:30:00+00 host softwareupdated[412]: softwareupdated: Starting with build 27.0 (26A428)\n";
    let begun = mac(&progress("2026-11-22 17:00:00", "start", "NO"));
    assert_eq!(of(begun.file(INSTALL_LOG, overtaken)), ["stalled, no_progress"]);
    let begun = mac(&progress("2026-11-22 17:00:00", "start", "NO"));
    assert_eq!(of(begun.file(INSTALL_LOG, &format!("{overtaken}{runs}"))), nothing, "a later one was installed");
    let just_woken = mac(&progress("2026-11-22 17:00:00", "inter", "NO")).awake_since("2026-11-23T17:00:00Z");
    assert_eq!(of(just_woken), nothing);
    let unread = mac(&progress("2026-11-23 17:59:00", "inter", "NO")).without_file(INSTALL_LOG);
    assert_eq!(of(unread), ["unknown, install_log_unavailable"]);
}

#[test]
fn an_enforced_update_is_past_due_after_the_window_and_its_padding() {
    let mac = |deadline: &str, line: &str| {
        let declared = format!(
            "<plist version=\"1.0\"><dict><key>SUCorePersistedStatePolicyFields</key><dict><key>Declarations</key><dict>\
             <key>k</key><dict><key>TargetOSVersion</key><string>26.7</string><key>TargetLocalDateTime</key>\
             <string>{deadline}</string></dict></dict></dict></dict></plist>"
        );
        let system = "<plist version=\"1.0\"><dict><key>ProductVersion</key><string>26.6.2</string></dict></plist>";
        let log = format!("2026-11-23 12:00:00+00 host softwareupdated[754]: hello\n{line}");
        let mac = Mac::at(NOW).file(ddm_state::PATH, &declared).file(system_version::PATH, system);
        said("os-update-enforcement", &mac.file(INSTALL_LOG, &log))
    };
    let nothing = Vec::<String>::new();
    assert_eq!(mac("2026-11-23T16:29:00", ""), ["past_due, past_due"]);
    assert_eq!(mac("2026-11-23T16:31:00", ""), nothing);
    assert_eq!(mac("2026-11-24T12:00:00", ""), nothing);
    assert_eq!(mac("tomorrow", ""), ["unknown, unknown"]);
    let padded = |at| {
        format!("2026-11-23 12:01:00+00 host softwareupdated[754]: setPastDuePaddedEnforcementDate is set: {at}\n")
    };
    assert_eq!(mac("2026-11-23T12:00:00", &padded("Mon Nov 23 17:00:00 2026")), nothing);
    assert_eq!(mac("2026-11-23T12:00:00", &padded("Mon Nov 23 13:00:00 2026")), ["past_due, past_due"]);
}
