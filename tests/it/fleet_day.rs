//! A small fleet's day; `cargo bench --bench fleet_day` runs a thousand laptops and prints the figures.
use crate::support::fleet_day;

#[test]
fn no_healthy_laptop_is_stuck_and_every_stuck_one_is_found() {
    let figures = fleet_day::run(20);
    assert!(figures.wrongly_stuck.is_empty(), "{figures:#?}");
    assert_eq!(figures.found, figures.to_be_found, "{figures:#?}");
    assert!(figures.most_flips <= 2, "{figures:#?}");
    assert!(figures.most_rows <= 2, "{figures:#?}");
    assert!(figures.macs == 20 && figures.states.len() >= 4, "{figures:#?}");
}
