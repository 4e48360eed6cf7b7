//! What SQL may do in `mdm-health query`: read, and insert into the tables. It runs as root, so nothing may reach a file:
//! no attached database (`VACUUM INTO` is one too), no pragma that sets anything, no extension.

use crate::tables::DEFINITIONS;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, Result};
use std::sync::{Arc, Mutex, PoisonError};

/// The pragmas that only list something.
const LISTS: [&str; 9] = [
    "collation_list",
    "compile_options",
    "database_list",
    "function_list",
    "module_list",
    "pragma_list",
    "table_info",
    "table_list",
    "table_xinfo",
];

/// Functions that load code or take a pointer to it.
const CODE: [&str; 2] = ["load_extension", "fts3_tokenizer"];

/// What was refused first, in words.
#[derive(Clone, Default)]
pub struct Refused(Arc<Mutex<Option<String>>>);

impl Refused {
    /// The words, if anything was refused since the last call.
    pub fn take(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn set(&self, what: String) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(what);
    }
}

/// Limits what statements may do from now on.
pub fn apply(connection: &mut Connection) -> Result<Refused> {
    // A large sort would otherwise write a temporary file.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    let refused = Refused::default();
    let notes = refused.clone();
    connection.authorizer(Some(move |context: AuthContext<'_>| match refusal(context.action) {
        None => Authorization::Allow,
        Some(what) => {
            notes.set(what);
            Authorization::Deny
        }
    }))?;
    Ok(refused)
}

/// The words for an action that is not allowed.
fn refusal(action: AuthAction<'_>) -> Option<String> {
    let is_ours = |name: &str| DEFINITIONS.iter().any(|table| table.name == name);
    match action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => None,
        AuthAction::Function { function_name } if !CODE.contains(&function_name) => None,
        AuthAction::Pragma { pragma_name, .. } if LISTS.contains(&pragma_name) => None,
        // The tables themselves say which of these they take.
        AuthAction::Insert { table_name }
        | AuthAction::Update { table_name, .. }
        | AuthAction::Delete { table_name }
            if is_ours(table_name) =>
        {
            None
        }
        AuthAction::Function { function_name } => Some(format!("the function {function_name}")),
        AuthAction::Pragma { pragma_name, .. } => Some(format!("PRAGMA {pragma_name}")),
        AuthAction::Attach { .. } => Some("attaching a database (ATTACH, VACUUM)".to_owned()),
        AuthAction::Insert { table_name } => Some(format!("writing to {table_name}")),
        AuthAction::Transaction { .. } | AuthAction::Savepoint { .. } => Some("a transaction".to_owned()),
        _ => Some("changing the database".to_owned()),
    }
}
