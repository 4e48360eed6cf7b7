//! What stands round every call of a table: a bound on calls at once, a deadline, and a net for panics.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;
use thiserror::Error;

/// How many calls of a table may be under way, with those that nobody waits for any more.
const MOST_AT_ONCE: usize = 4;

/// Why a call has no answer.
#[derive(Debug, PartialEq, Eq, Error)]
pub enum GuardError {
    /// Too many calls are under way.
    #[error("{table}: {MOST_AT_ONCE} queries are running already; try again in a moment")]
    Busy { table: &'static str },
    /// The call goes on, but nobody waits for it any more.
    #[error("{table}: there was no answer within {} s", .limit.as_secs())]
    TooLate { table: &'static str, limit: Duration },
    /// There are more rows than anybody asked for.
    #[error(
        "{table}: there are more than {most_rows} rows or {} MiB, above the limit for one osquery answer", .most_bytes >> 20
    )]
    TooMuch {
        table: &'static str,
        /// The limit in rows.
        most_rows: usize,
        /// The limit in bytes.
        most_bytes: usize,
    },
    /// The table's code failed.
    #[error("{table}: internal error: {words}")]
    Panicked {
        table: &'static str,
        /// What the code said.
        words: String,
    },
}

/// Runs the calls of a table. Clones share the bound.
#[derive(Clone)]
pub struct Guard {
    under_way: Arc<AtomicUsize>,
    limit: Duration,
}

impl Guard {
    /// A guard that waits that long for each call.
    pub fn new(limit: Duration) -> Self {
        Self { under_way: Arc::default(), limit }
    }

    /// Runs a call on a thread of its own and waits for it until the deadline.
    pub fn run<T: Send + 'static>(
        &self,
        table: &'static str,
        call: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, GuardError> {
        let place = WorkerPlace::take(&self.under_way).ok_or(GuardError::Busy { table })?;
        let (send, receive) = mpsc::channel();
        let run = move || {
            let answer = catch_unwind(AssertUnwindSafe(call));
            drop(place);
            let _ = send.send(answer);
        };
        // No thread to be had is as good as too many.
        thread::Builder::new().spawn(run).map_err(|_| GuardError::Busy { table })?;
        match receive.recv_timeout(self.limit) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(panic)) => Err(GuardError::Panicked { table, words: words(panic.as_ref()) }),
            Err(_) => Err(GuardError::TooLate { table, limit: self.limit }),
        }
    }
}

/// A call's place among those under way, held until the call has really ended.
struct WorkerPlace(Arc<AtomicUsize>);

impl WorkerPlace {
    fn take(under_way: &Arc<AtomicUsize>) -> Option<Self> {
        let place = Self(under_way.clone());
        (place.0.fetch_add(1, Ordering::AcqRel) < MOST_AT_ONCE).then_some(place)
    }
}

impl Drop for WorkerPlace {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

fn words(panic: &(dyn Any + Send)) -> String {
    let constant = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
    constant.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no words".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_call_that_panics_is_an_error_that_names_the_table_and_the_next_one_is_answered() {
        let guard = Guard::new(LONG);
        let error = guard.run("mdm_x", || -> u8 { panic!("row {}", 7) }).unwrap_err();
        assert_eq!(error.to_string(), "mdm_x: internal error: row 7");
        assert_eq!(guard.run("mdm_x", || 1), Ok(1));
    }

    #[test]
    fn a_call_that_takes_too_long_is_an_error_that_names_the_table() {
        let (go_on, wait) = mpsc::channel::<()>();
        let guard = Guard::new(Duration::from_millis(10));
        let error = guard.run("mdm_x", move || wait.recv()).unwrap_err();
        assert_eq!(error, GuardError::TooLate { table: "mdm_x", limit: Duration::from_millis(10) });
        drop(go_on);
    }

    #[test]
    fn only_so_many_calls_are_under_way_and_a_late_one_still_counts() {
        let gate = Arc::new(Mutex::new(()));
        let (guard, closed) = (Guard::new(Duration::from_millis(1)), gate.lock().unwrap());
        for _ in 0..MOST_AT_ONCE {
            let gate = gate.clone();
            let late = guard.run("mdm_x", move || drop(gate.lock()));
            assert!(matches!(late, Err(GuardError::TooLate { .. })));
        }
        assert_eq!(guard.clone().run("mdm_x", || ()), Err(GuardError::Busy { table: "mdm_x" }));
        drop(closed);
        while guard.under_way.load(Ordering::Acquire) > 0 {
            thread::yield_now();
        }
        assert_eq!(Guard { limit: LONG, ..guard }.run("mdm_x", || 1), Ok(1));
    }
}
