//! Tells systemd, when it started us, that we are ready and that we stop: sd_notify(3).

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// The variable that names the socket.
const SOCKET: &str = "NOTIFY_SOCKET";

/// Sends a state such as `READY=1`, if anybody asked for it. That it does not arrive is no reason to end.
pub(crate) fn tell(variables: &[(String, String)], state: &str) {
    let Some((_, socket)) = variables.iter().find(|(name, _)| name == SOCKET) else { return };
    if let Err(error) = send(socket, state) {
        tracing::warn!(%error, "systemd could not be told of our state");
    }
}

fn send(socket: &str, state: &str) -> std::io::Result<()> {
    let address = match socket.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(socket)?,
    };
    UnixDatagram::unbound()?.send_to_addr(state.as_bytes(), &address).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_by_path_or_by_abstract_name_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let by_path = UnixDatagram::bind(&path).unwrap();
        let name = path.to_string_lossy().into_owned();
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let by_name = UnixDatagram::bind_addr(&address).unwrap();
        for (socket, named) in [(by_path, name.clone()), (by_name, format!("@{name}"))] {
            tell(&[(SOCKET.into(), named)], "READY=1");
            let mut told = [0; 16];
            let count = socket.recv(&mut told).unwrap();
            assert_eq!(&told[..count], b"READY=1");
        }
    }
}
