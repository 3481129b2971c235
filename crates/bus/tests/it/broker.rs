//! A real Kafka broker for tests, started through `deploy/kafka/start.sh`. Needs nothing but std, so that tests of other
//! crates can include this file by its path.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

/// How long a broker may take to answer; only a broken one takes so long.
const START: Duration = Duration::from_secs(120);

/// Retention and compaction that act within seconds.
const QUICK: &str = "
log.initial.task.delay.ms=100
log.retention.check.interval.ms=200
log.segment.delete.delay.ms=100
log.roll.ms=300
log.cleaner.backoff.ms=200
log.cleaner.min.cleanable.ratio=0.01
";

/// A broker with its data; both go when it is dropped, and also when the test process dies.
pub(crate) struct Broker {
    port: u16,
    controller_port: u16,
    dir: PathBuf,
    watch: Mutex<Option<Child>>,
}

/// Whether a broker can run here without fetching anything. `VEDETTE_REQUIRE_KAFKA=1` turns a "no" into a failing test.
pub(crate) fn available() -> bool {
    if std::env::var_os("VEDETTE_REQUIRE_KAFKA").is_some() {
        return true;
    }
    let cache = std::env::var_os("VEDETTE_CACHE").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/vedette"));
    let fetched = cache.or(home).is_some_and(|cache| cache.join("kafka/4.1.1/libs/.complete").exists());
    let java = Command::new("java").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = fetched && java.is_ok_and(|status| status.success());
    if !there {
        // Past the capture of passing tests, so that each skipped test is seen and counted.
        let test = std::thread::current().name().unwrap_or("a test").to_owned();
        let why = "no Kafka here; `deploy/kafka/start.sh --fetch-only` fetches it (Java 17 and Maven needed)";
        let _ = std::io::stderr().write_all(format!("\nSKIPPED {test}: {why}\n").as_bytes());
    }
    there
}

/// The broker that the tests of this process share; `None` where none can run.
pub(crate) fn shared() -> Option<&'static Broker> {
    static BROKER: OnceLock<Option<Broker>> = OnceLock::new();
    shared_in(&BROKER, Broker::start)
}

/// The same for brokers with other properties. Each test that has to do without one is counted.
pub(crate) fn shared_in(
    cell: &'static OnceLock<Option<Broker>>,
    start: impl FnOnce() -> Option<Broker>,
) -> Option<&'static Broker> {
    let mut tried = false;
    let broker = cell.get_or_init(|| {
        tried = true;
        start()
    });
    if broker.is_none() && !tried {
        available();
    }
    broker.as_ref()
}

fn script() -> PathBuf {
    let found = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|dir| dir.join("deploy/kafka/start.sh"));
    found.into_iter().find(|path| path.exists()).expect("deploy/kafka/start.sh is in the repository")
}

/// A port that nobody listens on, and that nobody gets who asks for any: those are from 32768 on. No two calls give the same.
fn free_port() -> u16 {
    static TRIED: AtomicU32 = AtomicU32::new(0);
    const FIRST: u32 = 20_000;
    const COUNT: u32 = 12_000;
    loop {
        // Processes of tests begin far from each other.
        let number = std::process::id().wrapping_mul(97).wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed));
        let port = (FIRST + number % COUNT) as u16;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Broker {
    /// Starts a broker of its own; `None` where none can run.
    pub(crate) fn start() -> Option<Self> {
        Self::start_with("")
    }

    /// The same with further properties.
    pub(crate) fn start_with(properties: &str) -> Option<Self> {
        Self::start_unhurried(&format!("{QUICK}{properties}"))
    }

    /// The same that rolls and compacts its logs when Kafka does by default.
    pub(crate) fn start_unhurried(properties: &str) -> Option<Self> {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        if !available() {
            return None;
        }
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("vedette-kafka-{}-{number}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("extra"), properties).unwrap();
        let broker = Self { port: free_port(), controller_port: free_port(), dir, watch: Mutex::default() };
        broker.launch();
        Some(broker)
    }

    /// `host:port`.
    pub(crate) fn brokers(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Kills the broker as a power cut would; its data stay.
    pub(crate) fn kill(&self) {
        if let Ok(pid) = fs::read_to_string(self.dir.join("pid")) {
            let _ = Command::new("kill").args(["-9", pid.trim()]).stderr(Stdio::null()).status();
        }
        if let Some(mut watch) = self.watch.lock().unwrap().take() {
            // It ends with the broker.
            let _ = watch.wait();
        }
    }

    /// Starts it again on the same data and port.
    pub(crate) fn restart(&self) {
        self.launch();
    }

    fn launch(&self) {
        // A shell watches both, because a killed test process runs no destructors.
        let watch = r#"
            "$SCRIPT" >"$DIR/log" 2>&1 & echo $! >"$DIR/pid"
            broker=$(cat "$DIR/pid")
            while kill -0 "$PARENT" && kill -0 "$broker"; do sleep 0.3; done 2>/dev/null
            kill -9 "$broker" 2>/dev/null
            kill -0 "$PARENT" 2>/dev/null || rm -rf "$DIR"
        "#;
        let child = Command::new("sh")
            .args(["-c", watch])
            .env("SCRIPT", script())
            .env("DIR", &self.dir)
            .env("PARENT", std::process::id().to_string())
            .env("KAFKA_PORT", self.port.to_string())
            .env("KAFKA_CONTROLLER_PORT", self.controller_port.to_string())
            .env("KAFKA_DATA", self.dir.join("data"))
            .env("KAFKA_EXTRA", self.dir.join("extra"))
            .env("KAFKA_HEAP", "384m")
            .env("KAFKA_JAVA_OPTIONS", "-XX:+UseSerialGC -XX:TieredStopAtLevel=1")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let mut watch = self.watch.lock().unwrap();
        let child = watch.insert(child.unwrap());
        let deadline = Instant::now() + START;
        while TcpStream::connect(self.brokers()).is_err() {
            let ended = child.try_wait().unwrap().is_some();
            if ended || Instant::now() >= deadline {
                let log = fs::read_to_string(self.dir.join("log")).unwrap_or_default();
                panic!("no Kafka broker on {}; it said:\n{log}", self.brokers());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill();
        let _ = fs::remove_dir_all(&self.dir);
    }
}
