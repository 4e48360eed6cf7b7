//! What a day costs a Mac: `cargo bench --bench cost_day` prints how often the log is read and how many processes are
//! started, with the pack and the policies as they are shipped.
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
    let folder = tempfile::tempdir().unwrap();
    println!("{}", support::cost_day::run(folder.path()).words());
}
