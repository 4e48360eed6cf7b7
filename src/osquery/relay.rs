//! The socket that osquery talks to. Pings are answered here, at once, whatever the tables are doing; calls go on to
//! the crate's server as they came.
//!
//! Each connection has a thread. osquery opens one for every ping and every call, and some stay open without a word:
//! beyond a limit, the one that has been idle longest makes room. One that has only just come is not sent away: on a
//! busy machine its first word takes a while, and a ping without an answer is enough for osquery to let us go.

use super::Ending;
use super::private::PrivateServer;
use super::thrift::{self, Message, MessageKind, ThriftError};
use crate::host::socket;
use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::io::{self, BufReader, ErrorKind, Write};
use std::net::Shutdown;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How many connections may be open. More than could ever wait for a table, so that one is idle when another comes.
const MOST_CONNECTIONS: usize = 64;

/// How long a connection may be idle when others want its place.
const IDLE: Duration = Duration::from_secs(1);

/// How many bytes a request may have. osquery's longest holds the values of one row.
const REQUEST_LIMIT: usize = 4 << 20;

/// How long the other side may take to accept an answer.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// The public socket. It is removed when this is dropped.
pub struct Relay {
    path: PathBuf,
}

struct Shared {
    uuid: i64,
    server: PrivateServer,
    endings: Sender<Ending>,
    connections: Mutex<BTreeMap<u64, Connection>>,
}

struct Connection {
    stream: UnixStream,
    busy: bool,
    last_word: Instant,
}

impl Relay {
    /// Listens at that path, where only we and root may connect. A stale socket there is removed: the uuid in its name
    /// is ours now.
    pub fn listen(path: PathBuf, uuid: i64, server: PrivateServer, endings: Sender<Ending>) -> io::Result<Self> {
        match fs::remove_file(&path) {
            Err(why) if why.kind() != ErrorKind::NotFound => return Err(why),
            _ => {}
        }
        let listener = socket::listen(&path)?;
        let relay = Self { path };
        fs::set_permissions(&relay.path, Permissions::from_mode(0o600))?;
        let shared = Arc::new(Shared { uuid, server, endings, connections: Mutex::default() });
        thread::Builder::new().name("relay".to_owned()).spawn(move || shared.accept(&listener))?;
        Ok(relay)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

impl Shared {
    fn accept(self: &Arc<Self>, listener: &UnixListener) {
        for number in 0.. {
            let serving = socket::accept(listener).and_then(|stream| {
                // macOS refuses this of a connection that has ended meanwhile; then there is nothing to write either.
                let _ = stream.set_write_timeout(Some(WRITE_LIMIT));
                self.admit(number, stream.try_clone()?);
                let shared = self.clone();
                thread::Builder::new().spawn(move || {
                    // A connection that breaks concerns only the one who broke it.
                    let _ = shared.serve(number, &stream);
                    shared.lock().remove(&number);
                })
            });
            if serving.is_err() {
                self.lock().remove(&number);
                // Out of threads or files: others end meanwhile.
                thread::sleep(Duration::from_millis(50));
            }
        }
    }

    /// Counts a connection in. Where there are too many, it waits until one ends or may be ended.
    fn admit(&self, number: u64, stream: UnixStream) {
        let start = Instant::now();
        let mut connections = self.lock();
        while connections.len() >= MOST_CONNECTIONS {
            let idle_longest = connections.iter().min_by_key(|(_, open)| (open.busy, open.last_word));
            let Some((&oldest, open)) = idle_longest else { break };
            let idle = !open.busy && open.last_word.elapsed() >= IDLE;
            if idle || start.elapsed() >= IDLE {
                if let Some(ended) = connections.remove(&oldest) {
                    let _ = ended.stream.shutdown(Shutdown::Both);
                }
            } else {
                drop(connections);
                thread::sleep(Duration::from_millis(1));
                connections = self.lock();
            }
        }
        connections.insert(number, Connection { stream, busy: false, last_word: Instant::now() });
    }

    fn serve(&self, number: u64, stream: &UnixStream) -> Result<(), ThriftError> {
        let mut input = BufReader::new(stream);
        let mut output = stream;
        while let Some(message) = Message::read(&mut input, REQUEST_LIMIT)? {
            self.note(number, true);
            output.write_all(&self.answer(&message))?;
            self.note(number, false);
            if message.name == "shutdown" {
                let _ = self.endings.send(Ending::Asked);
            }
        }
        Ok(())
    }

    fn answer(&self, message: &Message) -> Vec<u8> {
        match (message.kind, message.name.as_str()) {
            (MessageKind::Call, "ping") => thrift::success(message, self.uuid),
            (MessageKind::Call, "call") => match self.server.call(message) {
                Ok(answer) => answer,
                Err(error) => thrift::call_failed(message, &format!("mdm_health: {error}")),
            },
            (MessageKind::Call, "shutdown") => thrift::done(message),
            (MessageKind::Call, _) => thrift::unknown_method(message),
            // Nobody waits for an answer to those.
            (MessageKind::Oneway | MessageKind::Reply | MessageKind::Exception, _) => Vec::new(),
        }
    }

    fn note(&self, number: u64, busy: bool) {
        if let Some(connection) = self.lock().get_mut(&number) {
            (connection.busy, connection.last_word) = (busy, Instant::now());
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Connection>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
