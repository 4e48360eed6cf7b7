//! A day of 1,000 laptops through the rules, every 5 minutes: `cargo bench --bench fleet_day`. It prints what came of it
//! and fails if a healthy Mac was ever called stuck, a stuck one was not found within 100 minutes awake, a policy
//! flipped more than twice on a healthy Mac, or osquery would log more than two rows of the pack of one.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::expect_used,
    reason = "a bench that cannot measure may stop"
)]

#[path = "../tests/it/support/mod.rs"]
#[allow(dead_code, reason = "the bench uses its own part")]
mod support;

fn main() {
    let figures = support::fleet_day::run(1_000);
    println!("A day of {} laptops: {figures:#?}", figures.macs);
    assert!(figures.wrongly_stuck.is_empty(), "a healthy Mac was called stuck");
    assert_eq!(figures.found, figures.to_be_found, "a stuck Mac was not found within 100 minutes awake");
    assert!(figures.most_flips <= 2, "a policy flipped more than twice");
    let healthy = figures.macs - figures.really_stuck;
    println!("{:.2} rows a healthy Mac over the whole pack", f64::from(figures.rows) / f64::from(healthy));
    assert!(figures.most_rows <= 2, "osquery logs more than two rows of a healthy Mac and day");
}
