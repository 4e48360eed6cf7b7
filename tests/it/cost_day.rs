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

#[test]
fn queries_that_come_together_have_the_log_read_once() {
    let folder = tempfile::tempdir().unwrap();
    let mac = cost_day::Watched::new(folder.path());
    let before = mac.cost().readings;
    mac.minute(10);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| mac.query_at_once());
        }
    });
    assert_eq!(mac.cost().readings, before + 1);
}

#[test]
fn after_a_sleep_nothing_is_read_until_the_mac_has_settled() {
    let folder = tempfile::tempdir().unwrap();
    let mac = cost_day::Watched::new(folder.path());
    mac.minute(0);
    let before = mac.cost().readings;
    mac.minute(25);
    assert_eq!(mac.cost().readings, before, "what is known is not old enough");
    mac.minute(31);
    assert_eq!(mac.cost().readings, before + 1);
    // A night, and a dark wake in it.
    mac.sleeps(300);
    mac.minute(340);
    mac.sleeps(100);
    for minute in [442, 443] {
        mac.minute(minute);
        assert_eq!(mac.cost().readings, before + 1, "{minute}");
    }
    mac.minute(444);
    assert_eq!(mac.cost().readings, before + 2);
    mac.minute(445);
    assert_eq!(mac.cost().readings, before + 2);
}

#[test]
fn on_battery_the_log_is_read_half_as_often() {
    let battery = "Now drawing from 'Battery Power'\n -InternalBattery-0 (id=1)\t85%; discharging; 4:30 remaining present: true\n";
    let readings = |power| {
        let folder = tempfile::tempdir().unwrap();
        let mac = cost_day::Watched::powered(folder.path(), power);
        (1..=300).for_each(|minute| mac.minute(minute));
        mac.cost().readings
    };
    let (plugged, unplugged) = (readings("Now drawing from 'AC Power'\n"), readings(battery));
    assert!(unplugged * 2 <= plugged + 2 && unplugged >= 5, "{plugged} readings with power, {unplugged} on battery");
}
