//! The crate's `Server`, which knows the tables' side of Thrift, kept away from osquery.
//!
//! It ignores a refused registration and a failed bind, has no time limits, and each connection holds one of its ten
//! workers for life. So it never meets osquery: it registers with a stand-in of ours, which keeps its registry for
//! the real registration, and it listens on a socket in a folder that only we can enter.

use super::NAME;
use super::answers::{Answers, FRESH};
use super::constraints;
use super::folder::Folder;
use super::manager::ALIVE;
use super::plugin::TablePlugin;
use super::thrift::{self, Message, MessageKind, ThriftError};
use crate::host::socket;
use crate::tables::DEFINITIONS;
use osquery_rust_ng::Server;
use std::collections::BTreeMap;
use std::io::{self, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use thiserror::Error;

/// The number that the stand-in gives to the crate's server. osquery's own number may change; this one does not.
const UUID: i64 = 1;

/// As many connections as the crate's server has workers. One more would wait for a worker without end.
const WORKERS: usize = 10;

/// How many of them may handle calls that can take time. The others stay free to answer pings.
const SLOW_WORKERS: usize = 8;

/// How long the crate's server may take to begin.
const START_LIMIT: Duration = Duration::from_secs(10);

/// How long a call waits for a connection.
const TURN_LIMIT: Duration = Duration::from_secs(10);

/// How many bytes a registry may have.
const REGISTRY_LIMIT: usize = 4 << 20;

/// How many bytes an answer may have. osquery itself refuses more than that ("MaxMessageSize reached").
const ANSWER_LIMIT: usize = 100 << 20;

/// Why the tables cannot be served.
#[derive(Debug, Error)]
pub enum PrivateError {
    /// The crate's server does not come up.
    #[error("the table server does not start at {socket}: {why}")]
    NoServer { socket: PathBuf, why: ThriftError },
    /// All its workers are busy.
    #[error("all workers are busy; try again in a moment")]
    Busy,
    /// The table has not finished answering an earlier call.
    #[error("{table} is still being read; try again in a moment")]
    Slow { table: &'static str },
    /// It did not answer a call.
    #[error("the table server did not answer: {0}")]
    NoAnswer(#[from] ThriftError),
}

/// The crate's server, running.
pub struct PrivateServer {
    /// What it wants to register, raw.
    registry: Vec<u8>,
    socket: PathBuf,
    answer_limit: Duration,
    answers: Answers,
    /// Each table's answer to `columns`, which osquery asks of every table when one query runs beside another. The
    /// answer never changes, so it is given at once, like the answer to a ping.
    columns: BTreeMap<&'static str, Message>,
    connections: Mutex<Connections>,
    changed: Condvar,
    // Left open and unanswered: the server pings the stand-in twice a second, and has nothing to learn from it.
    _stand_in: UnixStream,
}

#[derive(Default)]
struct Connections {
    idle: Vec<UnixStream>,
    in_use: usize,
}

impl PrivateServer {
    /// Starts the server in a private folder. `answer_limit` is how long a call may take.
    pub fn start(tables: Vec<TablePlugin>, folder: &Folder, answer_limit: Duration) -> Result<Self, PrivateError> {
        let path = folder.manager();
        let names: Vec<&'static str> = tables.iter().map(TablePlugin::table_name).collect();
        let failed = |why| PrivateError::NoServer { socket: path.clone(), why };
        let (stand_in, registry) = register(tables, &path).map_err(failed)?;
        let mut server = Self {
            registry,
            socket: folder.server(UUID),
            answer_limit,
            answers: Answers::new(FRESH),
            columns: BTreeMap::new(),
            connections: Mutex::default(),
            changed: Condvar::new(),
            _stand_in: stand_in,
        };
        // The crate is silent about a bind that fails.
        let first = server.wait_until_it_listens().map_err(|why| failed(why.into()))?;
        server.lock().idle.push(first);
        for name in names {
            let call = thrift::Encoder::message(MessageKind::Call, "call", 0);
            let call = call.text(1, "table").text(2, name).entry(3, "action", "columns").stop().bytes();
            let call = Message::read(&mut call.as_slice(), REGISTRY_LIMIT)?.ok_or_else(ended)?;
            let columns = server.pass_on(&call, WORKERS)?;
            server.columns.insert(name, columns);
        }
        Ok(server)
    }

    /// The registry of all tables, raw.
    pub fn registry(&self) -> &[u8] {
        &self.registry
    }

    /// Answers a call, raw.
    pub fn call(&self, call: &Message) -> Result<Vec<u8>, PrivateError> {
        let [registry, item, action] = call.target()?;
        call.check_request()?;
        if let ("table", Some(columns), "columns") =
            (registry.as_str(), self.columns.get(item.as_str()), action.as_str())
        {
            return Ok(columns.answer_to(call));
        }
        match (registry.as_str(), action.as_str()) {
            // A join asks for the rows with one value after the other.
            ("table", "generate") if asks_for_some(&item, call)? => {
                self.pass_on(call, SLOW_WORKERS).map(Message::into_bytes)
            }
            ("table", "generate") => {
                let answer = self.answers.of(&item, || self.pass_on(call, SLOW_WORKERS))?;
                Ok(answer.answer_to(call))
            }
            ("table", ALIVE) => self.pass_on(call, WORKERS).map(Message::into_bytes),
            _ => {
                let answer = self.pass_on(call, SLOW_WORKERS);
                self.answers.wrote();
                answer.map(Message::into_bytes)
            }
        }
    }

    /// Passes a call on while fewer than that many workers are busy, and gives the answer.
    fn pass_on(&self, call: &Message, workers: usize) -> Result<Message, PrivateError> {
        let mut turn = self.turn(workers)?;
        let stream = match turn.stream.take() {
            Some(stream) => stream,
            None => self.connect().map_err(ThriftError::from)?,
        };
        (&stream).write_all(call.bytes()).map_err(ThriftError::from)?;
        let answer = Message::read(&mut BufReader::new(&stream), ANSWER_LIMIT)?.ok_or_else(ended)?;
        if (answer.sequence, &answer.name) != (call.sequence, &call.name) {
            return Err(ThriftError::Malformed("it answers another question").into());
        }
        turn.stream = Some(stream);
        Ok(answer)
    }

    /// Waits for one of the connections; a new one has yet to be made.
    fn turn(&self, workers: usize) -> Result<Turn<'_>, PrivateError> {
        let waited =
            self.changed.wait_timeout_while(self.lock(), TURN_LIMIT, |connections| connections.in_use >= workers);
        let (mut connections, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if connections.in_use >= workers {
            return Err(PrivateError::Busy);
        }
        connections.in_use += 1;
        Ok(Turn { server: self, stream: connections.idle.pop() })
    }

    fn connect(&self) -> io::Result<UnixStream> {
        let stream = socket::connect(&self.socket)?;
        stream.set_read_timeout(Some(self.answer_limit))?;
        stream.set_write_timeout(Some(self.answer_limit))?;
        Ok(stream)
    }

    fn wait_until_it_listens(&self) -> io::Result<UnixStream> {
        let deadline = Instant::now() + START_LIMIT;
        loop {
            match self.connect() {
                Err(_) if Instant::now() < deadline => thread::sleep(Duration::from_millis(2)),
                ended => return ended,
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Connections> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to use a connection. A connection that is put back into it is used again.
struct Turn<'s> {
    server: &'s PrivateServer,
    stream: Option<UnixStream>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut connections = self.server.lock();
        connections.in_use -= 1;
        connections.idle.extend(self.stream.take());
        drop(connections);
        // Waking only one is not enough: it may be one who needs more workers to be free.
        self.server.changed.notify_all();
    }
}

/// Lets the crate's server register with a stand-in for osquery; gives its connection and its registry.
fn register(tables: Vec<TablePlugin>, path: &Path) -> Result<(UnixStream, Vec<u8>), ThriftError> {
    let listener = socket::listen(path)?;
    let text = path.to_str().ok_or_else(|| io::Error::new(ErrorKind::InvalidInput, "the path is not in UTF-8"))?;
    let mut server = Server::new(Some(NAME), text)?;
    for table in tables {
        server.register_plugin(table);
    }
    thread::Builder::new().name("tables".to_owned()).spawn(move || server.run())?;
    let stream = socket::accept(&listener)?;
    stream.set_read_timeout(Some(START_LIMIT))?;
    let call = Message::read(&mut BufReader::new(&stream), REGISTRY_LIMIT)?.ok_or_else(ended)?;
    let registry = call.registry()?;
    (&stream).write_all(&thrift::success(&call, UUID))?;
    Ok((stream, registry))
}

/// Whether a call asks for the rows with certain values.
fn asks_for_some(table: &str, call: &Message) -> Result<bool, ThriftError> {
    let Some(definition) = DEFINITIONS.iter().find(|definition| definition.name == table) else { return Ok(false) };
    Ok(constraints::wanted(definition, &call.context()?).is_some())
}

fn ended() -> ThriftError {
    io::Error::from(ErrorKind::UnexpectedEof).into()
}
