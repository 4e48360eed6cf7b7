//! Interleaved conversations of several channels give the same rows as each of them alone.

use chrono::{DateTime, TimeDelta};
use mdm_health::event::{Channel, Event, EventKind, HttpMessage};
use mdm_health::health::{commands, exchanges};
use mdm_health::vocabulary::Time;
use proptest::prelude::*;

/// How a command ends.
#[derive(Debug, Clone, Copy)]
enum Course {
    Acknowledged,
    NotNow,
    Failed,
    NeverAnswered,
    NoResponse,
}

/// A command of a conversation: its type, whether the log shows its token, how it ends.
type Step = (usize, bool, Course);

const TYPES: [&str; 3] = ["ProfileList", "InstallProfile", "ScheduleOSUpdate"];

fn says(conversation: usize, steps: &[Step]) -> Vec<EventKind> {
    let mut said = Vec::new();
    for (number, (request_type, with_token, course)) in steps.iter().enumerate() {
        let request_type: Box<str> = TYPES[*request_type].into();
        // Tokens are unique only within a channel and a request type.
        let token = with_token.then(|| number.to_string().into_boxed_str());
        let answer = |status: &str| HttpMessage::Answer {
            status: status.into(),
            request_type: request_type.clone(),
            token: token.clone(),
        };
        said.push(EventKind::RequestSent { method: "PUT".into(), message: HttpMessage::Idle });
        said.push(EventKind::ResponseReceived { status: 200, message: HttpMessage::Idle });
        said.push(EventKind::CommandReceived {
            request_type: request_type.clone(),
            token: token.clone(),
            power_nap: Some(number % 2 == 0),
        });
        let status = match course {
            Course::Acknowledged | Course::NoResponse => "Acknowledged",
            Course::NotNow => {
                let reason = format!("reason of {conversation}-{number}").into();
                said.push(EventKind::NotNow { request_type: request_type.clone(), reason });
                "NotNow"
            }
            Course::Failed => {
                said.push(EventKind::CommandError {
                    request_type: Some(request_type.clone()),
                    token: None,
                    domain: Some(format!("domain of {conversation}-{number}").into()),
                    code: Some(1),
                    text: None,
                });
                "Error"
            }
            Course::NeverAnswered => continue,
        };
        said.push(EventKind::RequestSent { method: "PUT".into(), message: answer(status) });
        if !matches!(course, Course::NoResponse) {
            said.push(EventKind::ResponseReceived { status: 200, message: answer(status) });
        }
    }
    said
}

/// The events of a conversation, which has its own process and thread, at the given times.
fn events(conversation: usize, steps: &[Step], gaps: &[u16]) -> Vec<Event> {
    let mut at: Time = DateTime::from_timestamp(1_795_000_000, 0).unwrap();
    (says(conversation, steps).into_iter().zip(gaps.iter().cycle()))
        .map(|(what, gap)| {
            at += TimeDelta::milliseconds(i64::from(*gap) * 16 + 16 + conversation as i64 % 16);
            let (pid, thread) = (100 + conversation as u32 % 2, conversation as u64);
            let channel = Some(channel(conversation));
            Event { at, pid, thread, channel, attributed: true, level: None, kind: what }
        })
        .collect()
}

/// The device channel for 0, else a user's channel.
fn channel(conversation: usize) -> Channel {
    if conversation == 0 { Channel::Device } else { Channel::User(500 + conversation as u32) }
}

fn rows(events: &[Event]) -> Vec<String> {
    let events: Vec<&Event> = events.iter().collect();
    let commands = commands::assemble(&events);
    let exchanges = exchanges::pair(&events);
    let commands = commands.iter().map(|command| format!("{command:?}"));
    commands.chain(exchanges.iter().map(|exchange| format!("{exchange:?}"))).collect()
}

fn course() -> impl Strategy<Value = Course> {
    prop_oneof![
        Just(Course::Acknowledged),
        Just(Course::NotNow),
        Just(Course::Failed),
        Just(Course::NeverAnswered),
        Just(Course::NoResponse),
    ]
}

fn conversation() -> impl Strategy<Value = (Vec<Step>, Vec<u16>)> {
    let steps = proptest::collection::vec((0usize..3, any::<bool>(), course()), 1..5);
    (steps, proptest::collection::vec(0u16..2000, 30))
}

proptest! {
    #[test]
    fn interleaved_conversations_give_the_same_rows_as_separate_ones(
        conversations in proptest::collection::vec(conversation(), 1..7)
    ) {
        let apart: Vec<Vec<Event>> = (conversations.iter().enumerate())
            .map(|(number, (steps, gaps))| events(number, steps, gaps))
            .collect();
        let mut expected: Vec<String> = apart.iter().flat_map(|events| rows(events)).collect();
        let mut together: Vec<Event> = apart.into_iter().flatten().collect();
        together.sort_by_key(|event| event.at);
        let mut found = rows(&together);
        expected.sort();
        found.sort();
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn every_request_gives_an_exchange_and_every_command_a_row(
        conversations in proptest::collection::vec(conversation(), 1..7)
    ) {
        let mut together: Vec<Event> = (conversations.iter().enumerate())
            .flat_map(|(number, (steps, gaps))| events(number, steps, gaps))
            .collect();
        together.sort_by_key(|event| event.at);
        let events: Vec<&Event> = together.iter().collect();
        let sent = events.iter().filter(|event| matches!(event.kind, EventKind::RequestSent { .. })).count();
        prop_assert_eq!(exchanges::pair(&events).len(), sent);
        let steps: usize = conversations.iter().map(|(steps, _)| steps.len()).sum();
        prop_assert_eq!(commands::assemble(&events).len(), steps);
    }
}
