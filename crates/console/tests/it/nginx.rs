//! The console behind nginx as Debian installs it.

use std::io::Write;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;
use vedette_access::Areas;
use vedette_console::ConsoleSettings;

use crate::page::play_at;
use crate::stream::Events;
use crate::support::{Running, alert, settings};
use crate::wire::PATIENCE;

/// A running nginx.
pub(crate) struct Nginx {
    pub(crate) url: String,
    child: Child,
    folder: TempDir,
}

impl Nginx {
    /// Starts it with the locations of one server; none when nginx is not installed.
    pub(crate) async fn start(locations: &str) -> Option<Self> {
        let program = program()?;
        // A port that somebody else has taken meanwhile is no reason to fail.
        for _ in 0..20 {
            if let Some(nginx) = Self::start_at(program, next_address(), locations).await {
                return Some(nginx);
            }
        }
        panic!("nginx finds no free port");
    }

    /// None when the address is taken.
    async fn start_at(program: &str, address: SocketAddr, locations: &str) -> Option<Self> {
        let folder = TempDir::new().unwrap();
        let path = folder.path().display();
        // What is not set here is as nginx has it by default, as in Debian's own file.
        let text = format!(
            "user root;\nworker_processes 1;\npid {path}/pid;\nerror_log {path}/error.log;\nevents {{}}\n\
             http {{\n access_log off;\n gzip on;\n client_body_temp_path {path}/body;\n proxy_temp_path {path}/proxy;\n\
             fastcgi_temp_path {path}/fastcgi;\n uwsgi_temp_path {path}/uwsgi;\n scgi_temp_path {path}/scgi;\n\
             server {{\n listen {address};\n{locations}\n }}\n}}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(program);
        command.arg("-p").arg(folder.path()).arg("-c").arg(&file).args(["-g", "daemon off;"]);
        let log = std::fs::File::create(folder.path().join("stderr")).unwrap();
        let child = command.stdin(Stdio::null()).stderr(log).spawn().unwrap();
        let mut nginx = Self { url: format!("http://{address}"), child, folder };
        let deadline = tokio::time::Instant::now() + PATIENCE;
        while !nginx.folder.path().join("pid").exists() || tokio::net::TcpStream::connect(address).await.is_err() {
            let said = std::fs::read_to_string(nginx.folder.path().join("stderr")).unwrap();
            if nginx.child.try_wait().unwrap().is_some() {
                assert!(said.contains("bind()"), "nginx ended: {said}");
                return None;
            }
            assert!(tokio::time::Instant::now() < deadline, "nginx does not listen: {said}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(nginx)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its master ends its workers.
        let _ =
            rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

/// Below the ports that the system gives away by itself.
fn next_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id().wrapping_mul(61).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed) * 7);
    SocketAddr::from(([127, 0, 0, 1], 20_000 + u16::try_from(number % 10_000).unwrap()))
}

/// Debian has it where users' paths do not lead. `VEDETTE_REQUIRE_NGINX=1` turns a missing one into a failing test.
fn program() -> Option<&'static str> {
    let found = ["/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"]
        .into_iter()
        .find(|path| std::path::Path::new(path).exists());
    if found.is_none() {
        assert!(
            std::env::var_os("VEDETTE_REQUIRE_NGINX").is_none(),
            "nginx is not installed; `make test-deps` installs it"
        );
        let _ = std::io::stderr().write_all(b"\nSKIPPED nginx: it is not installed; `make test` installs it\n");
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_live_stream_passes_nginx_at_once() {
    let console = Running::start().await;
    let Some(nginx) = Nginx::start(&format!("location / {{ proxy_pass {}; }}", console.url)).await else { return };
    let mut events = Events::at(&nginx.url, None).await;
    // Buffered, neither would come: nothing follows that would fill the buffer.
    tokio::time::timeout(PATIENCE, events.expect("ready")).await.expect("the stream begins");
    let mut took = Vec::new();
    for number in 0..20 {
        console.raise(&alert(number));
        let stored = Instant::now();
        tokio::time::timeout(PATIENCE, events.expect("alert")).await.expect("the alert comes by itself");
        took.push(stored.elapsed());
    }
    // The median: a busy machine may hold up single ones. `benches/run console` has the target.
    took.sort_unstable();
    assert!(took[10] < Duration::from_secs(2), "{took:?}");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_works_below_a_path_of_nginx_stripped_or_not() {
    for is_stripped in [false, true] {
        let (base_path, trusted_proxies) = ("/vedette".parse().unwrap(), vec!["127.0.0.1".parse().unwrap()]);
        let console = Running::with(ConsoleSettings { base_path, trusted_proxies, ..settings() }, true).await;
        let headers = "proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;\n\
             proxy_set_header Forwarded \"\";";
        let location = match is_stripped {
            false => format!("location /vedette {{ proxy_pass {}; }}", console.url),
            true => format!("location /vedette/ {{ proxy_pass {}/; }}", console.url),
        };
        let Some(nginx) = Nginx::start(&format!("{headers}\n{location}")).await else { return };
        play_at("base-path.mjs", &format!("{}/vedette", nginx.url), |wanted| match wanted {
            "first" => console.raise(&alert(0)),
            "second" => console.raise(&alert(1)),
            other => panic!("{other}?"),
        })
        .await;
        let stored = console.store.get(alert(1).id, &Areas::Everywhere).unwrap().unwrap();
        assert_eq!(stored.verdict.unwrap().by, "operator 7");
        console.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_works_where_nginx_strips_a_path_that_the_console_does_not_know() {
    let console = Running::start().await;
    let headers = "proxy_set_header Host $http_host;";
    let locations = format!("{headers}\nlocation /desk/ {{ proxy_pass {}/; }}", console.url);
    let Some(nginx) = Nginx::start(&locations).await else { return };
    play_at("base-path.mjs", &format!("{}/desk/", nginx.url), |wanted| match wanted {
        "first" => console.raise(&alert(0)),
        "second" => console.raise(&alert(1)),
        other => panic!("{other}?"),
    })
    .await;
    console.stop().await;
}
