//! `mdm_heal`: the record of requests, and the way to make one.

use super::{MdmHealRow, Row, Table, TableDefinition, Value, WriteError, text};
use crate::facts::record::Entry;
use crate::heal::{Healer, Refusal, Request};
use crate::health::Findings;
use crate::vocabulary::codes::{HealOutcome, HealRefusal};
use std::sync::Arc;

/// The columns that an INSERT may give, which are the first ones of the table.
const GIVEN: usize = 4;

/// The table, and who carries its requests out.
pub struct MdmHeal(pub Arc<Healer>);

impl Table for MdmHeal {
    fn definition(&self) -> &'static TableDefinition {
        MdmHealRow::TABLE
    }

    /// Read from the record at each SELECT, so that one shows what the INSERT before it did. A record that cannot be
    /// read is a row that says so: no rows would look as if nobody ever asked.
    fn rows(&self, _: &Findings) -> Vec<Vec<Value>> {
        let rows = match self.0.entries() {
            Ok(entries) => entries.into_iter().map(row).collect(),
            Err(error) => vec![unreadable(format!("{}: {error}.", error.reason().word()))],
        };
        rows.into_iter().map(Row::into_values).collect()
    }

    fn insert(&self, values: &[Value]) -> Result<i64, WriteError> {
        let (request, objection) = read(values);
        let answer = match objection {
            None => self.0.request(&request),
            Some(objection) => self.0.reject(&request, objection),
        };
        // Who asked puts the full stop.
        answer.map_err(|refusal| WriteError::Refused(refusal.to_string().trim_end_matches(['.', ' ']).to_owned()))
    }
}

/// The request, as far as it can be understood, and what is wrong with it.
fn read(values: &[Value]) -> (Request, Option<Refusal>) {
    let text = |index: usize| match values.get(index) {
        Some(Value::Text(text)) => Some(text.to_string()),
        Some(Value::Integer(number)) => Some(number.to_string()),
        Some(Value::Null) | None => None,
    };
    let mut request = Request::new(&text(0).unwrap_or_default(), text(1).as_deref());
    let mut wrong = None;
    for (index, column) in MdmHealRow::TABLE.columns.iter().enumerate().skip(2) {
        let value = values.get(index).unwrap_or(&Value::Null);
        match (column.name, value) {
            (_, Value::Null) => {}
            ("force", Value::Integer(given @ 0..=1)) => request.force = *given == 1,
            ("dry_run", Value::Integer(given @ 0..=1)) => request.dry_run = *given == 1,
            (name, _) if index < GIVEN => wrong = Some(format!("The column {name} takes 0 or 1.")),
            (name, _) => {
                wrong = Some(format!("The column {name} is not yours to give: give action, reason, force and dry_run."))
            }
        }
    }
    (request, wrong.map(|sentence| Refusal::new(HealRefusal::BadRequest, sentence)))
}

fn row(entry: Entry) -> MdmHealRow {
    MdmHealRow {
        action: text(entry.action),
        reason: text(entry.reason),
        force: Some(entry.force),
        dry_run: Some(entry.dry_run),
        id: Some(entry.id),
        requested_at: entry.requested_at,
        finished_at: entry.finished_at,
        outcome: Some(entry.outcome),
        method: entry.method,
        pid_before: entry.pid_before,
        pid_after: entry.pid_after,
        exit_code: entry.exit_code,
        detail: text(entry.detail),
        next_allowed_at: entry.next_allowed_at,
    }
}

fn unreadable(detail: String) -> MdmHealRow {
    MdmHealRow {
        action: None,
        reason: None,
        force: None,
        dry_run: None,
        id: None,
        requested_at: None,
        finished_at: None,
        outcome: Some(HealOutcome::Unreadable),
        method: None,
        pid_before: None,
        pid_after: None,
        exit_code: None,
        detail: text(detail),
        next_allowed_at: None,
    }
}
