//! What a refresh costs: 1,000 new lines with nothing, 10,000 and 100,000 events in the journal, and the warm tables.
//!
//! Run it with `cargo bench --bench refresh`. The ratio to an empty journal is the result; that of the processor's time
//! holds on a busy machine too.

use chrono::{DateTime, TimeDelta};
use mdm_health::collect::Collector;
use mdm_health::heal::Healer;
use mdm_health::host::{Command, FileEnd, Host, HostError, LogSource, Output};
use mdm_health::log::ReadOptions;
use mdm_health::tables;
use mdm_health::vocabulary::Span;
use mdm_health::vocabulary::Time;
use rustix::time::{ClockId, clock_gettime};
use std::fmt::Write as _;
use std::hint::black_box;
use std::io::{self, Cursor, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

const NEW: usize = 1_000;
const ROUNDS: usize = 15;

fn main() {
    println!("a refresh of {NEW} new lines, {ROUNDS} rounds in turn, medians");
    let kept = [0usize, 10_000, 100_000];
    let mut macs: Vec<Mac> = kept.iter().map(|events| Mac::with(*events)).collect();
    let mut times: Vec<Vec<Duration>> = vec![Vec::new(); kept.len()];
    let mut work = times.clone();
    for _ in 0..ROUNDS {
        // The empty one begins anew each time, the others grow by little.
        if let Some(first) = macs.first_mut() {
            *first = Mac::with(0);
        }
        for ((mac, times), work) in macs.iter().zip(&mut times).zip(&mut work) {
            mac.says(NEW);
            let before = processor();
            times.push(timed(|| mac.collector.refresh()));
            work.push(processor().saturating_sub(before));
        }
    }
    let medians = |times: &mut [Vec<Duration>]| times.iter_mut().map(|times| median(times)).collect();
    let (times, work): (Vec<_>, Vec<_>) = (medians(&mut times), medians(&mut work));
    for ((events, time), work_time) in kept.iter().zip(&times).zip(&work) {
        let ratio =
            |time: &Duration, times: &[Duration]| time.as_secs_f64() / times.first().map_or(0.0, Duration::as_secs_f64);
        println!(
            "{events:>7} events kept: {:.2} ms, {:.2} times that of an empty journal; of the processor {:.2} ms, {:.2} times",
            milliseconds(*time),
            ratio(time, &times),
            milliseconds(*work_time),
            ratio(work_time, &work)
        );
    }
    for (events, mac) in kept.iter().zip(&macs) {
        let healer = Arc::new(Healer::new(mac.collector.clone(), None, Duration::ZERO));
        for table in tables::all(healer) {
            let findings = mac.collector.findings(Duration::from_secs(5));
            let mut times: Vec<Duration> =
                (0..ROUNDS).map(|_| timed(|| drop(black_box(table.rows(&findings))))).collect();
            let rows = table.rows(&findings).len();
            let time = milliseconds(median(&mut times));
            println!("{events:>7} events kept: {} gives {rows} rows in {time:.3} ms", table.definition().name);
        }
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// The processor's time that this thread has had.
fn processor() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// A Mac in memory, with its journal on disk.
struct Mac {
    log: Arc<Mutex<Log>>,
    collector: Arc<Collector>,
    _folder: tempfile::TempDir,
}

/// What `log show` will print next, and when.
struct Log {
    text: String,
    now: Time,
    said: usize,
}

impl Mac {
    #[allow(clippy::expect_used, reason = "a bench without a folder has nothing to measure")]
    fn with(events: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let now = DateTime::from_timestamp(1_795_000_000, 0).unwrap_or_default();
        let log = Arc::new(Mutex::new(Log { text: String::new(), now, said: 0 }));
        let host = Box::new(InMemory(log.clone()));
        let state = folder.path().join("state");
        let collector = Collector::new(host, ReadOptions::default(), state.clone(), Some(state));
        let mac = Self { log, collector, _folder: folder };
        // The first refresh and its look back, then the history.
        mac.collector.refresh();
        for _ in 0..events / NEW {
            mac.says(NEW);
            mac.collector.refresh();
        }
        mac
    }

    fn says(&self, lines: usize) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.text.clear();
        for _ in 0..lines {
            log.said += 1;
            log.now += TimeDelta::milliseconds(250);
            let (at, number) = (log.now.format("%F %T%.6f%z").to_string(), log.said);
            let message = match number % 5 {
                0 => ">>>>> Sending HTTP request (PUT) [Idle] >>>>>".to_owned(),
                1 => "<<<<< Received HTTP response (200) [Idle] <<<<<".to_owned(),
                2 => {
                    format!("Processing server request: ProfileList for: <Device> (token-{}) PowerNap: no", number / 5)
                }
                3 => format!(">>>>> Sending HTTP request (PUT) [Acknowledged(ProfileList):token-{}] >>>>>", number / 5),
                _ => {
                    format!("<<<<< Received HTTP response (200) [Acknowledged(ProfileList):token-{}] <<<<<", number / 5)
                }
            };
            let _ = writeln!(
                log.text,
                "{{\"timezoneName\":\"\",\"messageType\":\"Default\",\"eventType\":\"logEvent\",\"source\":null,\
                 \"subsystem\":\"com.apple.ManagedClient\",\"category\":\"HTTPUtil\",\"threadID\":27661,\
                 \"bootUUID\":\"0D7C8C3B-52F1-4A7E-8B43-9B0A6B0E5F11\",\"processImagePath\":\"\\/usr\\/libexec\\/mdmclient\",\
                 \"timestamp\":\"{at}\",\"machTimestamp\":{number},\
                 \"eventMessage\":\"[0:MDMDaemon:HTTPUtil:<0x6c0d>] {message}\",\"processID\":300}}"
            );
        }
        let _ = writeln!(log.text, "{{\"count\":{lines},\"finished\":1}}");
    }
}

struct InMemory(Arc<Mutex<Log>>);

impl Host for InMemory {
    fn run(&self, command: Command) -> Result<Output, HostError> {
        let stdout = match command {
            Command::Awake => "{ sec = 1794000000, usec = 0 } then\n{ sec = 0, usec = 0 } then\n",
            _ => "Enrolled via DEP: Yes\nMDM enrollment: Yes (User Approved)\n",
        };
        Ok(Output { code: Some(0), stdout: stdout.into(), stderr: String::new() })
    }

    fn open_log(&self, span: Span, _: &str) -> Result<Box<dyn LogSource>, HostError> {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A look back finds nothing.
        let text = if span.to < log.now { "{\"count\":0,\"finished\":1}\n".to_owned() } else { log.text.clone() };
        Ok(Box::new(Text(Cursor::new(text), span)))
    }

    fn read_file(&self, path: &str) -> Result<Vec<u8>, HostError> {
        Err(HostError::Unreadable { path: path.into(), why: io::ErrorKind::NotFound.into() })
    }

    fn read_file_end(&self, path: &str, _: u64) -> Result<FileEnd, HostError> {
        Err(HostError::Unreadable { path: path.into(), why: io::ErrorKind::NotFound.into() })
    }

    fn now(&self) -> Option<Time> {
        Some(self.0.lock().unwrap_or_else(PoisonError::into_inner).now)
    }

    fn is_live(&self) -> bool {
        true
    }

    fn read_trusted(&self, _: &str) -> Result<Option<Vec<u8>>, HostError> {
        Ok(None)
    }

    fn uptime(&self) -> Result<Duration, HostError> {
        Err(HostError::NotLive { missing: "running time" })
    }
}

struct Text(Cursor<String>, Span);

impl Read for Text {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read(buffer)
    }
}

impl LogSource for Text {
    fn span(&self) -> Option<Span> {
        Some(self.1)
    }

    fn finish(self: Box<Self>) -> Result<(), HostError> {
        Ok(())
    }
}
