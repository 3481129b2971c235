//! Single sign-on at a real Keycloak, started through `deploy/keycloak/start.sh`.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use vedette_single_sign_on::{Provider, Settings};

use crate::access::{add_account, name};
use crate::sign_on::client_of;
use crate::support::{Running, settings};

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
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/keycloak/start.sh");
        // A shell watches both, because a killed test process runs no destructors.
        let watch = r#"
            "$SCRIPT" >"$DIR/log" 2>&1 & server=$!
            while kill -0 "$PARENT" && kill -0 "$server" && [ ! -e "$DIR/stop" ]; do sleep 0.3; done 2>/dev/null
            kill -9 "$server" 2>/dev/null
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

/// A port that nobody listens on, and that nobody gets who asks for any.
fn free_port() -> u16 {
    let first = std::process::id().wrapping_mul(89) % 4_000;
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

#[tokio::test(flavor = "multi_thread")]
async fn people_log_in_and_out_at_keycloak() {
    if !available() {
        return;
    }
    let port = free_port();
    let console = Running::signing_on(settings(), vedette_runtime::clock::now, |url| {
        let settings = Settings { secret: SECRET.to_owned().into(), ..client_of(&issuer(port), url) };
        Provider::new(settings).unwrap()
    })
    .await;
    add_account(&console.store, "root", &["administrator"]);
    let page = console.url.clone();
    // It is still away.
    let (_, status, text) = Browser::new().log_in(&page, "anna").await;
    assert!(status == 503 && text.contains("sign-on.away"), "{status}: {text}");
    let mut keycloak = Keycloak::launch(port, &page);
    keycloak.ready().await;
    tokio::time::sleep(Duration::from_secs(5)).await;

    let (mut anna, mut berta, mut carl) = (Browser::new(), Browser::new(), Browser::new());
    let (url, status, text) = anna.log_in(&page, "anna").await;
    assert_eq!((url.as_str(), status), (format!("{page}/").as_str(), StatusCode::OK), "{text}");
    let (_, session) = anna.session(&page).await;
    assert_eq!((&session["who"], &session["roles"]), (&json!("anna"), &json!(["operator@group:east"])));
    berta.log_in(&page, "berta").await;
    assert_eq!(berta.session(&page).await.1["roles"], json!(["administrator"]));
    let (_, status, text) = carl.log_in(&page, "carl").await;
    assert!(status == 403 && text.contains("carl has no role here"), "{status}: {text}");
    assert!(console.store.account(&name("carl")).unwrap().is_none());

    // A new key signs from now on.
    let admin = Admin::new(port).await;
    let realm = admin.ask(Method::GET, "", None).await;
    let key = json!({ "name": "newer", "providerId": "rsa-generated", "providerType": "org.keycloak.keys.KeyProvider",
        "parentId": realm["id"], "config": { "priority": ["200"], "enabled": ["true"], "active": ["true"], "algorithm": ["RS256"] } });
    admin.ask(Method::POST, "/components", Some(key)).await;
    let mut other = Browser::new();
    let (_, status, text) = other.log_in(&page, "berta").await;
    assert_eq!((status, other.session(&page).await.0), (StatusCode::OK, StatusCode::OK), "{text}");

    // Keycloak ends the session, and says so here.
    let users = admin.ask(Method::GET, "/users?username=anna&exact=true", None).await;
    admin.ask(Method::POST, &format!("/users/{}/logout", users[0]["id"].as_str().unwrap()), None).await;
    anna.is_out(&page).await;
    assert_eq!(berta.session(&page).await.0, StatusCode::OK, "another person's");

    // Without the form, as long as the session at Keycloak is there.
    let (_, session) = berta.session(&page).await;
    let (url, ..) = berta.open(&format!("{page}/api/v1/session/sign-on")).await;
    assert_eq!(url.as_str(), format!("{page}/"));
    let (_, again) = berta.session(&page).await;
    assert_eq!(session["who"], again["who"]);
    let there = again["provider_logout"].as_str().unwrap().to_owned();
    let out = berta.send(Method::DELETE, &format!("{page}/api/v1/session").parse().unwrap(), &[]).await;
    assert_eq!(out.status(), 204);
    let (url, _, text) = berta.open(&there).await;
    assert_eq!(url.as_str(), format!("{page}/"), "{text}");
    let (_, _, text) = berta.open(&format!("{page}/api/v1/session/sign-on")).await;
    assert!(form_of(&text).is_some(), "the session at Keycloak goes on: {text}");
    assert_eq!(other.session(&page).await.0, StatusCode::OK, "another session of the person");
    console.stop().await;
}
