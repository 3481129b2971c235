//! Logging in at a provider, and out, in the console.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use reqwest::redirect::Policy;
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use vedette_access::{Grants, Login};
use vedette_alert_store::AccountChange;
use vedette_core::Timestamp;
use vedette_single_sign_on::{ClaimPath, Provider, Settings};

use crate::access::{add_account, add_token, name};
use crate::page::play_at;
use crate::provider::{CLIENT, OpenIdProvider, Reply, SECRET};
use crate::support::{Running, settings};

const NOW: i64 = 1_772_352_000;

fn grants(texts: &[&str]) -> Grants {
    Grants::new(texts.iter().map(|text| text.parse().unwrap()).collect()).unwrap()
}

/// The console's settings of a provider.
fn client_of(issuer: &str, page: &str) -> Settings {
    let page: url::Url = page.parse().unwrap();
    Settings {
        issuer: issuer.into(),
        client: CLIENT.into(),
        secret: SECRET.to_owned().into(),
        scopes: vec!["profile".into()],
        name: ClaimPath::read("preferred_username").unwrap(),
        groups: ClaimPath::read("groups").unwrap(),
        grants: BTreeMap::from([
            ("guards".into(), grants(&["operator@group:east"])),
            ("leads".into(), grants(&["administrator"])),
        ]),
        authorities: None,
        answer_at: page.join("api/v1/session/answer").unwrap(),
        after_logout: page,
        label: "Site".into(),
    }
}

/// A console with the local account `root`, and a provider.
struct Site {
    console: Running,
    op: Arc<OpenIdProvider>,
    auditor: String,
    client: Client,
}

impl Site {
    async fn start() -> Self {
        Self::with(|| Timestamp::from_micros(NOW * 1_000_000)).await
    }

    async fn with(clock: fn() -> Timestamp) -> Self {
        let op = OpenIdProvider::start(NOW).await;
        let issuer = op.issuer.clone();
        let console =
            Running::signing_on(settings(), clock, |url| Provider::new(client_of(&issuer, url)).unwrap()).await;
        add_account(&console.store, "root", &["administrator"]);
        let auditor = add_token(&console.store, "auditor", &["auditor"]);
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { console, op, auditor, client }
    }

    async fn get(&self, path: &str, cookie: &str) -> Response {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.console.url) };
        self.client.get(url).header("cookie", cookie).send().await.unwrap()
    }

    /// Begins a login: the cookie of its key, and where the provider leads back to.
    async fn begin(&self) -> (String, String) {
        let begun = self.get("/api/v1/session/sign-on", "").await;
        assert_eq!(begun.status(), 303);
        let back = self.client.get(location(&begun)).send().await.unwrap();
        (cookie(&begun, "vedette-sign-on"), location(&back))
    }

    /// The cookie of a session.
    async fn log_in(&self) -> String {
        let (key, back) = self.begin().await;
        let answer = self.get(&back, &key).await;
        assert_eq!(answer.status(), 303);
        cookie(&answer, "__Host-vedette")
    }

    /// A login that is refused: its status and code.
    async fn refused(&self) -> (StatusCode, Value) {
        let (key, back) = self.begin().await;
        problem(self.get(&back, &key).await).await
    }

    async fn provider_logout(&self, token: &str) -> Response {
        let url = format!("{}/api/v1/session/provider-logout", self.console.url);
        self.client.post(url).form(&[("logout_token", token)]).send().await.unwrap()
    }

    /// The acts in the audit log, newest first: who, act, object, outcome.
    async fn acts(&self) -> Vec<[String; 4]> {
        let url = format!("{}/api/v1/audit", self.console.url);
        let log: Value = self.client.get(url).bearer_auth(&self.auditor).send().await.unwrap().json().await.unwrap();
        let row =
            |row: &Value| ["who", "act", "object", "outcome"].map(|field| row[field].as_str().unwrap().to_owned());
        log["rows"].as_array().unwrap().iter().map(row).collect()
    }

    async fn is_act(&self, act: [&str; 4]) -> bool {
        self.acts().await.contains(&act.map(ToOwned::to_owned))
    }
}

fn location(answer: &Response) -> String {
    answer.headers()["location"].to_str().unwrap().to_owned()
}

fn cookie(answer: &Response, of: &str) -> String {
    let set = answer.headers().get_all("set-cookie").iter().map(|set| set.to_str().unwrap());
    let set: Vec<_> = set.filter(|set| set.starts_with(&format!("{of}="))).collect();
    assert_eq!(set.len(), 1, "{of}");
    set[0].split(';').next().unwrap().to_owned()
}

async fn problem(answer: Response) -> (StatusCode, Value) {
    let status = answer.status();
    (status, answer.json::<Value>().await.unwrap()["code"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_at_the_provider_and_out_there() {
    let site = Site::start().await;
    let ways: Value = site.get("/api/v1/session/ways", "").await.json().await.unwrap();
    assert_eq!(ways, json!({"provider": {"label": "Site"}}));
    let begun = site.get("/api/v1/session/sign-on?return_to=/%23alert%3D1", "").await;
    let set = begun.headers()["set-cookie"].to_str().unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/api/v1/session/answer", "Max-Age=600"] {
        assert!(set.contains(part), "{set}");
    }
    let back = site.client.get(location(&begun)).send().await.unwrap();
    let answer = site.get(&location(&back), &cookie(&begun, "vedette-sign-on")).await;
    assert_eq!((answer.status(), location(&answer).as_str()), (StatusCode::SEE_OTHER, "/#alert=1"));
    assert!(cookie(&answer, "vedette-sign-on").ends_with('='), "the key is still there");
    let of_session = cookie(&answer, "__Host-vedette");
    let set: Vec<_> = answer.headers().get_all("set-cookie").iter().map(|set| set.to_str().unwrap()).collect();
    assert!(
        set.iter().any(|set| set.starts_with("__Host-vedette")
            && set.contains("SameSite=Strict")
            && set.contains("HttpOnly"))
    );
    let session: Value = site.get("/api/v1/session", &of_session).await.json().await.unwrap();
    assert_eq!((&session["who"], &session["roles"]), (&json!("anna"), &json!(["operator@group:east"])));
    let there: url::Url = session["provider_logout"].as_str().unwrap().parse().unwrap();
    assert!(there.as_str().starts_with(&format!("{}/logout?id_token_hint=", site.op.issuer)), "{there}");
    let account = site.console.store.account(&name("anna")).unwrap().unwrap();
    assert_eq!(account.login, Login::Provider { issuer: site.op.issuer.clone(), subject: "person-1".into() });
    // The grants are those of the newest login.
    site.op.claims(|claims| claims["groups"] = json!(["leads"]));
    let again = site.log_in().await;
    for cookie in [&of_session, &again] {
        let session: Value = site.get("/api/v1/session", cookie).await.json().await.unwrap();
        assert_eq!(session["roles"], json!(["administrator"]));
    }
    // The account's name stays that of the first login.
    site.op.claims(|claims| claims["preferred_username"] = json!("anna.b"));
    site.log_in().await;
    assert_eq!(site.console.store.accounts().unwrap().len(), 2);
    let out = site.client.delete(format!("{}/api/v1/session", site.console.url)).header("cookie", &again);
    assert_eq!(out.send().await.unwrap().status(), 204);
    assert_eq!(site.get("/api/v1/session", &again).await.status(), 401);
    for act in ["account.add", "account.change", "session.begin", "session.end"] {
        assert!(site.is_act(["anna", act, "account:anna", "done"]).await, "{act}: {:?}", site.acts().await);
    }
    // One who logged in with a password has nothing to end there.
    let root = json!({"name": "root", "password": "correct horse battery"});
    let root = site.client.post(format!("{}/api/v1/session", site.console.url)).json(&root).send().await.unwrap();
    let session: Value = site.get("/api/v1/session", &cookie(&root, "__Host-vedette")).await.json().await.unwrap();
    assert_eq!(session["provider_logout"], Value::Null);
    site.console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_gets_into_a_session_that_another_browser_began() {
    let site = Site::start().await;
    let (mine, my_answer) = site.begin().await;
    let (others, _) = site.begin().await;
    // A link with somebody's own answer, opened in another browser: without its key, and with another one.
    assert_eq!(problem(site.get(&my_answer, "").await).await, (StatusCode::BAD_REQUEST, json!("sign-on.not-begun")));
    assert_eq!(
        problem(site.get(&my_answer, &others).await).await,
        (StatusCode::BAD_REQUEST, json!("sign-on.other-login"))
    );
    let planted = "__Host-vedette=vds_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    let answer = site.get(&my_answer, &format!("{planted}; {mine}")).await;
    let session = cookie(&answer, "__Host-vedette");
    assert_ne!(session, planted);
    assert_eq!(site.get("/api/v1/session", planted).await.status(), 401);
    assert_eq!(site.get("/api/v1/session", &session).await.status(), 200);
    assert_eq!(problem(site.get(&my_answer, &mine).await).await.1, json!("sign-on.not-begun"), "replayed");
    // Repeated parameters are none.
    let (key, back) = site.begin().await;
    assert_eq!(problem(site.get(&format!("{back}&state=a"), &key).await).await.1, json!("sign-on.other-login"));
    assert!(site.is_act(["?", "session.begin", "account:?", "refused: sign-on.other-login"]).await);
    // A browser gets a page, with what was sent escaped.
    let page = site.client.get(format!("{}/api/v1/session/answer?error=<script>", site.console.url));
    let page = page.header("accept", "text/html,*/*").send().await.unwrap();
    assert_eq!(
        (page.status(), page.headers()["content-type"].to_str().unwrap()),
        (StatusCode::BAD_REQUEST, "text/html; charset=utf-8")
    );
    let text = page.text().await.unwrap();
    assert!(text.contains("no login was begun") && !text.contains("<script>"), "{text}");
    let (key, back) = site.begin().await;
    let state =
        back.parse::<url::Url>().unwrap().query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    let refusal = format!("{}/api/v1/session/answer?error=%3Cb%3E&state={state}", site.console.url);
    let page = site.client.get(refusal).header("accept", "text/html").header("cookie", key).send().await.unwrap();
    assert_eq!(page.status(), 403);
    assert!(page.text().await.unwrap().contains("&lt;b&gt;"));
    site.console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_leads_back_to_this_console_only() {
    let site = Site::start().await;
    for (given, leads) in [("/", true), ("/%23alert%3D1", true), ("/?a%3D1", true), ("", true)].into_iter().chain(
        [
            "//evil.example",
            "%2F%2Fevil.example",
            "/%5Cevil.example",
            "%5C%5Cevil.example",
            "/%09/evil.example",
            "/%0A/evil.example",
            "https://evil.example",
            "https:evil.example",
            "javascript:alert(1)",
            "evil.example",
            "/a//evil.example",
            "/..//evil.example",
            "/%0D%0ASet-Cookie:a",
            "/%00",
            "%20/",
        ]
        .map(|given| (given, false)),
    ) {
        let answer = site.get(&format!("/api/v1/session/sign-on?return_to={given}"), "").await;
        let status = answer.status();
        if leads {
            assert_eq!(status, 303, "{given}");
        } else {
            assert_eq!(problem(answer).await, (StatusCode::BAD_REQUEST, json!("sign-on.return-to")), "{given}");
        }
    }
    site.console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_back_channel_ends_sessions_and_live_streams_at_once() {
    let site = Site::start().await;
    let ended = async |mut stream: Response| {
        let began = Instant::now();
        let end = async { while let Ok(Some(_)) = stream.chunk().await {} };
        tokio::time::timeout(Duration::from_secs(10), end).await.unwrap();
        began.elapsed()
    };
    let session = site.log_in().await;
    site.op.claims(|claims| claims["sid"] = json!("session-2"));
    let other = site.log_in().await;
    let mut stream = site.get("/api/v1/alerts/stream", &session).await;
    assert!(stream.chunk().await.unwrap().is_some());
    let token = site.op.logout_token(|claims| drop(claims.as_object_mut().unwrap().remove("sub")));
    let answer = site.provider_logout(&token).await;
    assert_eq!((answer.status(), answer.headers()["cache-control"].to_str().unwrap()), (StatusCode::OK, "no-store"));
    let took = ended(stream).await;
    eprintln!("the stream ended {:.0} ms after the logout at the provider", took.as_secs_f64() * 1e3);
    assert!(took < Duration::from_secs(3), "{took:?}");
    assert_eq!(site.get("/api/v1/session", &session).await.status(), 401);
    assert_eq!(site.get("/api/v1/session", &other).await.status(), 200, "another session of the person");
    assert_eq!(
        problem(site.provider_logout(&token).await).await,
        (StatusCode::BAD_REQUEST, json!("sign-on.logout-token"))
    );
    // All sessions of the person.
    let token = site.op.logout_token(|claims| drop(claims.as_object_mut().unwrap().remove("sid")));
    assert_eq!(site.provider_logout(&token).await.status(), 200);
    assert_eq!(site.get("/api/v1/session", &other).await.status(), 401);
    let who = format!("provider:{}", site.op.issuer);
    assert!(site.is_act([&who, "session.end", "account:anna", "done"]).await, "{:?}", site.acts().await);
    assert!(site.is_act(["?", "session.end", &who, "refused: sign-on.logout-token"]).await);
    // Pages of other sites cannot send one; a body without a token, or a query, is refused.
    let url = format!("{}/api/v1/session/provider-logout", site.console.url);
    let foreign = site.client.post(&url).header("origin", "https://evil.example").form(&[("logout_token", "a")]);
    assert_eq!(problem(foreign.send().await.unwrap()).await.1, json!("cross-site.refused"));
    let empty = site.client.post(&url).form(&[("token", "a")]).send().await.unwrap();
    assert_eq!(problem(empty).await, (StatusCode::BAD_REQUEST, json!("parameter.missing")));
    let as_json = site.client.post(&url).json(&json!({"logout_token": "a"})).send().await.unwrap();
    assert_eq!(problem(as_json).await, (StatusCode::UNSUPPORTED_MEDIA_TYPE, json!("body.form-type")));
    site.console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_role_no_name_or_a_disabled_account_is_told_so() {
    let site = Site::start().await;
    site.op.claims(|claims| claims["groups"] = json!(["others"]));
    assert_eq!(site.refused().await, (StatusCode::FORBIDDEN, json!("sign-on.no-role")));
    assert!(site.is_act(["anna", "session.begin", "account:anna", "refused: sign-on.no-role"]).await);
    assert!(site.console.store.account(&name("anna")).unwrap().is_none(), "an account for nobody");
    site.op.claims(|claims| claims["preferred_username"] = json!("an na"));
    assert_eq!(site.refused().await, (StatusCode::FORBIDDEN, json!("sign-on.name")));
    // A local account of that name, and another person's.
    site.op.claims(|claims| claims["preferred_username"] = json!("Root"));
    assert_eq!(site.refused().await, (StatusCode::CONFLICT, json!("sign-on.name-taken")));
    assert!(site.is_act(["root", "session.begin", "account:root", "refused: sign-on.name-taken"]).await);
    assert!(matches!(site.console.store.account(&name("root")).unwrap().unwrap().login, Login::Password(_)));
    site.op.claims(|_| ());
    let session = site.log_in().await;
    site.op.claims(|claims| claims["sub"] = json!("person-2"));
    assert_eq!(site.refused().await, (StatusCode::CONFLICT, json!("sign-on.name-taken")));
    site.op.claims(|_| ());
    let disabled = AccountChange { enabled: Some(false), ..AccountChange::default() };
    site.console.store.change_account(&name("anna"), &disabled, Timestamp::from_micros(NOW * 1_000_000), None).unwrap();
    assert_eq!(site.get("/api/v1/session", &session).await.status(), 401);
    assert_eq!(site.refused().await, (StatusCode::FORBIDDEN, json!("sign-on.disabled")));
    assert!(!site.console.store.account(&name("anna")).unwrap().unwrap().enabled);
    // An account without a password has none to try.
    let guess = json!({"name": "anna", "password": ""});
    let guess = site.client.request(Method::POST, format!("{}/api/v1/session", site.console.url)).json(&guess);
    assert_eq!(guess.send().await.unwrap().status(), 401);
    site.console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn below_a_path_the_browser_is_led_back_to_it() {
    let op = OpenIdProvider::start(NOW).await;
    let issuer = op.issuer.clone();
    let below = vedette_console::ConsoleSettings { base_path: "/vedette".parse().unwrap(), ..settings() };
    let clock = || Timestamp::from_micros(NOW * 1_000_000);
    let console =
        Running::signing_on(below, clock, |url| Provider::new(client_of(&issuer, &format!("{url}/vedette/"))).unwrap())
            .await;
    add_account(&console.store, "root", &["administrator"]);
    let client = Client::builder().redirect(Policy::none()).build().unwrap();
    let begun =
        client.get(format!("{}/vedette/api/v1/session/sign-on?return_to=/%23a", console.url)).send().await.unwrap();
    assert!(begun.headers()["set-cookie"].to_str().unwrap().contains("Path=/vedette/api/v1/session/answer"));
    let back = location(&client.get(location(&begun)).send().await.unwrap());
    assert!(back.starts_with(&format!("{}/vedette/api/v1/session/answer?", console.url)), "{back}");
    let answer = client.get(back).header("cookie", cookie(&begun, "vedette-sign-on")).send().await.unwrap();
    assert_eq!((answer.status(), location(&answer).as_str()), (StatusCode::SEE_OTHER, "/vedette/#a"));
    console.stop().await;
}

static CLOCK: AtomicI64 = AtomicI64::new(NOW);

#[tokio::test(flavor = "multi_thread")]
async fn while_the_provider_is_away_sessions_go_on_and_new_logins_are_told() {
    let site = Site::with(|| Timestamp::from_micros(CLOCK.load(Ordering::SeqCst) * 1_000_000)).await;
    let session = site.log_in().await;
    site.op.set(|ways| ways.discovery = Reply::Is(503, "{}".into()));
    CLOCK.store(NOW + 120, Ordering::SeqCst);
    let refused = site.get("/api/v1/session/sign-on", "").await;
    assert_eq!(refused.headers()["retry-after"], "2");
    assert_eq!(problem(refused).await, (StatusCode::SERVICE_UNAVAILABLE, json!("sign-on.away")));
    let answer = site.get("/api/v1/session", &session).await;
    assert_eq!(answer.status(), 200);
    assert!(answer.json::<Value>().await.unwrap()["provider_logout"].is_string());
    site.op.set(|ways| ways.discovery = Reply::Honest);
    CLOCK.store(NOW + 126, Ordering::SeqCst);
    site.op.now.store(NOW + 126, Ordering::SeqCst);
    site.log_in().await;
    site.console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_site_without_single_sign_on_says_so() {
    let console = Running::start().await;
    add_account(&console.store, "root", &["administrator"]);
    assert_eq!(console.json("/api/v1/session/ways").await, json!({"provider": null}));
    for path in ["/api/v1/session/sign-on", "/api/v1/session/answer"] {
        assert_eq!(problem(console.get(path).await).await, (StatusCode::NOT_FOUND, json!("sign-on.off")));
    }
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_logs_in_on_the_page_through_a_provider_of_another_site() {
    let op = OpenIdProvider::start(NOW).await;
    let issuer = op.issuer.clone();
    let clock = || Timestamp::from_micros(NOW * 1_000_000);
    let under_its_name = |url: &str| url.replace("127.0.0.1", "localhost");
    let console =
        Running::signing_on(settings(), clock, |url| Provider::new(client_of(&issuer, &under_its_name(url))).unwrap())
            .await;
    add_account(&console.store, "root", &["administrator"]);
    play_at("sign-on.mjs", &console.url, |wanted| match wanted {
        "logged out there" => assert_eq!(op.logged_out.lock().unwrap().len(), 1),
        "no role" => op.claims(|claims| claims["groups"] = json!([])),
        other => panic!("{other}"),
    })
    .await;
    console.stop().await;
}
