//! The osquery extension: `mdm_health.ext --socket S --timeout T --interval I`, as osquery starts it.
//!
//! ```text
//! osquery ── <socket>.<uuid> ── relay ── answers ── private ── osquery-rust-ng's Server ── plugin ── guard ── table
//!    └────── <socket> ── manager (register, look whether we are still listed) ── mod.rs
//! ```
//!
//! It exits when it is no longer registered, so that osquery's watcher starts a new one: a process that lives on while its
//! tables are gone is the one thing that nobody notices.
//!
//! Exit codes: 0 when osquery or a signal asked it to end, 1 when it could not begin, 2 for a command line that cannot
//! be followed, 3 when osquery went away or let it go.

mod answers;
mod arguments;
mod constraints;
mod folder;
mod guard;
#[doc(hidden)]
pub mod hostile;
mod manager;
mod plugin;
mod private;
mod relay;
#[cfg(test)]
mod tests;
mod thrift;

use crate::collect::Collector;
use crate::heal::{Healer, automatic};
use crate::host;
use crate::tables::AskFindings;
use crate::tables::{self, DEFINITIONS};
use crate::vocabulary::printable;
use arguments::Arguments;
pub use arguments::are_of_osquery;
use folder::Folder;
use guard::Guard;
use manager::{Manager, ManagerError};
use plugin::TablePlugin;
use private::{PrivateError, PrivateServer};
use relay::Relay;
use rustix::fs::Mode;
use rustix::process::umask;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use std::ffi::OsString;
use std::io::{self, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{self, ExitCode};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};
use thiserror::Error;

/// The name under which osquery knows this extension.
const NAME: &str = "mdm_health";

/// How long a table waits for a reading of the Mac before it answers from the previous one.
const BUDGET: Duration = Duration::from_secs(5);

/// How long a request to restart something waits for evidence that is not too old to act on.
const HEAL_BUDGET: Duration = Duration::from_secs(20);

/// How often to look whether it is time to read a live Mac that nobody asks about.
const TICK: Duration = Duration::from_secs(60);

/// How long a call of a table may take in all.
const CALL_LIMIT: Duration = Duration::from_secs(60);

/// How much longer the relay waits than the guard, because the guard's message says more.
const GRACE: Duration = Duration::from_secs(10);

/// How long osquery's manager may take to answer. It gives us ten seconds itself.
const MANAGER_LIMIT: Duration = Duration::from_secs(10);

/// The same at the end, when nobody wants to wait.
const FAREWELL_LIMIT: Duration = Duration::from_millis(700);

/// When a signal has not ended the process by then, it is ended at once.
const LAST_MOMENT: Duration = Duration::from_millis(2500);

/// How often a socket that is not there yet is tried.
const POLL: Duration = Duration::from_millis(100);

/// How many looks at osquery may fail in a row: a busy moment is not its end.
const FAILURES: usize = 2;

/// For how many intervals a predecessor may still be listed: osquery drops it when it pings it the next time (3 to 8 s
/// were seen with 5.23.1).
const PREDECESSOR: u32 = 5;

/// How often a refused registration is tried again meanwhile.
const RETRY: Duration = Duration::from_millis(500);

/// The longest path of a Unix socket on macOS, in bytes. Linux takes 107.
const LONGEST_PATH: usize = 103;

/// What is added to the path of osquery's socket, in bytes: a dot and osquery's 16-bit number.
const LONGEST_UUID: usize = 6;

/// Why the process ends.
enum Ending {
    /// osquery or a signal asked for it.
    Asked,
    /// osquery went away or let us go; a sentence says which.
    Lost(String),
}

/// Why the extension could not begin.
#[derive(Debug, Error)]
enum StartError {
    #[error(
        "the path of osquery's socket, {socket}, is too long: with the extension's suffix it would exceed the limit of {LONGEST_PATH} bytes. Give osquery a shorter --extensions_socket"
    )]
    PathTooLong { socket: PathBuf },
    #[error("osquery did not answer within {} s: {why}", .waited.as_secs())]
    NoManager { waited: Duration, why: ManagerError },
    #[error(transparent)]
    Manager(#[from] ManagerError),
    #[error("a private folder cannot be created beside osquery's socket in {parent}: {why}")]
    NoFolder { parent: PathBuf, why: io::Error },
    #[error(transparent)]
    Private(#[from] PrivateError),
    #[error("the extension's socket {path} cannot be created: {why}")]
    NoSocket { path: PathBuf, why: io::Error },
    #[error("cannot start the thread that checks the registration: {0}")]
    NoWatch(#[from] io::Error),
}

/// Runs the extension until osquery, a signal or a fault ends it.
pub fn run(arguments: Vec<OsString>) -> ExitCode {
    // A socket has a mode only once it is made, and whoever came before that would stay.
    umask(Mode::RWXG | Mode::RWXO);
    let fail = |code: u8, sentence: String| {
        say(&sentence);
        ExitCode::from(code)
    };
    let arguments = match Arguments::read(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return fail(2, format!("{error}.")),
    };
    let collector = match arguments.source.open() {
        Ok(host) => arguments.source.collector(host),
        Err(error) => return fail(2, format!("{error}.")),
    };
    let healer = Healer::new(collector.clone(), arguments.source.actor(), HEAL_BUDGET);
    let ended = serve(&arguments, collector, Arc::new(healer));
    host::kill_all();
    match ended {
        Ok(Ending::Asked) => {
            note(&arguments, "ends, as it was asked to.");
            ExitCode::SUCCESS
        }
        Ok(Ending::Lost(sentence)) => fail(3, sentence),
        Err(error) => fail(1, format!("{error}.")),
    }
}

/// Waits for osquery, registers, stays as long as it is wanted, and leaves nothing behind.
fn serve(arguments: &Arguments, collector: Arc<Collector>, healer: Arc<Healer>) -> Result<Ending, StartError> {
    let (send, endings) = mpsc::channel();
    end_on_signals(send.clone())?;
    let parent = check_length(&arguments.socket)?;
    if let Some(ending) = wait_for_osquery(arguments, &endings)? {
        return Ok(ending);
    }
    let folder = Folder::take(parent).map_err(|why| StartError::NoFolder { parent: parent.to_owned(), why })?;
    let server = PrivateServer::start(tables(&collector, healer.clone()), &folder, CALL_LIMIT + GRACE)?;
    let manager = Manager::new(arguments.socket.clone(), MANAGER_LIMIT);
    let uuid = match register(&manager, server.registry(), arguments, &endings)? {
        Ok(uuid) => uuid,
        Err(ending) => return Ok(ending),
    };
    let mut path = arguments.socket.clone().into_os_string();
    path.push(format!(".{uuid}"));
    let registered = Registered { manager, path: path.into(), uuid };
    let ended = stay(arguments, registered, server, (collector, healer), (send, endings));
    let _ = Manager::new(arguments.socket.clone(), FAREWELL_LIMIT).deregister(uuid);
    ended
}

/// Answers osquery until the process is to end.
fn stay(
    arguments: &Arguments,
    registered: Registered,
    server: PrivateServer,
    (collector, healer): (Arc<Collector>, Arc<Healer>),
    (send, endings): (Sender<Ending>, Receiver<Ending>),
) -> Result<Ending, StartError> {
    let path = registered.path.clone();
    let relay = Relay::listen(path.clone(), registered.uuid, server, send.clone());
    let _relay = relay.map_err(|why| StartError::NoSocket { path: path.clone(), why })?;
    note(arguments, &format!("is registered at {}.", path.display()));
    thread::Builder::new().name("refresh".to_owned()).spawn(move || refresh(&collector))?;
    thread::Builder::new().name("heal".to_owned()).spawn(move || heal(&healer))?;
    let interval = arguments.interval;
    thread::Builder::new().name("watch".to_owned()).spawn(move || {
        // A process whose watch has failed would be one that nobody watches.
        let lost = catch_unwind(AssertUnwindSafe(|| registered.until_lost(interval)));
        let why = lost.unwrap_or_else(|_| "the watch over the registration has failed.".to_owned());
        let _ = send.send(Ending::Lost(why));
    })?;
    Ok(endings.recv().unwrap_or(Ending::Asked))
}

fn tables(collector: &Arc<Collector>, healer: Arc<Healer>) -> Vec<TablePlugin> {
    let collector = collector.clone();
    let ask: AskFindings = Arc::new(move || collector.findings(BUDGET));
    let plugin = |table| TablePlugin::new(table, ask.clone(), Guard::new(CALL_LIMIT));
    tables::all(healer).into_iter().map(plugin).collect()
}

/// Looks after the record of restarts, and heals by itself where the policy says so. A recorded Mac cannot be healed.
fn heal(healer: &Healer) {
    let wait = |time| {
        thread::sleep(time);
        true
    };
    // After a panic, which has said so on standard error, the timer begins anew.
    while healer.can_act() && catch_unwind(AssertUnwindSafe(|| automatic::run(healer, wait))).is_err() {
        thread::sleep(TICK);
    }
}

/// Reads at once, so that the first query finds it done or at least begun, and a live Mac again now and then, so that
/// nothing leaves its log unread.
fn refresh(collector: &Collector) {
    let _ = catch_unwind(AssertUnwindSafe(|| collector.refresh()));
    // The process number serves as a random number: many Macs doing the same thing in the same minute would load the
    // server.
    thread::sleep(Duration::from_secs((process::id() % 60).into()));
    while collector.host().is_live() {
        // A reading that panics has said so on standard error, and must not be the last.
        let _ = catch_unwind(AssertUnwindSafe(|| collector.tick()));
        thread::sleep(TICK);
    }
}

/// Gives the folder of osquery's socket, if there is room behind its path for what is made beside it.
fn check_length(socket: &Path) -> Result<&Path, StartError> {
    let parent = match socket.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let length = |path: &Path| path.as_os_str().len();
    if length(socket) + LONGEST_UUID > LONGEST_PATH || length(parent) + folder::LONGEST > LONGEST_PATH {
        return Err(StartError::PathTooLong { socket: socket.to_owned() });
    }
    Ok(parent)
}

/// Waits until osquery answers: it may start an extension before its socket is there.
fn wait_for_osquery(arguments: &Arguments, endings: &Receiver<Ending>) -> Result<Option<Ending>, StartError> {
    note(arguments, &format!("waits for osquery at {}.", arguments.socket.display()));
    let (start, waited) = (Instant::now(), arguments.timeout);
    let manager = Manager::new(arguments.socket.clone(), waited.clamp(Duration::from_secs(1), MANAGER_LIMIT));
    loop {
        match manager.ping() {
            Ok(()) => return Ok(None),
            Err(why) if start.elapsed() >= waited => return Err(StartError::NoManager { waited, why }),
            Err(_) => {}
        }
        match endings.recv_timeout(POLL) {
            Ok(ending) => return Ok(Some(ending)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
        }
    }
}

/// Registers, or returns the ending that came first. While osquery still lists a predecessor that has ended, it refuses
/// a new registration.
fn register(
    manager: &Manager,
    registry: &[u8],
    arguments: &Arguments,
    endings: &Receiver<Ending>,
) -> Result<Result<i64, Ending>, StartError> {
    let (start, patience) = (Instant::now(), arguments.interval * PREDECESSOR);
    while start.elapsed() < patience {
        match manager.register(registry) {
            Err(error) if error.is_duplicate() => note(arguments, &format!("waits, since {error}.")),
            ended => return Ok(Ok(ended?)),
        }
        if let Ok(ending) = endings.recv_timeout(RETRY.min(patience)) {
            return Ok(Err(ending));
        }
    }
    Ok(Ok(manager.register(registry)?))
}

/// Ends the process on SIGTERM and SIGINT: in order, and if that takes too long, at once.
fn end_on_signals(endings: Sender<Ending>) -> io::Result<()> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        if signals.forever().next().is_some() {
            let _ = endings.send(Ending::Asked);
            thread::sleep(LAST_MOMENT);
            host::kill_all();
            process::exit(0);
        }
    })?;
    Ok(())
}

/// A registration, as long as osquery keeps to it.
struct Registered {
    manager: Manager,
    path: PathBuf,
    uuid: i64,
}

impl Registered {
    /// Looks now and then, and returns with a sentence when the tables are gone. A good ping says nothing: osquery
    /// answers an extension's pings also after it has let it go (seen with 5.23.1).
    fn until_lost(&self, interval: Duration) -> String {
        let mut failures = 0;
        loop {
            thread::sleep(interval);
            match self.look() {
                Ok(true) => failures = 0,
                Ok(false) => return "osquery no longer lists this extension, so its tables are gone.".to_owned(),
                Err(why) => {
                    failures += 1;
                    if failures >= FAILURES {
                        return format!("{why}.");
                    }
                }
            }
        }
    }

    /// Whether osquery still lists us. Our own socket must answer as well, and so must the tables behind it.
    fn look(&self) -> Result<bool, String> {
        let listed = self.manager.extensions().map_err(|error| error.to_string())?;
        let own = Manager::new(self.path.clone(), MANAGER_LIMIT);
        let silent = |what: &str| format!("{what} {} does not answer", self.path.display());
        own.ping().map_err(|_| silent("the extension's own socket"))?;
        if let Some(table) = DEFINITIONS.first() {
            own.alive(table.name).map_err(|_| silent("what is behind the extension's own socket"))?;
        }
        Ok(listed.contains(&self.uuid))
    }
}

fn note(arguments: &Arguments, sentence: &str) {
    if arguments.verbose {
        say(sentence);
    }
}

fn say(sentence: &str) {
    let _ = writeln!(io::stderr(), "mdm-health: {}", printable(sentence));
}
