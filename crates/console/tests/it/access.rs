//! Logging in, tokens, what is refused, and what the audit log says of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};
use vedette_access::{Account, Grants, Login, Name, NewPassword, PasswordHash, Secret, SecretKind, Token};
use vedette_alert_store::AlertStore;
use vedette_console::{ChangeRefused, ConfigurationSource, ConsoleSettings, ResealedCameras, SealRefused};
use vedette_core::{
    AppliedChange, Camera, CameraId, CameraVersion, Change, Policy, PolicyScope, PolicyVersion, Proposal,
    SealedPassword, Span, Timestamp,
};
use zeroize::Zeroizing;

use crate::support::{Running, alert, settings};

const NOW: i64 = 1_772_352_000_000_000;
pub(crate) const PASSWORD: &str = "correct horse battery";

/// A site with two cameras, gate-1 in the group east and gate-2 in the group west, and a policy for each group.
pub(crate) struct Two;

impl Two {
    pub(crate) fn camera(id: &str) -> Camera {
        let group = if id == "gate-2" { "west" } else { "east" };
        serde_json::from_value(json!({
            "id": id, "name": id, "purpose": "safety", "groups": [group],
            "position": { "latitude": 22.54, "longitude": 113.949, "error_m": 1.0 },
        }))
        .unwrap()
    }

    fn policy(group: &str) -> Policy {
        serde_json::from_value(json!({
            "applies_to": { "group": group }, "version": 1, "frame": { "width": 1280, "height": 720 },
            "rule": [{ "id": "a", "name": "a", "purpose": "t", "size": {},
                "when": { "kind": "presence", "zone": [[0, 0], [9, 0], [9, 9]] } }],
        }))
        .unwrap()
    }
}

#[async_trait::async_trait]
impl ConfigurationSource for Two {
    fn scopes(&self) -> Vec<PolicyScope> {
        ["east", "west"].map(|group| PolicyScope::Group(group.into())).to_vec()
    }

    fn policy_versions(&self, scope: &PolicyScope) -> Vec<PolicyVersion> {
        match scope {
            PolicyScope::Group(group) if ["east", "west"].contains(&group.as_str()) => {
                vec![PolicyVersion::of_policy(Self::policy(group))]
            }
            _ => Vec::new(),
        }
    }

    fn cameras(&self) -> Vec<CameraId> {
        ["gate-1", "gate-2"].map(|id| id.parse().unwrap()).to_vec()
    }

    fn camera_versions(&self, camera: &CameraId) -> Vec<CameraVersion> {
        let known = ["gate-1", "gate-2"].contains(&camera.as_str());
        known
            .then(|| CameraVersion::of_camera(Self::camera(camera.as_str()), Timestamp::default()))
            .into_iter()
            .collect()
    }

    fn changes(&self) -> Vec<Arc<Change>> {
        Vec::new()
    }

    fn seal(&self, _: &CameraId, _: &str, _: Zeroizing<String>) -> Result<SealedPassword, SealRefused> {
        Err(SealRefused::NoKey)
    }

    fn reseal(&self) -> Result<ResealedCameras, SealRefused> {
        Err(SealRefused::NoKey)
    }

    async fn check(&self, _: Proposal) -> Result<u32, ChangeRefused> {
        Ok(1)
    }

    async fn apply(&self, _: Proposal) -> Result<AppliedChange, ChangeRefused> {
        Err(ChangeRefused::NotNow("no worker answers".into()))
    }
}

/// A console with accounts: `root`, an administrator with a password, and a token for each role, for the whole site (`viewer`) and for the
/// east (`viewer-east`).
pub(crate) struct Guarded {
    pub(crate) console: Running,
    client: Client,
    tokens: BTreeMap<String, String>,
}

pub(crate) fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn grants(texts: &[&str]) -> Grants {
    Grants::new(texts.iter().map(|text| text.parse().unwrap()).collect()).unwrap()
}

pub(crate) fn add_account(store: &AlertStore, of: &str, roles: &[&str]) {
    let hash = PasswordHash::of(&NewPassword::new(Zeroizing::new(PASSWORD.to_owned()), &name(of)).unwrap());
    let at = Timestamp::from_micros(NOW);
    let account = Account {
        name: name(of),
        login: Login::Password(hash),
        grants: grants(roles),
        enabled: true,
        made: at,
        changed: at,
    };
    store.add_account(&account, None).unwrap();
}

pub(crate) fn add_token(store: &AlertStore, of: &str, roles: &[&str]) -> String {
    let secret = Secret::random(SecretKind::Token);
    let made = Timestamp::from_micros(NOW);
    let token = Token {
        name: name(of),
        hash: secret.hash(),
        grants: grants(roles),
        maker: "root".into(),
        made,
        expires: made + Span::from_secs(86_400),
        used: None,
    };
    store.add_token(&token, None).unwrap();
    secret.reveal().to_owned()
}

impl Guarded {
    pub(crate) async fn start() -> Self {
        Self::with(settings(), || Timestamp::from_micros(NOW)).await
    }

    async fn with(settings: ConsoleSettings, clock: fn() -> Timestamp) -> Self {
        let console = Running::of(settings, true, Arc::new(Two), clock).await;
        let store = &console.store;
        add_account(store, "root", &["administrator"]);
        let mut tokens = BTreeMap::from([("root".to_owned(), add_token(store, "root", &["administrator"]))]);
        for role in ["viewer", "operator", "evidence", "administrator", "auditor", "monitor"] {
            tokens.insert(role.into(), add_token(store, role, &[role]));
            if !["auditor", "monitor"].contains(&role) {
                let east = format!("{role}-east");
                let token = add_token(store, &east, &[&format!("{role}@group:east")]);
                tokens.insert(east, token);
            }
        }
        for (camera, group) in [("gate-1", "east"), ("gate-2", "west")] {
            store.set_camera_groups(&camera.parse().unwrap(), &[group.to_owned()].into()).unwrap();
        }
        console.raise(&alert(0));
        console.raise(&alert(1));
        Self { console, client: Client::new(), tokens }
    }

    /// A request as the one with a token.
    pub(crate) fn request(&self, who: &str, method: Method, path: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.console.url)).bearer_auth(&self.tokens[who])
    }

    /// Sends a request as the one with a token, or as nobody. Of a stream, the first part is the answer.
    pub(crate) async fn ask(
        &self,
        who: Option<&str>,
        method: &Method,
        path: &str,
        body: &Value,
    ) -> (StatusCode, Value) {
        let mut request = self.client.request(method.clone(), format!("{}{path}", self.console.url));
        if let Some(who) = who {
            request = request.bearer_auth(&self.tokens[who]);
        }
        if *method == Method::POST || *method == Method::PUT {
            request = request.json(body);
        }
        if *method == Method::PUT {
            request = request.header("if-none-match", "*");
        }
        let mut answer = request.send().await.unwrap();
        let status = answer.status();
        if answer.headers().get("content-type").is_some_and(|kind| kind == "text/event-stream") {
            let first = answer.chunk().await.unwrap().unwrap_or_default();
            return (status, Value::String(String::from_utf8_lossy(&first).into_owned()));
        }
        let bytes = answer.bytes().await.unwrap();
        let text = || Value::String(String::from_utf8_lossy(&bytes).into_owned());
        (status, serde_json::from_slice(&bytes).unwrap_or_else(|_| text()))
    }

    pub(crate) async fn get(&self, who: &str, path: &str) -> (StatusCode, Value) {
        self.ask(Some(who), &Method::GET, path, &Value::Null).await
    }

    async fn post(&self, who: &str, path: &str, body: Value) -> (StatusCode, Value) {
        self.ask(Some(who), &Method::POST, path, &body).await
    }

    pub(crate) async fn log_in(&self, of: &str, password: &str) -> Response {
        let body = json!({ "name": of, "password": password });
        self.client.post(format!("{}/api/v1/session", self.console.url)).json(&body).send().await.unwrap()
    }

    /// The cookie of a session that has just begun.
    pub(crate) async fn cookie(&self, of: &str) -> String {
        let answer = self.log_in(of, PASSWORD).await;
        assert_eq!(answer.status(), 200);
        let set = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
        set.split(';').next().unwrap().to_owned()
    }

    pub(crate) async fn with_cookie(&self, method: Method, path: &str, cookie: &str) -> Response {
        self.request_with_cookie(method, path, cookie).send().await.unwrap()
    }

    /// A request of a session.
    pub(crate) fn request_with_cookie(&self, method: Method, path: &str, cookie: &str) -> RequestBuilder {
        self.client.request(method, format!("{}{path}", self.console.url)).header("cookie", cookie)
    }

    /// The acts in the audit log, newest first: who, act, object, outcome.
    async fn acts(&self) -> Vec<[String; 4]> {
        let (_, log) = self.get("auditor", "/api/v1/audit").await;
        let row =
            |row: &Value| ["who", "act", "object", "outcome"].map(|field| row[field].as_str().unwrap().to_owned());
        log["rows"].as_array().unwrap().iter().map(row).collect()
    }

    pub(crate) async fn stop(self) {
        self.console.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_gives_a_cookie_that_scripts_and_other_sites_do_not_get() {
    let site = Guarded::start().await;
    let answer = site.log_in("Root", PASSWORD).await;
    assert_eq!(answer.status(), 200);
    let set = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(set.starts_with("__Host-vedette=vds_"), "{set}");
    for part in ["Path=/", "Secure", "HttpOnly", "SameSite=Strict"] {
        assert!(set.contains(part), "{set}");
    }
    let session: Value = answer.json().await.unwrap();
    assert_eq!((&session["who"], &session["via"]), (&json!("root"), &json!("session")));
    let cookie = set.split(';').next().unwrap();
    assert_eq!(site.with_cookie(Method::GET, "/api/v1/alerts", cookie).await.status(), 200);
    // The secret itself is stored nowhere.
    let file = std::fs::read(site.console.folder.path().join("alerts.sqlite")).unwrap();
    let wal = std::fs::read(site.console.folder.path().join("alerts.sqlite-wal")).unwrap_or_default();
    let secret = cookie.split_once('=').unwrap().1.as_bytes();
    assert!(!file.windows(secret.len()).chain(wal.windows(secret.len())).any(|part| part == secret));
    assert_eq!(site.with_cookie(Method::DELETE, "/api/v1/session", cookie).await.status(), 204);
    let refused = site.with_cookie(Method::GET, "/api/v1/alerts", cookie).await;
    assert_eq!(refused.status(), 401);
    assert!(refused.headers().contains_key("www-authenticate"));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_was_planted_before_the_login_is_worth_nothing() {
    let site = Guarded::start().await;
    let planted = format!("__Host-vedette={}", Secret::random(SecretKind::Session).reveal());
    let body = json!({ "name": "root", "password": PASSWORD });
    let url = format!("{}/api/v1/session", site.console.url);
    let answer = site.client.post(url).header("cookie", &planted).json(&body).send().await.unwrap();
    let set = answer.headers()["set-cookie"].to_str().unwrap().to_owned();
    assert!(!set.starts_with(&planted));
    assert_eq!(site.with_cookie(Method::GET, "/api/v1/alerts", &planted).await.status(), 401);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_name_and_a_wrong_password_are_told_the_same_and_guessing_takes_ever_longer() {
    let site = Guarded::start().await;
    let unknown: Value = site.log_in("nobody", "a wrong password").await.json().await.unwrap();
    let wrong: Value = site.log_in("root", "a wrong password").await.json().await.unwrap();
    let malformed: Value = site.log_in("no body", "a wrong password").await.json().await.unwrap();
    assert_eq!(unknown, wrong);
    assert_eq!(malformed, wrong);
    assert_eq!(wrong["code"], "access.wrong-login");
    for _ in 0..3 {
        assert_eq!(site.log_in("root", "a wrong password").await.status(), 401);
    }
    // Right or wrong, it has to wait.
    let waits = site.log_in("root", PASSWORD).await;
    assert_eq!(waits.status(), 429);
    assert_eq!(waits.headers()["retry-after"], "2");
    let acts = site.acts().await;
    let refused =
        acts.iter().filter(|[_, act, _, outcome]| act == "session.begin" && outcome == "refused: access.wrong-login");
    assert_eq!(refused.count(), 5, "{acts:?}");
    site.stop().await;
}

static CLOCK: AtomicI64 = AtomicI64::new(NOW);

#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_when_it_is_idle_and_when_its_time_is_over() {
    let site = Guarded::with(settings(), || Timestamp::from_micros(CLOCK.load(Ordering::SeqCst))).await;
    let minutes = |minutes: i64| CLOCK.store(NOW + minutes * 60_000_000, Ordering::SeqCst);
    let (used, idle) = (site.cookie("root").await, site.cookie("root").await);
    let status = async |cookie: &str| site.with_cookie(Method::GET, "/api/v1/session", cookie).await.status();
    for minute in (50..700).step_by(50) {
        minutes(minute);
        assert_eq!(status(&used).await, 200, "minute {minute}");
    }
    assert_eq!(status(&idle).await, 401, "idle for more than an hour");
    minutes(720);
    assert_eq!(status(&used).await, 401, "after twelve hours");
    minutes(0);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_made_before_the_first_account() {
    let console = Running::start().await;
    let token = json!({"name": "early", "grants": [{"role": "administrator"}], "days": 366});
    let answer = Client::new().post(format!("{}/api/v1/tokens", console.url)).json(&token).send().await.unwrap();
    let status = answer.status();
    let problem: Value = answer.json().await.unwrap();
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("access.no-account-yet")));
    assert_eq!(console.store.tokens().unwrap(), []);
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_within_areas_leaves_what_is_others_too() {
    let site = Guarded::start().await;
    let camera = |id: &str, groups: &[&str], source: Value| {
        let mut camera = serde_json::to_value(Two::camera(id)).unwrap();
        camera["groups"] = json!(groups);
        camera["source"] = source;
        json!({ "camera": camera, "reason": "a test" })
    };
    let file = json!({ "kind": "file", "path": "/srv/elsewhere.mp4" });
    let rtsp = json!({ "kind": "rtsp", "url": "rtsp://192.0.2.7/live" });
    for (id, groups, source, code) in [
        ("gate-1", &["east", "west"][..], Value::Null, "access.camera-shared"),
        ("gate-9", &["east", "west"], rtsp.clone(), "access.camera-shared"),
        ("gate-9", &["east"], file.clone(), "access.file-source"),
        ("gate-1", &["east"], file, "access.file-source"),
        ("gate-1", &["west"], Value::Null, "access.camera-elsewhere"),
        // Nobody analyses here, so that is as far as it gets.
        ("gate-1", &["east"], rtsp, "change.not-now"),
    ] {
        let path = format!("/api/v1/cameras/{id}/apply");
        let (status, problem) = site.post("administrator-east", &path, camera(id, groups, source)).await;
        assert_eq!(problem["code"], code, "{id} {groups:?}: {status} {problem}");
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_shown_once_has_no_more_than_its_maker_and_ends_when_it_is_revoked() {
    let site = Guarded::start().await;
    let (status, made) =
        site.post("root", "/api/v1/tokens", json!({"name": "export", "grants": [{"role": "viewer"}], "days": 7})).await;
    assert_eq!(status, 201, "{made}");
    let secret = made["secret"].as_str().unwrap().to_owned();
    let (_, listed) = site.get("root", "/api/v1/tokens").await;
    assert!(!listed.to_string().contains(&secret));
    let asked = async |secret: &str| {
        let url = format!("{}/api/v1/alerts", site.console.url);
        site.client.get(url).bearer_auth(secret).send().await.unwrap().status()
    };
    assert_eq!(asked(&secret).await, 200);
    for wrong in ["vdt_AAAA", "", "vds_", &secret[..secret.len() - 1], &format!("{secret}A")] {
        assert_eq!(asked(wrong).await, 401, "{wrong}");
    }
    let (status, _) = site.ask(Some("root"), &Method::DELETE, "/api/v1/tokens/export", &Value::Null).await;
    assert_eq!(status, 204);
    assert_eq!(asked(&secret).await, 401);
    for (body, code) in [
        (json!({"name": "a b", "grants": [{"role": "viewer"}], "days": 7}), "access.name"),
        (json!({"name": "a", "grants": [], "days": 7}), "access.no-grants"),
        (json!({"name": "a", "grants": [{"role": "viewer", "areas": []}], "days": 7}), "access.nowhere"),
        (json!({"name": "a", "grants": [{"role": "viewer"}], "days": 0}), "access.token-life"),
        (json!({"name": "root", "grants": [{"role": "viewer"}], "days": 7}), "access.refused"),
    ] {
        let (status, problem) = site.post("root", "/api/v1/tokens", body.clone()).await;
        assert!(status.is_client_error() && problem["code"] == code, "{body}: {status} {problem}");
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_administrators_cannot_remove_each_other_and_an_account_acts_under_its_own_name() {
    let site = Guarded::start().await;
    add_account(&site.console.store, "anna", &["operator"]);
    let (status, problem) = site.ask(Some("root"), &Method::DELETE, "/api/v1/accounts/root", &Value::Null).await;
    assert_eq!((status, &problem["code"]), (StatusCode::CONFLICT, &json!("access.refused")));
    let (status, _) = site.post("root", "/api/v1/accounts/anna", json!({"grants": [{"role": "administrator"}]})).await;
    assert_eq!(status, 200);
    let removals = ["root", "anna"].map(|of| format!("/api/v1/accounts/{of}"));
    let [first, second] = &removals;
    let none = Value::Null;
    let (first, second) = tokio::join!(
        site.ask(Some("root"), &Method::DELETE, first, &none),
        site.ask(Some("administrator"), &Method::DELETE, second, &none)
    );
    let mut statuses = [first.0, second.0];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::NO_CONTENT, StatusCode::CONFLICT]);
    // Nobody is `local` again.
    let (status, problem) = site.ask(None, &Method::GET, "/api/v1/alerts", &none).await;
    assert_eq!((status, &problem["code"]), (StatusCode::UNAUTHORIZED, &json!("access.login-needed")));

    let verdict = format!("/api/v1/alerts/{}/verdict", alert(0).id);
    let (status, problem) = site.post("operator", &verdict, json!({"verdict": "confirmed", "by": "somebody"})).await;
    assert_eq!((status, &problem["code"]), (StatusCode::BAD_REQUEST, &json!("parameter.name-given")));
    let (status, given) = site.post("operator", &verdict, json!({"verdict": "confirmed"})).await;
    assert_eq!((status, &given["verdict"]["by"]), (StatusCode::OK, &json!("token:operator")));
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn acts_looks_and_refusals_are_in_the_audit_log_and_it_verifies() {
    let site = Guarded::start().await;
    let id = alert(0).id;
    let verdict = format!("/api/v1/alerts/{id}/verdict");
    site.post("operator", &verdict, json!({"verdict": "false_alarm"})).await;
    assert_eq!(site.get("evidence", &format!("/api/v1/alerts/{id}/snapshot?reason=case+7")).await.0, 200);
    assert_eq!(site.get("viewer", &format!("/api/v1/alerts/{id}/snapshot")).await.0, 403);
    assert_eq!(site.post("viewer", &verdict, json!({"verdict": "confirmed"})).await.0, 403);
    let acts = site.acts().await;
    let text = |parts: [&str; 4]| parts.map(ToOwned::to_owned);
    let expected = [
        text(["token:viewer", "refused", &format!("POST {verdict}"), "refused: access.not-permitted"]),
        text([
            "token:viewer",
            "refused",
            &format!("GET /api/v1/alerts/{id}/snapshot"),
            "refused: access.not-permitted",
        ]),
        text(["token:evidence", "look.snapshot", &format!("alert:{id}"), "done"]),
        text(["token:operator", "alert.verdict", &format!("alert:{id}"), "done"]),
    ];
    assert_eq!(acts[..4], expected);
    let (_, of_it) = site.get("auditor", &format!("/api/v1/audit?object=alert:{id}&act=look.")).await;
    assert_eq!(of_it["rows"].as_array().unwrap().len(), 1);
    assert_eq!(of_it["rows"][0]["reason"], "case 7");
    let (status, export) = site.get("auditor", "/api/v1/audit/export").await;
    let lines: Vec<Value> = export.as_str().unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((status, lines.last().unwrap()["act"].as_str()), (StatusCode::OK, Some("audit.export")));
    assert!(lines.iter().enumerate().all(|(index, row)| row["number"] == index as u64 + 1));
    let head = site.console.store.verify_audit(&[], |_| ()).unwrap().unwrap();
    assert_eq!(head.number, lines.len() as u64);
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_within_a_second_of_its_session_and_of_its_area() {
    let site = Guarded::start().await;
    add_account(&site.console.store, "anna", &["viewer"]);
    add_account(&site.console.store, "berta", &["viewer"]);
    for (of, ends) in [("anna", "session"), ("berta", "area")] {
        let cookie = site.cookie(of).await;
        let mut stream = site.with_cookie(Method::GET, "/api/v1/alerts/stream", &cookie).await;
        assert!(stream.chunk().await.unwrap().is_some());
        let began = Instant::now();
        if ends == "session" {
            let (_, sessions) = site.get("root", &format!("/api/v1/sessions?account={of}")).await;
            let path = format!("/api/v1/sessions/{}", sessions[0]["id"].as_str().unwrap());
            assert_eq!(site.ask(Some("root"), &Method::DELETE, &path, &Value::Null).await.0, 204);
        } else {
            let grants = json!({"grants": [{"role": "viewer", "areas": ["group:west"]}]});
            assert_eq!(site.post("root", &format!("/api/v1/accounts/{of}"), grants).await.0, 200);
        }
        let ended = async { while let Ok(Some(_)) = stream.chunk().await {} };
        tokio::time::timeout(Duration::from_secs(10), ended).await.unwrap();
        eprintln!("the stream ended {:.0} ms after its {ends}", began.elapsed().as_secs_f64() * 1e3);
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_accounts_only_programs_of_this_machine_are_served() {
    let mut published = settings();
    published.hosts = vec!["vedette.example".parse().unwrap()];
    published.trusted_proxies = vec!["127.0.0.1".parse().unwrap()];
    let console = Running::with(published, true).await;
    let session = console.json("/api/v1/session").await;
    assert_eq!((&session["who"], &session["via"]), (&json!("local"), &json!("address")));
    let client = Client::new();
    let port = SocketAddr::port(&console.address);
    for (header, value) in [
        ("host", "vedette.example".to_owned()),
        ("x-forwarded-for", "192.0.2.7".to_owned()),
        ("x-forwarded-host", "vedette.example".to_owned()),
        ("host", format!("localhost:{port}")),
    ] {
        let answer = client.get(format!("{}/api/v1/alerts", console.url)).header(header, &value).send().await.unwrap();
        let is_local = value.starts_with("localhost");
        assert_eq!(answer.status(), if is_local { 200 } else { 403 }, "{header}: {value}");
        if !is_local {
            assert_eq!(answer.json::<Value>().await.unwrap()["code"], "access.no-accounts");
        }
    }
    // The first account ends it.
    add_account(&console.store, "root", &["administrator"]);
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(console.get("/api/v1/alerts").await.status(), 401);
    console.stop().await;
}
