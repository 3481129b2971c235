//! From local accounts to single sign-on at a real Keycloak, started through `deploy/keycloak/start.sh`: the commands and the settings of
//! docs/ACCESS.md.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{commands, demo_site, finish, root, said, vedette};

/// How long it may take to start; only a broken one takes so long.
const START: Duration = Duration::from_secs(180);
const SECRET: &str = "the secret of this test";
const PASSWORD: &str = "the password of this test";

/// A running Keycloak; it goes when it is dropped, and also when the test process dies.
struct Keycloak {
    port: u16,
    watch: Child,
    folder: TempDir,
}

/// Whether it can run here without fetching anything. `VEDETTE_REQUIRE_KEYCLOAK=1` turns a "no" into a failing test.
fn available() -> bool {
    if std::env::var_os("VEDETTE_REQUIRE_KEYCLOAK").is_some() {
        return true;
    }
    let cache = std::env::var_os("VEDETTE_CACHE").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/vedette"));
    let fetched = cache.or(home).is_some_and(|cache| cache.join("keycloak/26.7.3/.complete").exists());
    let java = Command::new("java").arg("-version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = fetched && java.is_ok_and(|status| status.success());
    if !there {
        let why = "no Keycloak here; `deploy/keycloak/start.sh --fetch-only` fetches it (Java 17 and Maven needed)";
        let _ = std::io::stderr().write_all(format!("\nSKIPPED keycloak: {why}\n").as_bytes());
    }
    there
}

impl Keycloak {
    fn launch(port: u16, page: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let script = root().join("deploy/keycloak/start.sh");
        // A shell watches both, because a killed test process runs no destructors. In a group of its own, the Java below Keycloak's script
        // ends with it.
        let watch = r#"
            setsid "$SCRIPT" >"$DIR/log" 2>&1 & server=$!
            while kill -0 "$PARENT" && kill -0 "$server" && [ ! -e "$DIR/stop" ]; do sleep 0.3; done 2>/dev/null
            kill -9 "-$server" 2>/dev/null
        "#;
        let watch = Command::new("sh")
            .args(["-c", watch])
            .env("SCRIPT", script)
            .env("DIR", folder.path())
            .env("PARENT", std::process::id().to_string())
            .env("KEYCLOAK_PORT", port.to_string())
            .env("KEYCLOAK_PAGE", page)
            .env("KEYCLOAK_SECRET", SECRET)
            .env("KEYCLOAK_PASSWORD", PASSWORD)
            .env("KEYCLOAK_DATA", folder.path().join("run"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self { port, watch, folder }
    }

    /// Waits until it serves the realm.
    async fn ready(&mut self) {
        let began = Instant::now();
        let about = format!("{}/.well-known/openid-configuration", issuer(self.port));
        while !reqwest::get(&about).await.is_ok_and(|answer| answer.status() == 200) {
            let ended = self.watch.try_wait().unwrap().is_some();
            if ended || began.elapsed() > START {
                let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
                panic!("no Keycloak at {about}; it said:\n{log}");
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        eprintln!("Keycloak took {:.0} s to start", began.elapsed().as_secs_f64());
    }
}

impl Drop for Keycloak {
    fn drop(&mut self) {
        let _ = std::fs::write(self.folder.path().join("stop"), "");
        let _ = self.watch.wait();
    }
}

fn issuer(port: u16) -> String {
    format!("http://127.0.0.1:{port}/realms/site")
}

/// A port that nobody listens on, and that nobody gets who asks for any; another one for each number.
fn free_port(number: u32) -> u16 {
    let first = std::process::id().wrapping_mul(89).wrapping_add(number * 500) % 4_000;
    let mut ports = (0..4_000).map(|number| 16_000 + ((first + number) % 4_000) as u16);
    ports.find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap()
}

/// A browser: it keeps cookies by site, and follows redirects.
struct Browser {
    client: Client,
    cookies: BTreeMap<String, BTreeMap<String, String>>,
}

impl Browser {
    fn new() -> Self {
        Self { client: Client::builder().redirect(Policy::none()).build().unwrap(), cookies: BTreeMap::new() }
    }

    async fn send(&mut self, method: Method, url: &url::Url, form: &[(String, String)]) -> Response {
        let jar = self.cookies.entry(url.origin().ascii_serialization()).or_default();
        let cookies: Vec<_> = jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut request = self.client.request(method, url.clone()).header("accept", "text/html");
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        if !form.is_empty() {
            request = request.form(form);
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
    async fn open(&mut self, url: &str) -> (url::Url, StatusCode, String) {
        self.follow(Method::GET, url.parse().unwrap(), &[]).await
    }

    async fn follow(
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

    /// Logs in: with Keycloak's form, unless the browser has a session there.
    async fn log_in(&mut self, console: &str, who: &str) -> (url::Url, StatusCode, String) {
        let (url, status, page) = self.open(&format!("{console}/api/v1/session/sign-on")).await;
        let Some(form) = form_of(&page) else { return (url, status, page) };
        let filled = [("username", who), ("password", PASSWORD), ("credentialId", "")];
        let filled = filled.map(|(name, value)| (name.to_owned(), value.to_owned()));
        self.follow(Method::POST, form, &filled).await
    }

    async fn session(&mut self, console: &str) -> (StatusCode, Value) {
        let answer = self.send(Method::GET, &format!("{console}/api/v1/session").parse().unwrap(), &[]).await;
        (answer.status(), answer.json().await.unwrap())
    }

    /// Waits for the session to be over.
    async fn is_out(&mut self, console: &str) {
        let began = Instant::now();
        while self.session(console).await.0 != 401 {
            assert!(began.elapsed() < Duration::from_secs(20), "the session goes on");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        eprintln!("the session ended within {:.0} ms", began.elapsed().as_secs_f64() * 1e3);
    }
}

/// The address of the login form of a page of Keycloak.
fn form_of(page: &str) -> Option<url::Url> {
    let form = &page[page.find("id=\"kc-form-login\"")?..];
    let action = form.split_once("action=\"")?.1.split_once('"')?.0;
    action.replace("&amp;", "&").parse().ok()
}

/// The administrator of Keycloak, over its REST API.
struct Admin {
    client: Client,
    root: String,
    token: String,
}

impl Admin {
    async fn new(port: u16) -> Self {
        let (client, root) = (Client::new(), format!("http://127.0.0.1:{port}"));
        let form =
            [("grant_type", "password"), ("client_id", "admin-cli"), ("username", "admin"), ("password", PASSWORD)];
        let url = format!("{root}/realms/master/protocol/openid-connect/token");
        let answer: Value = client.post(url).form(&form).send().await.unwrap().json().await.unwrap();
        Self { client, root, token: answer["access_token"].as_str().unwrap().to_owned() }
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Value {
        let mut request =
            self.client.request(method, format!("{}/admin/realms/site{path}", self.root)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default()
    }
}

/// The product with the settings of docs/ACCESS.md, in a process of its own; it ends with the test.
struct Site {
    page: String,
    folder: TempDir,
    product: Option<Child>,
}

impl Site {
    fn new(page_port: u16) -> Self {
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

    fn config(&self) -> PathBuf {
        self.folder.path().join("vedette.toml")
    }

    /// Lines of a shell in the folder of the site.
    fn done(&self, lines: &str) -> String {
        let program = Path::new(env!("CARGO_BIN_EXE_vedette")).parent().unwrap();
        let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
        let mut command = Command::new("bash");
        command.args(["-c", &format!("set -e\n{lines}")]).current_dir(self.folder.path()).env("PATH", path);
        let output = finish(command);
        assert!(output.status.success(), "{lines}: {}", said(&output));
        said(&output)
    }

    /// Adds the settings of the document, with the addresses of this site.
    fn set_up(&self, issuer: &str) {
        let document = std::fs::read_to_string(root().join("docs/ACCESS.md")).unwrap();
        let section = document.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
        assert!(section.contains("https://id.example/realms/site") && section.contains("https://vedette.example"));
        let section =
            section.replace("https://id.example/realms/site", issuer).replace("https://vedette.example", &self.page);
        let text = std::fs::read_to_string(self.config()).unwrap();
        std::fs::write(self.config(), format!("{text}\n{section}")).unwrap();
    }

    async fn start(&mut self) {
        let log = std::fs::File::create(self.folder.path().join("log")).unwrap();
        let mut command = vedette();
        command.args(["run", "--operations-listen", "127.0.0.1:0", "-c"]).arg(self.config());
        command.env("VEDETTE_SIGN_ON_SECRET", SECRET);
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

#[tokio::test(flavor = "multi_thread")]
async fn a_site_goes_from_local_accounts_to_keycloak() {
    if !available() {
        return;
    }
    let port = free_port(0);
    let mut site = Site::new(free_port(1));
    let page = site.page.clone();
    let mut keycloak = Keycloak::launch(port, &page);
    // The first account of the document.
    let lines = commands("ACCESS.md");
    assert!(lines[1].starts_with("vedette user add anna --grant administrator"), "{lines:?}");
    site.done(&lines[..2].join("\n"));
    site.set_up(&issuer(port));
    site.start().await;
    let ways: Value = reqwest::get(format!("{page}/api/v1/session/ways")).await.unwrap().json().await.unwrap();
    assert_eq!(ways, json!({"provider": {"label": "Keycloak"}}));
    keycloak.ready().await;

    let (mut dora, mut emil) = (Browser::new(), Browser::new());
    let (url, status, text) = dora.log_in(&page, "dora").await;
    assert_eq!((url.as_str(), status), (format!("{page}/").as_str(), StatusCode::OK), "{text}");
    let (_, session) = dora.session(&page).await;
    assert_eq!(session["who"], "dora");
    assert_eq!(session["roles"], json!(["operator@group:gates", "evidence@group:gates"]));
    emil.log_in(&page, "emil").await;
    assert_eq!(emil.session(&page).await.1["roles"], json!(["administrator"]));
    for (who, status, said) in
        [("carl", 403, "carl has no role here"), ("anna", 409, "there is an account anna already")]
    {
        let (_, refused, text) = Browser::new().log_in(&page, who).await;
        assert!(refused == status && text.contains(said), "{who}: {refused}: {text}");
    }
    let accounts = site.done("vedette user list -c vedette.toml");
    assert!(accounts.contains("dora") && !accounts.contains("carl"), "{accounts}");

    // A new key signs from now on.
    let admin = Admin::new(port).await;
    let realm = admin.ask(Method::GET, "", None).await;
    let key = json!({ "name": "newer", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider",
        "parentId": realm["id"], "config": { "priority": ["200"], "enabled": ["true"], "active": ["true"], "algorithm": ["RS256"] } });
    admin.ask(Method::POST, "/components", Some(key)).await;
    let mut other = Browser::new();
    let (_, status, text) = other.log_in(&page, "emil").await;
    assert_eq!((status, other.session(&page).await.0), (StatusCode::OK, StatusCode::OK), "{text}");

    // Keycloak ends the session, and says so here.
    let users = admin.ask(Method::GET, "/users?username=dora&exact=true", None).await;
    admin.ask(Method::POST, &format!("/users/{}/logout", users[0]["id"].as_str().unwrap()), None).await;
    dora.is_out(&page).await;
    assert_eq!(emil.session(&page).await.0, StatusCode::OK, "another person's");

    // Without the form, as long as the session at Keycloak is there; a logout here ends that too.
    let (url, ..) = emil.open(&format!("{page}/api/v1/session/sign-on")).await;
    assert_eq!(url.as_str(), format!("{page}/"));
    let (_, session) = emil.session(&page).await;
    let there = session["provider_logout"].as_str().unwrap().to_owned();
    let out = emil.send(Method::DELETE, &format!("{page}/api/v1/session").parse().unwrap(), &[]).await;
    assert_eq!(out.status(), 204);
    let (url, _, text) = emil.open(&there).await;
    assert_eq!(url.as_str(), format!("{page}/"), "{text}");
    let (_, _, text) = emil.open(&format!("{page}/api/v1/session/sign-on")).await;
    assert!(form_of(&text).is_some(), "the session at Keycloak goes on: {text}");
    assert_eq!(other.session(&page).await.0, StatusCode::OK, "another session of the person");

    // Keycloak goes away: sessions go on, and new logins are told so.
    drop(keycloak);
    assert_eq!(other.session(&page).await.0, StatusCode::OK);
    let log = site.done("vedette audit list --act session. -c vedette.toml");
    for said in ["refused: sign-on.no-role", "refused: sign-on.name-taken", &format!("provider:{}", issuer(port))] {
        assert!(log.contains(said), "{said}: {log}");
    }
    site.done("vedette audit verify -c vedette.toml");
}
