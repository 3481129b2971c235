//! The address of the page.

use std::io::ErrorKind;
use std::net::TcpListener;

use super::running::{self, Process};
use super::{Ask, Finding, For, Level};
use crate::cli::Role;

/// Takes the port for a moment: that alone tells whether it can be had.
pub(super) fn look(ask: &Ask<'_>) -> Option<Finding> {
    const PATH: &str = "console.listen";
    let listen = ask.reading.config.settings.console.listen;
    if !ask.has(Role::Console) || !ask.reading.is_sound(PATH) || listen.port() == 0 {
        return None;
    }
    let error = TcpListener::bind(listen).err()?;
    let add = |level, rule: String, fix: &str| ask.settings(level, PATH, listen.to_string(), rule, fix);
    Some(match error.kind() {
        ErrorKind::AddrInUse => match running::listener_at(listen).map(|id| Process::of(id, &ask.reading.file)) {
            Some(process) if process.is_ours && ask.by != For::Run => {
                add(Level::Note, format!("{process} runs this configuration and serves the page there"), "")
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
