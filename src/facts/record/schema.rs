//! The tables of the record.

/// The version of the tables, as `user_version`.
pub const VERSION: i64 = 1;

/// `began_*` is set when a restart is intended, before its first step. `ran` is the Mac's running time in seconds.
pub const TABLES: &str = "
    CREATE TABLE requests (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        parent INTEGER,
        action TEXT NOT NULL,
        reason TEXT,
        force INTEGER NOT NULL,
        dry_run INTEGER NOT NULL,
        requested_at INTEGER NOT NULL,
        began_at INTEGER,
        began_ran INTEGER,
        finished_at INTEGER,
        outcome TEXT NOT NULL,
        method TEXT,
        pid_before INTEGER,
        pid_after INTEGER,
        exit_code INTEGER,
        detail TEXT NOT NULL DEFAULT '',
        next_allowed_at INTEGER
    ) STRICT;
    CREATE TABLE clock (
        one INTEGER PRIMARY KEY CHECK (one = 1),
        ran INTEGER NOT NULL,
        boot TEXT,
        uptime INTEGER NOT NULL
    ) STRICT;";
