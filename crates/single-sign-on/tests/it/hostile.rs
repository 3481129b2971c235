//! Logins at a provider that is dishonest, broken, slow or away.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use vedette_access::Grants;
use vedette_core::Timestamp;
use vedette_single_sign_on::{Answer, Begun, ClaimPath, Login, Provider, ReturnTo, Settings, SignOnError};

use crate::provider::{CLIENT, OpenIdProvider, Reply, SECRET, Signing};

pub(crate) const NOW: i64 = 1_772_352_000;
pub(crate) const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_micros((NOW + second) * 1_000_000)
}

fn grants(text: &str) -> Grants {
    Grants::new(vec![text.parse().unwrap()]).unwrap()
}

pub(crate) fn settings(issuer: &str) -> Settings {
    Settings {
        issuer: issuer.into(),
        client: CLIENT.into(),
        secret: SECRET.to_owned().into(),
        scopes: vec!["profile".into()],
        name: ClaimPath::read("preferred_username").unwrap(),
        groups: ClaimPath::read("groups").unwrap(),
        grants: BTreeMap::from([("guards".into(), grants("operator")), ("leads".into(), grants("administrator"))]),
        authorities: None,
        answer_at: "https://vedette.example/api/v1/session/answer".parse().unwrap(),
        after_logout: "https://vedette.example/".parse().unwrap(),
        label: "Site".into(),
    }
}

/// What the provider sends the browser back with.
pub(crate) async fn answer_of(begun: &Begun) -> Answer {
    let browser = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = browser.get(begun.url.clone()).send().await.unwrap();
    let back: url::Url = answer.headers()["location"].to_str().unwrap().parse().unwrap();
    let pairs: BTreeMap<String, String> = back.query_pairs().into_owned().collect();
    Answer {
        code: pairs.get("code").cloned(),
        state: pairs.get("state").cloned(),
        issuer: pairs.get("iss").cloned(),
        error: None,
    }
}

pub(crate) async fn log_in(provider: &Provider, second: i64) -> Result<Login, SignOnError> {
    let begun = provider.begin(ReturnTo::read("/#alert=1").unwrap(), HERE, at(second)).await?;
    let answer = answer_of(&begun).await;
    provider.finish(&begun.key, answer, at(second)).await
}

async fn site() -> (Arc<OpenIdProvider>, Provider) {
    let op = OpenIdProvider::start(NOW).await;
    let provider = Provider::new(settings(&op.issuer)).unwrap();
    (op, provider)
}

#[tokio::test]
async fn an_honest_login_says_who_it_is() {
    let (op, provider) = site().await;
    let login = log_in(&provider, 0).await.unwrap();
    assert_eq!((login.issuer.as_str(), login.subject.as_str()), (op.issuer.as_str(), "person-1"));
    assert_eq!((login.name.as_str(), login.grants.to_string().as_str()), ("anna", "operator"));
    assert_eq!((login.sid.as_deref(), login.return_to.as_str()), (Some("session-1"), "/#alert=1"));
    let url = provider.logout_url(&login.id_token, at(0)).unwrap();
    let pairs: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
    assert_eq!(pairs["id_token_hint"], login.id_token);
    assert_eq!(pairs["post_logout_redirect_uri"], "https://vedette.example/");
    assert_eq!((op.discovered.load(Ordering::SeqCst), op.keys_fetched.load(Ordering::SeqCst)), (1, 1));
    // It is asked again after a minute: whether it is there, too.
    log_in(&provider, 30).await.unwrap();
    log_in(&provider, 61).await.unwrap();
    assert_eq!(op.discovered.load(Ordering::SeqCst), 2);
}

type Change = fn(&mut Value);

/// Changes of the claims of an honest ID token, and what is said of it; nothing when it is believed.
const TOKENS: &[(&str, Change, &str)] = &[
    ("another audience", |it| it["aud"] = json!("other"), "must contain `vedette`"),
    ("no audience", |it| drop(it.as_object_mut().unwrap().remove("aud")), "must contain"),
    ("several audiences", |it| it["aud"] = json!(["other", "vedette"]), ""),
    (
        "several, and no azp",
        |it| {
            it["aud"] = json!(["other", "vedette"]);
            it.as_object_mut().unwrap().remove("azp");
        },
        "several audiences",
    ),
    (
        "several, for another",
        |it| {
            it["aud"] = json!(["other", "vedette"]);
            it["azp"] = json!("other");
        },
        "another client",
    ),
    ("one, for another", |it| it["azp"] = json!("other"), "another client"),
    ("azp is no text", |it| it["azp"] = json!(["vedette"]), "cannot be read"),
    ("another issuer", |it| it["iss"] = json!("https://evil.example/realms/site"), "expected"),
    ("issuer with a slash", |it| it["iss"] = json!(format!("{}/", it["iss"].as_str().unwrap())), "expected"),
    ("no issuer", |it| drop(it.as_object_mut().unwrap().remove("iss")), "cannot be read"),
    ("expired within the skew", |it| it["exp"] = json!(NOW - 59), ""),
    ("expired", |it| it["exp"] = json!(NOW - 60), "expired"),
    ("no expiry", |it| drop(it.as_object_mut().unwrap().remove("exp")), "cannot be read"),
    ("issued within the skew", |it| it["iat"] = json!(NOW + 60), ""),
    ("issued in the future", |it| it["iat"] = json!(NOW + 61), "issued in the future"),
    ("not yet valid", |it| it["nbf"] = json!(NOW + 61), "not valid yet"),
    ("no issue time", |it| drop(it.as_object_mut().unwrap().remove("iat")), "cannot be read"),
    ("no nonce", |it| drop(it.as_object_mut().unwrap().remove("nonce")), "missing nonce"),
    ("another nonce", |it| it["nonce"] = json!("another"), "nonce mismatch"),
    ("another access token", |it| it["at_hash"] = json!("AAAAAAAAAAAAAAAAAAAAAA"), "another access token"),
    ("no at_hash", |it| drop(it.as_object_mut().unwrap().remove("at_hash")), ""),
    ("no subject", |it| drop(it.as_object_mut().unwrap().remove("sub")), "cannot be read"),
    ("an empty subject", |it| it["sub"] = json!(""), "`sub`"),
    ("a long subject", |it| it["sub"] = json!("s".repeat(256)), "`sub`"),
    ("a session that is no text", |it| it["sid"] = json!(7), "`sid`"),
    ("no session", |it| drop(it.as_object_mut().unwrap().remove("sid")), ""),
    ("no groups", |it| drop(it.as_object_mut().unwrap().remove("groups")), "no value of the claim `groups` of anna"),
    ("other groups", |it| it["groups"] = json!(["others"]), "no value of the claim"),
    ("one group", |it| it["groups"] = json!("leads"), ""),
    ("no name", |it| drop(it.as_object_mut().unwrap().remove("preferred_username")), "it is missing"),
    ("a name that is none", |it| it["preferred_username"] = json!("Anna Berta"), "no name of an account"),
    ("the name of the local caller", |it| it["preferred_username"] = json!("local"), "no name of an account"),
];

#[tokio::test]
async fn an_id_token_obeys_every_rule_or_nobody_is_logged_in() {
    let (op, provider) = site().await;
    let mut wrong = Vec::new();
    for (what, change, said) in TOKENS {
        op.claims(change);
        let answer = match log_in(&provider, 0).await {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        };
        if answer.is_empty() != said.is_empty() || !answer.contains(said) {
            wrong.push(format!("{what}: {answer}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn only_signatures_of_the_providers_own_keys_count() {
    let (op, provider) = site().await;
    for signing in
        [Signing::Forged, Signing::Nothing, Signing::NothingSigned, Signing::PublicKeyAsSecret, Signing::ClientSecret]
    {
        op.set(|ways| ways.signing = signing);
        let error = log_in(&provider, 0).await.unwrap_err();
        assert!(matches!(error, SignOnError::Token(_) | SignOnError::Away(_)), "{signing:?}: {error}");
    }
    // The header says the kid of a published key, and another key signs.
    op.set(|ways| {
        ways.signing = Signing::Key(1);
        ways.header = Arc::new(|header| header["kid"] = json!("key-0"));
    });
    assert!(matches!(log_in(&provider, 0).await, Err(SignOnError::Token(_))));
    for (what, change) in [
        ("extensions", (|header| header["crit"] = json!(["exp"])) as Change),
        ("another type", |header| header["typ"] = json!("logout+jwt")),
        ("its own key", |header| {
            header["jwk"] = json!({"kty": "RSA"});
            header["kid"] = json!("mine");
        }),
    ] {
        op.set(|ways| {
            ways.signing = Signing::Key(0);
            ways.header = Arc::new(change);
        });
        assert!(matches!(log_in(&provider, 0).await, Err(SignOnError::Token(_))), "{what}");
    }
}

#[tokio::test]
async fn a_new_key_is_fetched_once_and_unknown_ones_do_not_make_it_ask_again() {
    let (op, provider) = site().await;
    log_in(&provider, 0).await.unwrap();
    op.set(|ways| {
        ways.signing = Signing::Key(1);
        ways.published = vec![1];
    });
    log_in(&provider, 1).await.unwrap();
    assert_eq!(op.keys_fetched.load(Ordering::SeqCst), 2);
    op.set(|ways| ways.header = Arc::new(|header| header["kid"] = json!("unknown")));
    for _ in 0..20 {
        let error = log_in(&provider, 2).await.unwrap_err();
        assert!(error.to_string().contains("does not publish"), "{error}");
    }
    assert_eq!(op.keys_fetched.load(Ordering::SeqCst), 2);
    assert!(log_in(&provider, 12).await.is_err());
    assert_eq!(op.keys_fetched.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn an_answer_belongs_to_the_login_of_this_browser_and_is_used_once() {
    let (op, provider) = site().await;
    let begin = async || provider.begin(ReturnTo::page(), HERE, at(0)).await.unwrap();
    let (mine, other) = (begin().await, begin().await);
    let (answer, of_other) = (answer_of(&mine).await, answer_of(&other).await);
    // Another login's answer in this browser: a planted one.
    let error = provider.finish(&mine.key, of_other.clone(), at(1)).await.unwrap_err();
    assert_eq!(error, SignOnError::OtherLogin("`state` differs"));
    // That was the only try.
    assert_eq!(provider.finish(&mine.key, answer.clone(), at(1)).await.unwrap_err(), SignOnError::NotBegun);
    // A code of this login with the verifier of another one.
    let third = begin().await;
    let mixed = Answer { code: answer.code.clone(), ..answer_of(&third).await };
    assert_eq!(
        provider.finish(&third.key, mixed, at(1)).await.unwrap_err(),
        SignOnError::Refused("invalid_grant".into())
    );
    let login = provider.finish(&other.key, of_other.clone(), at(1)).await.unwrap();
    assert_eq!(login.subject, "person-1");
    assert_eq!(provider.finish(&other.key, of_other, at(1)).await.unwrap_err(), SignOnError::NotBegun);
    for change in [
        (|answer: &mut Answer| answer.state = None) as fn(&mut Answer),
        |answer| answer.state = Some(String::new()),
        |answer| answer.code = None,
        |answer| answer.issuer = Some("https://evil.example".into()),
    ] {
        let begun = begin().await;
        let mut answer = answer_of(&begun).await;
        change(&mut answer);
        assert!(matches!(provider.finish(&begun.key, answer, at(1)).await, Err(SignOnError::OtherLogin(_))));
    }
    let begun = begin().await;
    let refused = Answer { error: Some("access_denied\r\n".into()), code: None, ..answer_of(&begun).await };
    assert_eq!(
        provider.finish(&begun.key, refused, at(1)).await.unwrap_err(),
        SignOnError::Refused("access_denied".into())
    );
    let late = begin().await;
    assert_eq!(provider.finish(&late.key, answer_of(&late).await, at(601)).await.unwrap_err(), SignOnError::NotBegun);
    assert_eq!(provider.finish("", Answer::default(), at(1)).await.unwrap_err(), SignOnError::NotBegun);
    // A replayed code is refused by an honest provider; a dishonest one gives a token with the nonce of the other login.
    op.set(|ways| ways.forgets_codes = true);
    let (first, second) = (begin().await, begin().await);
    let code = answer_of(&first).await;
    provider.finish(&first.key, code.clone(), at(1)).await.unwrap();
    let replayed = Answer { code: code.code, ..answer_of(&second).await };
    assert!(provider.finish(&second.key, replayed, at(1)).await.is_err());
}

#[tokio::test]
async fn the_issuer_is_compared_to_the_letter() {
    let op = OpenIdProvider::start(NOW).await;
    let provider = Provider::new(settings(&format!("{}/", op.issuer))).unwrap();
    let error = log_in(&provider, 0).await.unwrap_err();
    assert!(matches!(&error, SignOnError::Away(reason) if reason.contains("unexpected issuer")), "{error}");
    // One that has the slash everywhere.
    let issuer = format!("{}/", op.issuer);
    op.set(|ways| {
        ways.described = Arc::new({
            let issuer = issuer.clone();
            move |about| about["issuer"] = json!(issuer)
        })
    });
    op.claims(move |claims| claims["iss"] = json!(issuer));
    let provider = Provider::new(settings(&format!("{}/", op.issuer))).unwrap();
    let begun = provider.begin(ReturnTo::page(), HERE, at(0)).await.unwrap();
    let answer = Answer { issuer: None, ..answer_of(&begun).await };
    provider.finish(&begun.key, answer, at(0)).await.unwrap();
    for issuer in
        ["http://id.example", "id.example", "", "ftp://127.0.0.1/", "https://id.example/?a=b", "https://id.example/#a"]
    {
        assert!(Provider::new(settings(issuer)).is_err(), "{issuer}");
    }
    for pem in ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let with = Settings { authorities: Some(pem.into()), ..settings(&op.issuer) };
        assert!(Provider::new(with).is_err(), "{pem}");
    }
}

#[tokio::test]
async fn a_provider_that_answers_without_end_slowly_or_nonsense_is_away() {
    let (op, _) = site().await;
    let garbage = || Reply::Is(200, "{\"keys\": 7}".into());
    for (what, discovery, keys) in [
        ("redirects", Reply::Redirect("/elsewhere".into()), Reply::Honest),
        ("redirects to another machine", Reply::Redirect("http://192.0.2.1/".into()), Reply::Honest),
        ("1 GB", Reply::Huge, Reply::Honest),
        ("no end", Reply::Endless, Reply::Honest),
        ("slow", Reply::Slow, Reply::Honest),
        ("no description", Reply::Is(200, "[]".into()), Reply::Honest),
        ("no JSON", Reply::Is(200, "<html>".into()), Reply::Honest),
        ("an error", Reply::Is(500, "{}".into()), Reply::Honest),
        ("keys that are none", Reply::Honest, garbage()),
        ("keys without end", Reply::Honest, Reply::Endless),
        ("keys that redirect", Reply::Honest, Reply::Redirect("/elsewhere".into())),
    ] {
        op.set(|ways| (ways.discovery, ways.keys) = (discovery, keys));
        let provider = Provider::new(settings(&op.issuer)).unwrap();
        let began = Instant::now();
        let error = provider.begin(ReturnTo::page(), HERE, at(0)).await.unwrap_err();
        assert!(matches!(error, SignOnError::Away(_)), "{what}: {error}");
        assert!(began.elapsed() < Duration::from_secs(12), "{what}");
        // Others who come meanwhile are told at once.
        let began = Instant::now();
        assert_eq!(provider.begin(ReturnTo::page(), HERE, at(4)).await.unwrap_err(), error);
        assert!(began.elapsed() < Duration::from_secs(1), "{what}");
        op.set(|ways| (ways.discovery, ways.keys) = (Reply::Honest, Reply::Honest));
        provider.begin(ReturnTo::page(), HERE, at(5)).await.unwrap();
    }
    for (field, value) in [
        ("token_endpoint", json!("http://192.0.2.1/token")),
        ("authorization_endpoint", json!("http://192.0.2.1/authorize")),
        ("authorization_endpoint", json!("javascript:alert(1)")),
        ("end_session_endpoint", json!("http://192.0.2.1/logout")),
        ("jwks_uri", json!("http://192.0.2.1/keys")),
        ("jwks_uri", json!("file:///etc/passwd")),
        ("token_endpoint", Value::Null),
    ] {
        let named = value.clone();
        op.set(|ways| ways.described = Arc::new(move |about| about[field] = named.clone()));
        let provider = Provider::new(settings(&op.issuer)).unwrap();
        let result = provider.begin(ReturnTo::page(), HERE, at(0)).await;
        assert!(matches!(result, Err(SignOnError::Away(_))), "{field}: {value}: {result:?}");
    }
}

#[tokio::test]
async fn a_token_endpoint_that_fails_lets_nobody_in() {
    let (op, provider) = site().await;
    for (token, refused) in [
        (Reply::Is(400, r#"{"error": "invalid_grant"}"#.into()), true),
        (Reply::Is(401, r#"{"error": "invalid_client", "error_description": "x"}"#.into()), true),
        (Reply::Is(500, "oops".into()), false),
        (Reply::Is(200, "{}".into()), false),
        (Reply::Is(200, r#"{"access_token": "a", "token_type": "Bearer", "id_token": "a.b"}"#.into()), false),
        (Reply::Is(200, r#"{"access_token": "a", "token_type": "Bearer", "id_token": "!.!.!"}"#.into()), false),
        (Reply::Redirect("/elsewhere".into()), false),
        (Reply::Endless, false),
    ] {
        op.set(|ways| ways.token = token.clone());
        match log_in(&provider, 0).await.unwrap_err() {
            SignOnError::Refused(_) => assert!(refused, "{token:?}"),
            SignOnError::Away(_) => assert!(!refused, "{token:?}"),
            other => panic!("{token:?}: {other}"),
        }
    }
    op.set(|ways| ways.token = Reply::Is(200, r#"{"access_token": "a", "token_type": "Bearer"}"#.into()));
    let error = log_in(&provider, 0).await.unwrap_err();
    assert!(matches!(&error, SignOnError::Token(reason) if reason.contains("missing")), "{error}");
}

#[tokio::test]
async fn groups_may_be_within_other_claims() {
    let op = OpenIdProvider::start(NOW).await;
    let nested = Settings { groups: ClaimPath::read("realm_access.roles").unwrap(), ..settings(&op.issuer) };
    let provider = Provider::new(nested).unwrap();
    op.claims(|claims| claims["realm_access"] = json!({"roles": ["leads", "guards"]}));
    assert_eq!(log_in(&provider, 0).await.unwrap().grants.to_string(), "operator administrator");
    op.claims(|claims| claims["realm_access"] = json!(["leads"]));
    assert!(matches!(log_in(&provider, 0).await, Err(SignOnError::NoGrant { .. })));
}

#[tokio::test]
async fn a_provider_that_goes_away_is_noticed_within_a_minute() {
    let (op, provider) = site().await;
    let begun = provider.begin(ReturnTo::page(), HERE, at(0)).await.unwrap();
    let answer = answer_of(&begun).await;
    op.set(|ways| ways.discovery = Reply::Is(503, "{}".into()));
    op.set(|ways| ways.token = Reply::Is(503, "{}".into()));
    assert!(matches!(provider.finish(&begun.key, answer, at(30)).await, Err(SignOnError::Away(_))));
    assert!(matches!(provider.begin(ReturnTo::page(), HERE, at(61)).await, Err(SignOnError::Away(_))));
    // What is known still serves logouts.
    assert!(provider.back_channel_logout(&op.logout_token(|_| ()), at(61)).await.is_ok());
    assert!(provider.logout_url("a", at(61)).is_some());
}

#[tokio::test]
async fn who_waits_for_a_silent_provider_does_not_ask_it_again() {
    let (op, provider) = site().await;
    op.set(|ways| ways.discovery = Reply::Slow);
    let began = Instant::now();
    let late = |second: i64| {
        let provider = &provider;
        async move {
            tokio::time::sleep(Duration::from_millis(u64::try_from(second).unwrap() * 10)).await;
            provider.begin(ReturnTo::page(), HERE, at(second)).await
        }
    };
    let results = tokio::join!(late(0), late(6), late(20), late(50));
    assert!([results.0, results.1, results.2, results.3].iter().all(Result::is_err));
    assert_eq!(op.discovered.load(Ordering::SeqCst), 1);
    assert!(began.elapsed() < Duration::from_secs(13), "{:?}", began.elapsed());
}
