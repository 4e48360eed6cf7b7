//! `mdm_client_events`: what the MDM client logs outside of commands.

use super::{MdmClientEventsRow, text};
use crate::event::{Channel, EventKind};
use crate::health::Findings;
use crate::journal::EventClass;

/// In the order of time.
pub fn rows(findings: &Findings) -> Vec<MdmClientEventsRow> {
    let evidence = &findings.evidence;
    let events = evidence.journal.of(EventClass::Client).filter(|event| event.at <= evidence.now);
    events
        .filter_map(|event| match &event.kind {
            EventKind::Client(client) => Some((event, client)),
            _ => None,
        })
        .map(|(event, client)| MdmClientEventsRow {
            at: Some(event.at),
            kind: Some(client.kind),
            channel: event.channel.map(Channel::kind),
            subject: text(client.subject.clone().map(String::from)),
            error_domain: text(client.error_domain.clone().map(String::from)),
            error_code: client.error_code,
            message: text(client.message.clone().map(String::from)),
            line: text(client.line.to_string()),
        })
        .collect()
}
