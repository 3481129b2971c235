//! From local accounts to single sign-on at a real Keycloak, started through `deploy/keycloak/start.sh`: the commands and the settings of
//! docs/ACCESS.md.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::sign_on::{Browser, Peer, Site, free_port};
use crate::support::{commands, root};

const SECRET: &str = "the secret of this test";
const PASSWORD: &str = "the password of this test";

/// A running Keycloak.
struct Keycloak {
    port: u16,
    peer: Peer,
    _folder: TempDir,
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
        let data = folder.path().join("run").display().to_string();
        let environment = [
            ("KEYCLOAK_PORT", &*port.to_string()),
            ("KEYCLOAK_PAGE", page),
            ("KEYCLOAK_SECRET", SECRET),
            ("KEYCLOAK_PASSWORD", PASSWORD),
            ("KEYCLOAK_DATA", &data),
        ];
        Self { port, peer: Peer::launch(folder.path(), &script, &[], &environment), _folder: folder }
    }

    /// Waits until it serves the realm.
    async fn ready(&mut self) {
        self.peer.ready(&format!("{}/.well-known/openid-configuration", issuer(self.port))).await;
    }
}

fn issuer(port: u16) -> String {
    format!("http://127.0.0.1:{port}/realms/site")
}

/// Logs in: with Keycloak's form, unless the browser has a session there.
async fn log_in(browser: &mut Browser, console: &str, who: &str) -> (url::Url, StatusCode, String) {
    let (url, status, page) = browser.open(&format!("{console}/api/v1/session/sign-on")).await;
    let Some(form) = form_of(&page) else { return (url, status, page) };
    let filled = [("username", who), ("password", PASSWORD), ("credentialId", "")];
    let filled = filled.map(|(name, value)| (name.to_owned(), value.to_owned()));
    browser.follow(Method::POST, form, &filled).await
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
    site.start(SECRET).await;
    let ways: Value = reqwest::get(format!("{page}/api/v1/session/ways")).await.unwrap().json().await.unwrap();
    assert_eq!(ways, json!({"provider": {"label": "Keycloak"}}));
    keycloak.ready().await;

    let (mut dora, mut emil) = (Browser::new(), Browser::new());
    let (url, status, text) = log_in(&mut dora, &page, "dora").await;
    assert_eq!((url.as_str(), status), (format!("{page}/").as_str(), StatusCode::OK), "{text}");
    let (_, session) = dora.session(&page).await;
    assert_eq!(session["who"], "dora");
    assert_eq!(session["roles"], json!(["operator@group:gates", "evidence@group:gates"]));
    log_in(&mut emil, &page, "emil").await;
    assert_eq!(emil.session(&page).await.1["roles"], json!(["administrator"]));
    for (who, status, said) in
        [("carl", 403, "carl has no role here"), ("anna", 409, "there is an account anna already")]
    {
        let (_, refused, text) = log_in(&mut Browser::new(), &page, who).await;
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
    let (_, status, text) = log_in(&mut other, &page, "emil").await;
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
