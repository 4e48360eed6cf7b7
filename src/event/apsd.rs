//! What apsd, the push daemon, says. It is by far the noisiest of all, so only one message is asked for.

use super::client_event;
use super::{Event, EventKind};
use super::{Image, Program, Users, Wanted};

pub static PROGRAM: Program = Program {
    name: "apsd",
    image: Image::At("/System/Library/PrivateFrameworks/ApplePushService.framework/apsd"),
    users: Users::System,
    wanted: Wanted { messages: &["completely unknown token"], ..Wanted::ALL },
    recognise: |record| Some(Event::new(record, EventKind::Client(Box::new(client_event::of_apsd(&record.message)?)))),
};
