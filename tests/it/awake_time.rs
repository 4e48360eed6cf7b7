//! When a Mac was awake, from whatever is known of it: never more than it really was, whatever happens to its clock, to
//! the journal or to the Mac.

use chrono::TimeDelta;
use mdm_health::event::PowerState;
use mdm_health::facts::awake::BootAndWake;
use mdm_health::journal::awake::{AwakeSample, AwakeSpan};
use mdm_health::journal::awake_evidence::AwakeEvidence;
use mdm_health::vocabulary::{Span, Time};
use proptest::prelude::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Awake,
    Dark,
    Asleep,
    Off,
}

/// What really happened: stretches of time in seconds, and at which of them the clock was set by how much.
#[derive(Debug, Clone)]
struct Life {
    stretches: Vec<(State, i64)>,
    /// Set at a second, by so many seconds.
    set: Vec<(i64, i64)>,
}

impl Life {
    /// A Mac that boots at the first second, and is awake at the end.
    fn of(stretches: &[(State, i64)]) -> Self {
        let mut all = vec![(State::Awake, 60)];
        for (state, length) in stretches {
            let before = all.last().unwrap().0;
            // A Mac that was off boots, and one that sleeps wakes in some way before it sleeps again.
            if before == State::Off && *state != State::Awake {
                all.push((State::Awake, 60));
            }
            if before == *state {
                // No dark wake lasts for half a day.
                all.last_mut().unwrap().1 += if *state == State::Dark { 0 } else { *length };
            } else {
                all.push((*state, *length));
            }
        }
        all.push((State::Awake, 1));
        Self { stretches: all, set: Vec::new() }
    }

    /// State, beginning and end of each stretch.
    fn spans(&self) -> impl Iterator<Item = (State, i64, i64)> {
        self.stretches.iter().scan(0, |from, (state, length)| {
            let begins = *from;
            *from += length;
            Some((*state, begins, *from))
        })
    }

    fn end(&self) -> i64 {
        self.stretches.iter().map(|(_, length)| length).sum()
    }

    fn state(&self, second: i64) -> State {
        self.spans().find(|(_, from, to)| *from <= second && second < *to).map_or(State::Awake, |(state, ..)| state)
    }

    /// When the boot began that a second belongs to, and which one it is.
    fn boot(&self, second: i64) -> (usize, i64) {
        let off = self.spans().filter(|(state, _, to)| *state == State::Off && *to <= second);
        off.fold((0, 0), |(number, _), (.., to)| (number + 1, to))
    }

    fn seconds(&self, from: i64, to: i64, wanted: impl Fn(State, i64) -> bool) -> i64 {
        let within = self.spans().filter(|(state, begins, _)| wanted(*state, *begins));
        within.map(|(_, begins, ends)| (ends.min(to) - begins.max(from)).max(0)).sum()
    }

    /// What the wall clock shows.
    fn wall(&self, second: i64) -> Time {
        let set: i64 = self.set.iter().filter(|(at, _)| *at <= second).map(|(_, by)| by).sum();
        Time::from_timestamp(1_795_000_000 + second + set, 0).unwrap()
    }

    fn sample(&self, second: i64) -> AwakeSample {
        let (number, booted) = self.boot(second);
        let awake = self.seconds(booted, second, |state, _| matches!(state, State::Awake | State::Dark));
        AwakeSample {
            at: self.wall(second),
            running_ms: (second - booted) * 1000,
            awake_ms: awake * 1000,
            boot: format!("boot {number}").into(),
        }
    }

    /// What powerd logs from that second on, up to `early` seconds before the Mac sleeps.
    fn power(&self, from: i64, early: i64) -> Vec<(Time, PowerState)> {
        let mut before = State::Off;
        let mut lines = Vec::new();
        for (state, begins, _) in self.spans() {
            let line = match (before, state) {
                (_, State::Asleep) => Some((begins - early, PowerState::Sleep)),
                (_, State::Dark) => Some((begins, PowerState::DarkWake)),
                (State::Asleep | State::Dark, State::Awake) => Some((begins, PowerState::FullWake)),
                _ => None,
            };
            lines.extend(line.filter(|(at, _)| *at >= from).map(|(at, line)| (self.wall(at), line)));
            before = state;
        }
        // As the journal keeps them.
        lines.sort_by_key(|(at, _)| *at);
        lines
    }

    /// What the kernel says at the end: the boot moves with the clock, the wake does not.
    fn boot_and_wake(&self) -> BootAndWake {
        let (_, booted) = self.boot(self.end());
        let mut before = State::Off;
        let mut woke_at = None;
        for (state, begins, _) in self.spans() {
            if before == State::Asleep && state != State::Off && begins > booted {
                woke_at = Some(self.wall(begins));
            }
            before = state;
        }
        BootAndWake { booted_at: self.wall(self.end()) - TimeDelta::seconds(self.end() - booted), woke_at }
    }
}

fn life() -> impl Strategy<Value = Life> {
    let state = prop_oneof![
        4 => Just(State::Awake),
        4 => Just(State::Asleep),
        2 => Just(State::Dark),
        1 => Just(State::Off)
    ];
    let length = prop_oneof![60..600i64, 600..40_000i64];
    prop::collection::vec((state, length), 1..24).prop_map(|stretches| Life::of(&stretches))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn it_is_never_longer_than_it_really_was(
        life in life(),
        every in 60..20_000i64,
        offset in 0..600i64,
        lost in 0.0..1.2f64,
        forgotten in any::<bool>(),
        early in 0..20i64,
        lines_from in 0.0..2.0f64,
        set in prop::collection::vec((any::<prop::sample::Index>(), 0.0..1.0f64, -20_000..20_000i64), 0..3),
        probes in prop::collection::vec(0.0..1.0f64, 1..12),
    ) {
        let mut life = life;
        let end = life.end();
        let at = |share: f64| (share * end as f64) as i64;
        let looks = |process: i64| {
            let first = process * offset;
            let seconds = (first..end).step_by(usize::try_from(every).unwrap()).chain([end - process]);
            seconds.filter(|second| *second >= at(lost)).collect::<Vec<i64>>()
        };
        let is_on = |life: &Life, second: &i64| matches!(life.state(*second), State::Awake | State::Dark);
        let seconds: Vec<Vec<i64>> =
            [0, 1].map(|process| looks(process).into_iter().filter(|second| is_on(&life, second)).collect()).into();
        // The clock is set within gaps of one boot between samples, once in each: elsewhere nothing can tell it.
        let mut all: Vec<i64> = seconds.concat();
        all.sort_unstable();
        all.dedup();
        let gaps: Vec<(i64, i64)> = all.windows(2).map(|pair| (pair[0], pair[1]))
            .filter(|(from, to)| to - from > 2 && life.boot(*from) == life.boot(*to)).collect();
        let mut used = Vec::new();
        if !forgotten && !gaps.is_empty() {
            for (gap, share, by) in set {
                let gap = gap.index(gaps.len());
                if !used.contains(&gap) {
                    used.push(gap);
                    let (from, to) = gaps[gap];
                    life.set.push((from + 1 + (share * (to - from - 1) as f64) as i64, by));
                }
            }
        }
        // Each process brings its samples of a boot at once.
        let mut samples = Vec::new();
        for boot in 0..=life.boot(end).0 {
            for process in &seconds {
                samples.extend(process.iter().filter(|second| life.boot(**second).0 == boot).map(|second| life.sample(*second)));
            }
        }
        let mut kept = Vec::new();
        if !forgotten {
            samples.into_iter().for_each(|sample: AwakeSample| sample.add(&mut kept));
        }
        let lines_from = at(lines_from);
        let power = life.power(lines_from, early);
        let now = life.wall(end);
        let known = AwakeEvidence {
            samples: &kept,
            power: &power,
            covers: (lines_from < end).then(|| Span { from: life.wall(lines_from), to: now }),
            boot_and_wake: Some(life.boot_and_wake()),
            recorded: &[],
        };
        let spans = known.spans(now);
        // A dark wake without a line of its own looks like a full one.
        let counts = |state, begins| state == State::Awake || (state == State::Dark && begins < lines_from);
        for second in probes.into_iter().map(at) {
            let really = TimeDelta::seconds(life.seconds(second, end, counts));
            let found = spans.within(life.wall(second), now);
            // A nap whose lines were lost may hide behind those that were early.
            let tolerance = TimeDelta::seconds(2 + early * i64::from(lines_from > 0) * power.len() as i64);
            prop_assert!(found <= really + tolerance, "at {second} of {end}: {found} of {really}, {spans:?} from {known:?}");
        }
    }
}

fn minutes(stretches: &[(State, i64)]) -> Life {
    Life::of(&stretches.iter().map(|(state, minutes)| (*state, minutes * 60)).collect::<Vec<_>>())
}

/// For how many minutes the Mac was awake since a minute, by samples every minute that it was on.
fn sampled(life: &Life, since: i64) -> i64 {
    let mut samples = Vec::new();
    for second in (0..=life.end()).step_by(60).chain([life.end()]) {
        if matches!(life.state(second), State::Awake | State::Dark) {
            life.sample(second).add(&mut samples);
        }
    }
    let known =
        AwakeEvidence { samples: &samples, boot_and_wake: Some(life.boot_and_wake()), ..AwakeEvidence::default() };
    let now = life.wall(life.end());
    known.spans(now).within(life.wall(since * 60), now).num_minutes()
}

/// The same by the log's lines alone, all of which are there.
fn logged(life: &Life, since: i64) -> i64 {
    let now = life.wall(life.end());
    let power = life.power(0, 0);
    let covers = Some(Span { from: life.wall(0), to: now });
    let boot_and_wake = Some(life.boot_and_wake());
    let known = AwakeEvidence { power: &power, covers, boot_and_wake, ..AwakeEvidence::default() };
    known.spans(now).within(life.wall(since * 60), now).num_minutes()
}

#[test]
fn time_awake_is_summed_over_naps() {
    use State::{Asleep, Awake};
    let naps = |last| minutes(&[(Awake, 30), (Asleep, 60), (Awake, 30), (Asleep, 200), (Awake, last)]);
    for (last, awake) in [(29, 90), (30, 91)] {
        // With the minute of the boot.
        assert_eq!((sampled(&naps(last), 0), logged(&naps(last), 0)), (awake, awake));
        assert_eq!((sampled(&naps(last), 100), logged(&naps(last), 100)), (awake - 40, awake - 40));
    }
}

#[test]
fn a_dark_wake_is_not_awake_where_the_log_tells_it() {
    use State::{Asleep, Awake, Dark};
    let life = minutes(&[(Awake, 30), (Asleep, 60), (Dark, 20), (Asleep, 60), (Awake, 10)]);
    assert_eq!(logged(&life, 0), 41);
    assert_eq!(sampled(&life, 0), 61, "the clocks do not tell it");
    let in_the_dark = minutes(&[(Awake, 30), (Asleep, 60), (Dark, 20)]);
    let now = in_the_dark.wall(in_the_dark.end() - 1);
    let power = in_the_dark.power(0, 0);
    let power = &power[..2];
    let known = AwakeEvidence { power, boot_and_wake: Some(in_the_dark.boot_and_wake()), ..AwakeEvidence::default() };
    assert_eq!(
        (known.spans(now).within(in_the_dark.wall(0), now), known.spans(now).since(now)),
        (TimeDelta::zero(), None)
    );
}

#[test]
fn a_night_between_two_samples_counts_in_full_against_any_part_of_it() {
    use State::{Asleep, Awake};
    let life = minutes(&[(Awake, 60), (Asleep, 600), (Awake, 60)]);
    let samples = [life.sample(60), life.sample(life.end())];
    let known = AwakeEvidence { samples: &samples, ..AwakeEvidence::default() };
    let now = life.wall(life.end());
    let within = |from: i64, to: i64| known.spans(now).within(life.wall(from * 60), life.wall(to * 60)).num_minutes();
    assert_eq!((within(0, 721), within(0, 300), within(400, 721)), (120, 0, 0));
    // The kernel knows when it woke: all sleep was before.
    let known = AwakeEvidence { boot_and_wake: Some(life.boot_and_wake()), ..known };
    let within = |from: i64, to: i64| known.spans(now).within(life.wall(from * 60), life.wall(to * 60)).num_minutes();
    assert_eq!((within(0, 721), within(650, 721), within(0, 100)), (120, 60, 0));
}

#[test]
fn a_clock_that_is_set_makes_it_less() {
    use State::Awake;
    for by in [-3600, 3600] {
        let mut life = minutes(&[(Awake, 300)]);
        life.set.push((200 * 60 + 30, by));
        assert_eq!(sampled(&life, 250), 51, "after it was set, by {by}");
        assert!(sampled(&life, 100) <= 201, "before it was set, by {by}");
    }
}

#[test]
fn after_a_reboot_only_what_was_sampled_of_the_boot_before_counts() {
    use State::{Awake, Off};
    let life = minutes(&[(Awake, 100), (Off, 60), (Awake, 50)]);
    assert_eq!(sampled(&life, 0), 150);
    assert_eq!(logged(&life, 0), 50, "nobody logs when a Mac is switched off");
}

#[test]
fn what_a_capture_says_of_it_counts_beside_what_its_pieces_say() {
    let life = minutes(&[(State::Awake, 100), (State::Asleep, 60), (State::Awake, 20)]);
    let now = life.wall(life.end());
    let span = |from: i64, to: i64, asleep: i64| AwakeSpan {
        from: life.wall(from * 60),
        to: life.wall(to * 60),
        asleep: TimeDelta::minutes(asleep),
    };
    let recorded = [span(0, 100, 0), span(90, 170, 60)];
    let known = AwakeEvidence {
        recorded: &recorded[..1],
        boot_and_wake: Some(life.boot_and_wake()),
        ..AwakeEvidence::default()
    };
    assert_eq!(known.spans(now).within(life.wall(0), now).num_minutes(), 120);
    let known = AwakeEvidence { recorded: &recorded[1..], ..known };
    assert_eq!(
        known.spans(now).within(life.wall(0), now).num_minutes(),
        31,
        "eleven before the wake, and twenty after it"
    );
}
