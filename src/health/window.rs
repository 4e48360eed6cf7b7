//! The watchdog's times.

use chrono::TimeDelta;

/// Within this time a success counts as recent; a silence must last this long while the Mac is awake to mean anything.
pub const WINDOW: TimeDelta = TimeDelta::minutes(90);

/// How old the end of the log evidence may be: data is read anew after a minute, and reading takes time.
pub const FRESHNESS: TimeDelta = TimeDelta::minutes(2);

/// How long a request, a command or a push may take, while the Mac is awake, before it counts as unanswered.
pub const PATIENCE: TimeDelta = TimeDelta::minutes(5);
