//! Single sign-on at a real Glewlwyd, as Debian installs it: a provider of other people's making in another language, set up over its
//! REST API.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::sign_on::{Browser, Peer, Site, free_port};
use crate::support::{edit, eventually};

const PROGRAM: &str = "/usr/bin/glewlwyd";
/// The tables, with an administrator whose password everybody knows.
const TABLES: &str = "/usr/share/dbconfig-common/data/glewlwyd/install/sqlite3";
/// Of letters and digits: Glewlwyd takes the secret as it comes, without the decoding that RFC 6749 (2.3.1) asks for.
const SECRET: &str = "4TestsOnly";
const PASSWORD: &str = "the password of this test";

/// Whether it is installed. `VEDETTE_REQUIRE_GLEWLWYD=1` turns a "no" into a failing test.
fn available() -> bool {
    let openssl = Command::new("openssl").arg("version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let there = [PROGRAM, TABLES].iter().all(|path| Path::new(path).exists()) && openssl.is_ok();
    if !there {
        let why = "it is not installed, or openssl is not; `make test-deps` installs both";
        assert!(std::env::var_os("VEDETTE_REQUIRE_GLEWLWYD").is_none(), "glewlwyd: {why}");
        let _ = std::io::stderr().write_all(format!("\nSKIPPED glewlwyd: {why}\n").as_bytes());
    }
    there
}

/// A Glewlwyd with its database, and a browser in which its administrator has logged in.
struct Glewlwyd {
    root: String,
    admin: Browser,
    peer: Option<Peer>,
    folder: TempDir,
}

impl Glewlwyd {
    fn new(port: u16) -> Self {
        let folder = TempDir::new().unwrap();
        let root = format!("http://127.0.0.1:{port}");
        let database = folder.path().join("database");
        let tables = std::fs::read_to_string(TABLES).unwrap();
        rusqlite::Connection::open(&database).unwrap().execute_batch(&tables).unwrap();
        let settings = format!(
            "port={port}\nbind_address=\"127.0.0.1\"\nexternal_url=\"{root}\"\nlogin_url=\"login.html\"\napi_prefix=\"api\"\n\
             static_files_path=\"/usr/share/glewlwyd/webapp/\"\nlog_mode=\"console\"\nlog_level=\"WARNING\"\n\
             cookie_domain=\"127.0.0.1\"\ncookie_secure=0\nuser_module_path=\"/usr/lib/glewlwyd/user\"\n\
             client_module_path=\"/usr/lib/glewlwyd/client\"\nuser_auth_scheme_module_path=\"/usr/lib/glewlwyd/scheme\"\n\
             plugin_module_path=\"/usr/lib/glewlwyd/plugin\"\nhash_algorithm=\"SHA512\"\n\
             database={{ type=\"sqlite3\"; path=\"{}\"; }};\n",
            database.display()
        );
        std::fs::write(folder.path().join("settings"), settings).unwrap();
        Self { root, admin: Browser::new(), peer: None, folder }
    }

    fn issuer(&self) -> String {
        format!("{}/api/oidc", self.root)
    }

    async fn start(&mut self) {
        let settings = format!("--config-file={}", self.folder.path().join("settings").display());
        let peer = self.peer.insert(Peer::launch(self.folder.path(), Path::new(PROGRAM), &[&settings], &[]));
        peer.ready(&format!("{}/config", self.root)).await;
    }

    fn stop(&mut self) {
        self.peer = None;
    }

    /// Asks as the administrator.
    async fn ask(&mut self, method: Method, path: &str, body: Value) -> Value {
        let url = format!("{}/api{path}", self.root).parse().unwrap();
        let answer = self.admin.send_json(method, &url, &body).await;
        let (status, text) = (answer.status(), answer.text().await.unwrap());
        assert!(status.is_success(), "{path}: {status}: {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Sets all up for the page, with the settings of docs/ACCESS.md.
    async fn set_up(&mut self, page: &str) {
        self.ask(Method::POST, "/auth/", json!({ "username": "admin", "password": "password" })).await;
        let mut users = self.ask(Method::GET, "/mod/user/database", Value::Null).await;
        users["parameters"]["data-format"]["groups"] = json!({ "multiple": true, "read": true, "write": true });
        self.ask(Method::PUT, "/mod/user/database", users).await;
        self.ask(Method::PUT, "/mod/user/database/reset", Value::Null).await;
        let plugin =
            self.plugin("rsa", &openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]));
        self.ask(Method::POST, "/mod/plugin/", plugin).await;
        let client = json!({
            "client_id": "vedette", "name": "Vedette", "enabled": true, "confidential": true, "client_secret": SECRET,
            "redirect_uri": [format!("{page}/api/v1/session/answer")], "authorization_type": ["code"], "scope": [],
            "token_endpoint_auth_method": ["client_secret_basic"], "post_logout_redirect_uri": format!("{page}/"),
            "backchannel_logout_uri": format!("{page}/api/v1/session/provider-logout"),
            "backchannel_logout_session_required": "1",
        });
        self.ask(Method::POST, "/client/", client).await;
        for (name, groups) in [("dora", &["guards", "choir"][..]), ("emil", &["leads"]), ("carl", &["choir"])] {
            let user = json!({ "username": name, "password": PASSWORD, "enabled": true, "scope": ["openid", "g_profile"],
                "groups": groups });
            self.ask(Method::POST, "/user/", user).await;
        }
    }

    /// The settings of its OpenID Connect, with this key.
    fn plugin(&self, kind: &str, key: &str) -> Value {
        let private = self.folder.path().join("key");
        std::fs::write(&private, key).unwrap();
        let public = openssl(&["pkey", "-pubout", "-in", private.to_str().unwrap()]);
        let claim = |name: &str, property: &str| json!({ "name": name, "user-property": property, "type": "string", "mandatory": true });
        json!({ "module": "oidc", "name": "oidc", "display_name": "OpenID Connect", "parameters": {
            "iss": self.issuer(), "jwt-type": kind, "jwt-key-size": "256", "key": key, "cert": public, "jwks-show": true,
            "access-token-duration": 300, "refresh-token-duration": 300, "code-duration": 60, "refresh-token-rolling": false,
            "allow-non-oidc": false, "auth-type-code-enabled": true, "auth-type-token-enabled": false,
            "auth-type-id-token-enabled": true, "auth-type-none-enabled": false, "auth-type-password-enabled": false,
            "auth-type-client-enabled": false, "auth-type-refresh-enabled": false, "subject-type": "public",
            "pkce-allowed": true, "pkce-required": true, "pkce-method-plain-allowed": false, "oauth-as-iss-id": true,
            "session-management-allowed": true, "session-cookie-name": "GLEWLWYD2_OIDC_SID", "session-cookie-expiration": 3600,
            "back-channel-logout-allowed": true, "front-channel-logout-allowed": false,
            "claims": [claim("preferred_username", "username"), claim("groups", "groups")],
        } })
    }

    /// The key that it publishes now.
    async fn key(&mut self) -> Value {
        self.ask(Method::GET, "/oidc/jwks", Value::Null).await["keys"][0].take()
    }
}

fn openssl(arguments: &[&str]) -> String {
    let made = Command::new("openssl").args(arguments).output().unwrap();
    assert!(made.status.success(), "{made:?}");
    String::from_utf8(made.stdout).unwrap()
}

/// A key of an elliptic curve, one of whose coordinates begins with a zero: one key in about a hundred does, and Glewlwyd leaves it out.
fn key_with_zero() -> String {
    loop {
        let pem = openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]);
        let text: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        // It ends with the public key's coordinates.
        let bytes = STANDARD.decode(text).unwrap();
        let coordinates = &bytes[bytes.len() - 64..];
        if coordinates[0] == 0 || coordinates[32] == 0 {
            return pem;
        }
    }
}

/// What the script of Glewlwyd's page does: the name and the password, then what the person lets Vedette know, then back to where the
/// login began.
async fn log_in(browser: &mut Browser, console: &str, who: &str) -> (url::Url, StatusCode, String) {
    let (url, status, page) = browser.open(&format!("{console}/api/v1/session/sign-on")).await;
    assert!(url.path() == "/login.html" && status == 200, "{url}: {status}: {page}");
    let (_, back) = url.query_pairs().find(|(name, _)| name == "callback_url").unwrap();
    let api = |path: &str| url.join(path).unwrap();
    let credentials = json!({ "username": who, "password": PASSWORD });
    assert_eq!(browser.send_json(Method::POST, &api("/api/auth/"), &credentials).await.status(), 200);
    let granted = json!({ "scope": "openid" });
    assert_eq!(browser.send_json(Method::PUT, &api("/api/auth/grant/vedette"), &granted).await.status(), 200);
    browser.open(&format!("{back}&g_continue")).await
}

/// What the script of Glewlwyd's page does when somebody has confirmed to log out there.
async fn log_out(browser: &mut Browser, there: &str) {
    let (url, _, page) = browser.open(there).await;
    let asked = |wanted: &str| url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
    assert_eq!((url.path(), asked("prompt").as_deref()), ("/login.html", Some("end_session")), "{page}");
    let session = url.join(&format!("/api/oidc/session/{}/", asked("sid").unwrap())).unwrap();
    assert_eq!(browser.send_json(Method::DELETE, &session, &Value::Null).await.status(), 200);
}

/// Waits until a new login leads to the provider, or does not any more: what it says then.
async fn sign_on_turns(console: &str, leads_there: bool) -> (StatusCode, String) {
    let began = Instant::now();
    let url = format!("{console}/api/v1/session/sign-on").parse().unwrap();
    let turned = eventually("another answer to new logins", async || {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let answer = Browser::new().send(Method::GET, &url, &[]).await;
        let status = answer.status();
        ((status == 303) == leads_there).then_some((status, answer.text().await.unwrap()))
    })
    .await;
    eprintln!("new logins lead to Glewlwyd: {leads_there}, after {:.0} s", began.elapsed().as_secs_f64());
    turned
}

#[tokio::test(flavor = "multi_thread")]
async fn people_log_in_at_glewlwyd() {
    if !available() {
        return;
    }
    let mut site = Site::new(free_port(2));
    let page = site.page.clone();
    let mut glewlwyd = Glewlwyd::new(free_port(3));
    glewlwyd.start().await;
    glewlwyd.set_up(&page).await;
    assert_eq!(glewlwyd.key().await["alg"], "RS256");
    site.done("ANNA='correct horse battery staple' vedette user add anna --grant administrator --password-env ANNA -c vedette.toml");
    site.set_up(&glewlwyd.issuer());
    edit(&site.config(), "label = \"Keycloak\"", "label = \"Glewlwyd\"");
    site.start(SECRET).await;

    let (mut dora, mut carl) = (Browser::new(), Browser::new());
    let (url, status, text) = log_in(&mut dora, &page, "dora").await;
    assert_eq!((url.as_str(), status), (format!("{page}/").as_str(), StatusCode::OK), "{text}");
    let (_, session) = dora.session(&page).await;
    assert_eq!(session["who"], "dora");
    assert_eq!(session["roles"], json!(["operator@group:gates", "evidence@group:gates"]));
    let (_, status, text) = log_in(&mut carl, &page, "carl").await;
    let said = "carl has no role here: no value of the claim `groups` is in console.access.single_sign_on.grants";
    assert!(status == 403 && text.contains(said), "{status}: {text}");
    assert_eq!(carl.session(&page).await.0, 401);

    // Another key of another kind signs from now on.
    let plugin = glewlwyd.plugin("ecdsa", &key_with_zero());
    glewlwyd.ask(Method::PUT, "/mod/plugin/oidc", plugin).await;
    glewlwyd.ask(Method::PUT, "/mod/plugin/oidc/reset", Value::Null).await;
    let key = glewlwyd.key().await;
    assert!(key["alg"] == "ES256" && ["x", "y"].iter().any(|name| key[name].as_str().unwrap().len() < 43), "{key}");
    let mut emil = Browser::new();
    let (url, status, text) = log_in(&mut emil, &page, "emil").await;
    assert_eq!((url.as_str(), status), (format!("{page}/").as_str(), StatusCode::OK), "{text}");
    let (_, session) = emil.session(&page).await;
    assert_eq!((&session["who"], &session["roles"]), (&json!("emil"), &json!(["administrator"])));

    // Its word on the back channel is that of a draft, without an end: it is refused, and the session here goes on.
    let there = dora.session(&page).await.1["provider_logout"].as_str().unwrap().to_owned();
    log_out(&mut dora, &there).await;
    eventually("the refusal of Glewlwyd's logout token", async || {
        let log = site.done("vedette audit list --act session.end -c vedette.toml");
        log.contains("refused: sign-on.logout-token").then_some(())
    })
    .await;
    assert_eq!(dora.session(&page).await.0, StatusCode::OK);

    // Glewlwyd goes away: sessions go on, and within a minute new logins are told.
    glewlwyd.stop();
    let (status, text) = sign_on_turns(&page, false).await;
    assert!(status == 503 && text.contains("log in with a name and password of this console"), "{status}: {text}");
    assert_eq!(dora.session(&page).await.0, StatusCode::OK);
    glewlwyd.start().await;
    sign_on_turns(&page, true).await;
    let mut again = Browser::new();
    log_in(&mut again, &page, "emil").await;
    assert_eq!(again.session(&page).await.1["who"], "emil");
    site.done("vedette audit verify -c vedette.toml");
}
