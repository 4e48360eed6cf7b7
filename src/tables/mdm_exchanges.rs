//! `mdm_exchanges`: one row an HTTP request of the MDM client.

use super::{MdmExchangesRow, Text, text};
use crate::event::Channel;
use crate::event::HttpMessage;
use crate::health::Findings;
use crate::health::exchanges::Exchange;

/// In the order in which the log first names the requests.
pub fn rows(findings: &Findings) -> Vec<MdmExchangesRow> {
    findings.exchanges.iter().map(row).collect()
}

fn row(exchange: &Exchange) -> MdmExchangesRow {
    let duration = exchange.finished_at.zip(exchange.started_at).map(|(finished, started)| finished - started);
    let (message_type, request_type, token) = match &exchange.message {
        Some(HttpMessage::Idle) => (Some(Text::Borrowed("Idle")), None, None),
        Some(HttpMessage::Answer { request_type, token, .. }) => {
            (Some(Text::Borrowed("Answer")), Some(request_type), token.as_ref())
        }
        Some(HttpMessage::CheckIn(name) | HttpMessage::Other(name)) => (text(name.to_string()), None, None),
        None => (Some(Text::Borrowed("DeclarativeManagement")), None, None),
    };
    MdmExchangesRow {
        started_at: exchange.started_at,
        finished_at: exchange.finished_at,
        method: text(exchange.method.as_ref().map(|method| method.to_string())),
        message_type,
        request_type: text(request_type.map(|request_type| request_type.to_string())),
        command_uuid: text(token.map(|token| token.to_string())),
        http_status: exchange.status.map(i32::from),
        duration_ms: duration.map(|duration| duration.num_milliseconds()),
        outcome: Some(exchange.outcome()),
        channel: exchange.channel.map(Channel::kind),
        pid: Some(i64::from(exchange.pid)).filter(|pid| *pid != 0),
    }
}
