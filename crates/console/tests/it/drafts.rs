//! Drafts of policies and their check; `vedette/tests/it/apply.rs` applies them.

use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

use crate::access::{Guarded, add_account};

const EAST: &str = "/api/v1/policies/group/east/draft";

fn policy(name: &str) -> Value {
    json!({ "frame": { "width": 1280, "height": 720 }, "rule": [{ "id": "a", "name": name, "purpose": "t",
        "when": { "kind": "presence", "zone": [[0, 0], [9, 0], [9, 9]] } }] })
}

/// Status, `ETag` and body of an answer.
async fn answer(request: RequestBuilder) -> (u16, String, Value) {
    let answer = request.send().await.unwrap();
    let tag = answer.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned()).unwrap_or_default();
    (answer.status().as_u16(), tag, answer.json().await.unwrap_or_default())
}

struct Site(Guarded);

impl Site {
    async fn put(&self, who: &str, path: &str, condition: Option<(&str, &str)>, body: &Value) -> (u16, String, Value) {
        let mut request = self.0.request(who, Method::PUT, path).json(body);
        if let Some((name, value)) = condition {
            request = request.header(name, value);
        }
        answer(request).await
    }

    async fn get(&self, who: &str, path: &str) -> (u16, String, Value) {
        answer(self.0.request(who, Method::GET, path)).await
    }

    async fn post(&self, who: &str, path: &str, body: &Value) -> (u16, Value) {
        let (status, _, body) = answer(self.0.request(who, Method::POST, path).json(body)).await;
        (status, body)
    }
}

const NEW: Option<(&str, &str)> = Some(("if-none-match", "*"));

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_kept_for_its_person_with_the_version_that_it_changes() {
    let site = Site(Guarded::start().await);
    let (status, tag, draft) = site.put("operator", EAST, NEW, &json!({ "policy": policy("one") })).await;
    assert_eq!(status, 200, "{draft}");
    assert_eq!(
        (&draft["scope"], &draft["policy"], &draft["toml"]),
        (&json!("group/east"), &policy("one"), &Value::Null)
    );
    assert_eq!((&draft["based_on"], &draft["based_on_version"]), (&json!("\"0\""), &json!(1)));
    assert_eq!((&draft["policy_changed"], &draft["dropped"]), (&json!(false), &json!("2026-03-31T08:00:00.000000Z")));
    assert!(draft["changed_by"].as_str().unwrap().starts_with("token:operator, from 127.0.0.1"), "{draft}");
    assert_eq!(site.get("operator", EAST).await, (200, tag.clone(), draft));
    // Nobody else has it, and another person has another one.
    assert_eq!(site.get("administrator", EAST).await.0, 404);
    let other = site.put("administrator", EAST, NEW, &json!({ "toml": "frame = {" })).await;
    assert_eq!((other.0, &other.2["toml"]), (200, &json!("frame = {")));
    // An earlier version is no longer the newest.
    let body = json!({ "policy": policy("two"), "based_on": "\"-7\"" });
    let (status, second, draft) = site.put("operator", EAST, Some(("if-match", &tag)), &body).await;
    assert_eq!((status, &draft["policy_changed"], &draft["based_on_version"]), (200, &json!(true), &Value::Null));
    let gone = site.0.request("operator", Method::DELETE, EAST).header("if-match", &tag);
    assert_eq!(answer(gone).await.0, 412);
    let gone = site.0.request("operator", Method::DELETE, EAST).header("if-match", &second);
    assert_eq!(gone.send().await.unwrap().status(), StatusCode::NO_CONTENT);
    let (status, _, problem) = site.get("operator", EAST).await;
    assert_eq!((status, &problem["code"]), (404, &json!("draft.none")));
    // The text of a policy file, as it is.
    let text = "frame = { width = 64, height = 48 }\n";
    let file = site.0.request("operator", Method::PUT, EAST).header("if-none-match", "*");
    let (status, _, draft) = answer(file.header("content-type", "application/toml").body(text)).await;
    assert_eq!((status, &draft["toml"]), (200, &json!(text)));
    site.0.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_editors_the_later_one_is_told_of_the_other() {
    let site = Site(Guarded::start().await);
    let (_, first, _) = site.put("operator", EAST, NEW, &json!({ "policy": policy("one") })).await;
    let mine = Some(("if-match", first.as_str()));
    let (status, second, _) = site.put("operator", EAST, mine, &json!({ "policy": policy("theirs") })).await;
    assert_eq!(status, 200);
    for condition in [mine, NEW] {
        let (status, _, problem) = site.put("operator", EAST, condition, &json!({ "policy": policy("mine") })).await;
        assert_eq!((status, &problem["code"]), (412, &json!("draft.changed")), "{problem}");
        let detail = problem["detail"].as_str().unwrap();
        for part in ["group/east", "token:operator", "2026-03-01T08:00:00.000000Z", &second, "rule a.name"] {
            assert!(detail.contains(part), "{part}: {detail}");
        }
    }
    assert_eq!(site.get("operator", EAST).await.2["policy"], policy("theirs"), "nothing was overwritten");
    // Both at once.
    let seen = Some(("if-match", second.as_str()));
    let bodies = ["left", "right"].map(|name| json!({ "policy": policy(name) }));
    let (left, right) =
        tokio::join!(site.put("operator", EAST, seen, &bodies[0]), site.put("operator", EAST, seen, &bodies[1]));
    let mut statuses = [left.0, right.0];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412]);
    site.0.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_draft_is_told() {
    let site = Site(Guarded::start().await);
    let body = json!({ "policy": policy("one") });
    let (_, tag, _) = site.put("operator", EAST, NEW, &body).await;
    let weak = format!("W/{tag}");
    let large = json!({ "toml": "#".repeat(900_001) });
    let other_kind = "/api/v1/policies/house/east/draft";
    for (who, path, condition, body, status, code) in [
        ("operator", EAST, NEW, &large, 413, "draft.too-large"),
        ("operator", "/api/v1/policies/group/nowhere/draft", NEW, &body, 404, "policy.none"),
        ("operator", "/api/v1/policies/camera/gate-9/draft", NEW, &body, 404, "policy.none"),
        ("operator", other_kind, NEW, &body, 400, "parameter.unknown-word"),
        ("operator-east", "/api/v1/policies/group/west/draft", NEW, &body, 404, "policy.none"),
        ("operator-east", "/api/v1/policies/camera/gate-2/draft", NEW, &body, 404, "policy.none"),
        ("viewer", EAST, NEW, &body, 403, "access.not-permitted"),
        ("operator", EAST, None, &body, 428, "draft.condition"),
        ("operator", EAST, Some(("if-match", "*")), &body, 400, "draft.tag"),
        ("operator", EAST, Some(("if-match", "\"17\"")), &body, 400, "draft.tag"),
        ("operator", EAST, Some(("if-match", "\"d17\", \"d18\"")), &body, 400, "draft.tag"),
        ("operator", EAST, Some(("if-match", "\"d99999999999999999999\"")), &body, 400, "draft.tag"),
        ("operator", EAST, Some(("if-none-match", tag.as_str())), &body, 400, "draft.tag"),
        ("operator", EAST, Some(("if-match", "\"d999\"")), &body, 412, "draft.changed"),
        ("administrator", EAST, Some(("if-match", tag.as_str())), &body, 412, "draft.gone"),
        ("operator", EAST, NEW, &json!({}), 400, "draft.one-text"),
        ("operator", EAST, NEW, &json!({ "policy": {}, "toml": "" }), 400, "draft.one-text"),
        ("operator", EAST, NEW, &json!({ "toml": "a\0b" }), 400, "parameter.control"),
        ("operator", EAST, NEW, &json!({ "toml": "", "based_on": "yesterday" }), 400, "parameter.tag"),
        ("operator", EAST, NEW, &json!({ "rules": [] }), 400, "body.field"),
    ] {
        let (found, _, problem) = site.put(who, path, condition, body).await;
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{path} {condition:?}: {problem}");
        assert!(!problem["fix"].as_str().unwrap().is_empty(), "{problem}");
    }
    // A proxy that compresses answers weakens their tags.
    assert_eq!(site.put("operator", EAST, Some(("if-match", &weak)), &body).await.0, 200);
    let form = site.0.request("operator", Method::PUT, EAST).header("if-none-match", "*");
    let (status, _, problem) = answer(form.header("content-type", "text/plain").body("{}")).await;
    assert_eq!((status, &problem["code"]), (415, &json!("body.content-type")));
    let bytes = site.0.request("operator", Method::PUT, EAST).header("if-none-match", "*");
    let (status, _, problem) = answer(bytes.header("content-type", "application/toml").body(vec![0xff_u8])).await;
    assert_eq!((status, &problem["code"]), (400, &json!("draft.syntax")));
    let removal = site.0.request("operator", Method::DELETE, EAST);
    assert_eq!(answer(removal).await.2["code"], "draft.condition");
    site.0.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draft_is_named_where_it_is_checked_and_applied() {
    let site = Site(Guarded::start().await);
    let (check, apply) = ("/api/v1/policies/group/east/check", "/api/v1/policies/group/east/apply");
    for path in [check, apply] {
        let (status, problem) = site.post("operator", path, &json!({ "draft": "mine" })).await;
        assert_eq!((status, &problem["code"]), (404, &json!("draft.none")), "{path}: {problem}");
    }
    let (_, tag, _) = site.put("operator", EAST, NEW, &json!({ "policy": policy("one") })).await;
    let (status, checked) = site.post("operator", check, &json!({ "draft": tag })).await;
    assert_eq!((status, &checked["usable"], &checked["cameras"]), (200, &json!(true), &json!(1)), "{checked}");
    assert_eq!(checked["draft"], json!(tag));
    let (status, plan) = site.post("operator", apply, &json!({ "draft": "mine", "plan": true })).await;
    assert_eq!((status, &plan["planned"][0]["differences"][0]["path"]), (200, &json!("rule a.name")), "{plan}");
    // What is stored is not what was tried any more.
    let (_, second, _) =
        site.put("operator", EAST, Some(("if-match", &tag)), &json!({ "toml": "frame = 1\ncolour = 2" })).await;
    for (who, draft, status, code) in [
        ("operator", &tag, 412, "draft.changed"),
        ("administrator", &second, 412, "draft.gone"),
        ("operator-east", &second, 412, "draft.gone"),
        ("operator", &second, 422, "draft.unreadable"),
        ("operator", &"\"0\"".to_owned(), 400, "draft.tag"),
    ] {
        let (found, problem) = site.post(who, apply, &json!({ "draft": draft })).await;
        assert_eq!((found, problem["code"].as_str()), (status, Some(code)), "{who}: {problem}");
    }
    let both = json!({ "draft": "mine", "policy": policy("one") });
    for (path, body) in [(apply, &both), (check, &both), (check, &json!({}))] {
        assert_eq!(site.post("operator", path, body).await.1["code"], "draft.one-text");
    }
    // All of its mistakes, in the draft and given.
    for body in [json!({ "draft": second }), json!({ "toml": "frame = 1\ncolour = 2" })] {
        let (status, checked) = site.post("operator", check, &body).await;
        let refusals = checked["refusals"].as_array().unwrap();
        let paths: Vec<_> = refusals.iter().map(|refusal| refusal["path"].as_str().unwrap()).collect();
        assert_eq!((status, &checked["usable"], paths), (200, &json!(false), vec!["frame", "colour"]), "{checked}");
    }
    // A draft is applied on the version that it was begun on.
    let body = json!({ "policy": policy("two"), "based_on": "\"-7\"" });
    let (_, third, _) = site.put("operator", EAST, Some(("if-match", &second)), &body).await;
    let (status, _) = site.post("operator", apply, &json!({ "draft": third })).await;
    assert_eq!(status, 503, "no worker answers here");
    assert_eq!(site.get("operator", EAST).await.1, third, "it is still a draft");
    site.0.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_drafts_of_an_account_are_gone_with_it() {
    let site = Site(Guarded::start().await);
    let draft = |method, cookie: &str| site.0.request_with_cookie(method, EAST, cookie);
    add_account(&site.0.console.store, "anna", &["operator"]);
    let cookie = site.0.cookie("anna").await;
    let body = json!({ "policy": policy("one") });
    let (status, _, written) = answer(draft(Method::PUT, &cookie).header("if-none-match", "*").json(&body)).await;
    assert_eq!(status, 200, "{written}");
    assert!(written["changed_by"].as_str().unwrap().starts_with("anna, session "), "{written}");
    let removal = site.0.request("root", Method::DELETE, "/api/v1/accounts/anna");
    assert!(removal.send().await.unwrap().status().is_success());
    assert_eq!(answer(draft(Method::GET, &cookie)).await.0, 401);
    // Another anna is another person.
    add_account(&site.0.console.store, "anna", &["operator"]);
    let cookie = site.0.cookie("anna").await;
    assert_eq!(answer(draft(Method::GET, &cookie)).await.2["code"], "draft.none");
    site.0.stop().await;
}
