//! A name that is not there, and the nearest one that is: most are slips of the keyboard.

use crate::tables::DEFINITIONS;

/// SQLite's words, and what was probably meant.
pub fn explained(error: &rusqlite::Error, sql: &str) -> String {
    let shown = error.to_string();
    // With a hint, without the place in the SQL that is shown otherwise.
    let message = if let rusqlite::Error::SqlInputError { msg, .. } = error { msg } else { &shown };
    match hint(message, sql) {
        Some(hint) => format!("{message} ({hint})"),
        None => shown,
    }
}

fn hint(message: &str, sql: &str) -> Option<String> {
    let tables = || DEFINITIONS.iter().map(|table| table.name);
    let (wanted, found) = if let Some(table) = message.strip_prefix("no such table: ") {
        let table = last_part(table);
        (table, nearest(table, tables()))
    } else {
        let column = last_part(message.strip_prefix("no such column: ")?);
        let words = || sql.split(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
        let named = |name: &str| words().any(|word| word.eq_ignore_ascii_case(name));
        let of_query = DEFINITIONS.iter().filter(|table| named(table.name));
        (column, nearest(column, of_query.flat_map(|table| table.columns).map(|column| column.name)))
    };
    match found {
        Some(name) => Some(format!("did you mean {name}?")),
        None if message.starts_with("no such table") && wanted.starts_with("osquery_") => {
            Some("osquery's own tables are in osquery; mdm-health tables lists those that are here".to_owned())
        }
        None if message.starts_with("no such table") => Some("mdm-health tables lists those that there are".to_owned()),
        None => None,
    }
}

/// A name without its table or database.
fn last_part(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The nearest name, if it is near, or holds what was written.
fn nearest<'n>(wanted: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let wanted = wanted.to_lowercase();
    let most = (wanted.chars().count() / 3).max(1);
    names
        .filter_map(|name| {
            let distance = strsim::osa_distance(&wanted, name);
            let holds = wanted.len() >= 4 && name.contains(&wanted);
            (distance <= most || holds).then_some((distance, name))
        })
        .min()
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_name_is_named() {
        for (message, sql, meant) in [
            ("no such table: mdm_watchdogs", "", Some("mdm_watchdog")),
            ("no such table: main.MDM_Wachdog", "", Some("mdm_watchdog")),
            ("no such table: os_updates_status", "", Some("os_update_status")),
            ("no such column: staet", "SELECT staet FROM mdm_watchdog", Some("state")),
            ("no such column: w.success_at", "SELECT w.success_at FROM mdm_watchdog w", Some("last_success_at")),
            ("no such column: request", "SELECT request FROM mdm_commands_recent", Some("request_type")),
            ("no such column: xyzzy", "SELECT xyzzy FROM mdm_watchdog", None),
            ("no such column: state", "SELECT state", None),
            ("near \"SELEC\": syntax error", "SELEC 1", None),
        ] {
            assert_eq!(hint(message, sql), meant.map(|name| format!("did you mean {name}?")), "{message}");
        }
        let elsewhere = hint("no such table: nowhere", "").unwrap();
        assert_eq!(elsewhere, "mdm-health tables lists those that there are");
        assert!(hint("no such table: osquery_info", "").unwrap().contains("in osquery"));
    }
}
