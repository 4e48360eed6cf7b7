//! Which processes a daemon has.
//!
//! launchd knows: `launchctl print system/LABEL` names the pid of exactly this job. Its shape is known from other services
//! (macOS 11 to 26), not from mdmclient, so where the output does not fit, the list of processes is used. There the name
//! is argv[0], which every program chooses for itself, so parent 1 and a user that only the system has must agree.

use crate::host::{Command, Daemon, Host, HostError};

/// How a daemon's processes are looked up. It stays the same during a restart: the two ways may count differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lookup {
    Launchd,
    ProcessList,
}

/// A daemon's processes at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processes {
    pub pids: Vec<u32>,
    pub lookup: Lookup,
}

impl Processes {
    /// Looks them up in the best way that works.
    pub fn find(host: &dyn Host, daemon: Daemon) -> Result<Self, HostError> {
        match by_launchd(host, daemon) {
            Ok(pids) => Ok(Self { pids, lookup: Lookup::Launchd }),
            Err(_) => Ok(Self { pids: by_list(host, daemon)?, lookup: Lookup::ProcessList }),
        }
    }

    /// Looks them up again in the same way.
    pub fn again(&self, host: &dyn Host, daemon: Daemon) -> Result<Vec<u32>, HostError> {
        match self.lookup {
            Lookup::Launchd => by_launchd(host, daemon),
            Lookup::ProcessList => by_list(host, daemon),
        }
    }

    /// The pid, if there is exactly one.
    pub fn only(&self) -> Option<u32> {
        only(&self.pids)
    }
}

/// The pid, if there is exactly one.
pub fn only(pids: &[u32]) -> Option<u32> {
    match pids {
        [pid] => Some(*pid),
        _ => None,
    }
}

fn by_launchd(host: &dyn Host, daemon: Daemon) -> Result<Vec<u32>, HostError> {
    let text = run(host, Command::Job(daemon))?;
    job_pid(&text, daemon).map(Vec::from_iter).ok_or_else(|| HostError::Failed {
        path: Command::Job(daemon).path().into(),
        code: Some(0),
        stderr: "its output is not understood".to_owned(),
    })
}

/// The pid of a launchd job; `Some(None)` if it does not run, `None` if the output has another form than
///
/// ```text
/// system/com.apple.example = {
///     path = /System/Library/LaunchDaemons/com.apple.example.plist
///     state = running
///
///     program = /usr/libexec/example
///     environment = {
///         XPC_SERVICE_NAME => com.apple.example
///     }
///     pid = 378
/// }
/// ```
///
/// with tabs. The first line is `com.apple.example = {` on older versions. A job that does not run has no pid, and a state
/// such as `not running` or `waiting`.
fn job_pid(text: &str, daemon: Daemon) -> Option<Option<u32>> {
    let mut lines = text.lines();
    let name = lines.next()?.strip_suffix(" = {")?;
    let label = daemon.service().trim_start_matches("system/");
    if name.trim_start_matches("system/") != label || lines.next_back()? != "}" {
        return None;
    }
    // What is indented twice belongs to another block.
    let fields = lines.filter_map(|line| line.strip_prefix('\t')).filter(|line| !line.starts_with('\t'));
    let fields: Vec<(&str, &str)> = fields.filter_map(|line| line.split_once(" = ")).collect();
    let values =
        |key: &str| fields.iter().filter(|(name, _)| *name == key).map(|(_, value)| *value).collect::<Vec<_>>();
    if values("program").iter().any(|program| *program != daemon.image()) {
        return None;
    }
    match (values("pid")[..].as_ref(), values("state")[..].as_ref()) {
        ([pid], [_]) => pid.parse().ok().filter(|pid| *pid > 1).map(Some),
        ([], [state]) if *state != "running" => Some(None),
        _ => None,
    }
}

/// A line of `ps -axww -o pid= -o ppid= -o uid= -o comm=` is `  378     1   200 /System/Library/CoreServices/Software
/// Update.app/Contents/Resources/softwareupdated`. A daemon is a child of launchd (1); an `mdmclient` that somebody runs
/// by hand is not.
fn by_list(host: &dyn Host, daemon: Daemon) -> Result<Vec<u32>, HostError> {
    let text = run(host, Command::Processes)?;
    let processes: Vec<Process<'_>> = text.lines().filter_map(process).collect();
    // launchd itself is always there; a list without it is none.
    if !processes.iter().any(|process| process.pid == 1) {
        let (path, stderr) = (Command::Processes.path().into(), "it lists no processes".to_owned());
        return Err(HostError::Failed { path, code: Some(0), stderr });
    }
    // launchd's own pid, or 0 for a whole group, must never get a signal, whatever a list says.
    let fits = |process: &&Process<'_>| {
        process.pid > 1 && process.parent == 1 && process.image == daemon.image() && daemon.may_run_as(process.uid)
    };
    Ok(processes.iter().filter(fits).map(|process| process.pid).collect())
}

fn run(host: &dyn Host, command: Command) -> Result<String, HostError> {
    let output = host.run(command)?;
    if output.code != Some(0) {
        return Err(HostError::Failed { path: command.path().into(), code: output.code, stderr: output.stderr });
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

struct Process<'a> {
    pid: u32,
    parent: u32,
    uid: u32,
    image: &'a str,
}

fn process(line: &str) -> Option<Process<'_>> {
    let (pid, rest) = line.trim().split_once(char::is_whitespace)?;
    let (parent, rest) = rest.trim_start().split_once(char::is_whitespace)?;
    let (uid, image) = rest.trim_start().split_once(char::is_whitespace)?;
    Some(Process { pid: pid.parse().ok()?, parent: parent.parse().ok()?, uid: uid.parse().ok()?, image: image.trim() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_daemon_itself_fits() {
        let line =
            "  378     1   200 /System/Library/CoreServices/Software Update.app/Contents/Resources/softwareupdated";
        let process = process(line).expect("a process");
        assert_eq!(
            (process.pid, process.parent, process.uid, process.image),
            (378, 1, 200, Daemon::Softwareupdated.image())
        );
        for line in ["", "378", "378 1", "378 1 200", "x 1 200 /usr/libexec/mdmclient", "-1 1 0 /usr/libexec/mdmclient"]
        {
            assert!(super::process(line).is_none(), "{line}");
        }
    }

    fn pid(text: &str) -> Option<Option<u32>> {
        job_pid(text, Daemon::Mdmclient)
    }

    #[test]
    fn launchd_names_the_pid_of_a_running_job() {
        let job = |first: &str| {
            format!(
                "{first} = {{\n\tactive count = 2\n\tpath = /System/Library/LaunchDaemons/com.apple.mdmclient.daemon.plist\n\
                 \ttype = LaunchDaemon\n\tstate = running\n\n\tprogram = /usr/libexec/mdmclient\n\targuments = {{\n\
                 \t\t/usr/libexec/mdmclient\n\t\tdaemon\n\t}}\n\n\tenvironment = {{\n\t\tpid = 99\n\t}}\n\n\truns = 3\n\
                 \tpid = 378\n\timmediate reason = ipc (mach)\n\texit timeout = 5\n}}\n"
            )
        };
        assert_eq!(pid(&job("system/com.apple.mdmclient.daemon")), Some(Some(378)));
        assert_eq!(pid(&job("com.apple.mdmclient.daemon")), Some(Some(378)));
        // Another job's.
        assert_eq!(pid(&job("system/com.apple.mdmclient.daemon.runatboot")), None);
        assert_eq!(pid(&job("system/com.apple.softwareupdated")), None);
    }

    #[test]
    fn a_job_that_does_not_run_has_no_pid() {
        for state in ["not running", "waiting", "spawn scheduled"] {
            let text = format!("system/com.apple.mdmclient.daemon = {{\n\tactive count = 0\n\tstate = {state}\n}}\n");
            assert_eq!(pid(&text), Some(None), "{state}");
        }
    }

    #[test]
    fn what_does_not_fit_names_nobody() {
        for body in [
            "\tstate = running\n",
            "\tpid = 378\n",
            "\tstate = running\n\tpid = 378\n\tpid = 379\n",
            "\tstate = running\n\tpid = 1\n",
            "\tstate = running\n\tpid = 0\n",
            "\tstate = running\n\tpid = -1\n",
            "\tstate = running\n\tpid = all\n",
            "\tstate = running\n\t\tpid = 378\n",
            "state = running\npid = 378\n",
            "\tstate = running\n\tpid = 378\n\tprogram = /tmp/mdmclient\n",
        ] {
            assert_eq!(pid(&format!("system/com.apple.mdmclient.daemon = {{\n{body}}}\n")), None, "{body}");
        }
        for text in ["", "}", "system/com.apple.mdmclient.daemon = {", "Could not find service", "pid = 378"] {
            assert_eq!(pid(text), None, "{text}");
        }
    }
}
