//! `mdm_commands_recent`: one row an MDM command.

use super::{MdmCommandsRecentRow, Text, text};
use crate::event::Channel;
use crate::health::Findings;
use crate::health::commands::MdmCommand;
use crate::vocabulary::Time;
use crate::vocabulary::codes::CommandStatus;

/// In the order in which the log first names the commands.
pub fn rows(findings: &Findings) -> Vec<MdmCommandsRecentRow> {
    let (awake, now) = (&findings.evidence.awake, findings.evidence.now);
    let awake_since = |at: Time| awake.known().map(|awake| awake.within(at, now).num_seconds());
    let pending = |command: &MdmCommand| command.last_received_at.filter(|_| command.is_pending());
    findings.commands.iter().map(|command| row(command, pending(command).and_then(awake_since))).collect()
}

fn row(command: &MdmCommand, awake_seconds: Option<i64>) -> MdmCommandsRecentRow {
    let error = command.error.as_ref();
    let duration = command.responded_at.zip(command.last_received_at).map(|(answer, receipt)| answer - receipt);
    MdmCommandsRecentRow {
        command_uuid: owned(&command.token),
        request_type: text(command.request_type.to_string()),
        channel: command.channel.map(Channel::kind),
        user_id: match command.channel {
            Some(Channel::User(uid)) => Some(uid.into()),
            Some(Channel::Device) | None => None,
        },
        received_at: command.received_at,
        responded_at: command.responded_at,
        status: owned(&command.status).or(Some(CommandStatus::Pending.word().into())),
        reason: owned(&command.not_now_reason),
        attempts: Some(command.attempts()),
        awake_seconds,
        http_status: command.http_status.map(i32::from),
        duration_ms: duration.map(|duration| duration.num_milliseconds()).filter(|duration| *duration >= 0),
        error_domain: error.and_then(|error| owned(&error.domain)),
        error_code: error.and_then(|error| error.code),
        error_message: error.and_then(|error| owned(&error.text)),
        power_nap: command.power_nap,
        os_update: Some(command.is_os_update()),
    }
}

fn owned(value: &Option<Box<str>>) -> Option<Text> {
    text(value.as_ref().map(|value| value.to_string()))
}
