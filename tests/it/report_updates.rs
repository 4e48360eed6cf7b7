//! The card for OS updates in the report: how far each is, what failed, and what to do first.

use crate::support::{findings, fixture, tables};
use mdm_health::report;
use roxmltree::{Document, Node, ParsingOptions};

fn card(name: &str) -> (String, String) {
    let page = report::page("the source", &findings(&fixture(name)), &tables());
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(&page, options).unwrap();
    let card = document.descendants().find(|node| node.attribute("id") == Some("updates")).unwrap();
    let words: Vec<&str> = card.descendants().filter(Node::is_text).filter_map(|text| text.text()).collect();
    let symbol = card.descendants().find(|node| node.has_tag_name("use")).unwrap();
    (words.concat().split_whitespace().collect::<Vec<_>>().join(" "), symbol.attribute("href").unwrap().to_owned())
}

#[test]
fn a_past_due_update_is_named_with_its_version_its_date_and_what_to_do_first() {
    let (words, symbol) = card("updates/enforcement-past-due");
    assert_eq!(symbol, "#s-stuck");
    assert!(
        words.contains("macOS 26.1 (25B78) was due 2025-11-13 09:00:00 −05:00 6 h earlier, and nothing moved"),
        "{words}"
    );
    assert!(words.contains("What to do first: Restart softwareupdated: sudo mdm-health heal"), "{words}");
    assert!(words.contains("Put off by the Mac until2025-11-13 10:05:00 −05:00"), "{words}");
    assert!(words.contains("Phaseoffered"), "{words}");
}

#[test]
fn there_is_no_green_tick_beside_a_failed_install() {
    let (words, symbol) = card("updates/failed-install-retried");
    assert_eq!(symbol, "#s-warning");
    assert!(words.contains("Not stuck, but needs attention"), "{words}");
    assert!(words.contains("macOS 15.6.1 (24G90) failed 2025-08-26 09:42:10 UTC. Attempt 2 is under way."), "{words}");
    assert!(words.contains("Phasepreparing, 64 %"), "{words}");
    assert!(words.contains("Attempts2"), "{words}");
    assert!(words.contains("Last failure2025-08-26 09:42:10 UTC 22 min earlierSoftware update failed."), "{words}");
}

#[test]
fn a_failing_enforcement_says_how_often_it_failed() {
    let (words, symbol) = card("updates/enforcement-keeps-failing");
    assert_eq!(symbol, "#s-stuck");
    assert!(words.contains("macOS 26.7 (25G229) failed 299 times, the last time 2026-09-01"), "{words}");
    assert!(words.contains("An update that no source names"), "progress of no product is no declaration's: {words}");
}

#[test]
fn an_update_that_apple_does_not_offer_says_what_to_correct() {
    let (words, symbol) = card("updates/enforcement-without-match");
    assert_eq!(symbol, "#s-warning");
    assert!(words.contains("Apple offers nothing that fits the enforced update macOS 15.9."), "{words}");
    assert!(words.contains("What to do first: Compare the version and build in the declaration"), "{words}");
}

#[test]
fn what_is_done_or_on_time_keeps_its_tick() {
    let (words, symbol) = card("updates/enforcement-met");
    assert_eq!(symbol, "#s-ok");
    assert!(words.contains("EnforcementmetThe Mac runs what it asks for"), "{words}");
    assert!(!words.contains("What to do"), "{words}");
    let (words, symbol) = card("updates/macos-27-by-ddm-alone");
    assert_eq!(symbol, "#s-ok");
    assert!(words.contains("macOS 27.0.1 (26A512) is due"), "{words}");
    assert!(words.contains("Phasedownloading, 12 %"), "{words}");
}

#[test]
fn logs_that_name_a_removed_declaration_show_no_card_for_it() {
    let (words, _) = card("updates/stale-declaration-logged-again");
    assert!(words.contains("macOS 99.9") && words.contains("The Mac refused it as invalid."), "{words}");
    assert!(!words.contains("stale"), "{words}");
}

#[test]
fn what_is_in_the_way_comes_first_and_an_error_is_explained() {
    let (words, symbol) = card("updates/enforcement-blocked");
    assert_eq!(symbol, "#s-warning");
    assert!(
        words.contains("What to do first: Connect the Mac to power. Have a user with a secure token log in"),
        "{words}"
    );
    assert!(words.contains("Phasedownloading, 12 %, 666 MB of 5.6 GB"), "{words}");
    assert!(words.contains("Code=7507") && words.contains("Access to softwareupdated was denied."), "{words}");
    assert!(words.contains("2.0 GB are free, and 4.8 GB are still to be downloaded."), "{words}");
}
