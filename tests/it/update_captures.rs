//! OS updates on readable fixtures: one for each macOS version, and one for each thing that can happen.

use crate::support::{findings, fixture, rows, tables};
use chrono::DateTime;
use mdm_health::health::Findings;
use mdm_health::tables::Value;
use std::fmt::Write as _;

const TABLES: [&str; 4] = ["os_update_status", "os_update_enforcement", "os_update_settings", "os_update_events"];

fn capture(name: &str) -> Findings {
    findings(&fixture("updates").join(name))
}

/// Every row as a paragraph, without NULL columns; times in UTC.
fn shown(name: &str) -> String {
    let findings = capture(name);
    let watchdog = &rows(&findings, "mdm_watchdog")[0];
    let mut text = format!(
        "mdm_software_updates_stuck: {:?}, {}\n",
        watchdog.number("mdm_software_updates_stuck"),
        watchdog.text("software_updates_reason").unwrap()
    );
    for table in tables().iter().filter(|table| TABLES.contains(&table.definition().name)) {
        for row in table.rows(&findings) {
            let _ = write!(text, "\n{}", table.definition().name);
            for (column, value) in table.definition().columns.iter().zip(row) {
                let _ = match value {
                    Value::Null => Ok(()),
                    Value::Integer(at)
                        if column.name == "at" || column.name.ends_with("_at") || column.name.ends_with("_until") =>
                    {
                        write!(
                            text,
                            "\n  {}: {}",
                            column.name,
                            DateTime::from_timestamp(at, 0).unwrap().format("%F %T")
                        )
                    }
                    Value::Integer(number) => write!(text, "\n  {}: {number}", column.name),
                    Value::Text(words) => write!(text, "\n  {}: {words}", column.name),
                };
            }
            text.push('\n');
        }
    }
    text
}

macro_rules! golden {
    ($($test:ident: $fixture:literal,)*) => {
        $(
            #[test]
            fn $test() {
                insta::assert_snapshot!($fixture, shown($fixture));
            }
        )*
    };
}

golden! {
    macos_12_shows_each_stage_of_what_the_mdm_ordered: "macos-12-ordered-by-mdm",
    macos_13_is_installed_once_the_mac_runs_the_build: "macos-13-installed",
    macos_14_is_prepared_and_waits_for_its_deadline: "macos-14-prepared-for-its-deadline",
    macos_15_downloads_by_itself: "macos-15-downloading-by-itself",
    macos_26_with_two_on_offer_leaves_progress_untied: "macos-26-two-on-offer",
    macos_27_goes_by_ddm_alone: "macos-27-by-ddm-alone",
    a_deferred_update_is_offered_until_its_date: "deferred-update",
    a_rapid_security_response_is_installed: "rapid-security-response",
    a_failed_install_that_is_retried_is_a_second_attempt: "failed-install-retried",
    an_enforcement_that_is_met_is_not_past_due: "enforcement-met",
    an_enforcement_that_is_past_due_is_stuck: "enforcement-past-due",
    an_enforcement_that_keeps_failing_is_stuck: "enforcement-keeps-failing",
    an_enforcement_without_match_says_so: "enforcement-without-match",
    a_stale_declaration_that_is_logged_again_is_not_in_force: "stale-declaration-logged-again",
    utc_plus_13_puts_a_deadline_over_midnight_on_the_day_before: "utc-plus-13-over-midnight",
    a_clock_change_moves_the_deadline_by_an_hour: "clock-change-before-the-deadline",
}

#[test]
fn every_capture_is_read_in_full() {
    for entry in std::fs::read_dir(fixture("updates")).unwrap() {
        let path = entry.unwrap().path();
        for source in rows(&findings(&path), "mdm_health_status") {
            let name = format!("{} of {}", source.text("source").unwrap(), path.display());
            assert_ne!(source.text("state"), Some("error"), "{name}");
            assert!(matches!(source.number("lines_not_understood"), None | Some(0)), "{name}");
        }
    }
}

#[test]
fn a_second_attempt_keeps_the_download_and_drops_the_later_stages() {
    let update = &rows(&capture("failed-install-retried"), "os_update_status")[0];
    assert_eq!((update.text("phase"), update.number("attempts")), (Some("preparing"), Some(2)));
    assert!(update.number("downloaded_at").is_some());
    assert_eq!((update.number("prepared_at"), update.number("install_started_at")), (None, None));
    assert_eq!(update.text("error"), Some("Software update failed."));
}

#[test]
fn progress_is_credited_to_neither_of_two_offered_updates() {
    let updates = rows(&capture("macos-26-two-on-offer"), "os_update_status");
    let phases: Vec<_> = updates.iter().map(|update| (update.text("product_key"), update.text("phase"))).collect();
    assert_eq!(
        phases,
        [
            (Some("047-48781"), Some("offered")),
            (Some("MSU_UPDATE_25G229_patch_26.7_minor"), Some("offered")),
            (Some("MSU_UPDATE_26A428_patch_27.0_major"), Some("offered")),
            (None, Some("preparing")),
        ]
    );
}

#[test]
fn install_log_lines_that_cannot_be_dated_are_counted() {
    let sources = rows(&capture("macos-13-installed"), "mdm_health_status");
    let log = sources.iter().find(|row| row.text("source") == Some("install_log")).unwrap();
    assert_eq!((log.number("records_read"), log.number("lines_skipped")), (Some(8), Some(1)));
}
