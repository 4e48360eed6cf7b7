//! A day of a fleet of laptops, as it might really be: sleep, naps, dark wakes, contact as servers make it, a few Macs
//! that really are stuck, and one hour in which the server is out. All the rules look at each Mac every 5 minutes, and the
//! whole pack every hour.
use super::captured::Captured;
use super::random::Random;
use super::{fixture, no_state};
use chrono::{DateTime, TimeDelta};
use mdm_health::cli::packs::{Kind, QUERIES};
use mdm_health::cli::shell::{self, Format};
use mdm_health::collect;
use mdm_health::event::{Channel, Event, EventKind, HttpMessage};
use mdm_health::health::{Evidence, Findings};
use mdm_health::host::Live;
use mdm_health::journal::awake::AwakeSpans;
use mdm_health::journal::{Day, EventClass, Journal, KeptEvent, PerClass};
use mdm_health::log::ReadOptions;
use mdm_health::vocabulary::codes::WatchdogState;
use mdm_health::vocabulary::{Fact, Span, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The log begins at noon of the day before; the day that is looked at begins at midnight.
const MIDNIGHT: usize = 720;
const END: usize = MIDNIGHT + 1_440;
const STEP: usize = 5;

/// When the server is out.
const OUTAGE: std::ops::Range<usize> = MIDNIGHT + 660..MIDNIGHT + 720;

/// What came of the day.
#[derive(Debug, Default)]
pub struct Figures {
    pub macs: u32,
    /// Verdicts by state, on all Macs.
    pub states: BTreeMap<&'static str, u64>,
    /// Healthy Macs that were called stuck at least once, with the sentence.
    pub wrongly_stuck: Vec<String>,
    pub really_stuck: u32,
    /// Of those, how many were awake for 100 minutes after they hung, and how many of them were found by then.
    pub to_be_found: u32,
    pub found: u32,
    /// The most minutes awake until one was found.
    pub slowest: i64,
    /// Healthy Macs that were ever a server error, and that during or soon after the outage alone.
    pub server_errors: u32,
    /// The most changes between passing and failing of a policy on a healthy Mac.
    pub most_flips: u32,
    /// The policies that failed on a healthy Mac, and on how many.
    pub failed_policies: BTreeMap<&'static str, u32>,
    /// Rows that osquery would log for a healthy Mac, after the first run of each query: the most on one, and all of them.
    pub most_rows: u32,
    pub rows: u32,
    /// The same by query.
    pub rows_by_query: BTreeMap<&'static str, u32>,
}

fn between(random: &mut Random, from: usize, to: usize) -> usize {
    from + random.below(to - from)
}

struct Laptop {
    /// By minute.
    awake: Vec<bool>,
    spans: AwakeSpans,
    /// In the order of time.
    events: Vec<KeptEvent>,
    hung_at: Option<usize>,
    /// From which the Mac's usual silence is known.
    days: Vec<Day>,
}

fn at(minute: usize) -> Time {
    DateTime::from_timestamp(1_795_000_000 + i64::try_from(minute).unwrap() * 60, 0).unwrap()
}

/// Working hours with naps, an evening on some Macs; one in eight is a desktop that never sleeps.
fn awake(random: &mut Random) -> Vec<bool> {
    if random.chance(12) {
        return vec![true; END];
    }
    let mut awake = vec![false; END];
    for midnight in [0, MIDNIGHT] {
        let (begin, end) = (midnight + between(random, 420, 600), midnight + between(random, 960, 1_140));
        let evening = random.chance(50).then(|| midnight + between(random, 1_200, 1_260));
        for (mut minute, end) in
            [Some((begin, end)), evening.map(|evening| (evening, evening + 100))].into_iter().flatten()
        {
            // The first day begins at noon.
            while minute < end {
                let until = minute + between(random, 20, 150);
                for minute in minute..until.min(end) {
                    let minute = if midnight == 0 { minute.checked_sub(720) } else { Some(minute) };
                    if let Some(one) = minute.and_then(|minute| awake.get_mut(minute)) {
                        *one = true;
                    }
                }
                minute = until + between(random, 2, 40);
            }
        }
    }
    awake
}

impl Laptop {
    fn random(random: &mut Random) -> Self {
        let awake = awake(random);
        let hangs_from = random.chance(2).then(|| between(random, MIDNIGHT, END));
        // Some servers push every quarter of an hour, most every few hours.
        let every = [15, 60, 180, 300][random.below(4)];
        let (mut next, mut hung_at, mut owed) = (random.below(every), None, false);
        let mut talk = Talk::default();
        for minute in 0..END {
            // Asleep, a Mac wakes in the dark now and then, and answers what reaches it.
            let dark_wake = !awake[minute] && minute % 15 == 0 && random.chance(20);
            if hung_at.is_some() || !(awake[minute] || dark_wake) {
                if hung_at.is_some() && awake[minute] && minute >= next {
                    next = minute + every / 2 + random.below(every);
                    talk.push(minute);
                }
                continue;
            }
            if std::mem::take(&mut owed) {
                talk.answer(minute, 200);
            }
            if minute < next {
                continue;
            }
            next = minute + every / 2 + random.below(every);
            let status = if OUTAGE.contains(&minute) { 503 } else { 200 };
            talk.push(minute);
            talk.idle(minute, status);
            if status != 200 {
                continue;
            }
            if awake[minute] && hangs_from.is_some_and(|from| from <= minute) {
                talk.receive(minute, "ScheduleOSUpdate");
                hung_at = Some(minute);
            } else if random.chance(50) {
                talk.receive(minute, "ProfileList");
                // The lid may close before the answer is sent.
                if awake.get(minute + 1) == Some(&false) { owed = true } else { talk.answer(minute, 200) }
            }
        }
        let usual_gap = TimeDelta::hours(i64::try_from(between(random, 10, 70)).unwrap());
        let minutes = (0..END).filter(|minute| awake[*minute]);
        let spans = AwakeSpans::new(minutes.map(|minute| Span { from: at(minute), to: at(minute + 1) }).collect());
        let events = talk.events.into_iter().map(KeptEvent::from).collect();
        Self { awake, spans, events, hung_at, days: days(usual_gap) }
    }

    fn awake_minutes(&self, from: usize, to: usize) -> i64 {
        i64::try_from(self.awake[from..to].iter().filter(|awake| **awake).count()).unwrap()
    }

    /// What is known at a minute: all that the log holds by then, and what never changes on these Macs.
    fn evidence(&self, minute: usize, steady: &Evidence) -> Evidence {
        let now = at(minute);
        let known = self.events.partition_point(|kept| kept.event.at <= now);
        let mut events = PerClass::default();
        *events.get_mut(EventClass::Device) = self.events[..known].iter().cloned().collect();
        let covers = Fact::Known(Span { from: at(0), to: now });
        let mut journal = Journal::new(events, covers);
        (journal.days, journal.records) = (self.days.clone(), 1);
        Evidence { now, journal, awake: Fact::Known(self.spans.clone()), ..steady.clone() }
    }
}

/// Days with successes of which two lie so far apart, and no others that far.
fn days(usual_gap: TimeDelta) -> Vec<Day> {
    let start = |days_ago: i64| (at(0) - TimeDelta::days(days_ago)).timestamp_micros();
    let hour = TimeDelta::hours(1).num_microseconds().unwrap();
    let day = |days_ago| Day {
        successes: 3,
        first: start(days_ago),
        last: start(days_ago) + 23 * hour,
        longest_gap: if days_ago == 5 { usual_gap.num_microseconds().unwrap() } else { 9 * hour },
    };
    (2..12).rev().map(day).collect()
}

/// What is the same on all these Macs: enrolled, with a good identity and nothing wrong.
fn steady() -> Evidence {
    let mac = Captured::of(&fixture("quiet-healthy-day"), "UTC0");
    let host = Live::new(mac.mac.root().to_owned(), Some(mac.now.parse().unwrap()));
    let evidence = collect::evidence(&host, &ReadOptions::default(), &no_state());
    let journal = Journal::empty(Fact::Known(Span { from: at(0), to: at(0) }));
    Evidence { journal, ..evidence }
}

/// The pack on one Mac: what each query last gave, and what osquery logs of it.
#[derive(Default)]
struct Scheduled {
    last: BTreeMap<&'static str, BTreeSet<String>>,
    passes: BTreeMap<&'static str, bool>,
    flips: BTreeMap<&'static str, u32>,
    rows: BTreeMap<&'static str, u32>,
}

impl Scheduled {
    fn run(&mut self, findings: &Arc<Findings>) {
        for query in QUERIES.iter().filter(|query| query.interval > 0) {
            let findings = findings.clone();
            let json =
                shell::query(&query.scheduled(), Format::Json, super::tables(), move || findings.clone()).unwrap();
            let rows: Vec<serde_json::Value> = serde_json::from_str(&json).unwrap();
            let is_policy = matches!(query.kind, Kind::Policy(_));
            if is_policy {
                let passes = rows.iter().all(|row| row["state"] == "unknown");
                if self.passes.insert(query.name, passes).is_some_and(|before| before != passes) {
                    *self.flips.entry(query.name).or_default() += 1;
                }
            }
            let rows: BTreeSet<String> = rows.iter().map(ToString::to_string).collect();
            if let Some(before) = self.last.insert(query.name, rows.clone()) {
                // A record that is gone is not logged, a problem that is over is.
                let gone = if is_policy { before.difference(&rows).count() } else { 0 };
                let changed = rows.difference(&before).count() + gone;
                *self.rows.entry(query.name).or_default() += u32::try_from(changed).unwrap();
            }
        }
    }
}

/// What the log holds of one Mac.
#[derive(Default)]
struct Talk {
    events: Vec<Event>,
    commands: u32,
    requested: Box<str>,
}

impl Talk {
    fn say(&mut self, minute: usize, seconds: i64, kind: EventKind) {
        let at = at(minute) + TimeDelta::seconds(seconds);
        self.events.push(Event {
            at,
            pid: 300,
            thread: 1,
            channel: Some(Channel::Device),
            attributed: true,
            level: None,
            kind,
        });
    }

    fn push(&mut self, minute: usize) {
        self.say(minute, 0, EventKind::Connect { cause: "PushNotification".into() });
    }

    fn exchange(&mut self, minute: usize, seconds: i64, message: HttpMessage, status: u16) {
        self.say(minute, seconds, EventKind::RequestSent { method: "PUT".into(), message: message.clone() });
        self.say(minute, seconds + 1, EventKind::ResponseReceived { status, message });
    }

    fn idle(&mut self, minute: usize, status: u16) {
        self.exchange(minute, 1, HttpMessage::Idle, status);
    }

    fn receive(&mut self, minute: usize, request_type: &str) {
        self.commands += 1;
        self.requested = request_type.into();
        let (request_type, token) = (request_type.into(), Some(format!("T-{}", self.commands).into()));
        self.say(minute, 3, EventKind::CommandReceived { request_type, token, power_nap: None });
    }

    fn answer(&mut self, minute: usize, status: u16) {
        let token = Some(format!("T-{}", self.commands).into());
        let request_type = self.requested.clone();
        self.exchange(minute, 5, HttpMessage::Answer { status: "Acknowledged".into(), request_type, token }, status);
    }
}

/// Lets the day of that many laptops pass.
pub fn run(macs: u32) -> Figures {
    let (steady, mut figures) = (steady(), Figures { macs, ..Figures::default() });
    for seed in 0..macs {
        let laptop = Laptop::random(&mut Random(seed.into()));
        let (mut found, mut server_error, mut wrong) = (None, false, None);
        let mut pack = Scheduled::default();
        let mut asked = false;
        for minute in (MIDNIGHT..END).step_by(STEP) {
            asked &= minute % 60 >= STEP;
            // Asleep, nobody asks.
            if !laptop.awake[minute - 1] {
                continue;
            }
            let findings = Arc::new(Findings::new(laptop.evidence(minute, &steady)));
            let state = findings.verdict.state;
            *figures.states.entry(state.word()).or_default() += 1;
            server_error |= state == WatchdogState::ServerError;
            if state == WatchdogState::Stuck {
                match laptop.hung_at.filter(|hung| *hung < minute) {
                    Some(hung) => found = found.or(Some(laptop.awake_minutes(hung, minute))),
                    None => {
                        let detail = &findings.verdict.detail;
                        wrong = wrong.or(Some(format!("laptop {seed}, minute {minute}: {detail}")));
                    }
                }
            }
            // Once an hour, when the Mac is awake.
            if laptop.hung_at.is_none() && !std::mem::replace(&mut asked, true) {
                pack.run(&findings);
            }
        }
        figures.wrongly_stuck.extend(wrong);
        match laptop.hung_at {
            Some(hung) => {
                figures.really_stuck += 1;
                if laptop.awake_minutes(hung, END) >= 100 {
                    figures.to_be_found += 1;
                    figures.found += u32::from(found.is_some_and(|minutes| minutes <= 100));
                    figures.slowest = figures.slowest.max(found.unwrap_or(i64::MAX));
                }
            }
            None => {
                figures.server_errors += u32::from(server_error);
                figures.most_flips = figures.most_flips.max(pack.flips.values().copied().max().unwrap_or(0));
                for (name, _) in pack.flips {
                    *figures.failed_policies.entry(name).or_default() += 1;
                }
                let rows = pack.rows.values().sum();
                figures.rows += rows;
                figures.most_rows = figures.most_rows.max(rows);
                for (name, rows) in pack.rows.into_iter().filter(|(_, rows)| *rows > 0) {
                    *figures.rows_by_query.entry(name).or_default() += rows;
                }
            }
        }
    }
    figures
}
