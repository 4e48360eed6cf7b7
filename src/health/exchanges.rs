//! HTTP requests paired with their responses.

use crate::event::answer::Answer;
use crate::event::{Channel, Event, EventKind, HttpMessage};
use crate::vocabulary::Time;
use crate::vocabulary::codes::ExchangeOutcome;
use std::collections::HashMap;

/// One HTTP request of mdmclient, or one answer that remotemanagementd got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exchange {
    /// When the request was sent; `None` if the log does not hold that.
    pub started_at: Option<Time>,
    /// When the response came; `None` while there is none.
    pub finished_at: Option<Time>,
    /// The HTTP status of the response.
    pub status: Option<u16>,
    /// The HTTP method, where it was logged.
    pub method: Option<Box<str>>,
    /// What the request was; `None` for declarative management, where the log does not say.
    pub message: Option<HttpMessage>,
    /// The channel it was for.
    pub channel: Option<Channel>,
    /// The process that sent it.
    pub pid: u32,
}

impl Exchange {
    /// What the server's answer says; `None` without one.
    pub fn answer(&self) -> Option<Answer> {
        Some(Answer::of(self.status?, self.message.is_none()))
    }

    pub fn outcome(&self) -> ExchangeOutcome {
        match self.answer() {
            Some(Answer::Refusal) => ExchangeOutcome::HttpError,
            Some(Answer::Success | Answer::Gone | Answer::Neutral) => ExchangeOutcome::Ok,
            None => ExchangeOutcome::Unanswered,
        }
    }
}

/// Pairs requests with responses by process, thread and bracket. A thread sends one request at a time, so a response
/// belongs to the latest request that fits; earlier ones stay unanswered. A response whose request is not in the log
/// is an exchange without a start.
pub fn pair(events: &[&Event]) -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    let mut open: HashMap<(u32, u64, &HttpMessage), usize> = HashMap::new();
    for event in events {
        match &event.kind {
            EventKind::RequestSent { method, message } => {
                open.insert((event.pid, event.thread, message), exchanges.len());
                exchanges.push(Exchange {
                    started_at: Some(event.at),
                    finished_at: None,
                    status: None,
                    method: Some(method.clone()),
                    message: Some(message.clone()),
                    channel: event.channel,
                    pid: event.pid,
                });
            }
            EventKind::ResponseReceived { status, message } => {
                let request = open.remove(&(event.pid, event.thread, message));
                if let Some(exchange) = request.and_then(|request| exchanges.get_mut(request)) {
                    exchange.finished_at = Some(event.at);
                    exchange.status = Some(*status);
                } else {
                    exchanges.push(answer_only(event, *status, Some(message.clone())));
                }
            }
            EventKind::DeclarativeResponse { status } => exchanges.push(answer_only(event, *status, None)),
            _ => {}
        }
    }
    exchanges
}

fn answer_only(event: &Event, status: u16, message: Option<HttpMessage>) -> Exchange {
    Exchange {
        started_at: None,
        finished_at: Some(event.at),
        status: Some(status),
        method: None,
        message,
        channel: event.channel,
        pid: event.pid,
    }
}
