//! A client of osquery's manager socket. Each question has a connection of its own and a time limit.

use super::NAME;
use super::thrift::{Encoder, Message, MessageKind, Status, ThriftError};
use crate::host::socket;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};
use thiserror::Error;

/// The osquery whose interface is spoken here, and with which it was tried. osquery refuses what is older than 1.7.7.
const SDK_VERSION: &str = "5.23.1";

/// Any osquery will do. What is too old refuses by itself.
const MIN_SDK_VERSION: &str = "0.0.0";

/// What only we ask of a table: osquery has no such action.
pub const ALIVE: &str = "alive";

/// How many bytes an answer of the manager may have. `extensions()` lists a few short texts an extension.
const ANSWER_LIMIT: usize = 4 << 20;

/// Why the manager gave no answer, or not the one that was wanted.
#[derive(Debug, Error)]
pub enum ManagerError {
    /// There is no socket, or nobody behind it.
    #[error("osquery does not answer at {socket}: {why}")]
    Unreachable { socket: PathBuf, why: io::Error },
    /// The connection broke or an answer could not be read.
    #[error("osquery gave an invalid answer at {socket}: {why}")]
    NoAnswer { socket: PathBuf, why: ThriftError },
    /// The manager said no.
    #[error("osquery refused {what}: {message}")]
    Refused {
        /// What was asked for.
        what: &'static str,
        message: String,
    },
}

impl ManagerError {
    /// Whether an extension of our name is registered already.
    pub fn is_duplicate(&self) -> bool {
        // "Duplicate extension registered" (seen with 5.23.1).
        matches!(self, Self::Refused { message, .. } if message.starts_with("Duplicate extension"))
    }
}

/// osquery's extension manager.
#[derive(Debug, Clone)]
pub struct Manager {
    socket: PathBuf,
    limit: Duration,
}

impl Manager {
    /// The manager behind that socket. Connecting, writing and the whole of an answer may take `limit` each.
    pub fn new(socket: PathBuf, limit: Duration) -> Self {
        Self { socket, limit }
    }

    /// Whether it answers.
    pub fn ping(&self) -> Result<(), ManagerError> {
        let reply = self.ask("ping", Encoder::stop)?;
        self.read(reply.status()).map(drop)
    }

    /// The uuids of the extensions that it knows.
    pub fn extensions(&self) -> Result<Vec<i64>, ManagerError> {
        self.read(self.ask("extensions", Encoder::stop)?.uuids())
    }

    /// Registers a registry under our name and gives the uuid.
    pub fn register(&self, registry: &[u8]) -> Result<i64, ManagerError> {
        let reply = self.ask("registerExtension", |call| {
            let info = call.open(1).text(1, NAME).text(2, crate::VERSION).text(3, SDK_VERSION).text(4, MIN_SDK_VERSION);
            info.stop().map(2, registry).stop()
        })?;
        Ok(Self::accepted("to register mdm_health", self.read(reply.status())?)?.uuid)
    }

    /// Takes the registration back.
    pub fn deregister(&self, uuid: i64) -> Result<(), ManagerError> {
        let reply = self.ask("deregisterExtension", |call| call.i64(1, uuid).stop())?;
        Self::accepted("to deregister mdm_health", self.read(reply.status())?).map(drop)
    }

    /// Whether our own extension's tables answer, and not only the socket before them.
    pub fn alive(&self, table: &str) -> Result<(), ManagerError> {
        let call = |call: Encoder| call.text(1, "table").text(2, table).entry(3, "action", ALIVE).stop();
        let status = self.read(self.ask("call", call)?.status_of_call())?;
        Self::accepted("to say whether a table answers", status).map(drop)
    }

    fn ask(&self, method: &str, arguments: impl FnOnce(Encoder) -> Encoder) -> Result<Message, ManagerError> {
        let unreachable = |why| ManagerError::Unreachable { socket: self.socket.clone(), why };
        let call = arguments(Encoder::message(MessageKind::Call, method, 1)).bytes();
        let mut stream = connect(&self.socket, self.limit).map_err(unreachable)?;
        stream.set_read_timeout(Some(self.limit)).map_err(unreachable)?;
        stream.set_write_timeout(Some(self.limit)).map_err(unreachable)?;
        stream.write_all(&call).map_err(unreachable)?;
        let answer = Until { stream: &stream, end: Instant::now() + self.limit };
        let reply = Message::read(&mut BufReader::new(answer), ANSWER_LIMIT);
        self.read(reply.and_then(|reply| match reply {
            Some(reply) if reply.name == method => Ok(reply),
            Some(_) => Err(ThriftError::Malformed("it answers another question")),
            None => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
        }))
    }

    fn accepted(what: &'static str, status: Status) -> Result<Status, ManagerError> {
        if status.code == 0 { Ok(status) } else { Err(ManagerError::Refused { what, message: status.message }) }
    }

    fn read<T>(&self, read: Result<T, ThriftError>) -> Result<T, ManagerError> {
        read.map_err(|why| ManagerError::NoAnswer { socket: self.socket.clone(), why })
    }
}

/// Reads until a deadline. With a limit only for each read, an answer could trickle in forever.
struct Until<'s> {
    stream: &'s UnixStream,
    end: Instant,
}

impl Read for Until<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        // macOS refuses this on a connection that the other side has closed. In that case no read waits either.
        let _ = self.stream.set_read_timeout(Some(left));
        let mut stream = self.stream;
        stream.read(buffer)
    }
}

/// Connects within the limit. The system's own call waits forever if the other side is stopped and its queue is full,
/// so a thread waits in our place.
fn connect(socket: &Path, limit: Duration) -> io::Result<UnixStream> {
    let (send, receive) = mpsc::channel();
    let path = socket.to_owned();
    thread::Builder::new().spawn(move || send.send(socket::connect(&path)))?;
    receive.recv_timeout(limit).unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_manager_that_takes_questions_and_answers_none_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("osquery.em");
        let _mute = UnixListener::bind(&socket).unwrap();
        let error = Manager::new(socket, Duration::from_millis(20)).ping().unwrap_err();
        assert!(matches!(error, ManagerError::NoAnswer { why: ThriftError::Broken(_), .. }), "{error}");
    }

    #[test]
    fn a_manager_whose_answer_trickles_in_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("osquery.em");
        let listener = UnixListener::bind(&socket).unwrap();
        thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            // The beginning of an answer with a long name, which never comes to its end.
            let _ = stream.write_all(&[0x80, 1, 0, 2, 0, 0, 0xff, 0xff]);
            while stream.write_all(b"p").is_ok() {
                thread::sleep(Duration::from_millis(5));
            }
        });
        let error = Manager::new(socket, Duration::from_millis(200)).ping().unwrap_err();
        let ManagerError::NoAnswer { why: ThriftError::Broken(why), .. } = &error else { panic!("{error}") };
        assert!(matches!(why.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock), "{error}");
    }
}
