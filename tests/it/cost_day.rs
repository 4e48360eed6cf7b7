//! What a day costs a Mac; `cargo bench --bench cost_day` prints the figures.
use crate::support::cost_day;

#[test]
fn a_day_with_the_pack_and_the_policies_takes_few_readings_and_processes() {
    let folder = tempfile::tempdir().unwrap();
    let cost = cost_day::run(folder.path());
    println!("{}", cost.words());
    assert!(cost.queries > 24 * 10, "{}", cost.words());
    assert!((24..=60).contains(&cost.readings), "{}", cost.words());
    assert!(cost.all_processes() <= 300, "{}", cost.words());
}
