//! The lanes about the talk with the server: HTTP requests, and commands.

use super::super::Report;
use super::super::clock::length;
use super::super::view::RowView;
use super::lane::{Item, Kind, Lane, Marks};
use super::scale::Scale;
use super::{counted, gathered};
use crate::tables::{MDM_COMMANDS_RECENT, MDM_EXCHANGES};
use crate::vocabulary::Time;
use crate::vocabulary::codes::{ChannelKind, CommandStatus, ExchangeOutcome};

/// A command that took longer than this part of the width is a bar.
const BAR: i32 = 120;

/// The most rows of bars; what finds no place in them is in the table.
const MOST_ROWS: usize = 6;

/// Each HTTP request, by its outcome. Those of a user's agent lie in a row of their own: they prove nothing of the device.
pub fn exchanges(report: &Report, scale: Scale) -> Lane {
    let (mut device, mut user) = (Marks::default(), Marks::default());
    let (mut answered, mut refused, mut unanswered, mut of_users, mut earlier) = (0, 0, 0, 0, 0);
    for row in report.rows(&MDM_EXCHANGES) {
        let Some(at) = row.time("started_at").or(row.time("finished_at")) else { continue };
        if !scale.holds(at) {
            earlier += 1;
            continue;
        }
        let (kind, count) = match row.code("outcome") {
            Some(ExchangeOutcome::Ok) => (Kind::Answered, &mut answered),
            Some(ExchangeOutcome::HttpError) => (Kind::Failed, &mut refused),
            _ => (Kind::Unanswered, &mut unanswered),
        };
        *count += 1;
        let marks = if is_users(row) { &mut user } else { &mut device };
        of_users += usize::from(is_users(row));
        marks.add(scale, at, kind, request(report, row, at));
    }
    let words = counted(&[
        (answered, "answered"),
        (refused, "refused"),
        (unanswered, "without answer"),
        (of_users, "of them on the user channel, in the last line"),
        (earlier, "earlier"),
    ]);
    let mut rows = vec![device.items(gathered(report)), user.items(gathered(report))];
    rows.retain(|row| !row.is_empty());
    Lane { name: "Requests".to_owned(), words, rows }
}

fn is_users(row: RowView<'_>) -> bool {
    row.code("channel") == Some(ChannelKind::User)
}

fn request(report: &Report, row: RowView<'_>, at: Time) -> String {
    let what = match (row.text("message_type"), row.text("request_type")) {
        (Some(message), Some(request)) => format!("{message} to {request}"),
        (message, _) => message.unwrap_or("request").to_owned(),
    };
    let came = match (row.number("http_status"), row.number("duration_ms")) {
        (Some(status), Some(duration)) => format!("{status} after {duration} ms"),
        (Some(status), None) => status.to_string(),
        _ => "no answer".to_owned(),
    };
    let user = if is_users(row) { ", user channel" } else { "" };
    format!("{} {what}{user}: {came}", report.clock.time_of_day(at))
}

/// Each command: a mark if it was answered soon, else a bar from its receipt to its answer.
pub fn commands(report: &Report, scale: Scale) -> Lane {
    let (mut marks, mut bars, mut earlier) = (Marks::default(), Vec::new(), 0);
    let (mut answered, mut put_off, mut failed, mut pending) = (0, 0, 0, 0);
    let long = (scale.to - scale.from) / BAR;
    for row in report.rows(&MDM_COMMANDS_RECENT) {
        let (received, responded) = (row.time("received_at"), row.time("responded_at"));
        let Some(at) = received.or(responded) else { continue };
        let (kind, count) = match row.code("status") {
            Some(CommandStatus::Pending) => (Kind::Unanswered, &mut pending),
            Some(CommandStatus::NotNow) => (Kind::PutOff, &mut put_off),
            Some(CommandStatus::Error | CommandStatus::CommandFormatError) => (Kind::Failed, &mut failed),
            _ => (Kind::Done, &mut answered),
        };
        let to = if kind == Kind::Unanswered { report.now } else { responded.unwrap_or(at) };
        if !scale.holds(to.max(at)) {
            earlier += 1;
            continue;
        }
        *count += 1;
        let (label, details) = command(report, row, kind, at, to);
        if kind == Kind::Unanswered || to - at > long {
            bars.push(Item::Bar { from: at, to, kind, label, details });
        } else {
            marks.add(scale, at.max(scale.from), kind, details);
        }
    }
    let mut rows = vec![marks.items(gathered(report))];
    let left_out = pack(bars, &mut rows);
    let words = counted(&[
        (answered, "answered"),
        (put_off, "put off"),
        (failed, "failed"),
        (pending, "pending"),
        (left_out, "not shown (no space)"),
        (earlier, "earlier"),
    ]);
    rows.retain(|row| !row.is_empty());
    Lane { name: "Commands".to_owned(), words, rows }
}

fn command(report: &Report, row: RowView<'_>, kind: Kind, from: Time, to: Time) -> (String, String) {
    let request = row.text("request_type").unwrap_or("A command");
    let status = row.text("status").unwrap_or("answered");
    let user = if is_users(row) { ", user channel" } else { "" };
    let clock = &report.clock;
    if kind == Kind::Unanswered {
        let details = format!("{request}{user}: received {}, no answer for {}", clock.short(from), length(to - from));
        return (format!("{request}: no answer"), details);
    }
    let why = [row.text("reason"), row.text("error_message")];
    let why: String = why.into_iter().flatten().map(|why| format!(" ({why})")).collect();
    let details = format!("{} {request}{user}: {status}{why} after {}", clock.time_of_day(from), length(to - from));
    (format!("{request}: {status}"), details)
}

/// Puts bars into the first row in which there is room; gives how many found none. Those without an answer come first.
fn pack(mut bars: Vec<Item>, rows: &mut Vec<Vec<Item>>) -> usize {
    let place = |item: &Item| match item {
        Item::Bar { from, to, kind, .. } => (*kind != Kind::Unanswered, *from, *to),
        Item::Mark { at, .. } | Item::Note { at, .. } => (false, *at, *at),
    };
    bars.sort_by_key(place);
    let mut packed: Vec<(Time, Vec<Item>)> = Vec::new();
    let mut left_out = 0;
    for bar in bars {
        let (answered, from, to) = place(&bar);
        let room = packed.len() < MOST_ROWS;
        match packed.iter_mut().find(|(end, _)| answered && *end < from) {
            Some((end, row)) => {
                *end = to;
                row.push(bar);
            }
            None if room => packed.push((to, vec![bar])),
            None => left_out += 1,
        }
    }
    rows.extend(packed.into_iter().map(|(_, row)| row));
    left_out
}
