//! Kolide's checks over every capture: at least one row, one of Kolide's five words in each, and a sentence.

use crate::support::fake_mac::FakeMac;
use crate::support::{self, Mac, findings};
use mdm_health::cli::packs::{Form, Kind, QUERIES};
use mdm_health::health::Findings;
use std::sync::Arc;

/// The words of `KOLIDE_CHECK_STATUS`, as people's checks and a client of Kolide's API have them.
const WORDS: [&str; 5] = ["PASS", "FAIL", "UNKNOWN", "ERROR", "INAPPLICABLE"];

/// The checks: the policy's title and the SQL below the comments.
fn checks() -> Vec<(String, String)> {
    let text = Form::Kolide.text().unwrap();
    let checks = text.split("\n-- Check: ").skip(1).map(|check| {
        let sql = check.lines().skip(1).filter(|line| !line.starts_with("--")).collect::<Vec<_>>().join("\n");
        (check.lines().next().unwrap().to_owned(), sql)
    });
    checks.collect()
}

/// The status and the message of each row of a check.
fn answer(sql: &str, findings: &Arc<Findings>) -> Vec<(String, String)> {
    let rows = support::query(sql, findings);
    rows.iter()
        .map(|row| {
            let [status, message] = ["KOLIDE_CHECK_STATUS", "message"].map(|column| row[column].as_str().unwrap_or(""));
            (status.to_owned(), message.to_owned())
        })
        .collect()
}

#[test]
fn there_is_a_check_for_each_policy() {
    let policies = QUERIES.iter().filter_map(|query| match &query.kind {
        Kind::Policy(policy) => Some(policy.title.to_owned()),
        _ => None,
    });
    assert_eq!(checks().into_iter().map(|(title, _)| title).collect::<Vec<_>>(), policies.collect::<Vec<_>>());
}

#[test]
fn every_check_gives_a_row_with_a_word_and_a_sentence_and_fails_where_its_policy_does() {
    for (name, path) in support::captures() {
        let findings = Arc::new(findings(&path));
        for (title, sql) in checks() {
            let rows = answer(&sql, &findings);
            assert!(!rows.is_empty(), "{title} on {name}");
            for (status, message) in &rows {
                assert!(WORDS.contains(&status.as_str()), "{status:?}: {title} on {name}");
                assert!(message.ends_with('.') && message.len() > 20, "{message:?}: {title} on {name}");
            }
            let query =
                QUERIES.iter().find(|query| matches!(&query.kind, Kind::Policy(its) if its.title == title)).unwrap();
            let fails = support::query(&query.turned(), &findings).is_empty();
            assert_eq!(rows.iter().any(|(status, _)| status == "FAIL"), fails, "{title} on {name}: {rows:?}");
        }
    }
}

/// What the checks say of a Mac, without those that pass.
fn said(mac: &Mac) -> Vec<String> {
    let findings = Arc::new(mac.findings());
    let all = checks().into_iter().flat_map(|(_, sql)| answer(&sql, &findings));
    all.filter(|(status, _)| status != "PASS").map(|(status, message)| format!("{status}: {message}")).collect()
}

#[test]
fn a_mac_without_mdm_fails_one_check_and_three_do_not_apply() {
    let findings = Arc::new(findings(&support::fixture("not-enrolled")));
    let statuses: Vec<String> =
        checks().iter().flat_map(|(_, sql)| answer(sql, &findings)).map(|(word, _)| word).collect();
    let count = |word: &str| statuses.iter().filter(|status| *status == word).count();
    assert_eq!((count("FAIL"), count("INAPPLICABLE")), (1, 3), "{statuses:?}");
}

#[test]
fn what_could_not_be_read_is_an_error_and_what_nobody_can_know_is_unknown() {
    let nothing = Arc::new(Findings::new(mdm_health::collect::evidence(
        &mdm_health::host::Live::new(FakeMac::new().root().to_owned(), None),
        &mdm_health::log::ReadOptions::default(),
        &support::no_state(),
    )));
    let statuses: Vec<String> =
        checks().iter().flat_map(|(_, sql)| answer(sql, &nothing)).map(|(word, _)| word).collect();
    assert!(statuses.iter().any(|status| status == "ERROR"), "{statuses:?}");
    assert!(statuses.iter().all(|status| status != "PASS"), "{statuses:?}");
    let woken = Mac::at("2026-11-23T18:00:00Z").awake_since("2026-11-23T17:50:00Z");
    let said = said(&woken);
    assert!(
        said.contains(&"UNKNOWN: Unknown: recently_awake. The table mdm_health_status says more.".to_owned()),
        "{said:?}"
    );
}
