//! What a day of the extension costs a Mac: how often its log is read and how many processes are started, with the pack
//! and the policies as they are shipped, by a clock that runs as fast as it can.

use super::keychain::Keychain;
use chrono::{DateTime, TimeDelta};
use mdm_health::cli::packs::{Kind, QUERIES};
use mdm_health::collect::Collector;
use mdm_health::host::{Command, FileEnd, Host, HostError, LogSource, Output, SinceBoot};
use mdm_health::log::ReadOptions;
use mdm_health::vocabulary::{Span, Time};
use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

const MINUTES: i64 = 1_440;

/// Seconds of `log show` for a day of log and for a few minutes of it, as others measured them on Macs.
const DAY_OF_LOG: f64 = 30.0;
const MINUTES_OF_LOG: f64 = 3.8;

/// What came of the day.
#[derive(Debug, Default, Clone)]
pub struct Cost {
    pub queries: u32,
    /// `log show` was run so often.
    pub readings: u32,
    /// Seconds of `log show`, by the figures above.
    pub log_seconds: f64,
    /// Processes by what they were for, `log show` among them.
    pub processes: BTreeMap<&'static str, u32>,
}

impl Cost {
    pub fn all_processes(&self) -> u32 {
        self.processes.values().sum()
    }

    /// The figures for people.
    pub fn words(&self) -> String {
        let (readings, processes, seconds) = (self.readings, self.all_processes(), self.log_seconds);
        let mut text = format!(
            "{} queries: the log was read {readings} times, {processes} processes were started.\n{seconds:.0} s of log show \
             by others' figures: {:.2} % of a core\n",
            self.queries,
            seconds / 864.0
        );
        self.processes.iter().for_each(|(name, count)| text += &format!("{count:>5} {name}\n"));
        text
    }
}

/// A desktop that never sleeps and whose server answers every hour.
struct CountedMac {
    now: Arc<Mutex<Time>>,
    /// Minutes of sleep since it booted.
    slept: Arc<Mutex<i64>>,
    cost: Arc<Mutex<Cost>>,
    keychain: Keychain,
    /// What `pmset -g batt` prints.
    power: &'static str,
}

fn begin() -> Time {
    DateTime::from_timestamp(1_795_000_000, 0).unwrap()
}

impl Host for CountedMac {
    fn run(&self, command: Command) -> Result<Output, HostError> {
        *self.cost.lock().unwrap().processes.entry(command.name()).or_default() += 1;
        let text = match command {
            Command::ProfilesStatus => super::ENROLLED.to_owned(),
            Command::Awake => format!(
                "{{ sec = {}, usec = 0 }} then\n{{ sec = 0, usec = 0 }} then\n",
                (begin() - TimeDelta::days(7)).timestamp()
            ),
            Command::Network => super::ONLINE.to_owned(),
            Command::Platform => super::fake_mac::PLATFORM.to_owned(),
            Command::ProfilesList => super::keychain::profiles_list(&super::keychain::scep("Mac 42")),
            Command::ManagementStatus => super::keychain::MANAGED.to_owned(),
            Command::Identities => self.keychain.identities(),
            Command::Certificates => self.keychain.certificates().to_owned(),
            Command::SystemVersion => "26.1\n25B78\n".to_owned(),
            Command::BootstrapToken => {
                "profiles: Bootstrap Token supported on server: YES\nprofiles: Bootstrap Token escrowed to server: YES\n".to_owned()
            }
            Command::ComputerName => "Mac 42\n".to_owned(),
            Command::DiskSpace => super::fake_mac::DISK_SPACE.to_owned(),
            Command::Power => self.power.to_owned(),
            Command::BootSession => "11111111-2222-3333-4444-555555555555\n".to_owned(),
            // Asked for a restart or for redaction.
            _ => panic!("{command:?} is run"),
        };
        Ok(Output { code: Some(0), stdout: text.into_bytes(), stderr: String::new() })
    }

    fn open_log(&self, span: Span, _: &str) -> Result<Box<dyn LogSource>, HostError> {
        let mut cost = self.cost.lock().unwrap();
        *cost.processes.entry("log-show").or_default() += 1;
        cost.readings += 1;
        let share = ((span.to - span.from).num_minutes() as f64 / MINUTES as f64).min(1.0);
        cost.log_seconds += MINUTES_OF_LOG + (DAY_OF_LOG - MINUTES_OF_LOG) * share;
        let mut text = String::new();
        let mut at = begin() - TimeDelta::days(2);
        while at <= span.to {
            if at >= span.from {
                let message = "<<<<< Received HTTP response (200) [Idle] <<<<<";
                text += &super::record(super::MDMCLIENT, &at.format("%F %T%.6f+0000").to_string(), 300, 7, message);
                text += "\n";
            }
            at += TimeDelta::hours(1);
        }
        Ok(Box::new(Shown(Cursor::new(text + "{\"count\":1,\"finished\":1}\n"), span)))
    }

    fn read_file(&self, path: &str) -> Result<Vec<u8>, HostError> {
        if path.ends_with("Version.plist") {
            let text = "<plist version=\"1.0\"><dict><key>ProductVersion</key><string>26.1</string></dict></plist>";
            return Ok(text.as_bytes().to_vec());
        }
        Err(HostError::Unreadable { path: path.into(), why: io::ErrorKind::NotFound.into() })
    }

    fn read_file_end(&self, path: &str, _: u64) -> Result<FileEnd, HostError> {
        self.read_file(path).map(|_| FileEnd::default())
    }

    fn read_trusted(&self, _: &str) -> Result<Option<Vec<u8>>, HostError> {
        Ok(None)
    }

    fn now(&self) -> Option<Time> {
        Some(*self.now.lock().unwrap())
    }

    fn since_boot(&self) -> Result<SinceBoot, HostError> {
        let running_ms = (*self.now.lock().unwrap() - begin()).num_milliseconds() + 7 * 86_400_000;
        Ok(SinceBoot { running_ms, awake_ms: running_ms - *self.slept.lock().unwrap() * 60_000 })
    }

    fn uptime(&self) -> Result<Duration, HostError> {
        Ok(Duration::from_secs(1))
    }

    fn is_live(&self) -> bool {
        true
    }
}

struct Shown(Cursor<String>, Span);

impl Read for Shown {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl LogSource for Shown {
    fn span(&self) -> Option<Span> {
        Some(self.1)
    }

    fn finish(self: Box<Self>) -> Result<(), HostError> {
        Ok(())
    }
}

/// The minutes of the day at which osquery runs what is scheduled: each query of the pack at a minute of its own, since
/// osquery spreads them, and Fleet's policies together every hour.
fn schedule() -> Vec<i64> {
    let mut minutes = Vec::new();
    let scheduled: Vec<_> = QUERIES.iter().filter(|query| query.interval > 0).collect();
    for (number, query) in scheduled.iter().enumerate() {
        let every = i64::from(query.interval / 60).max(1);
        let first = 3 + i64::try_from(number).unwrap() * 7 % every;
        minutes.extend((first..MINUTES).step_by(usize::try_from(every).unwrap()));
    }
    let policies = QUERIES.iter().filter(|query| matches!(query.kind, Kind::Policy { .. })).count();
    minutes.extend((0..24).flat_map(|hour| std::iter::repeat_n(hour * 60 + 29, policies)));
    minutes.sort_unstable();
    minutes
}

/// A Mac with the extension, at a minute of the day.
pub struct Watched {
    now: Arc<Mutex<Time>>,
    slept: Arc<Mutex<i64>>,
    cost: Arc<Mutex<Cost>>,
    collector: Arc<Collector>,
}

impl Watched {
    /// The extension has just started. The journal is kept in `folder`.
    pub fn new(folder: &Path) -> Self {
        Self::powered(folder, "Now drawing from 'AC Power'\n")
    }

    /// One whose power comes from where `pmset -g batt` says.
    pub fn powered(folder: &Path, power: &'static str) -> Self {
        let (now, slept, cost) = (Arc::new(Mutex::new(begin())), Arc::default(), Arc::<Mutex<Cost>>::default());
        let keychain = Keychain::at(&begin().to_rfc3339()).identity("Mac 42", "Example CA", -65..300);
        let host = CountedMac { now: now.clone(), slept: Arc::clone(&slept), cost: cost.clone(), keychain, power };
        let folder = folder.to_owned();
        let collector = Collector::new(Box::new(host), ReadOptions::default(), folder.clone(), Some(folder));
        collector.refresh();
        Self { now, slept, cost, collector }
    }

    /// What the extension does each minute.
    pub fn minute(&self, minute: i64) {
        *self.now.lock().unwrap() = begin() + TimeDelta::minutes(minute);
        self.collector.tick();
    }

    /// Somebody asks, maybe with others.
    pub fn query_at_once(&self) {
        self.collector.findings(Duration::from_secs(60));
        self.cost.lock().unwrap().queries += 1;
    }

    /// Somebody asks.
    pub fn query(&self) {
        self.query_at_once();
        // What is read after the findings were given belongs to this minute.
        while Arc::strong_count(&self.collector) > 1 {
            thread::sleep(Duration::from_millis(1));
        }
    }

    /// By the next minute it has slept for so long.
    pub fn sleeps(&self, minutes: i64) {
        *self.slept.lock().unwrap() += minutes;
    }

    pub fn cost(&self) -> Cost {
        self.cost.lock().unwrap().clone()
    }
}

/// Lets a day pass.
pub fn run(folder: &Path) -> Cost {
    let (mac, schedule) = (Watched::new(folder), schedule());
    for minute in 0..MINUTES {
        mac.minute(minute);
        schedule.iter().filter(|at| **at == minute).for_each(|_| mac.query());
    }
    mac.cost()
}
