//! One answer for all who ask a table at the same time, and for a moment after.
//!
//! A JOIN whose inner loop is one of our tables asks it once for every outer row. Unless it asks for the rows with one value
//! (see `constraints`), what it asks makes no difference, so that one answer serves them all. Whoever waits does so
//! here, without one of the workers: a slow table occupies a single one.

use super::private::PrivateError;
use super::thrift::Message;
use crate::tables::DEFINITIONS;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long an answer serves.
pub const FRESH: Duration = Duration::from_secs(1);

/// The longest answer that is kept, in bytes. A thousand commands take half a MiB, and the most events of updates that
/// are read, ten.
const LONGEST: usize = 16 << 20;

/// How long a caller waits for the answer to another caller's question.
const PATIENCE: Duration = Duration::from_secs(30);

/// The latest answer of each table.
pub struct Answers {
    tables: BTreeMap<&'static str, Latest>,
    fresh: Duration,
    /// How many rows have been written: an answer from before a write does not show its row.
    writes: AtomicU64,
}

#[derive(Default)]
struct Latest {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    asking: bool,
    answer: Option<KeptAnswer>,
}

struct KeptAnswer {
    answer: Arc<Message>,
    at: Instant,
    writes: u64,
}

impl Answers {
    /// No answers yet; each will serve for that long.
    pub fn new(fresh: Duration) -> Self {
        let tables = DEFINITIONS.iter().map(|table| (table.name, Latest::default())).collect();
        Self { tables, fresh, writes: AtomicU64::default() }
    }

    /// The table's answer: the latest one, or what `ask` gives.
    pub fn of(
        &self,
        table: &str,
        ask: impl FnOnce() -> Result<Message, PrivateError>,
    ) -> Result<Arc<Message>, PrivateError> {
        let Some((&table, latest)) = self.tables.get_key_value(table) else { return ask().map(Arc::new) };
        let waited = latest.changed.wait_timeout_while(latest.lock(), PATIENCE, |state| state.asking);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if state.asking {
            return Err(PrivateError::Slow { table });
        }
        let writes = self.writes.load(Ordering::Acquire);
        if let Some(kept) = state.answer.take()
            && kept.writes == writes
            && kept.at.elapsed() < self.fresh
        {
            return Ok(state.answer.insert(kept).answer.clone());
        }
        state.asking = true;
        drop(state);
        let _asking = Question(latest);
        let answer = Arc::new(ask()?);
        if answer.bytes().len() <= LONGEST {
            latest.lock().answer = Some(KeptAnswer { answer: answer.clone(), at: Instant::now(), writes });
        }
        Ok(answer)
    }

    /// Notes that a row was written, perhaps.
    pub fn wrote(&self) {
        self.writes.fetch_add(1, Ordering::AcqRel);
    }
}

impl Latest {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Somebody's question, until it is answered or given up.
struct Question<'l>(&'l Latest);

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.0.lock().asking = false;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::super::thrift;
    use super::*;
    use std::cell::Cell;
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    const LONG: Duration = Duration::from_secs(600);

    fn answer(words: &str) -> Message {
        let call = thrift::Encoder::message(thrift::MessageKind::Call, "call", 7).stop().bytes();
        let call = Message::read(&mut call.as_slice(), 100).unwrap().unwrap();
        let reply = thrift::call_failed(&call, words);
        Message::read(&mut reply.as_slice(), 2 * LONGEST).unwrap().unwrap()
    }

    fn table() -> &'static str {
        DEFINITIONS[0].name
    }

    #[test]
    fn a_thousand_questions_cost_one_until_something_is_written() {
        let (answers, asked) = (Answers::new(LONG), Cell::new(0));
        let ask = || {
            asked.set(asked.get() + 1);
            Ok(answer("x"))
        };
        for _ in 0..1000 {
            answers.of(table(), ask).unwrap();
        }
        assert_eq!(asked.get(), 1);
        answers.of(DEFINITIONS[1].name, ask).unwrap();
        assert_eq!(asked.get(), 2, "each table has its own");
        answers.wrote();
        answers.of(table(), ask).unwrap();
        assert_eq!(asked.get(), 3);
    }

    #[test]
    fn an_answer_that_was_under_way_while_something_was_written_is_not_kept() {
        let answers = Answers::new(LONG);
        let while_asking = || {
            answers.wrote();
            Ok(answer("before"))
        };
        answers.of(table(), while_asking).unwrap();
        assert_eq!(answers.of(table(), || Ok(answer("after"))).unwrap().bytes(), answer("after").bytes());
    }

    #[test]
    fn an_old_answer_a_failed_one_and_a_very_long_one_are_not_kept() {
        let answers = Answers::new(Duration::ZERO);
        answers.of(table(), || Ok(answer("old"))).unwrap();
        assert!(answers.of(table(), || Err(PrivateError::Busy)).is_err());
        let answers = Answers::new(LONG);
        answers.of(table(), || Ok(answer(&"x".repeat(LONGEST)))).unwrap();
        assert!(answers.of(table(), || Err(PrivateError::Busy)).is_err());
        assert!(answers.of(table(), || Ok(answer("x"))).is_ok());
    }

    #[test]
    fn those_who_ask_at_the_same_time_wait_for_one_answer() {
        let (answers, asked) = (Answers::new(LONG), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let ask = || {
                        asked.fetch_add(1, Ordering::Relaxed);
                        thread::yield_now();
                        Ok(answer("x"))
                    };
                    answers.of(table(), ask).unwrap();
                });
            }
        });
        assert_eq!(asked.into_inner(), 1);
    }
}
