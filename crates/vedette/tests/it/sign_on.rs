//! What the tests of single sign-on have in common: a browser, a provider's process, and the product with the settings of docs/ACCESS.md.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{demo_site, finish, root, said, vedette};

/// How long a process may take to start; only a broken one takes so long.
const START: Duration = Duration::from_secs(180);

/// A provider in a process of its own; it goes when it is dropped, and also when the test process dies.
pub(crate) struct Peer {
    watch: Child,
    folder: PathBuf,
}

impl Peer {
    /// Starts it; `folder` gets its log.
    pub(crate) fn launch(folder: &Path, program: &Path, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let _ = std::fs::remove_file(folder.join("stop"));
        // A shell watches both, because a killed test process runs no destructors. In a group of its own, what the program has started
        // ends with it.
        let watch = r#"
            setsid "$@" >"$DIR/log" 2>&1 & server=$!
            while kill -0 "$PARENT" && kill -0 "$server" && [ ! -e "$DIR/stop" ]; do sleep 0.3; done 2>/dev/null
            kill -9 "-$server" 2>/dev/null
        "#;
        let watch = Command::new("sh")
            .args(["-c", watch, "sh"])
            .arg(program)
            .args(arguments)
            .env("DIR", folder)
            .env("PARENT", std::process::id().to_string())
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { watch, folder: folder.to_owned() }
    }

    /// Waits until there is something at `url`.
    pub(crate) async fn ready(&mut self, url: &str) {
        let began = Instant::now();
        while !reqwest::get(url).await.is_ok_and(|answer| answer.status() == 200) {
            let ended = self.watch.try_wait().unwrap().is_some();
            if ended || began.elapsed() > START {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                panic!("nothing at {url}; the provider said:\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        eprintln!("the provider took {:.1} s to start", began.elapsed().as_secs_f64());
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = std::fs::write(self.folder.join("stop"), "");
        let _ = self.watch.wait();
    }
}

/// A port that nobody listens on, and that nobody gets who asks for any; another one for each number.
pub(crate) fn free_port(number: u32) -> u16 {
    let first = std::process::id().wrapping_mul(89).wrapping_add(number * 500) % 4_000;
    let mut ports = (0..4_000).map(|number| 16_000 + ((first + number) % 4_000) as u16);
    ports.find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// A browser: it keeps cookies by site, and follows redirects.
pub(crate) struct Browser {
    client: Client,
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

impl Browser {
    pub(crate) fn new() -> Self {
        Self { client: Client::builder().redirect(Policy::none()).build().unwrap(), cookies: BTreeMap::new() }
    }

    /// Sends a form, unless it is empty.
    pub(crate) async fn send(&mut self, method: Method, url: &url::Url, form: &[(String, String)]) -> Response {
        let request = self.client.request(method, url.clone()).header("accept", "text/html");
        self.sent(url, if form.is_empty() { request } else { request.form(form) }).await
    }

    /// Sends JSON, as the script of a page does.
    pub(crate) async fn send_json(&mut self, method: Method, url: &url::Url, body: &Value) -> Response {
        let request = self.client.request(method, url.clone()).json(body);
        self.sent(url, request).await
    }

    async fn sent(&mut self, url: &url::Url, mut request: RequestBuilder) -> Response {
        let jar = self.cookies.entry(url.origin().ascii_serialization()).or_default();
        let cookies: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let answer = request.send().await.unwrap();
        for set in answer.headers().get_all("set-cookie") {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            if set.contains("Max-Age=0") {
                jar.remove(name);
            } else {
                jar.insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    /// Follows redirects to their end: where it is, and what is there.
    pub(crate) async fn open(&mut self, url: &str) -> (url::Url, StatusCode, String) {
        self.follow(Method::GET, url.parse().unwrap(), &[]).await
    }

    pub(crate) async fn follow(
        &mut self,
        method: Method,
        mut url: url::Url,
        form: &[(String, String)],
    ) -> (url::Url, StatusCode, String) {
        let mut answer = self.send(method, &url, form).await;
        for _ in 0..10 {
            let Some(to) = answer.headers().get("location") else { break };
            url = url.join(to.to_str().unwrap()).unwrap();
            answer = self.send(Method::GET, &url, &[]).await;
        }
        (url, answer.status(), answer.text().await.unwrap())
    }

    pub(crate) async fn session(&mut self, console: &str) -> (StatusCode, Value) {
        let answer = self.send(Method::GET, &format!("{console}/api/v1/session").parse().unwrap(), &[]).await;
        (answer.status(), answer.json().await.unwrap())
    }

    /// Waits for the session to be over.
    pub(crate) async fn is_out(&mut self, console: &str) {
        let began = Instant::now();
        while self.session(console).await.0 != 401 {
            assert!(began.elapsed() < Duration::from_secs(20), "the session goes on");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        eprintln!("the session ended within {:.0} ms", began.elapsed().as_secs_f64() * 1e3);
    }
}

/// The product with the settings of docs/ACCESS.md, in a process of its own; it ends with the test.
pub(crate) struct Site {
    pub(crate) page: String,
    folder: TempDir,
    product: Option<Child>,
}

impl Site {
    pub(crate) fn new(page_port: u16) -> Self {
        let folder = TempDir::new().unwrap();
        let config = demo_site(folder.path());
        let edit = |path: &Path, from: &str, to: &str| {
            let text = std::fs::read_to_string(path).unwrap();
            assert!(text.contains(from), "{from}");
            std::fs::write(path, text.replace(from, to)).unwrap();
        };
        edit(&config, "127.0.0.1:8080", &format!("127.0.0.1:{page_port}"));
        // Nothing is to be analysed here.
        edit(&folder.path().join("cameras.toml"), "[[camera]]\n", "[[camera]]\nenabled = false\n");
        Self { page: format!("http://127.0.0.1:{page_port}"), folder, product: None }
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.folder.path().join("vedette.toml")
    }

    /// Lines of a shell in the folder of the site.
    pub(crate) fn done(&self, lines: &str) -> String {
        let program = Path::new(env!("CARGO_BIN_EXE_vedette")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.args(["-c", &format!("set -e\n{lines}")]).current_dir(self.folder.path()).env("PATH", path);
        let output = finish(command);
        assert!(output.status.success(), "{lines}: {}", said(&output));
        said(&output)
    }

    /// Adds the settings of the document, with the addresses of this site.
    pub(crate) fn set_up(&self, issuer: &str) {
        let document = std::fs::read_to_string(root().join("docs/ACCESS.md")).unwrap();
        let section = document.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        assert!(section.contains("https://id.example/realms/site") && section.contains("https://vedette.example"));
        let section =
            section.replace("https://id.example/realms/site", issuer).replace("https://vedette.example", &self.page);
        let text = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), format!("{text}\n{section}")).unwrap();
    }

    pub(crate) async fn start(&mut self, secret: &str) {
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let mut command = vedette();
        command.args(["run", "--operations-listen", "127.0.0.1:0", "-c"]).arg(self.config());
        command.env("VEDETTE_SIGN_ON_SECRET", secret);
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        let product = self.product.insert(command.spawn().unwrap());
        let began = Instant::now();
        while !reqwest::get(format!("{}/api/v1/session/ways", self.page))
            .await
            .is_ok_and(|answer| answer.status() == 200)
        {
            let ended = product.try_wait().unwrap().is_some();
            if ended || began.elapsed() > START {
                panic!("{}", std::fs::read_to_string(self.folder.path().join("log")).unwrap());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(product) = &mut self.product {
            let _ = product.kill();
            let _ = product.wait();
        }
    }
}
