//! Logout tokens of the back channel.

use serde_json::{Value, json};
use vedette_single_sign_on::{Provider, SignOnError};

use crate::hostile::{NOW, at, log_in, settings};
use crate::provider::{EVENT, OpenIdProvider, Signing};

type Change = fn(&mut Value);

/// Changes of an honest logout token, and what is said of it; nothing when it is believed.
const TOKENS: &[(&str, Change, &str)] = &[
    ("honest", |_| (), ""),
    ("a person only", |it| drop(it.as_object_mut().unwrap().remove("sid")), ""),
    ("a session only", |it| drop(it.as_object_mut().unwrap().remove("sub")), ""),
    (
        "neither",
        |it| {
            it.as_object_mut().unwrap().remove("sub");
            it.as_object_mut().unwrap().remove("sid");
        },
        "neither",
    ),
    ("a nonce", |it| it["nonce"] = json!("n"), "nonce"),
    ("no events", |it| drop(it.as_object_mut().unwrap().remove("events")), "not about a logout"),
    ("other events", |it| it["events"] = json!({"http://schemas.openid.net/event/other": {}}), "not about a logout"),
    ("events as a list", |it| it["events"] = json!([EVENT]), "not about a logout"),
    ("the event is no object", |it| it["events"] = json!({EVENT: true}), "not about a logout"),
    ("no name", |it| drop(it.as_object_mut().unwrap().remove("jti")), "no name"),
    ("a name that is no text", |it| it["jti"] = json!(7), "no text"),
    ("a long name", |it| it["jti"] = json!("j".repeat(256)), "too long"),
    ("another issuer", |it| it["iss"] = json!("https://evil.example"), "issuer"),
    ("issuer with a slash", |it| it["iss"] = json!(format!("{}/", it["iss"].as_str().unwrap())), "issuer"),
    ("another audience", |it| it["aud"] = json!("other"), "audience"),
    ("audiences", |it| it["aud"] = json!(["other", "vedette"]), ""),
    ("no audience", |it| drop(it.as_object_mut().unwrap().remove("aud")), "audience"),
    ("expired within the skew", |it| it["exp"] = json!(NOW - 59), ""),
    ("expired", |it| it["exp"] = json!(NOW - 60), "expired"),
    ("no expiry", |it| drop(it.as_object_mut().unwrap().remove("exp")), "expires"),
    ("lives for ever", |it| it["exp"] = json!(NOW + 4_000), "longer"),
    ("issued in the future", |it| it["iat"] = json!(NOW + 61), "future"),
    ("no issue time", |it| drop(it.as_object_mut().unwrap().remove("iat")), "issued"),
];

#[tokio::test]
async fn a_logout_token_obeys_every_rule_or_ends_nothing() {
    let op = OpenIdProvider::start(NOW).await;
    let provider = Provider::new(settings(&op.issuer)).unwrap();
    for (what, change, said) in TOKENS {
        let token = op.logout_token(change);
        match provider.back_channel_logout(&token, at(0)).await {
            Ok(ended) => {
                assert_eq!(*said, "", "{what}: {ended:?}");
                // It is good for once.
                let error = provider.back_channel_logout(&token, at(0)).await.unwrap_err();
                assert!(error.to_string().contains("used before"), "{what}: {error}");
            }
            Err(SignOnError::Token(reason)) if !said.is_empty() => assert!(reason.contains(said), "{what}: {reason}"),
            Err(error) => panic!("{what}: {error}"),
        }
    }
    for signing in [
        Signing::Forged,
        Signing::Nothing,
        Signing::NothingSigned,
        Signing::PublicKeyAsSecret,
        Signing::ClientSecret,
        Signing::Key(1),
    ] {
        op.set(|ways| ways.signing = signing);
        let result = provider.back_channel_logout(&op.logout_token(|_| ()), at(0)).await;
        assert!(matches!(result, Err(SignOnError::Token(_))), "{signing:?}: {result:?}");
    }
    for text in ["", ".", "..", "...", "a.b.c", "a", &"a".repeat(100_000)] {
        assert!(matches!(provider.back_channel_logout(text, at(0)).await, Err(SignOnError::Token(_))));
    }
}

#[tokio::test]
async fn an_id_token_ends_nothing_and_a_token_without_effect_can_be_sent_again() {
    let op = OpenIdProvider::start(NOW).await;
    let provider = Provider::new(settings(&op.issuer)).unwrap();
    let login = log_in(&provider, 0).await.unwrap();
    assert!(matches!(provider.back_channel_logout(&login.id_token, at(0)).await, Err(SignOnError::Token(_))));
    let token = op.logout_token(|_| ());
    let ended = provider.back_channel_logout(&token, at(0)).await.unwrap();
    assert_eq!((ended.subject.as_deref(), ended.sid.as_deref()), (Some("person-1"), Some("session-1")));
    provider.forget(&ended);
    assert_eq!(provider.back_channel_logout(&token, at(0)).await.unwrap(), ended);
}
