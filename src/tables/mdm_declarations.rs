//! `mdm_declarations`: one row a declaration of declarative management.

use super::{MdmDeclarationsRow, joined, text};
use crate::facts::declarations::Declaration;
use crate::health::Findings;
use crate::vocabulary::Time;

/// In the order of the dump.
pub fn rows(findings: &Findings) -> Vec<MdmDeclarationsRow> {
    let declarations = findings.evidence.declarations.known();
    let all = declarations.map(|declarations| declarations.0.as_slice()).unwrap_or_default();
    all.iter().map(|declaration| row(declaration, findings.evidence.now)).collect()
}

fn row(declaration: &Declaration, seen_at: Time) -> MdmDeclarationsRow {
    MdmDeclarationsRow {
        identifier: text(declaration.identifier.clone()),
        r#type: text(declaration.kind.clone()),
        channel: Some(declaration.channel),
        active: declaration.active,
        valid: text(declaration.valid.clone()),
        reasons: joined(&declaration.reasons),
        load_state: text(declaration.load_state.clone()),
        server_token: text(declaration.server_token.clone()),
        server_tokens_at: declaration.server_tokens_at,
        consecutive_errors: declaration.consecutive_errors,
        seen_at: Some(seen_at),
    }
}
