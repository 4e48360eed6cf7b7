//! The table of the watchdog's rules 4 to 11, written a second time: slowly, minute by minute, over what really happened
//! on a random Mac. Both writings must agree on every one of them.

use crate::support::random::Random;
use chrono::{DateTime, TimeDelta};
use mdm_health::event::{Channel, Event, EventKind, HttpMessage};
use mdm_health::health::contact::Contact;
use mdm_health::health::{commands, exchanges};
use mdm_health::journal::awake::AwakeSpans;
use mdm_health::vocabulary::codes::SourceReason;
use mdm_health::vocabulary::{Fact, Span, Time};
use std::collections::BTreeMap;

/// How many Macs are tried.
const MACS: u64 = 10_000;

/// The minute of the verdict; the log may go back to minute 0.
const NOW: i64 = 1_000;

/// A minute of the past, more often near the limits of the rules.
fn minute(random: &mut Random) -> i64 {
    let ago = match random.below(4) {
        0 => random.below(12),
        1 => 84 + random.below(12),
        2 => random.below(300),
        _ => random.below(NOW),
    };
    NOW - ago
}

/// Something that happened on the Mac, at a minute of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Happening {
    /// A request with its answer, if it got one, in the same minute.
    Request { answer: Option<u16>, user: bool },
    /// A command, answered in the same minute or never; the answer's own status.
    Command { answer: Option<u16>, user: bool },
    /// An answer to remotemanagementd.
    Declarative { status: u16 },
    /// A push that made mdmclient connect.
    Push,
    /// The server's word that there are no commands.
    NoCommands,
}

/// A Mac as it really was.
#[derive(Debug)]
struct Mac {
    awake: Vec<bool>,
    awake_known: bool,
    covers: Option<(i64, i64)>,
    records: u64,
    still_reading: bool,
    offline: bool,
    usual_gap: Option<i64>,
    /// By minute: at most one a minute, so that their order is beyond doubt.
    happened: BTreeMap<i64, Happening>,
}

impl Mac {
    fn random(random: &mut Random) -> Self {
        let mut awake = Vec::new();
        let mut state = random.chance(70);
        while awake.len() < usize::try_from(NOW).unwrap() {
            let length = [2, 20, 95, 600][usize::try_from(random.below(4)).unwrap()];
            let length = 1 + random.below(length);
            awake.extend(std::iter::repeat_n(state, usize::try_from(length).unwrap()));
            state = !state;
        }
        awake.truncate(usize::try_from(NOW).unwrap());
        if random.chance(40) {
            awake.fill(true);
        }
        let mut happened = BTreeMap::new();
        for _ in 0..random.below(9) {
            let status = |random: &mut Random| random.of(&[200, 204, 302, 401, 404, 410, 503]);
            let answer = |random: &mut Random| (!random.chance(35)).then(|| status(random));
            let what = match random.below(12) {
                0..4 => Happening::Request { answer: answer(random), user: random.chance(25) },
                4..7 => Happening::Command { answer: answer(random), user: random.chance(25) },
                7..9 => Happening::Declarative { status: status(random) },
                9..11 => Happening::Push,
                _ => Happening::NoCommands,
            };
            happened.insert(minute(random), what);
        }
        let from = if random.chance(60) { 0 } else { minute(random) };
        let to = if random.chance(85) { NOW } else { minute(random).max(from) };
        Self {
            awake,
            awake_known: !random.chance(5),
            covers: (!random.chance(4)).then_some((from, to)),
            records: if random.chance(4) { 0 } else { 1 },
            still_reading: random.chance(8),
            offline: random.chance(12),
            usual_gap: random.chance(40).then(|| 1 + random.below(400)),
            happened,
        }
    }

    // The second writing.

    fn awake_minutes(&self, from: i64, to: i64) -> i64 {
        if !self.awake_known {
            return 0;
        }
        let minutes = from.max(0)..to;
        i64::try_from(minutes.filter(|minute| self.awake[usize::try_from(*minute).unwrap()]).count()).unwrap()
    }

    fn minutes(&self, wanted: impl Fn(&Happening) -> bool) -> Vec<i64> {
        self.happened.iter().filter(|(_, what)| wanted(what)).map(|(minute, _)| *minute).collect()
    }

    /// The state, the reasons that may stand beside it, and mdm-watchdog's rule.
    fn expected(&self) -> (&'static str, Vec<&'static str>, Option<bool>) {
        use Happening::{Command, Declarative, NoCommands, Push, Request};
        let success = self
            .minutes(|what| match what {
                Request { answer: Some(status), user: false } | Command { answer: Some(status), user: false } => {
                    (200..300).contains(status)
                }
                Declarative { status } => (200..300).contains(status),
                _ => false,
            })
            .last()
            .copied();
        // 4
        if success.is_some_and(|success| NOW - success <= 90) {
            return ("ok", vec!["recent_success"], Some(false));
        }
        // 5
        let Some((from, to)) = self.covers else { return ("unknown", vec!["log_unreadable"], None) };
        let reaches_success = success.is_some_and(|success| success >= from);
        if self.still_reading && !reaches_success {
            return ("unknown", vec!["still_reading"], None);
        }
        if self.records == 0 {
            return ("unknown", vec!["log_empty"], None);
        }
        if to < NOW - 2 {
            return ("unknown", vec!["log_incomplete"], None);
        }
        if !reaches_success && self.awake_minutes(from, NOW) < 90 {
            return ("unknown", vec!["log_incomplete", "recently_awake", "awake_unknown"], None);
        }
        // 6
        let since = success.map_or(from, |success| success.max(from));
        if self.awake_minutes(since, NOW) < 90 {
            return ("unknown", vec!["recently_awake", "awake_unknown"], None);
        }
        let old = |minute: &i64| self.awake_minutes(*minute, NOW) >= 5;
        let counts = |minute: &i64| *minute >= since;
        let sent =
            self.minutes(|what| matches!(what, Request { user: false, .. } | Command { user: false, answer: Some(_) }));
        // 8, looked at before 7 decides
        let commands = self.minutes(|what| matches!(what, Command { user: false, answer: None }));
        let hung = commands.iter().rfind(|minute| counts(minute) && old(minute));
        let hung = hung.filter(|minute| sent.iter().all(|sent| sent <= minute));
        let followed = |push: i64| {
            self.happened.iter().any(|(minute, what)| {
                let follows =
                    matches!(what, Request { user: false, .. } | Command { user: false, answer: Some(_) } | NoCommands);
                let passed = match self.awake_minutes(push, *minute) {
                    0 => minute - push,
                    awake => awake,
                };
                follows && *minute >= push && passed <= 5
            })
        };
        let pushes = self.minutes(|what| *what == Push);
        let seen = pushes.iter().find(|push| followed(**push));
        let lost = seen.and_then(|seen| {
            pushes.iter().rfind(|push| *push > seen && counts(push) && old(push) && !followed(**push))
        });
        // 7
        let refused = |status: &u16, declarative: bool| *status >= 400 && !(declarative && *status == 404);
        let refusals = self.minutes(|what| match what {
            Request { answer: Some(status), user: false } | Command { answer: Some(status), user: false } => {
                refused(status, false)
            }
            Declarative { status } => refused(status, true),
            _ => false,
        });
        if let Some(refusal) = refusals.iter().rfind(|minute| counts(minute))
            && [hung, lost].into_iter().flatten().all(|hangs| hangs <= refusal)
        {
            return ("server_error", vec!["server_refuses"], Some(true));
        }
        if hung.is_some() {
            return ("stuck", vec!["command_hung"], Some(true));
        }
        if lost.is_some() {
            return ("stuck", vec!["push_not_followed"], Some(true));
        }
        // 9
        if self.offline {
            return ("unknown", vec!["offline"], None);
        }
        // 10
        let answered = self.minutes(|what| match what {
            Request { answer, user: false } | Command { answer, user: false } => answer.is_some(),
            Declarative { .. } => true,
            _ => false,
        });
        let answered = answered.last().copied();
        let unanswered = self.minutes(|what| matches!(what, Request { answer: None, user: false }));
        let hangs =
            |minute: &&i64| counts(minute) && old(minute) && answered.is_none_or(|answered| **minute > answered);
        if unanswered.iter().any(|minute| hangs(&minute)) {
            return ("stuck", vec!["requests_unanswered"], Some(true));
        }
        let silence = self.awake_minutes(answered.map_or(from, |answered| answered.max(from)), NOW);
        if self.usual_gap.is_some_and(|gap| silence > 90 && 2 * silence > 3 * gap) {
            return ("stuck", vec!["silent_too_long"], Some(true));
        }
        // 11
        ("quiet", vec!["no_contact"], Some(true))
    }

    // What the program is given of it.

    fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for (number, (minute, what)) in (1..).zip(&self.happened) {
            let mut say = |seconds, channel, kind| {
                let at = at(*minute) + TimeDelta::seconds(seconds);
                events.push(event(at, number, channel, kind));
            };
            let channel = |user: &bool| if *user { Channel::User(501) } else { Channel::Device };
            match what {
                Happening::Request { answer, user } => {
                    let message = HttpMessage::Idle;
                    say(0, channel(user), EventKind::RequestSent { method: "PUT".into(), message: message.clone() });
                    if let Some(status) = answer {
                        say(0, channel(user), EventKind::ResponseReceived { status: *status, message });
                    }
                }
                Happening::Command { answer, user } => {
                    let (token, request_type) = (Some(format!("T-{number}").into()), "ProfileList".into());
                    let received = EventKind::CommandReceived { request_type, token: token.clone(), power_nap: None };
                    say(0, channel(user), received);
                    if let Some(status) = answer {
                        let message = HttpMessage::Answer {
                            status: "Acknowledged".into(),
                            request_type: "ProfileList".into(),
                            token,
                        };
                        let sent = EventKind::RequestSent { method: "PUT".into(), message: message.clone() };
                        say(0, channel(user), sent);
                        say(0, channel(user), EventKind::ResponseReceived { status: *status, message });
                    }
                }
                Happening::Declarative { status } => {
                    say(0, Channel::Device, EventKind::DeclarativeResponse { status: *status });
                }
                Happening::Push => {
                    say(0, Channel::Device, EventKind::Connect { cause: "PushNotification".into() });
                }
                Happening::NoCommands => say(0, Channel::Device, EventKind::NoCommands),
            }
        }
        events
    }

    fn spans(&self) -> AwakeSpans {
        let minutes = self.awake.iter().zip(0..).filter(|(awake, _)| **awake);
        AwakeSpans::new(minutes.map(|(_, minute)| Span { from: at(minute), to: at(minute + 1) }).collect())
    }
}

fn at(minute: i64) -> Time {
    DateTime::from_timestamp(1_795_000_000 + minute * 60, 0).unwrap()
}

fn event(at: Time, pid: u32, channel: Channel, kind: EventKind) -> Event {
    Event { at, pid, thread: 1, channel: Some(channel), attributed: true, level: None, kind }
}

#[test]
fn both_writings_of_the_table_agree_on_random_macs() {
    let mut seen: BTreeMap<&str, u32> = BTreeMap::new();
    for seed in 0..MACS {
        let mac = Mac::random(&mut Random(seed));
        let all = mac.events();
        let events: Vec<&Event> = all.iter().collect();
        let covers = match mac.covers {
            Some((from, to)) => Fact::Known(Span { from: at(from), to: at(to) }),
            None => Fact::unknown(SourceReason::TimedOut, "it hung."),
        };
        let awake =
            if mac.awake_known { Fact::Known(mac.spans()) } else { Fact::unknown(SourceReason::TimedOut, "it hung.") };
        let (commands, exchanges) = (commands::assemble(&events), exchanges::pair(&events));
        let found = Contact {
            private_at: None,
            readable_at: None,
            now: at(NOW),
            covers: &covers,
            records: mac.records,
            still_reading: mac.still_reading,
            awake,
            offline: mac.offline,
            usual_gap: mac.usual_gap.map(TimeDelta::minutes),
            events: &events,
            commands: &commands,
            exchanges: &exchanges,
        }
        .judge();
        let (state, reasons, stuck) = mac.expected();
        let agrees = found.state.word() == state && reasons.contains(&found.reason.word()) && found.stuck == stuck;
        assert!(
            agrees,
            "seed {seed}: expected {state} {reasons:?} {stuck:?}, found {found:?}\n{:?}\n{:?}",
            mac.happened,
            Quiet(&mac)
        );
        *seen.entry(found.reason.word()).or_default() += 1;
    }
    // Every reason was met, or the Macs are not random enough.
    let all = [
        "recent_success",
        "log_unreadable",
        "still_reading",
        "log_empty",
        "log_incomplete",
        "recently_awake",
        "awake_unknown",
        "server_refuses",
        "command_hung",
        "push_not_followed",
        "offline",
        "requests_unanswered",
        "silent_too_long",
        "no_contact",
    ];
    for reason in all {
        assert!(seen.get(reason).is_some_and(|count| *count >= 5), "{reason}: {seen:?}");
    }
}

/// A Mac without its 1,000 minutes.
struct Quiet<'m>(&'m Mac);

impl std::fmt::Debug for Quiet<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Mac { covers, records, still_reading, offline, usual_gap, awake_known, .. } = self.0;
        write!(
            out,
            "covers {covers:?}, records {records}, still reading {still_reading}, offline {offline}, usual gap \
             {usual_gap:?}, awake known {awake_known}, awake in the last 90 minutes {}",
            self.0.awake_minutes(NOW - 90, NOW)
        )
    }
}
