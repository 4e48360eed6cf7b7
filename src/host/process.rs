//! A child process under control: no shell, no environment, a deadline that ends its whole group, bounded output.

use super::{HostError, Output};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::ffi::OsStr;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

/// How much of standard error is kept, in bytes. The rest is read and dropped, so that the child never blocks on it.
const STDERR_CAP: u64 = 64 << 10;

/// How long after its deadline a process's output may still be under way.
const GRACE: Duration = Duration::from_secs(1);

/// What is running. Held while a program is started, so that each one is known to whoever kills them all.
static RUNNING: Mutex<Leaders> = Mutex::new(Leaders { ending: false, all: Vec::new() });

/// The leaders of the groups that are running.
struct Leaders {
    /// Whether this program is about to end, so that nothing may begin any more.
    ending: bool,
    all: Vec<Weak<Mutex<Option<Pid>>>>,
}

/// A running child.
pub struct Running {
    path: PathBuf,
    limit: Duration,
    started: Instant,
    stdout: ChildStdout,
    stderr: Receiver<String>,
    group: Group,
}

/// A process group that is killed when its time is up or nobody waits for it any more. It is never killed after its
/// leader was reaped, because the pid may then belong to another process.
struct Group {
    child: Child,
    leader: Arc<Mutex<Option<Pid>>>,
    expired: Arc<AtomicBool>,
    _done: Sender<()>,
}

/// Starts a program in a group of its own.
pub fn start(path: PathBuf, arguments: &[impl AsRef<OsStr>], limit: Duration) -> Result<Running, HostError> {
    let cannot_start = |why: io::Error| HostError::CannotStart { path: path.clone(), why };
    let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    if running.ending {
        return Err(cannot_start(io::Error::other("mdm-health is about to end")));
    }
    #[allow(clippy::disallowed_methods, reason = "the one place where a command is run")]
    let spawned = std::process::Command::new(&path)
        .args(arguments)
        .env_clear()
        .env("LC_ALL", "C")
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn();
    let mut child = spawned.map_err(cannot_start)?;
    let (Some(stdout), Some(stderr)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(cannot_start(io::Error::other("its output cannot be read")));
    };
    let group = Group::watch(child, limit, &mut running);
    drop(running);
    let stderr = in_background(move || {
        let (mut kept, mut input) = (Vec::new(), stderr);
        let _ = input.by_ref().take(STDERR_CAP).read_to_end(&mut kept);
        let _ = io::copy(&mut input, &mut io::sink());
        String::from_utf8_lossy(&kept).trim().to_owned()
    });
    Ok(Running { path, limit, started: Instant::now(), stdout, stderr, group })
}

/// Does something short while no program is being started, so that no child inherits what it opens.
pub fn while_nothing_starts<T>(work: impl FnOnce() -> T) -> T {
    let _running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
    work()
}

/// Kills whatever is running, for a process that is about to end: a child would outlive it. Nothing can be started any
/// more.
pub fn kill_all() {
    let leaders = {
        let mut running = RUNNING.lock().unwrap_or_else(PoisonError::into_inner);
        running.ending = true;
        std::mem::take(&mut running.all)
    };
    for leader in leaders.iter().filter_map(Weak::upgrade) {
        kill(&leader);
    }
}

/// Runs a program to its end.
pub fn run(
    path: PathBuf,
    arguments: &[impl AsRef<OsStr>],
    limit: Duration,
    output_cap: usize,
) -> Result<Output, HostError> {
    let Running { path, stdout, stderr, mut group, .. } = start(path, arguments, limit)?;
    let cap = u64::try_from(output_cap).unwrap_or(u64::MAX).saturating_add(1);
    let printed = in_background(move || {
        let mut printed = Vec::new();
        let read = stdout.take(cap).read_to_end(&mut printed);
        (printed, read)
    });
    let printed = printed.recv_timeout(limit + GRACE);
    let too_much = printed.as_ref().is_ok_and(|(printed, _)| printed.len() > output_cap);
    if too_much {
        kill(&group.leader);
    }
    let said = stderr.recv_timeout(limit + GRACE).unwrap_or_default();
    let status = group.reap();
    if too_much {
        return Err(HostError::TooMuchOutput { path, limit: output_cap });
    }
    match (group.expired(), printed, status) {
        (false, Ok((stdout, Ok(_))), Ok(status)) => Ok(Output { code: status.code(), stdout, stderr: said }),
        (false, Ok((_, Err(why))), _) | (false, _, Err(why)) => Err(HostError::Unreadable { path, why }),
        (true, ..) | (_, Err(_), _) => Err(HostError::TimedOut { path, limit }),
    }
}

impl Read for Running {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        // A child of the child may hold the pipe open after both have been killed: then the output ends here.
        let left = (self.started + self.limit + GRACE).saturating_duration_since(Instant::now());
        let mut ready = [PollFd::new(&self.stdout, PollFlags::IN)];
        let timeout =
            Timespec { tv_sec: left.as_secs().try_into().unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
        if poll(&mut ready, Some(&timeout))? == 0 {
            return Ok(0);
        }
        self.stdout.read(buffer)
    }
}

impl Running {
    /// Waits for the end after the output was read; anything but exit code 0 is an error.
    pub fn finish(mut self) -> Result<(), HostError> {
        drop(self.stdout);
        let stderr = self.stderr.recv_timeout(self.limit + GRACE).unwrap_or_default();
        let status = self.group.reap();
        let path: &Path = &self.path;
        match status {
            _ if self.group.expired() => Err(HostError::TimedOut { path: path.into(), limit: self.limit }),
            Ok(status) if status.success() => Ok(()),
            Ok(status) => Err(HostError::Failed { path: path.into(), code: status.code(), stderr }),
            Err(why) => Err(HostError::Unreadable { path: path.into(), why }),
        }
    }
}

impl Group {
    fn watch(child: Child, limit: Duration, running: &mut Leaders) -> Self {
        let leader = Arc::new(Mutex::new(Some(Pid::from_child(&child))));
        running.all.retain(|leader| leader.strong_count() > 0);
        running.all.push(Arc::downgrade(&leader));
        let expired = Arc::new(AtomicBool::new(false));
        let (done, wait) = mpsc::channel::<()>();
        let (watched, flag) = (leader.clone(), expired.clone());
        thread::spawn(move || {
            if wait.recv_timeout(limit) == Err(mpsc::RecvTimeoutError::Timeout) {
                // Under the lock, which whoever reaps it takes before asking for the reason.
                let leader = watched.lock().unwrap_or_else(PoisonError::into_inner);
                flag.store(kill_group(*leader), Ordering::Release);
            }
        });
        Self { child, leader, expired, _done: done }
    }

    fn expired(&self) -> bool {
        self.expired.load(Ordering::Acquire)
    }

    /// Waits for the leader without freeing its pid, then forgets the group, then frees the pid.
    fn reap(&mut self) -> io::Result<ExitStatus> {
        let _ = waitid(WaitId::Pid(Pid::from_child(&self.child)), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT);
        self.leader.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.child.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let leader = self.leader.lock().unwrap_or_else(PoisonError::into_inner).take();
        if leader.is_none() {
            return;
        }
        kill_group(leader);
        // The group cannot always be killed: macOS answers EPERM where only its dead leader is left, and a leader may have
        // moved to another group. The leader itself is killed and reaped all the same; one that cannot be killed is not
        // waited for.
        let _ = match self.child.kill() {
            Ok(()) => self.child.wait().map(Some),
            Err(_) => self.child.try_wait(),
        };
    }
}

fn kill(leader: &Mutex<Option<Pid>>) -> bool {
    kill_group(*leader.lock().unwrap_or_else(PoisonError::into_inner))
}

fn kill_group(leader: Option<Pid>) -> bool {
    leader.is_some_and(|leader| kill_process_group(leader, Signal::KILL).is_ok())
}

fn in_background<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Receiver<T> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let _ = send.send(work());
    });
    receive
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::process::{WaitOptions, test_kill_process, waitpid};

    /// A program that moves out of its process group, says so, and then does `after`: its group cannot be killed, as on
    /// macOS where nothing but a dead leader is left in it.
    fn outside_its_group(after: &str) -> (Running, Pid) {
        let script = format!("setpgrp(0, getpgrp(getppid())); $| = 1; print \"moved\\n\"; {after}");
        let limit = Duration::from_secs(600);
        let mut running = start("/usr/bin/perl".into(), &["-e", &script], limit).unwrap();
        let mut said = [0; 6];
        running.read_exact(&mut said).unwrap();
        let pid = Pid::from_child(&running.group.child);
        assert!(kill_process_group(pid, Signal::KILL).is_err());
        (running, pid)
    }

    #[test]
    fn a_dead_leader_whose_group_cannot_be_killed_is_reaped() {
        let (running, pid) = outside_its_group("exit 0");
        waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT).unwrap();
        drop(running);
        assert!(waitpid(Some(pid), WaitOptions::NOHANG).is_err(), "it is still a zombie");
    }

    #[test]
    fn a_leader_that_left_its_group_is_killed() {
        let (running, pid) = outside_its_group("sleep 600");
        drop(running);
        assert!(test_kill_process(pid).is_err(), "it is still running");
    }
}
