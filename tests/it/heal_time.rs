//! Time and heal: changed clocks, restarted Macs, and the timer of automatic heal.

use crate::support::heal_mac::{HealMac, mdmclient, now};
use crate::support::random::Random;
use crate::support::tries;
use chrono::TimeDelta;
use mdm_health::facts::record::{self, Entry};
use mdm_health::heal::{Healer, Request, automatic};
use mdm_health::host::{Command, FileEnd, Host, HostError, Live, LogSource, Output};
use mdm_health::vocabulary::Span;
use mdm_health::vocabulary::Time;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The fake Mac with clocks that the test sets.
struct Clocked {
    live: Live,
    clocks: Arc<Mutex<Clocks>>,
}

#[derive(Clone, Copy)]
struct Clocks {
    wall: Time,
    uptime: i64,
    boot: u32,
}

impl Host for Clocked {
    fn run(&self, command: Command) -> Result<Output, HostError> {
        let mut output = self.live.run(command)?;
        if command == Command::BootSession {
            let boot = self.clocks.lock().expect("clocks").boot;
            output.stdout = format!("{boot:08}-2222-3333-4444-555555555555\n").into_bytes();
        }
        Ok(output)
    }

    fn open_log(&self, span: Span, predicate: &str) -> Result<Box<dyn LogSource>, HostError> {
        self.live.open_log(span, predicate)
    }

    fn read_file(&self, path: &str) -> Result<Vec<u8>, HostError> {
        self.live.read_file(path)
    }

    fn read_file_end(&self, path: &str, limit: u64) -> Result<FileEnd, HostError> {
        self.live.read_file_end(path, limit)
    }

    fn read_trusted(&self, path: &str) -> Result<Option<Vec<u8>>, HostError> {
        self.live.read_trusted(path)
    }

    fn now(&self) -> Option<Time> {
        Some(self.clocks.lock().expect("clocks").wall)
    }

    fn is_live(&self) -> bool {
        true
    }

    fn uptime(&self) -> Result<Duration, HostError> {
        Ok(Duration::from_secs(self.clocks.lock().expect("clocks").uptime.unsigned_abs()))
    }
}

struct Story {
    mac: HealMac,
    clocks: Arc<Mutex<Clocks>>,
    healer: Healer,
}

impl Story {
    fn begin(settings: &str) -> Self {
        let mac = HealMac::stuck();
        let plist = format!("<plist version=\"1.0\"><dict>{settings}</dict></plist>");
        mac.write("Library/Managed Preferences/org.mdm-health.plist", plist);
        let clocks = Arc::new(Mutex::new(Clocks { wall: now(), uptime: 500_000, boot: 1 }));
        let host = Clocked { live: mac.live(), clocks: clocks.clone() };
        let healer = mac.healer(&mac.collector(Box::new(host)), Duration::from_secs(60));
        Self { mac, clocks, healer }
    }

    /// Lets time pass on both clocks.
    fn run(&self, time: TimeDelta) {
        let mut clocks = self.clocks.lock().expect("clocks");
        clocks.wall += time;
        clocks.uptime += time.num_seconds();
    }

    /// Changes the wall clock only.
    fn set(&self, by: TimeDelta) {
        self.clocks.lock().expect("clocks").wall += by;
    }

    fn start_anew(&self) {
        let mut clocks = self.clocks.lock().expect("clocks");
        clocks.boot += 1;
        clocks.uptime = 30;
    }

    /// Requests a forced restart, since the log does not move with the clock; returns the code of a refusal.
    fn ask(&self) -> Result<i64, &'static str> {
        let request = Request { force: true, ..Request::new("restart_mdmclient", None) };
        self.healer.request(&request).map_err(|refusal| refusal.code.word())
    }

    fn restarts(&self) -> usize {
        self.mac.restarts("com.apple.mdmclient.daemon")
    }

    fn entries(&self) -> Vec<Entry> {
        record::entries(&self.mac.live(), &self.mac.state_dir()).expect("a record")
    }
}

const FORCE: &str = "<key>AllowForce</key><true/>";
const YEAR: TimeDelta = TimeDelta::days(365);

#[test]
fn changing_the_clock_neither_lifts_the_limit_nor_makes_it_permanent() {
    for start_anew in [false, true] {
        for by in [YEAR, -YEAR] {
            let story = Story::begin(FORCE);
            assert_eq!(story.ask(), Ok(1));
            story.set(by);
            if start_anew {
                story.start_anew();
            }
            assert_eq!(story.ask(), Err("too_soon"), "{by}, {start_anew}");
            story.set(-by);
            assert_eq!(story.ask(), Err("too_soon"), "{by}, {start_anew}, set right");
            story.set(by);
            story.run(TimeDelta::hours(23));
            assert_eq!(story.ask(), Err("too_soon"), "{by}, {start_anew}, 23 hours later");
            assert_eq!(story.restarts(), 1);
            story.run(TimeDelta::hours(1));
            assert_eq!(story.ask(), Ok(5), "{by}, {start_anew}, a day later");
            assert_eq!(story.ask(), Err("too_soon"), "{by}, {start_anew}, at once");
            assert_eq!(story.restarts(), 2);
        }
    }
}

/// What can happen to a Mac's clocks, in any order; what it truly ran is kept beside them.
#[test]
fn no_sequence_of_clocks_and_boots_lets_two_restarts_into_24_hours_that_the_mac_ran() {
    let mut random = Random(24);
    let (mut restarts, mut refused) = (0, 0);
    for sequence in 0..tries(40, 1_000) {
        let story = Story::begin(FORCE);
        let (mut ran, mut last) = (TimeDelta::zero(), None);
        for _ in 0..12 {
            match random.below(5) {
                0 => story.set(TimeDelta::minutes(random.below(4_000_000) - 2_000_000)),
                1 => story.start_anew(),
                2 => story.healer.housekeep(),
                _ => {
                    let time = TimeDelta::seconds(random.below(100_000));
                    story.run(time);
                    ran += time;
                }
            }
            if story.ask().is_ok() {
                let pause = last.map(|last| ran - last);
                assert!(pause.is_none_or(|pause| pause >= TimeDelta::hours(24)), "{sequence}: {pause:?}");
                (last, restarts) = (Some(ran), restarts + 1);
            } else {
                refused += 1;
            }
        }
        let done = story.entries().iter().filter(|entry| entry.outcome.word() == "done").count();
        assert_eq!(story.restarts(), done, "{sequence}: each restart is on record");
    }
    assert!(restarts > 40 && refused > restarts, "{restarts} restarts, {refused} refused");
}

#[test]
fn the_limit_comes_from_the_policy_and_is_at_least_an_hour() {
    for (hours, minutes) in [("1", 60), ("48", 48 * 60), ("0", 24 * 60), ("-1", 24 * 60)] {
        let story = Story::begin(&format!("{FORCE}<key>MinimumHours</key><integer>{hours}</integer>"));
        assert_eq!(story.ask(), Ok(1));
        story.run(TimeDelta::minutes(minutes - 1));
        assert_eq!(story.ask(), Err("too_soon"), "{hours}");
        story.run(TimeDelta::minutes(1));
        assert_eq!(story.ask(), Ok(3), "{hours}");
    }
}

/// A Mac that restarts each day and is asked once each morning would never show a long uptime; the timer records it
/// while it runs.
#[test]
fn the_timer_records_uptime_across_restarts() {
    for (timer, allowed) in [(false, Err("too_soon")), (true, Ok(2))] {
        let story = Story::begin(FORCE);
        assert_eq!(story.ask(), Ok(1));
        for _ in 0..3 {
            story.start_anew();
            for _ in 0..10 {
                story.run(TimeDelta::hours(1));
                if timer {
                    story.healer.housekeep();
                }
            }
        }
        story.start_anew();
        assert_eq!(story.ask(), allowed, "{timer}");
        assert_eq!(story.entries().len(), 2);
    }
}

/// Runs the timer in steps of ten minutes and returns the minutes at which it healed.
fn heals(story: &Story, minutes: i64) -> Vec<i64> {
    let (mut passed, mut at) = (0, Vec::new());
    let mut seen = story.entries().len();
    automatic::run(&story.healer, |time| {
        let entries = story.entries().len();
        if entries > seen {
            at.push(passed);
            seen = entries;
        }
        story.run(TimeDelta::from_std(time).expect("a time"));
        passed += i64::try_from(time.as_secs() / 60).expect("minutes");
        passed <= minutes
    });
    at
}

#[test]
fn automatic_heal_is_off_unless_the_policy_turns_it_on() {
    for settings in [
        "",
        "<key>AutomaticHealMinutes</key><integer>0</integer>",
        "<key>AutomaticHealMinutes</key><integer>29</integer>",
    ] {
        let story = Story::begin(settings);
        assert_eq!(heals(&story, 600), Vec::<i64>::new());
        assert_eq!((story.restarts(), story.entries()), (0, Vec::new()));
    }
}

#[test]
fn automatic_heal_waits_for_its_interval() {
    let story = Story::begin("<key>AutomaticHealMinutes</key><integer>30</integer>");
    let at = heals(&story, 300);
    assert_eq!(story.restarts(), 1);
    let first = *at.first().expect("a heal");
    // The first refresh reads only the window; the command that hangs was received before it and is found in the backfill.
    assert!((30..=80).contains(&first), "{at:?}");
    assert!(at.windows(2).all(|pair| (30..=40).contains(&(pair[1] - pair[0]))), "{at:?}");
    let whole: Vec<Entry> = story.entries().into_iter().filter(|entry| entry.action == "heal").collect();
    assert_eq!(whole.len(), at.len());
    assert_eq!((whole[0].outcome.word(), whole[0].reason.as_deref()), ("done", Some("automatic heal")));
    assert!(whole[1..].iter().all(|entry| entry.outcome.word() == "refused"), "{whole:?}");
}

#[test]
fn automatic_heal_leaves_a_healthy_mac_alone() {
    let story = Story::begin("<key>AutomaticHealMinutes</key><integer>30</integer>");
    story.mac.say(&[mdmclient("17:59:00", "<<<<< Received HTTP response (200) [Idle] <<<<<")]);
    assert_eq!(heals(&story, 60), Vec::<i64>::new());
    assert_eq!((story.restarts(), story.entries()), (0, Vec::new()));
}

/// What a LaunchDaemon does that launchd starts every 15 minutes: the minutes of its looks, and those of its heals.
fn every_15_minutes(story: &Story, minutes: i64, mut between: impl FnMut(&Story, i64)) -> (Vec<i64>, Vec<i64>) {
    let (mut looks, mut heals) = (Vec::new(), Vec::new());
    for passed in (0..=minutes).step_by(15) {
        let before = story.entries().iter().filter(|entry| entry.action == "heal").count();
        if automatic::once(&story.healer).is_some() {
            looks.push(passed);
        }
        if story.entries().iter().filter(|entry| entry.action == "heal").count() > before {
            heals.push(passed);
        }
        between(story, passed);
        story.run(TimeDelta::minutes(15));
    }
    (looks, heals)
}

#[test]
fn a_launchdaemon_that_starts_every_15_minutes_looks_every_95_and_heals_as_often_as_the_policy_says() {
    let (looks, heals) = every_15_minutes(&Story::begin(""), 400, |_, _| {});
    assert_eq!((looks, heals), (vec![0, 105, 210, 315], vec![]));
    for (minutes, every) in [(30, 30), (40, 45), (95, 105)] {
        let story = Story::begin(&format!("<key>AutomaticHealMinutes</key><integer>{minutes}</integer>"));
        let (looks, heals) = every_15_minutes(&story, 300, |_, _| {});
        let expected: Vec<i64> = (0..=300).step_by(every).collect();
        assert_eq!((&looks, &heals), (&expected, &expected), "{minutes}");
        assert_eq!(story.restarts(), 1, "{minutes}");
    }
    // It looks every 95 minutes though it heals less often.
    let story = Story::begin("<key>AutomaticHealMinutes</key><integer>240</integer>");
    let (looks, heals) = every_15_minutes(&story, 500, |_, _| {});
    assert_eq!((looks, heals), (vec![0, 105, 210, 315, 420], vec![0, 315]));
}

/// Started exactly every 95 minutes, as launchd does it, a moment sooner or later each time.
#[test]
fn a_launchdaemon_that_starts_every_95_minutes_looks_each_time() {
    let story = Story::begin("");
    for seconds in [0, 7, -7, 3, -20] {
        story.run(TimeDelta::seconds(95 * 60 + seconds));
        assert!(automatic::once(&story.healer).is_some(), "{seconds}");
    }
}

#[test]
fn clocks_and_restarts_make_no_automatic_heal_come_sooner() {
    type Meanwhile = fn(&Story);
    let cases: [(&str, Meanwhile); 4] = [
        ("the clock set forward", |story| story.set(YEAR)),
        ("the clock set back", |story| story.set(-YEAR)),
        ("started anew", Story::start_anew),
        ("started anew, and the clock set forward", |story| {
            story.start_anew();
            story.set(YEAR);
        }),
    ];
    for (words, meanwhile) in cases {
        let story = Story::begin("<key>AutomaticHealMinutes</key><integer>120</integer>");
        let (_, heals) = every_15_minutes(&story, 105, |story, passed| {
            if passed == 45 {
                meanwhile(story);
            }
        });
        assert_eq!(heals, [0], "{words}");
        let (looks, _) = every_15_minutes(&story, 300, |_, _| {});
        assert!(!looks.is_empty(), "{words}: it goes on");
    }
}

/// Whichever looks first, there are never two heals within the policy's minutes.
#[test]
fn the_launchdaemon_and_the_extension_share_the_policys_minutes() {
    let story = Story::begin("<key>AutomaticHealMinutes</key><integer>60</integer>");
    for _ in 0..20 {
        let _ = automatic::once(&story.healer);
        heals(&story, 10);
    }
    let at: Vec<Time> =
        story.entries().iter().filter(|entry| entry.action == "heal").filter_map(|entry| entry.requested_at).collect();
    assert!(at.len() >= 4, "{at:?}");
    assert!(at.windows(2).all(|pair| pair[1] - pair[0] >= TimeDelta::minutes(60) - TimeDelta::seconds(30)), "{at:?}");
}

/// osquery may start the extension again and again; the time that has passed is in the record.
#[test]
fn an_extension_that_is_started_again_and_again_heals_all_the_same() {
    let story = Story::begin("<key>AutomaticHealMinutes</key><integer>60</integer>");
    let runs: Vec<Vec<i64>> = (0..6).map(|_| heals(&story, 30)).collect();
    assert!(runs[0].is_empty(), "a Mac that has just started is left alone: {runs:?}");
    assert!(runs.iter().any(|heals| !heals.is_empty()), "{runs:?}");
}

/// Looking after a record that does not exist must not look as if one had been removed.
#[test]
fn housekeeping_makes_no_lock_without_a_record() {
    let story = Story::begin(FORCE);
    story.healer.housekeep();
    assert_eq!(story.ask(), Ok(1));
    std::fs::remove_dir_all(story.mac.state_dir()).expect("removed");
    std::fs::create_dir(story.mac.state_dir()).expect("a folder");
    story.healer.housekeep();
    assert_eq!(std::fs::read_dir(story.mac.state_dir()).expect("a folder").count(), 0);
    assert_eq!(story.ask(), Ok(1));
}
