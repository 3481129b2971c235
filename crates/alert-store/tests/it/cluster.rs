//! A real PostgreSQL server of the test's own: in a temporary directory, on a free port of this machine, gone with the
//! process that started it, however that ends.
#![allow(dead_code, reason = "each user takes its own part")]

use std::io::Write;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

/// Stops the server and removes its directory once the test's process is gone: its end of the pipe is closed then.
const GUARD: &str =
    r#"trap '' INT; cat >/dev/null; "$1/pg_ctl" stop -m immediate -D "$2/data" >/dev/null 2>&1; rm -rf "$2""#;

pub(crate) struct Cluster {
    home: String,
    port: u16,
    databases: AtomicU32,
    guard: Child,
}

impl Cluster {
    /// One for all tests of the process that do not stop it.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Cluster> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    pub(crate) fn start() -> Self {
        let home = run(&mut as_server("mktemp", &["-d", "/tmp/vedette-postgres.XXXXXX"])).trim().to_owned();
        let mut guard = as_server("sh", &["-c", GUARD, "guard", &bin(), &home]);
        let guard = guard.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let data = format!("{home}/data");
        // No sync: these tests kill the server, not the machine. `trust` and only this machine's loopback.
        let initdb = ["-D", &data, "-U", "vedette", "-A", "trust", "-E", "UTF8", "--locale=C", "-N"];
        run(&mut as_server(&tool("initdb"), &initdb));
        // One role has to give its password.
        let guarded = "1i host all guarded 127.0.0.1/32 scram-sha-256";
        run(&mut as_server("sed", &["-i", guarded, &format!("{data}/pg_hba.conf")]));
        let mut cluster = Self { home, port: 0, databases: AtomicU32::new(0), guard };
        for port in free_ports() {
            cluster.port = port;
            if cluster.up() {
                return cluster;
            }
        }
        panic!(
            "no server on any port: {}",
            std::fs::read_to_string(format!("{}/log", cluster.home)).unwrap_or_default()
        );
    }

    /// The address of a new, empty database.
    pub(crate) fn database(&self) -> String {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.sql("postgres", &format!("CREATE DATABASE {name}"));
        self.address(&name)
    }

    pub(crate) fn address(&self, database: &str) -> String {
        format!("postgresql://vedette@127.0.0.1:{}/{database}", self.port)
    }

    /// Runs SQL by psql; gives what it prints, without headings.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> String {
        let address = self.address(database);
        run(&mut as_server(
            &tool("psql"),
            &["-X", "-q", "-t", "-A", "-v", "ON_ERROR_STOP=1", "-d", &address, "-c", sql],
        ))
    }

    /// Runs a dump by psql in the database at `address`.
    pub(crate) fn load(&self, address: &str, dump: &str) {
        let arguments = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", address];
        let mut psql = as_server(&tool("psql"), &arguments);
        let mut psql = psql.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        psql.stdin.take().unwrap().write_all(dump.as_bytes()).unwrap();
        assert!(psql.wait().unwrap().success(), "{address} does not take the dump");
    }

    /// Kills the server as a crash does: no checkpoint, connections cut.
    pub(crate) fn kill(&self) {
        run(&mut as_server(&tool("pg_ctl"), &["stop", "-m", "immediate", "-D", &self.data()]));
    }

    /// Starts it again on the same port.
    pub(crate) fn restart(&self) {
        assert!(self.up(), "{}", std::fs::read_to_string(format!("{}/log", self.home)).unwrap_or_default());
    }

    fn up(&self) -> bool {
        let log = format!("{}/log", self.home);
        let options = format!("-p {} -k {} -c listen_addresses=127.0.0.1 -c fsync=off", self.port, self.home);
        let arguments = ["start", "-w", "-t", "300", "-s", "-D", &self.data(), "-l", &log, "-o", &options];
        // The server keeps its starter's outputs open, so they are not waited for.
        let mut start = as_server(&tool("pg_ctl"), &arguments);
        start.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }

    fn data(&self) -> String {
        format!("{}/data", self.home)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// Below the range that the system gives to outgoing connections, so that a port stays free while its server is down.
fn free_ports() -> impl Iterator<Item = u16> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let from = std::process::id() * 7;
    (0..200)
        .map(move |_| 20_000 + ((from + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000) as u16)
        .filter(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok())
}

/// The folder of the newest server that Debian's package `postgresql` installed.
fn bin() -> String {
    static BIN: OnceLock<String> = OnceLock::new();
    let find = || {
        let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let mut bins: Vec<PathBuf> = versions.map(|version| version.path().join("bin")).collect();
        bins.retain(|bin| bin.join("initdb").exists());
        bins.sort_by_key(|bin| bin.parent()?.file_name()?.to_str()?.parse::<u32>().ok());
        let newest = bins.pop().expect("a PostgreSQL server under /usr/lib/postgresql; `make test-deps` installs it");
        newest.display().to_string()
    };
    BIN.get_or_init(find).clone()
}

fn tool(name: &str) -> String {
    format!("{}/{name}", bin())
}

/// PostgreSQL does not run as root: root lends it the user of its package.
fn as_server(program: &str, arguments: &[&str]) -> Command {
    let root = run(Command::new("id").arg("-u")).trim() == "0";
    let mut command = Command::new(if root { "runuser" } else { program });
    if root {
        command.args(["-u", "postgres", "--", program]);
    }
    command.args(arguments).current_dir("/").env("LC_ALL", "C.UTF-8");
    command
}

fn run(command: &mut Command) -> String {
    let output = command.stdin(Stdio::null()).output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
