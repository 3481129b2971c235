//! A password from outside the command line, where others could see it.

use std::io::{BufRead as _, IsTerminal as _};
use std::os::fd::AsFd as _;

use anyhow::Context;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::terminal::{tell, tell_line};

/// Room for a line, so that the buffer does not grow and leave copies behind.
const LINE: usize = 4_096;

/// The password in an environment variable, if one is named, or a line of standard input. A terminal does not show it.
///
/// # Errors
/// When there is none. It is never repeated.
pub(crate) fn read(variable: Option<&str>, prompt: &str) -> anyhow::Result<Zeroizing<String>> {
    if let Some(variable) = variable {
        let found = std::env::var(variable).map(Zeroizing::new);
        // The error of a value that is no text repeats it.
        return found.ok().with_context(|| {
            format!("the environment variable `{variable}` of the password is not set, or not UTF-8; set it")
        });
    }
    let stdin = std::io::stdin();
    let _echo = stdin.is_terminal().then(|| {
        tell!("{prompt}");
        NoEcho::begin()
    });
    let mut line = Zeroizing::new(String::with_capacity(LINE));
    // More than a password may have is refused without being read to its end.
    let mut input = std::io::Read::take(stdin.lock(), LINE as u64);
    input
        .read_line(&mut line)
        .ok()
        .context("the password on standard input is not UTF-8; give it as one line of text")?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}

/// While it lives, the terminal does not show what is typed.
struct NoEcho(Option<Termios>);

impl NoEcho {
    fn begin() -> Self {
        let stdin = std::io::stdin();
        let Ok(before) = tcgetattr(stdin.as_fd()) else { return Self(None) };
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        let _ = tcsetattr(stdin.as_fd(), OptionalActions::Flush, &quiet);
        Self(Some(before))
    }
}

impl Drop for NoEcho {
    fn drop(&mut self) {
        if let Some(before) = &self.0 {
            let _ = tcsetattr(std::io::stdin().as_fd(), OptionalActions::Flush, before);
            tell_line!("");
        }
    }
}
