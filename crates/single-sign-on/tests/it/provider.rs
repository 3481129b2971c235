//! An OpenID Connect provider for tests: honest, until it is told what to do wrong. Tests of other crates include this file by its path.

#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Form, Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use openidconnect::core::{CoreHmacKey, CoreJwsSigningAlgorithm, CoreRsaPrivateSigningKey};
use openidconnect::{JsonWebKeyId, PrivateSigningKey};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The client at the provider, and its secret.
pub(crate) const CLIENT: &str = "vedette";
pub(crate) const SECRET: &str = "the secret of the tests";
/// What a logout token is about.
pub(crate) const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// Keys made for the tests.
const PEMS: [&str; 2] = [include_str!("first.pem"), include_str!("second.pem")];

/// How tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Signing {
    /// With the key of that number, by RS256.
    Key(usize),
    /// The same, and one bit of the signature is turned.
    Forged,
    /// By `none`, without a signature.
    Nothing,
    /// By `none`, with a signature.
    NothingSigned,
    /// By HS256, with the public key as the secret.
    PublicKeyAsSecret,
    /// By HS256, with the client's secret.
    ClientSecret,
}

/// What an endpoint answers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reply {
    Honest,
    Redirect(String),
    /// A length of 1 GB, and zeros.
    Huge,
    /// Zeros without end.
    Endless,
    /// A byte now and then.
    Slow,
    Is(u16, String),
}

type Alter = Arc<dyn Fn(&mut Value) + Send + Sync>;

/// A code that was given out.
struct Given {
    challenge: String,
    nonce: Option<String>,
    redirect: String,
}

/// What it does.
pub(crate) struct Ways {
    pub(crate) discovery: Reply,
    /// Changes of its description.
    pub(crate) described: Alter,
    pub(crate) keys: Reply,
    pub(crate) token: Reply,
    pub(crate) signing: Signing,
    /// The keys that it publishes.
    pub(crate) published: Vec<usize>,
    /// Changes of the header of a token and of its claims.
    pub(crate) header: Alter,
    pub(crate) claims: Alter,
    /// Whether it forgets that a code was used.
    pub(crate) forgets_codes: bool,
}

pub(crate) struct OpenIdProvider {
    pub(crate) issuer: String,
    pub(crate) ways: Mutex<Ways>,
    /// The time, in seconds.
    pub(crate) now: AtomicI64,
    codes: Mutex<HashMap<String, Given>>,
    count: AtomicUsize,
    pub(crate) discovered: AtomicUsize,
    pub(crate) keys_fetched: AtomicUsize,
    /// The proofs of the sessions that browsers have ended there.
    pub(crate) logged_out: Mutex<Vec<String>>,
}

type Shared = Arc<OpenIdProvider>;

impl OpenIdProvider {
    /// Starts one on this machine.
    pub(crate) async fn start(now: i64) -> Shared {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let issuer = format!("http://{}/realms/site", listener.local_addr().unwrap());
        let unchanged: Alter = Arc::new(|_| ());
        let shared = Arc::new(Self {
            issuer,
            ways: Mutex::new(Ways {
                discovery: Reply::Honest,
                described: unchanged.clone(),
                keys: Reply::Honest,
                token: Reply::Honest,
                signing: Signing::Key(0),
                published: vec![0],
                header: unchanged.clone(),
                claims: unchanged,
                forgets_codes: false,
            }),
            now: AtomicI64::new(now),
            codes: Mutex::default(),
            count: AtomicUsize::new(0),
            discovered: AtomicUsize::new(0),
            keys_fetched: AtomicUsize::new(0),
            logged_out: Mutex::default(),
        });
        let app = Router::new()
            .route("/realms/site/.well-known/openid-configuration", get(discovery))
            .route("/elsewhere", get(|| async { Json(json!({})) }))
            .route("/realms/site/keys", get(keys))
            .route("/realms/site/authorize", get(authorize))
            .route("/realms/site/token", post(token))
            .route("/realms/site/logout", get(log_out))
            .with_state(shared.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        shared
    }

    /// Changes what it does.
    pub(crate) fn set(&self, change: impl FnOnce(&mut Ways)) {
        change(&mut self.ways.lock().unwrap());
    }

    /// Changes the claims of its tokens.
    pub(crate) fn claims(&self, change: impl Fn(&mut Value) + Send + Sync + 'static) {
        self.set(|ways| ways.claims = Arc::new(change));
    }

    fn seconds(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    /// A signed text, signed as it is told.
    pub(crate) fn sign(&self, claims: &Value, typ: &str) -> String {
        let ways = self.ways.lock().unwrap();
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let (algorithm, key) = match ways.signing {
            Signing::Key(key) => ("RS256", key),
            Signing::Forged => ("RS256", 0),
            Signing::Nothing | Signing::NothingSigned => ("none", 0),
            Signing::PublicKeyAsSecret | Signing::ClientSecret => ("HS256", 0),
        };
        let mut header = json!({ "alg": algorithm, "kid": format!("key-{key}"), "typ": typ });
        (ways.header)(&mut header);
        let signed = format!("{}.{}", part(&header), part(claims));
        let hmac = |secret: &[u8]| {
            CoreHmacKey::new(secret).sign(&CoreJwsSigningAlgorithm::HmacSha256, signed.as_bytes()).unwrap()
        };
        let rsa = |key| private(key).sign(&CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256, signed.as_bytes()).unwrap();
        let signature = match ways.signing {
            Signing::Key(key) => rsa(key),
            Signing::Forged => {
                let mut signature = rsa(0);
                signature[7] ^= 1;
                signature
            }
            Signing::Nothing => Vec::new(),
            Signing::NothingSigned => rsa(0),
            Signing::PublicKeyAsSecret => {
                let public = serde_json::to_value(private(0).as_verification_key()).unwrap();
                hmac(&URL_SAFE_NO_PAD.decode(public["n"].as_str().unwrap()).unwrap())
            }
            Signing::ClientSecret => hmac(SECRET.as_bytes()),
        };
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A logout token with these changes.
    pub(crate) fn logout_token(&self, change: impl FnOnce(&mut Value)) -> String {
        let (now, number) = (self.seconds(), self.count.fetch_add(1, Ordering::SeqCst));
        let mut claims = json!({ "iss": self.issuer, "aud": CLIENT, "iat": now, "exp": now + 120, "jti": format!("logout-{number}"),
            "sub": "person-1", "sid": "session-1", "events": { EVENT: {} } });
        change(&mut claims);
        self.sign(&claims, "logout+jwt")
    }

    /// The tokens for a code.
    fn tokens(&self, headers: &HeaderMap, asked: &HashMap<String, String>) -> Result<Value, &'static str> {
        let (claims, forgets) = {
            let ways = self.ways.lock().unwrap();
            (ways.claims.clone(), ways.forgets_codes)
        };
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        let expected = format!("Basic {}", STANDARD.encode(format!("{}:{}", encoded(CLIENT), encoded(SECRET))));
        if headers.get("authorization").is_none_or(|given| given != expected.as_str()) {
            return Err("invalid_client");
        }
        let mut codes = self.codes.lock().unwrap();
        let given = codes.get(&asked["code"]).ok_or("invalid_grant")?;
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(&asked["code_verifier"]));
        if challenge != given.challenge || asked["redirect_uri"] != given.redirect {
            return Err("invalid_grant");
        }
        let (now, access) = (self.seconds(), "an access token");
        let mut content = json!({
            "iss": self.issuer, "sub": "person-1", "aud": CLIENT, "azp": CLIENT, "iat": now, "exp": now + 300, "nonce": given.nonce,
            "sid": "session-1", "preferred_username": "Anna", "groups": ["guards", "unmapped"],
            "at_hash": URL_SAFE_NO_PAD.encode(&Sha256::digest(access)[..16]),
        });
        if !forgets {
            codes.remove(&asked["code"]);
        }
        claims(&mut content);
        let id_token = self.sign(&content, "JWT");
        Ok(json!({ "access_token": access, "token_type": "Bearer", "expires_in": 300, "id_token": id_token }))
    }
}

fn private(key: usize) -> CoreRsaPrivateSigningKey {
    CoreRsaPrivateSigningKey::from_pem(PEMS[key], Some(JsonWebKeyId::new(format!("key-{key}")))).unwrap()
}

async fn reply(reply: &Reply, honest: impl FnOnce() -> Response) -> Response {
    let zeros = |pause: u64| {
        let parts = futures::stream::unfold((), move |()| async move {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            Some((Ok::<_, Infallible>(Bytes::from(vec![b' '; if pause > 0 { 1 } else { 65_536 }])), ()))
        });
        Body::from_stream(parts)
    };
    let kind = [(header::CONTENT_TYPE, "application/json")];
    match reply {
        Reply::Honest => honest(),
        Reply::Redirect(to) => Redirect::temporary(to).into_response(),
        Reply::Huge => ([(header::CONTENT_TYPE, "application/json"), (header::CONTENT_LENGTH, "1073741824")], zeros(0))
            .into_response(),
        Reply::Endless => (kind, zeros(0)).into_response(),
        Reply::Slow => (kind, zeros(500)).into_response(),
        Reply::Is(status, text) => (StatusCode::from_u16(*status).unwrap(), kind, text.clone()).into_response(),
    }
}

async fn discovery(State(op): State<Shared>) -> Response {
    op.discovered.fetch_add(1, Ordering::SeqCst);
    let (way, described) = {
        let ways = op.ways.lock().unwrap();
        (ways.discovery.clone(), ways.described.clone())
    };
    let mut about = json!({
        "issuer": op.issuer,
        "authorization_endpoint": format!("{}/authorize", op.issuer),
        "token_endpoint": format!("{}/token", op.issuer),
        "jwks_uri": format!("{}/keys", op.issuer),
        "end_session_endpoint": format!("{}/logout", op.issuer),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "none", "HS256"],
    });
    described(&mut about);
    reply(&way, || Json(about).into_response()).await
}

async fn keys(State(op): State<Shared>) -> Response {
    op.keys_fetched.fetch_add(1, Ordering::SeqCst);
    let (way, published) = {
        let ways = op.ways.lock().unwrap();
        (ways.keys.clone(), ways.published.clone())
    };
    let keys: Vec<Value> =
        published.into_iter().map(|key| serde_json::to_value(private(key).as_verification_key()).unwrap()).collect();
    reply(&way, || Json(json!({ "keys": keys })).into_response()).await
}

/// Ends the session there, and leads back.
async fn log_out(State(op): State<Shared>, Query(asked): Query<HashMap<String, String>>) -> Response {
    assert_eq!(asked["client_id"], CLIENT);
    op.logged_out.lock().unwrap().push(asked["id_token_hint"].clone());
    Redirect::to(&asked["post_logout_redirect_uri"]).into_response()
}

/// Whoever asks has logged in.
async fn authorize(State(op): State<Shared>, Query(asked): Query<HashMap<String, String>>) -> Response {
    for (name, value) in [("client_id", CLIENT), ("response_type", "code"), ("code_challenge_method", "S256")] {
        assert_eq!(asked.get(name).map(String::as_str), Some(value), "{name}");
    }
    assert!(asked["scope"].split(' ').any(|scope| scope == "openid") && asked["state"].len() >= 32);
    let code = format!("code-{}", op.count.fetch_add(1, Ordering::SeqCst));
    let given = Given {
        challenge: asked["code_challenge"].clone(),
        nonce: asked.get("nonce").cloned(),
        redirect: asked["redirect_uri"].clone(),
    };
    let mut back: url::Url = given.redirect.parse().unwrap();
    back.query_pairs_mut()
        .append_pair("code", &code)
        .append_pair("state", &asked["state"])
        .append_pair("iss", &op.issuer);
    op.codes.lock().unwrap().insert(code, given);
    Redirect::to(back.as_str()).into_response()
}

async fn token(State(op): State<Shared>, headers: HeaderMap, Form(asked): Form<HashMap<String, String>>) -> Response {
    let way = op.ways.lock().unwrap().token.clone();
    let answer = match op.tokens(&headers, &asked) {
        Ok(tokens) => Json(tokens).into_response(),
        Err(code) => (StatusCode::BAD_REQUEST, Json(json!({ "error": code }))).into_response(),
    };
    reply(&way, || answer).await
}
