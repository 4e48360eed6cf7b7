//! Tables that fail in each way, behind the whole of the relay, asked as osquery asks.

use super::folder::Folder;
use super::guard::Guard;
use super::manager::Manager;
use super::plugin::TablePlugin;
use super::private::PrivateServer;
use super::relay::Relay;
use super::thrift::{Encoder, Message, MessageKind};
use crate::collect::source::SourceOptions;
use crate::health::Findings;
use crate::tables::AskFindings;
use crate::tables::{DEFINITIONS, Table, TableDefinition, Value};
use peer::{Peer, until};
use std::io::{BufReader, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};
use tempfile::TempDir;

#[path = "../../tests/it/support/manager.rs"]
#[allow(dead_code, missing_docs, reason = "it belongs to the tests")]
mod peer;

const UUID: i64 = 4242;

/// What a table does when its rows are asked for.
enum Does {
    Answer,
    /// Answers and counts.
    Count(Arc<AtomicUsize>),
    Panic,
    /// Waits until the other side lets it go.
    Wait(Mutex<mpsc::Receiver<()>>),
    Rows(usize),
    Bytes(usize),
}

struct Odd(&'static TableDefinition, Does);

impl Table for Odd {
    fn definition(&self) -> &'static TableDefinition {
        self.0
    }

    fn rows(&self, _: &Findings) -> Vec<Vec<Value>> {
        match &self.1 {
            Does::Answer => vec![vec![Value::Integer(1)]],
            Does::Count(made) => {
                made.fetch_add(1, Ordering::Relaxed);
                vec![vec![Value::Integer(1)]]
            }
            Does::Panic => panic!("the ledger is torn"),
            Does::Wait(gate) => {
                let _ = gate.lock().unwrap().recv();
                Vec::new()
            }
            Does::Rows(rows) => vec![vec![Value::Null]; *rows],
            Does::Bytes(bytes) => vec![vec![Value::Text("x".repeat(*bytes / 8).into())]; 8],
        }
    }
}

struct Served {
    _parent: TempDir,
    _folder: Folder,
    _relay: Relay,
    peer: Peer,
}

/// Serves tables that do that, named as the first of ours.
fn serve(does: Vec<Does>, limit: Duration) -> Served {
    let parent = tempfile::tempdir().unwrap();
    let folder = Folder::take(parent.path()).unwrap();
    let source = SourceOptions {
        source: Some(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml").to_owned()),
        root: "/".into(),
        state_dir: None,
        now: None,
        utc_offset: None,
    };
    let findings = Arc::new(Findings::new(crate::collect::evidence(
        source.open().unwrap().as_ref(),
        &source.read_options(),
        &source.state_dir(),
    )));
    let ask: AskFindings = Arc::new(move || findings.clone());
    let odd = DEFINITIONS.iter().zip(does).map(|(definition, does)| Box::new(Odd(definition, does)) as Box<dyn Table>);
    let plugins = odd.map(|table| TablePlugin::new(table, ask.clone(), Guard::new(limit))).collect();
    let server = PrivateServer::start(plugins, &folder, limit * 2).unwrap();
    let path: PathBuf = parent.path().join("osquery.em.4242");
    let relay = Relay::listen(path.clone(), UUID, server, mpsc::channel().0).unwrap();
    Served { _parent: parent, _folder: folder, _relay: relay, peer: Peer(path) }
}

fn name(number: usize) -> &'static str {
    DEFINITIONS[number].name
}

#[test]
fn a_table_that_panics_and_one_that_gives_too_much_tell_the_client_so_and_the_others_answer() {
    let does = vec![Does::Panic, Does::Rows(100_001), Does::Bytes(33 << 20), Does::Answer];
    let served = serve(does, Duration::from_secs(60));
    for (table, words) in [
        (0, "internal error: the ledger is torn"),
        (1, "there are more than 100000 rows or 32 MiB, above the limit for one osquery answer"),
        (2, "there are more than 100000 rows or 32 MiB, above the limit for one osquery answer"),
    ] {
        let answer = served.peer.generate(name(table), "{}");
        assert_eq!((answer.code, answer.message), (1, format!("{}: {words}", name(table))));
        assert_eq!(served.peer.generate(name(3), "{}").rows.len(), 1);
    }
}

#[test]
fn the_look_at_itself_sees_whether_tables_answer_even_while_they_are_slow() {
    let (_go_on, gate) = mpsc::channel();
    let served = serve(vec![Does::Wait(Mutex::new(gate))], Duration::from_secs(60));
    let peer = served.peer.clone();
    thread::spawn(move || peer.generate(name(0), "{}"));
    let own = Manager::new(served.peer.0.clone(), Duration::from_secs(10));
    own.alive(name(0)).unwrap();
    assert!(own.alive("no_such_table").is_err());
}

#[test]
fn a_join_that_asks_a_thousand_times_makes_the_rows_once_a_moment() {
    let made = Arc::new(AtomicUsize::new(0));
    let served = serve(vec![Does::Count(made.clone())], Duration::from_secs(60));
    let start = Instant::now();
    for outer in 0..1000 {
        let context = format!(
            r#"{{"constraints":[{{"name":"checked_at","list":[{{"op":32,"expr":"{outer}"}}],"affinity":"BIGINT"}}]}}"#
        );
        assert_eq!(served.peer.generate(name(0), &context).rows.len(), 1);
    }
    let most = 1 + start.elapsed().as_millis() / super::answers::FRESH.as_millis();
    let made = made.load(Ordering::Relaxed);
    assert!(made as u128 <= most, "{made} times in {:?}", start.elapsed());
}

/// Such a call is refused, and the calls after it are answered as if it had not been.
#[test]
fn a_value_that_is_not_utf8_breaks_no_call_after_it() {
    let served = serve(vec![Does::Answer], Duration::from_secs(60));
    let call = |action: &str, value: &[u8]| {
        let placeholder = "x".repeat(value.len());
        let call = Encoder::message(MessageKind::Call, "call", 7).text(1, "table").text(2, name(0));
        let request = [("action", action), ("json_value_array", placeholder.as_str())];
        let mut map = vec![11, 11, 0, 0, 0, 2];
        for text in request.into_iter().flat_map(|(key, value)| [key, value]) {
            map.extend(u32::try_from(text.len()).unwrap().to_be_bytes());
            map.extend(text.as_bytes());
        }
        let mut bytes = call.map(3, &map).stop().bytes();
        let at = memchr::memmem::find(&bytes, placeholder.as_bytes()).unwrap();
        bytes[at..at + value.len()].copy_from_slice(value);
        bytes
    };
    for value in [&b"[\"restart_mdmclient\", \"\xff\xfe\"]"[..], b"\xc3", b"\xed\xa0\x80"] {
        let stream = served.peer.connect().unwrap();
        (&stream).write_all(&call("insert", value)).unwrap();
        let answer = Message::read(&mut BufReader::new(&stream), 1 << 20).unwrap().unwrap();
        let status = answer.status_of_call().unwrap();
        assert_eq!(status.code, 1, "{status:?}");
        assert!(status.message.contains("a text is not in UTF-8"), "{status:?}");
        for _ in 0..12 {
            assert_eq!(served.peer.generate(name(0), "{}").rows.len(), 1);
            let columns = served.peer.call(name(0), &peer::map(&[("action", "columns")])).unwrap();
            assert_eq!(columns.code, 0, "{}", columns.message);
        }
    }
}

#[test]
fn as_much_as_is_allowed_arrives() {
    let served = serve(vec![Does::Rows(100_000), Does::Bytes(31 << 20)], Duration::from_secs(60));
    assert_eq!(served.peer.generate(name(0), "{}").rows.len(), 100_000);
    assert_eq!(served.peer.generate(name(1), "{}").rows.len(), 8);
}

#[test]
fn a_table_that_is_slow_keeps_nobody_else_waiting_however_many_ask_it() {
    let (go_on, gate) = mpsc::channel();
    let served = serve(vec![Does::Wait(Mutex::new(gate)), Does::Answer], Duration::from_secs(60));
    thread::scope(|scope| {
        let asking: Vec<_> = (0..20).map(|_| scope.spawn(|| served.peer.generate(name(0), "{}"))).collect();
        for _ in 0..20 {
            assert_eq!(served.peer.generate(name(1), "{}").rows.len(), 1);
            assert_eq!(served.peer.ping().unwrap(), 0);
            let columns = served.peer.call(name(0), &peer::map(&[("action", "columns")])).unwrap();
            assert!(!columns.rows.is_empty());
        }
        assert!(asking.iter().all(|asking| !asking.is_finished()), "it was not slow at all");
        drop(go_on);
        assert!(asking.into_iter().all(|asking| asking.join().unwrap().code == 0));
    });
}

#[test]
fn a_table_that_does_not_end_is_given_up_and_then_busy_and_the_others_answer() {
    let (go_on, gate) = mpsc::channel::<()>();
    let served = serve(vec![Does::Wait(Mutex::new(gate)), Does::Answer], Duration::from_millis(500));
    let mut said = Vec::new();
    until("it is busy", || {
        let answer = served.peer.generate(name(0), "{}");
        assert_eq!(answer.code, 1);
        assert_eq!(served.peer.generate(name(1), "{}").rows.len(), 1);
        // One answer serves for a moment.
        thread::sleep(super::answers::FRESH);
        said.push(answer.message);
        said.last().unwrap().ends_with("4 queries are running already; try again in a moment")
    });
    assert_eq!(said.len(), 5);
    assert!(said[..4].iter().all(|said| *said == format!("{}: there was no answer within 0 s", name(0))), "{said:?}");
    drop(go_on);
}
