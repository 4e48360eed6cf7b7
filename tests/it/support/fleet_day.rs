//! A day of a fleet of laptops, as it might really be: sleep, naps, dark wakes, contact as servers make it, a few Macs
//! that really are stuck, and one hour in which the server is out. The rules look at each Mac every 5 minutes.
use chrono::{DateTime, TimeDelta};
use mdm_health::event::{Channel, Event, EventKind, HttpMessage};
use mdm_health::health::contact::Contact;
use mdm_health::health::{commands, exchanges};
use mdm_health::journal::awake::AwakeSpans;
use mdm_health::vocabulary::codes::WatchdogState;
use mdm_health::vocabulary::{Fact, Span, Time};
use std::collections::BTreeMap;

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
    /// The most changes between passing and failing of the policy on a healthy Mac.
    pub most_flips: u32,
}

/// SplitMix64: the same fleet on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % u64::try_from(end).unwrap()).unwrap()
    }

    fn between(&mut self, from: usize, to: usize) -> usize {
        from + self.below(to - from)
    }

    fn chance(&mut self, per_cent: usize) -> bool {
        self.below(100) < per_cent
    }
}

struct Laptop {
    /// By minute.
    awake: Vec<bool>,
    events: Vec<Event>,
    hung_at: Option<usize>,
    usual_gap: TimeDelta,
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
        let (begin, end) = (midnight + random.between(420, 600), midnight + random.between(960, 1_140));
        let evening = random.chance(50).then(|| midnight + random.between(1_200, 1_260));
        for (mut minute, end) in
            [Some((begin, end)), evening.map(|evening| (evening, evening + 100))].into_iter().flatten()
        {
            // The first day begins at noon.
            while minute < end {
                let until = minute + random.between(20, 150);
                for minute in minute..until.min(end) {
                    let minute = if midnight == 0 { minute.checked_sub(720) } else { Some(minute) };
                    if let Some(one) = minute.and_then(|minute| awake.get_mut(minute)) {
                        *one = true;
                    }
                }
                minute = until + random.between(2, 40);
            }
        }
    }
    awake
}

impl Laptop {
    fn random(random: &mut Random) -> Self {
        let awake = awake(random);
        let hangs_from = random.chance(2).then(|| random.between(MIDNIGHT, END));
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
        let usual_gap = TimeDelta::hours(i64::try_from(random.between(10, 70)).unwrap());
        Self { awake, events: talk.events, hung_at, usual_gap }
    }

    fn awake_minutes(&self, from: usize, to: usize) -> i64 {
        i64::try_from(self.awake[from..to].iter().filter(|awake| **awake).count()).unwrap()
    }

    /// The verdict at a minute, from all that the log holds by then.
    fn verdict(&self, minute: usize) -> (WatchdogState, String) {
        let now = at(minute);
        let events: Vec<&Event> = self.events.iter().take_while(|event| event.at <= now).collect();
        let spans = (0..minute).filter(|minute| self.awake[*minute]);
        let awake = AwakeSpans::new(spans.map(|minute| Span { from: at(minute), to: at(minute + 1) }).collect());
        let (commands, exchanges) = (commands::assemble(&events), exchanges::pair(&events));
        let found = Contact {
            private_at: None,
            readable_at: None,
            now,
            covers: &Fact::Known(Span { from: at(0), to: now }),
            records: 1,
            still_reading: false,
            awake: Fact::Known(awake),
            offline: false,
            usual_gap: Some(self.usual_gap),
            events: &events,
            commands: &commands,
            exchanges: &exchanges,
        }
        .judge();
        (found.state, found.detail)
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

/// Runs the day of that many laptops through the rules.
pub fn run(macs: u32) -> Figures {
    let mut figures = Figures { macs, ..Figures::default() };
    for seed in 0..macs {
        let laptop = Laptop::random(&mut Random(seed.into()));
        let (mut found, mut failed, mut flips, mut server_error, mut wrong) = (None, None, 0, false, None);
        for minute in (MIDNIGHT..END).step_by(STEP) {
            // Asleep, nobody asks.
            if !laptop.awake[minute - 1] {
                continue;
            }
            let (state, detail) = laptop.verdict(minute);
            *figures.states.entry(state.word()).or_default() += 1;
            let fails = !matches!(state, WatchdogState::Ok | WatchdogState::Quiet | WatchdogState::Unknown);
            flips += u32::from(failed.is_some_and(|failed| failed != fails));
            failed = Some(fails);
            server_error |= state == WatchdogState::ServerError;
            if state == WatchdogState::Stuck {
                match laptop.hung_at.filter(|hung| *hung < minute) {
                    Some(hung) => found = found.or(Some(laptop.awake_minutes(hung, minute))),
                    None => wrong = wrong.or(Some(format!("laptop {seed}, minute {minute}: {detail}"))),
                }
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
                figures.most_flips = figures.most_flips.max(flips);
                figures.server_errors += u32::from(server_error);
            }
        }
    }
    figures
}
