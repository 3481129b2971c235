//! The addresses that the process listens on.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use super::running::{self, Process};
use super::{Ask, Finding, For, Level, PreflightRule};
use crate::roles::Role;

/// The port of the page if there is one, and that of health and metrics if it is configured.
pub(super) fn look(ask: &Ask<'_>) -> Vec<Finding> {
    let settings = &ask.reading.config.settings;
    let page = ask.has(Role::Console).then_some(settings.console.listen);
    let ports = [("console.listen", page), ("operations.listen", settings.operations.listen)];
    ports.into_iter().filter_map(|(path, listen)| port(ask, path, listen?)).collect()
}

/// Binds the port briefly: only that shows whether it is available.
fn port(ask: &Ask<'_>, path: &str, listen: SocketAddr) -> Option<Finding> {
    if !ask.reading.is_sound(path) || listen.port() == 0 {
        return None;
    }
    let error = TcpListener::bind(listen).err()?;
    let add = |level, rule: PreflightRule| ask.settings(level, path, listen, rule);
    Some(match error.kind() {
        ErrorKind::AddrInUse => match running::listener_at(listen).map(|id| Process::of(id, &ask.reading.file)) {
            Some(process) if process.is_ours && ask.by != For::Run => {
                add(Level::Note, PreflightRule::PortOfThis { process: process.to_string() })
            }
            Some(process) => add(Level::Mistake, PreflightRule::PortTaken { process: process.to_string() }),
            None => add(Level::Mistake, PreflightRule::PortTaken { process: "another process".to_owned() }),
        },
        ErrorKind::AddrNotAvailable => add(Level::Mistake, PreflightRule::ForeignAddress),
        ErrorKind::PermissionDenied => add(Level::Mistake, PreflightRule::PortForbidden),
        _ => add(Level::Mistake, PreflightRule::Port { reason: error.to_string() }),
    })
}
