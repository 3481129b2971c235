//! The process that has a lock or a port, and whether it is the product running the same configuration: read from Linux's `/proc`.
//! No process is contacted or disturbed.

use std::ffi::OsString;
use std::fmt;
use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use clap::parser::ValueSource;

use crate::cli::Cli;

/// A process that has a lock or port that we need.
#[derive(Debug)]
pub(super) struct Process {
    id: u32,
    command: String,
    /// Whether it is this program, running this configuration.
    pub(super) is_ours: bool,
}

impl Process {
    /// The process `id`, and whether it runs the configuration in `file`.
    pub(super) fn of(id: u32, file: &Path) -> Self {
        let words = words(&proc(id).join("cmdline"));
        let shown: Vec<_> = words.iter().map(|word| word.to_string_lossy()).collect();
        let command = shown.join(" ").chars().take(120).collect();
        let theirs = configuration(id, &words).and_then(|path| path.canonicalize().ok());
        let is_ours = theirs.is_some() && theirs == file.canonicalize().ok();
        Self { id, command, is_ours }
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} (`{}`)", self.id, self.command)
    }
}

fn proc(id: u32) -> PathBuf {
    Path::new("/proc").join(id.to_string())
}

/// The words between zero bytes.
fn words(path: &Path) -> Vec<OsString> {
    let bytes = fs::read(path).unwrap_or_default();
    let each = bytes.split(|byte| *byte == 0).filter(|word| !word.is_empty());
    each.map(|word| OsString::from_vec(word.to_vec())).collect()
}

/// The settings file of process `id`, when it is this program.
fn configuration(id: u32, command: &[OsString]) -> Option<PathBuf> {
    let program = |path: PathBuf| {
        let name = path.file_name()?.to_string_lossy().into_owned();
        Some(name.trim_end_matches(" (deleted)").to_owned())
    };
    let theirs = program(fs::read_link(proc(id).join("exe")).ok()?)?;
    if Some(theirs) != program(std::env::current_exe().ok()?) {
        return None;
    }
    let matches = Cli::command().try_get_matches_from(command).ok()?;
    let run = matches.subcommand_matches("run")?;
    let told = run.get_one::<PathBuf>("config").cloned();
    let path = match run.value_source("config") {
        Some(ValueSource::CommandLine) => told?,
        // From its environment, not ours.
        _ => variable(id, "VEDETTE_CONFIG").unwrap_or_else(|| "vedette.toml".into()),
    };
    Some(fs::read_link(proc(id).join("cwd")).ok()?.join(path))
}

fn variable(id: u32, name: &str) -> Option<PathBuf> {
    let all = words(&proc(id).join("environ"));
    all.iter().find_map(|word| Some(word.to_str()?.strip_prefix(name)?.strip_prefix('=')?.into()))
}

/// The process that has a lock on the whole file (`/proc/locks`: number, kind, mode, access, process, device:inode, range).
pub(super) fn holder_of(file: &Path) -> Option<u32> {
    let inode = fs::metadata(file).ok()?.ino().to_string();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().find_map(|line| {
        let columns: Vec<&str> = line.split_whitespace().filter(|column| *column != "->").collect();
        let [_, "FLOCK", _, _, process, place, ..] = columns[..] else { return None };
        (place.rsplit(':').next() == Some(inode.as_str())).then(|| process.parse().ok())?
    })
}

/// The process that listens at an address, or at its port on all addresses.
pub(super) fn listener_at(address: SocketAddr) -> Option<u32> {
    let mut inodes = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = fs::read_to_string(table).unwrap_or_default();
        inodes.extend(text.lines().skip(1).filter_map(|line| listening(line, address)));
    }
    let links: Vec<PathBuf> = inodes.iter().map(|inode| format!("socket:[{inode}]").into()).collect();
    fs::read_dir("/proc").ok()?.flatten().find_map(|entry| {
        let id = entry.file_name().to_str()?.parse::<u32>().ok()?;
        let open = fs::read_dir(entry.path().join("fd")).ok()?;
        let has = open.flatten().filter_map(|file| fs::read_link(file.path()).ok()).any(|link| links.contains(&link));
        has.then_some(id)
    })
}

/// The socket of a line of `/proc/net/tcp` that listens there: number, local address, remote address, state, ..., inode.
fn listening(line: &str, wanted: SocketAddr) -> Option<String> {
    const LISTEN: &str = "0A";
    let columns: Vec<&str> = line.split_whitespace().collect();
    let (local, port) = columns.get(1)?.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let all = local.bytes().all(|byte| byte == b'0') || wanted.ip().is_unspecified();
    let same = all || local.eq_ignore_ascii_case(&written(wanted.ip()));
    (*columns.get(3)? == LISTEN && port == wanted.port() && same)
        .then(|| columns.get(9).map(|inode| (*inode).to_owned()))?
}

/// An address as the kernel writes it: words of four bytes in the machine's order.
fn written(ip: IpAddr) -> String {
    let bytes = match ip {
        IpAddr::V4(ip) => ip.octets().to_vec(),
        IpAddr::V6(ip) => ip.octets().to_vec(),
    };
    let word =
        |four: &[u8]| four.try_into().map(u32::from_ne_bytes).map(|word| format!("{word:08X}")).unwrap_or_default();
    bytes.chunks(4).map(word).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]

    use super::*;

    #[test]
    fn who_has_a_lock_or_a_port_is_found() {
        let me = Some(std::process::id());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("LOCK");
        let file = fs::File::create(&path).unwrap();
        assert_eq!(holder_of(&path), None);
        file.lock().unwrap();
        assert_eq!(holder_of(&path), me);
        for address in ["127.0.0.1:0", "0.0.0.0:0", "[::1]:0"] {
            let listener = std::net::TcpListener::bind(address).unwrap();
            assert_eq!(listener_at(listener.local_addr().unwrap()), me, "{address}");
        }
        let process = Process::of(std::process::id(), &path);
        assert!(!process.is_ours && process.to_string().contains(&std::process::id().to_string()));
    }
}
