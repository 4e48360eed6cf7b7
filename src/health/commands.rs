//! Puts the log lines about one MDM command together.

use crate::event::{Channel, Event, EventKind, HttpMessage};
use crate::vocabulary::Time;
use std::collections::HashMap;

/// The request types about OS updates, up to macOS 26.
const OS_UPDATE_TYPES: [&str; 4] = ["ScheduleOSUpdate", "ScheduleOSUpdateScan", "AvailableOSUpdates", "OSUpdateStatus"];

/// An MDM command as the Mac saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MdmCommand {
    /// The server's CommandUUID; `None` in old versions.
    pub token: Option<Box<str>>,
    pub request_type: Box<str>,
    /// The channel it came on.
    pub channel: Option<Channel>,
    /// When it was first received; `None` if the log does not hold that.
    pub received_at: Option<Time>,
    /// When it was last received.
    pub last_received_at: Option<Time>,
    /// How many receipts the log holds.
    pub receipts: u32,
    /// How many answers the log holds.
    pub answers: u32,
    /// The Mac's answer to the last receipt: `Acknowledged`, `Error`, `NotNow`, `CommandFormatError`.
    pub status: Option<Box<str>>,
    /// When the Mac last sent an answer.
    pub responded_at: Option<Time>,
    /// The HTTP status of the server's reply to that answer.
    pub http_status: Option<u16>,
    /// When the server replied.
    pub taken_at: Option<Time>,
    /// Why the Mac put it off.
    pub not_now_reason: Option<Box<str>>,
    /// Why it failed.
    pub error: Option<CommandError>,
    /// Whether it came during Power Nap.
    pub power_nap: Option<bool>,
}

/// The first link of an error chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandError {
    /// The error's domain.
    pub domain: Option<Box<str>>,
    /// The error's code.
    pub code: Option<i64>,
    /// The error's text.
    pub text: Option<Box<str>>,
}

impl MdmCommand {
    /// Whether it is about OS updates.
    pub fn is_os_update(&self) -> bool {
        OS_UPDATE_TYPES.contains(&self.request_type.as_ref())
    }

    /// Whether it was received and not answered since.
    pub fn is_pending(&self) -> bool {
        self.status.is_none()
    }

    /// How often the server sent it, as far as the log shows.
    pub fn attempts(&self) -> u32 {
        if self.receipts > 0 { self.receipts } else { self.answers }
    }

    /// When it was last received; if its receipt is not in the log, when it was answered.
    pub fn last_seen_at(&self) -> Option<Time> {
        self.last_received_at.or(self.responded_at).or(self.taken_at)
    }

    fn failed(&self) -> bool {
        matches!(self.status.as_deref(), Some("Error" | "CommandFormatError"))
    }
}

/// Makes commands out of events that are in chronological order.
///
/// A command is identified by its token. A line without a token belongs to the command that its process and thread is
/// working on: a thread works on one command at a time.
pub fn assemble(events: &[&Event]) -> Vec<MdmCommand> {
    let mut assembly = Assembly::default();
    for event in events {
        assembly.take(event);
    }
    assembly.commands
}

/// A process and a thread of it.
type Worker = (u32, u64);

/// What identifies a command. A token may be as short as `1`, and numbering starts over for each channel and each type.
type Name<'e> = (Channel, &'e str, &'e str);

#[derive(Default)]
struct Assembly<'e> {
    commands: Vec<MdmCommand>,
    by_token: HashMap<Name<'e>, usize>,
    /// The command that a worker received or answered last.
    at_work: HashMap<Worker, usize>,
    /// The reason for a NotNow; the log has it before the answer that it belongs to.
    reasons: HashMap<(Worker, &'e str), Box<str>>,
    /// An error; the log has it before the answer that it belongs to.
    errors: HashMap<(Worker, &'e str), CommandError>,
    /// An error that names its token and is logged before any other line of that command.
    errors_by_token: HashMap<Name<'e>, CommandError>,
}

impl<'e> Assembly<'e> {
    fn take(&mut self, event: &'e Event) {
        match &event.kind {
            EventKind::CommandReceived { request_type, token, power_nap } => {
                self.received(event, request_type, token.as_deref(), *power_nap);
            }
            EventKind::NotNow { request_type, reason } => {
                self.reasons.insert((worker(event), request_type), reason.clone());
            }
            EventKind::CommandError { request_type, token, domain, code, text } => {
                let error = CommandError { domain: domain.clone(), code: *code, text: text.clone() };
                self.failed(event, request_type.as_deref(), token.as_deref(), error);
            }
            EventKind::RequestSent { message: HttpMessage::Answer { status, request_type, token }, .. } => {
                self.answered(event, status, request_type, token.as_deref());
            }
            EventKind::ResponseReceived {
                status: http,
                message: HttpMessage::Answer { status, request_type, token },
            } => {
                self.taken(event, *http, status, request_type, token.as_deref());
            }
            _ => {}
        }
    }

    fn received(&mut self, event: &'e Event, request_type: &'e str, token: Option<&'e str>, power_nap: Option<bool>) {
        let known = token.and_then(|token| self.by_token.get(&name(event, request_type, token)).copied());
        let index = known.unwrap_or_else(|| self.new_command(event, request_type, token));
        self.at_work.insert(worker(event), index);
        if let Some(command) = self.commands.get_mut(index) {
            command.received_at.get_or_insert(event.at);
            command.last_received_at = Some(event.at);
            command.receipts += 1;
            command.power_nap = power_nap;
            (command.status, command.http_status, command.taken_at) = (None, None, None);
            (command.not_now_reason, command.error) = (None, None);
            command.channel = event.channel.or(command.channel);
        }
    }

    fn answered(&mut self, event: &'e Event, status: &str, request_type: &'e str, token: Option<&'e str>) {
        let open = |command: &MdmCommand| command.is_pending();
        let index =
            self.find(event, request_type, token, open).unwrap_or_else(|| self.new_command(event, request_type, token));
        self.at_work.insert(worker(event), index);
        let reason = self.reasons.remove(&(worker(event), request_type));
        let error = self.errors.remove(&(worker(event), request_type));
        if let Some(command) = self.commands.get_mut(index) {
            command.answers += 1;
            command.status = Some(status.into());
            command.responded_at = Some(event.at);
            (command.http_status, command.taken_at) = (None, None);
            command.not_now_reason = reason.filter(|_| status == "NotNow");
            command.error = command.error.take().or(error).filter(|_| command.failed());
        }
    }

    /// The server's response to an answer. It names the answer, even if the answer itself is not in the log.
    fn taken(&mut self, event: &'e Event, http: u16, status: &str, request_type: &'e str, token: Option<&'e str>) {
        let answered =
            |command: &MdmCommand| command.status.as_deref() == Some(status) && command.http_status.is_none();
        let index = self.find(event, request_type, token, answered).unwrap_or_else(|| {
            let index = self.new_command(event, request_type, token);
            if let Some(command) = self.commands.get_mut(index) {
                command.answers = 1;
            }
            index
        });
        if let Some(command) = self.commands.get_mut(index) {
            command.status = Some(status.into());
            (command.http_status, command.taken_at) = (Some(http), Some(event.at));
        }
    }

    fn failed(&mut self, event: &'e Event, request_type: Option<&'e str>, token: Option<&'e str>, error: CommandError) {
        let Some(request_type) = request_type else { return };
        let known = match token {
            Some(token) => self.by_token.get(&name(event, request_type, token)).copied(),
            // This line is logged after the answer that it belongs to.
            None => self.find(event, request_type, None, MdmCommand::failed),
        };
        if let Some(command) = known.and_then(|index| self.commands.get_mut(index)) {
            command.error.get_or_insert(error);
        } else if let Some(token) = token {
            self.errors_by_token.insert(name(event, request_type, token), error);
        } else {
            self.errors.insert((worker(event), request_type), error);
        }
    }

    /// Finds the command of a line by its token. Without a token, it is what the thread works on, if that fits.
    fn find(
        &mut self,
        event: &Event,
        request_type: &'e str,
        token: Option<&'e str>,
        fit: impl Fn(&MdmCommand) -> bool,
    ) -> Option<usize> {
        if let Some(index) = token.and_then(|token| self.by_token.get(&name(event, request_type, token))) {
            return Some(*index);
        }
        let index = *self.at_work.get(&worker(event))?;
        let command = self.commands.get_mut(index)?;
        if command.request_type.as_ref() != request_type
            || !fit(command)
            || (token.is_some() && command.token.is_some())
        {
            return None;
        }
        // On old versions of macOS the receipt has no token, but its answer may have one.
        if let Some(token) = token {
            command.token = Some(token.into());
            self.by_token.insert(name(event, request_type, token), index);
        }
        Some(index)
    }

    fn new_command(&mut self, event: &Event, request_type: &'e str, token: Option<&'e str>) -> usize {
        let index = self.commands.len();
        self.commands.push(MdmCommand {
            token: token.map(Into::into),
            request_type: request_type.into(),
            channel: event.channel,
            error: token.and_then(|token| self.errors_by_token.remove(&name(event, request_type, token))),
            ..MdmCommand::default()
        });
        if let Some(token) = token {
            self.by_token.insert(name(event, request_type, token), index);
        }
        index
    }
}

fn name<'e>(event: &Event, request_type: &'e str, token: &'e str) -> Name<'e> {
    (event.channel.unwrap_or(Channel::Device), request_type, token)
}

fn worker(event: &Event) -> Worker {
    (event.pid, event.thread)
}
