//! osquery's extension manager, played with the `thrift` crate, so that it shares no code with the program's own codec.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};
use thrift::protocol::{
    TBinaryInputProtocol, TBinaryOutputProtocol, TFieldIdentifier, TInputProtocol, TListIdentifier, TMapIdentifier,
    TMessageIdentifier, TMessageType, TOutputProtocol, TStructIdentifier, TType,
};

/// Longer than anything here takes, even on a busy machine.
pub const LIMIT: Duration = Duration::from_secs(60);

/// What osquery says when it refuses a registration.
pub const REFUSALS: [&str; 5] = [
    "Duplicate extension registered",
    "Failed adding registry: Registry item mdm_watchdog conflicts with another item of the same name.",
    "Invalid route info",
    "Incompatible extension SDK version",
    "SQLITE_ERROR",
];

pub type Map = BTreeMap<String, String>;

/// A registration that an extension sent.
#[derive(Debug, Clone, Default)]
pub struct Registration {
    pub name: String,
    pub version: String,
    pub sdk_version: String,
    pub registry: BTreeMap<String, BTreeMap<String, Vec<Map>>>,
}

/// The manager's state and behaviour.
#[derive(Default)]
pub struct State {
    /// The uuid that the next extension gets, or that the latest one got. None is given twice: a call of the one before may
    /// still be under way.
    pub uuid: i64,
    given: Vec<i64>,
    pub refusal: Option<&'static str>,
    /// Refuses an extension while another one is listed, as osquery does for the same name.
    pub one_at_a_time: bool,
    /// Accepts calls and answers none.
    pub mute: bool,
    /// How many of the next calls get a closed connection, after part of a reply or none of it.
    pub breaks: usize,
    pub gone: bool,
    pub registrations: Vec<Registration>,
    pub listed: Vec<i64>,
    pub deregistered: Vec<i64>,
}

pub struct Manager {
    pub socket: PathBuf,
    state: Arc<Mutex<State>>,
}

impl Manager {
    /// A manager in that folder that gives the uuid 4242.
    pub fn start(folder: &Path) -> Self {
        Self::giving(4242, folder)
    }

    /// One that gives this uuid.
    pub fn giving(uuid: i64, folder: &Path) -> Self {
        let socket = folder.join("osquery.em");
        let listener = UnixListener::bind(&socket).unwrap();
        let state = Arc::new(Mutex::new(State { uuid, ..State::default() }));
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.lock().unwrap().gone {
                    break;
                }
                let shared = shared.clone();
                thread::spawn(move || while answer(&shared, stream.as_ref().unwrap()).is_ok() {});
            }
        });
        Self { socket, state }
    }

    pub fn refusing(folder: &Path, refusal: &'static str) -> Self {
        let manager = Self::start(folder);
        manager.state().refusal = Some(refusal);
        manager
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Ends as a killed osquery does: nobody listens any more, and the socket file stays.
    pub fn vanish(&self) {
        let mut state = self.state();
        (state.gone, state.listed) = (true, Vec::new());
        drop(state);
        let _ = UnixStream::connect(&self.socket);
    }

    /// The extension's socket.
    pub fn extension_socket(&self) -> PathBuf {
        Peer(self.socket.clone()).behind(self.state().uuid).0
    }

    /// Waits until an extension has registered and answers a ping.
    pub fn extension(&self) -> Peer {
        let peer = Peer(self.extension_socket());
        until("an extension answers", || !self.state().registrations.is_empty() && peer.ping().is_ok());
        peer
    }
}

/// Waits until something is true, and panics after [`LIMIT`].
pub fn until(what: &str, mut come: impl FnMut() -> bool) {
    let start = Instant::now();
    while !come() {
        assert!(start.elapsed() < LIMIT, "still waiting: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// An extension, as osquery calls it.
#[derive(Clone)]
pub struct Peer(pub PathBuf);

/// The reply to `call`.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub code: i32,
    pub message: String,
    pub rows: Vec<Map>,
}

impl Peer {
    pub fn connect(&self) -> io::Result<UnixStream> {
        let stream = UnixStream::connect(&self.0)?;
        stream.set_read_timeout(Some(LIMIT))?;
        Ok(stream)
    }

    /// The extension with this uuid, of a manager.
    pub fn behind(&self, uuid: i64) -> Self {
        Self(PathBuf::from(format!("{}.{uuid}", self.0.display())))
    }

    pub fn ping(&self) -> thrift::Result<i32> {
        ping_over(&self.connect()?)
    }

    /// Calls as osquery does: a connection for a ping, then one for the call.
    pub fn call(&self, table: &str, request: &Map) -> thrift::Result<Answer> {
        self.ping()?;
        self.call_in("table", table, request)
    }

    pub fn call_in(&self, registry: &str, item: &str, request: &Map) -> thrift::Result<Answer> {
        let stream = self.connect()?;
        begin(&stream, "call", |out| {
            text_field(out, 1, registry)?;
            text_field(out, 2, item)?;
            out.write_field_begin(&TFieldIdentifier::new("request", TType::Map, 3))?;
            write_map(out, request)
        })?;
        let mut answer = Answer { code: 0, message: String::new(), rows: Vec::new() };
        result(&stream, |input| {
            fields(input, |input, id| match id {
                1 => fields(input, |input, id| match id {
                    1 => input.read_i32().map(|code| answer.code = code),
                    2 => input.read_string().map(|message| answer.message = message),
                    _ => input.skip(TType::I64),
                }),
                _ => list(input, read_map).map(|rows| answer.rows = rows),
            })
        })?;
        Ok(answer)
    }

    pub fn generate(&self, table: &str, context: &str) -> Answer {
        self.call(table, &map(&[("action", "generate"), ("context", context)])).unwrap()
    }

    /// The uuids of the extensions that a manager lists.
    pub fn extensions(&self) -> thrift::Result<Vec<i64>> {
        let stream = self.connect()?;
        begin(&stream, "extensions", |_| Ok(()))?;
        let mut listed = Vec::new();
        result(&stream, |input| {
            for _ in 0..input.read_map_begin()?.size {
                listed.push(input.read_i64()?);
                input.skip(TType::Struct)?;
            }
            Ok(())
        })?;
        Ok(listed)
    }

    pub fn shutdown(&self) -> thrift::Result<()> {
        let stream = self.connect()?;
        begin(&stream, "shutdown", |_| Ok(()))?;
        result(&stream, |_| Ok(()))
    }

    /// Calls a method without arguments and ignores its result.
    pub fn ask(&self, method: &str) -> thrift::Result<()> {
        let stream = self.connect()?;
        begin(&stream, method, |_| Ok(()))?;
        result(&stream, |input| input.skip(TType::Struct))
    }
}

pub fn ping_over(stream: &UnixStream) -> thrift::Result<i32> {
    begin(stream, "ping", |_| Ok(()))?;
    let mut code = 0;
    result(stream, |input| {
        fields(input, |input, id| match id {
            1 => input.read_i32().map(|found| code = found),
            2 => input.skip(TType::String),
            _ => input.skip(TType::I64),
        })
    })?;
    Ok(code)
}

pub fn map(entries: &[(&str, &str)]) -> Map {
    entries.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn begin(
    stream: &UnixStream,
    method: &str,
    arguments: impl FnOnce(&mut dyn TOutputProtocol) -> thrift::Result<()>,
) -> thrift::Result<()> {
    let (mut call, mut stream) = (Vec::new(), stream);
    write(&mut call, &TMessageIdentifier::new(method, TMessageType::Call, 5), arguments)?;
    Ok(stream.write_all(&call)?)
}

fn write(
    stream: impl Write,
    message: &TMessageIdentifier,
    body: impl FnOnce(&mut dyn TOutputProtocol) -> thrift::Result<()>,
) -> thrift::Result<()> {
    let mut out = TBinaryOutputProtocol::new(stream, true);
    out.write_message_begin(message)?;
    body(&mut out)?;
    out.write_field_stop()?;
    out.write_message_end()?;
    out.flush()
}

/// Reads a reply whose result, if any, is in field 0.
fn result(stream: &UnixStream, read: impl FnOnce(&mut dyn TInputProtocol) -> thrift::Result<()>) -> thrift::Result<()> {
    let mut input = TBinaryInputProtocol::new(BufReader::new(stream), true);
    let message = input.read_message_begin()?;
    assert_eq!(message.sequence_number, 5);
    if message.message_type == TMessageType::Exception {
        return Err(thrift::Error::Application(thrift::Error::read_application_error_from_in_protocol(&mut input)?));
    }
    let mut read = Some(read);
    fields(&mut input, |input, id| match read.take() {
        Some(read) if id == 0 => read(input),
        _ => panic!("a result has the field {id}"),
    })
}

/// Answers one call.
fn answer(state: &Mutex<State>, stream: &UnixStream) -> thrift::Result<()> {
    let mut input = TBinaryInputProtocol::new(stream, true);
    let message = input.read_message_begin()?;
    let (mut registration, mut uuid) = (Registration::default(), 0);
    fields(&mut input, |input, id| match (message.name.as_str(), id) {
        ("registerExtension", 1) => fields(input, |input, id| {
            let text = input.read_string()?;
            match id {
                1 => registration.name = text,
                2 => registration.version = text,
                3 => registration.sdk_version = text,
                _ => {}
            }
            Ok(())
        }),
        ("registerExtension", _) => {
            registration.registry = entries(input, |input| entries(input, |input| list(input, read_map)))?;
            Ok(())
        }
        _ => input.read_i64().map(|found| uuid = found),
    })?;
    while state.lock().unwrap().mute {
        thread::sleep(Duration::from_millis(50));
    }
    let mut state = state.lock().unwrap();
    let breaks = state.breaks;
    state.breaks = breaks.saturating_sub(1);
    let (mut code, mut words) = (0, "OK");
    match message.name.as_str() {
        "registerExtension" => {
            state.registrations.push(registration);
            let another = state.one_at_a_time && !state.listed.is_empty();
            match state.refusal.or(another.then_some("Duplicate extension registered")) {
                Some(refusal) => (code, words) = (1, refusal),
                None => {
                    while state.given.contains(&state.uuid) {
                        state.uuid += 1;
                    }
                    uuid = state.uuid;
                    state.given.push(uuid);
                    state.listed.push(uuid);
                }
            }
        }
        "deregisterExtension" => {
            state.listed.retain(|listed| *listed != uuid);
            state.deregistered.push(uuid);
        }
        _ => {}
    }
    let reply = TMessageIdentifier::new(message.name.as_str(), TMessageType::Reply, message.sequence_number);
    let listed = state.listed.clone();
    drop(state);
    let mut bytes = Vec::new();
    write(&mut bytes, &reply, |out| {
        if message.name != "extensions" {
            out.write_field_begin(&TFieldIdentifier::new("status", TType::Struct, 0))?;
            return write_struct(out, |out| {
                out.write_field_begin(&TFieldIdentifier::new("code", TType::I32, 1))?;
                out.write_i32(code)?;
                text_field(out, 2, words)?;
                out.write_field_begin(&TFieldIdentifier::new("uuid", TType::I64, 3))?;
                out.write_i64(uuid)
            });
        }
        out.write_field_begin(&TFieldIdentifier::new("list", TType::Map, 0))?;
        let size = i32::try_from(listed.len()).unwrap();
        out.write_map_begin(&TMapIdentifier::new(TType::I64, TType::Struct, size))?;
        for uuid in listed {
            out.write_i64(uuid)?;
            write_struct(out, |out| text_field(out, 1, "mdm_health"))?;
        }
        Ok(())
    })?;
    let mut stream = stream;
    if breaks > 0 {
        stream.write_all(bytes.get(..bytes.len() / 2 * (breaks % 2)).unwrap())?;
        stream.shutdown(Shutdown::Both)?;
        return Err(io::Error::from(io::ErrorKind::ConnectionAborted).into());
    }
    Ok(stream.write_all(&bytes)?)
}

fn write_struct(
    out: &mut dyn TOutputProtocol,
    body: impl FnOnce(&mut dyn TOutputProtocol) -> thrift::Result<()>,
) -> thrift::Result<()> {
    out.write_struct_begin(&TStructIdentifier::new("struct"))?;
    body(out)?;
    out.write_field_stop()
}

fn text_field(out: &mut dyn TOutputProtocol, id: i16, text: &str) -> thrift::Result<()> {
    out.write_field_begin(&TFieldIdentifier::new("text", TType::String, id))?;
    out.write_string(text)
}

fn write_map(out: &mut dyn TOutputProtocol, map: &Map) -> thrift::Result<()> {
    let size = i32::try_from(map.len()).unwrap();
    out.write_map_begin(&TMapIdentifier::new(TType::String, TType::String, size))?;
    for (key, value) in map {
        out.write_string(key)?;
        out.write_string(value)?;
    }
    Ok(())
}

fn fields(
    input: &mut dyn TInputProtocol,
    mut field: impl FnMut(&mut dyn TInputProtocol, i16) -> thrift::Result<()>,
) -> thrift::Result<()> {
    loop {
        let found = input.read_field_begin()?;
        if found.field_type == TType::Stop {
            return Ok(());
        }
        field(input, found.id.unwrap())?;
    }
}

fn list<T>(
    input: &mut dyn TInputProtocol,
    mut element: impl FnMut(&mut dyn TInputProtocol) -> thrift::Result<T>,
) -> thrift::Result<Vec<T>> {
    let TListIdentifier { size, .. } = input.read_list_begin()?;
    (0..size).map(|_| element(input)).collect()
}

fn entries<T>(
    input: &mut dyn TInputProtocol,
    mut value: impl FnMut(&mut dyn TInputProtocol) -> thrift::Result<T>,
) -> thrift::Result<BTreeMap<String, T>> {
    let size = input.read_map_begin()?.size;
    (0..size).map(|_| Ok((input.read_string()?, value(input)?))).collect()
}

fn read_map(input: &mut dyn TInputProtocol) -> thrift::Result<Map> {
    entries(input, |input| input.read_string())
}
