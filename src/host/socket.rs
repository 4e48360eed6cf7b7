//! Unix sockets that no command inherits. macOS cannot make or accept a socket and mark it close-on-exec in one step: a
//! command that is started between the two would keep the connection open. So nothing is started meanwhile.

use super::process::while_nothing_starts;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketType};
use std::io::{self, ErrorKind};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

/// Listens at a path where nothing is yet. [`accept`] takes the connections.
pub fn listen(path: &Path) -> io::Result<UnixListener> {
    let listener = while_nothing_starts(|| UnixListener::bind(path))?;
    // Whoever connected may have left again before it is accepted; waiting for the next one would stop all starts.
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// Waits for a connection.
pub fn accept(listener: &UnixListener) -> io::Result<UnixStream> {
    loop {
        match poll(&mut [PollFd::new(listener, PollFlags::IN)], None) {
            Err(rustix::io::Errno::INTR) => continue,
            ready => ready?,
        };
        match while_nothing_starts(|| listener.accept()) {
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {}
            accepted => {
                let (stream, _) = accepted?;
                // On macOS it is as non-blocking as its listener.
                stream.set_nonblocking(false)?;
                return Ok(stream);
            }
        }
    }
}

/// Connects to whoever listens at a path.
pub fn connect(path: &Path) -> io::Result<UnixStream> {
    let address = SocketAddrUnix::new(path)?;
    let socket = while_nothing_starts(|| {
        let socket = rustix::net::socket(AddressFamily::UNIX, SocketType::STREAM, None)?;
        fcntl_setfd(&socket, FdFlags::CLOEXEC)?;
        rustix::io::Result::Ok(socket)
    })?;
    rustix::net::connect(&socket, &address)?;
    Ok(socket.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{OFlags, fcntl_getfl};
    use rustix::io::fcntl_getfd;
    use std::io::Write;

    #[test]
    fn no_command_inherits_a_socket_and_a_connection_waits_for_its_data() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = listen(&path).unwrap();
        let mut near = connect(&path).unwrap();
        let far = accept(&listener).unwrap();
        for flags in [fcntl_getfd(&listener), fcntl_getfd(&near), fcntl_getfd(&far)] {
            assert_eq!(flags.unwrap(), FdFlags::CLOEXEC);
        }
        for flags in [fcntl_getfl(&near), fcntl_getfl(&far)] {
            assert!(!flags.unwrap().contains(OFlags::NONBLOCK));
        }
        near.write_all(b"x").unwrap();
    }

    #[test]
    fn nobody_behind_the_path_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        assert_eq!(connect(&path).unwrap_err().kind(), ErrorKind::NotFound);
        drop(listen(&path).unwrap());
        assert_eq!(connect(&path).unwrap_err().kind(), ErrorKind::ConnectionRefused);
    }
}
