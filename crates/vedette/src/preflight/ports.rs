//! The addresses that the process listens on.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use super::running::{self, Process};
use super::{Ask, Finding, For, Level};
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
    let add = |level, rule: String, fix: &str| ask.settings(level, path, listen.to_string(), rule, fix);
    Some(match error.kind() {
        ErrorKind::AddrInUse => match running::listener_at(listen).map(|id| Process::of(id, &ask.reading.file)) {
            Some(process) if process.is_ours && ask.by != For::Run => {
                add(Level::Note, format!("{process} runs this configuration and listens there"), "")
            }
            Some(process) => {
                let fix = "stop that process, or give another port";
                add(Level::Mistake, format!("this address and port are taken by {process}"), fix)
            }
            None => {
                let fix = "stop whoever listens there, or give another port";
                add(Level::Mistake, "this address and port are taken".to_owned(), fix)
            }
        },
        ErrorKind::AddrNotAvailable => {
            let fix = "give an address of this machine, 127.0.0.1 for this machine alone, or 0.0.0.0 for all of them";
            add(Level::Mistake, "this is no address of this machine".to_owned(), fix)
        }
        ErrorKind::PermissionDenied => {
            let fix = "give a port from 1024 on, or the right to use this one";
            add(Level::Mistake, "this user may not listen there".to_owned(), fix)
        }
        _ => add(Level::Mistake, format!("nothing can listen there: {error}"), "give another address or port"),
    })
}
