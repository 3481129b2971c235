//! Every route, for every role, about what lies in its own area and what lies elsewhere.

use std::collections::BTreeSet;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use vedette_core::AlertId;

use crate::access::{Guarded, Two};
use crate::support::alert;

/// What a caller within the area `group:east` gets of what lies in the west.
#[derive(Debug, Clone, Copy, PartialEq)]
enum West {
    /// The same as of what there is not.
    Hidden,
    /// A list without it.
    LeftOut,
    /// A refusal: it is about the whole site.
    Refused,
    /// It has no place.
    Nowhere,
}
use West::{Hidden, LeftOut, Nowhere, Refused};

/// Every route, the permission that it needs, and what lies elsewhere. A route that is not here fails the test.
const ROWS: &[(&str, &str, West)] = &[
    ("delete /api/v1/accounts/{name}", "administer", Refused),
    ("delete /api/v1/policies/{kind}/{name}/draft", "tune", Hidden),
    ("delete /api/v1/session", "caller", Nowhere),
    ("delete /api/v1/sessions/{id}", "administer", Refused),
    ("delete /api/v1/tokens/{name}", "administer", Refused),
    ("get /api/v1/accounts", "administer", Refused),
    ("get /api/v1/addresses", "caller", Nowhere),
    ("get /api/v1/addresses/base", "caller", Nowhere),
    ("get /api/v1/addresses/{code}", "caller", Nowhere),
    ("get /api/v1/alerts", "see_alerts", LeftOut),
    ("get /api/v1/alerts/stream", "see_alerts", LeftOut),
    ("get /api/v1/alerts/{id}", "see_alerts", Hidden),
    ("get /api/v1/alerts/{id}/clip", "see_evidence", Hidden),
    ("get /api/v1/alerts/{id}/explain", "tune", Hidden),
    ("get /api/v1/alerts/{id}/looks", "read_audit", Refused),
    ("get /api/v1/alerts/{id}/snapshot", "see_evidence", Hidden),
    ("get /api/v1/audit", "read_audit", Refused),
    ("get /api/v1/audit/export", "read_audit", Refused),
    ("get /api/v1/cameras", "see_alerts", LeftOut),
    ("get /api/v1/cameras/{id}", "see_settings", Hidden),
    ("get /api/v1/cameras/{id}/detections", "tune", Hidden),
    ("get /api/v1/cameras/{id}/glance", "see_evidence", Hidden),
    ("get /api/v1/cameras/{id}/looks", "read_audit", Refused),
    ("get /api/v1/cameras/{id}/scores", "tune", Hidden),
    ("get /api/v1/cameras/{id}/still", "see_evidence", Hidden),
    ("get /api/v1/cameras/{id}/versions", "see_settings", Hidden),
    ("get /api/v1/changes", "see_settings", LeftOut),
    ("get /api/v1/explain", "tune", Hidden),
    ("get /api/v1/frames", "see_alerts", Hidden),
    ("get /api/v1/map/footprints", "see_alerts", Nowhere),
    ("get /api/v1/map/grids", "see_alerts", Nowhere),
    ("get /api/v1/map/roads", "see_alerts", Nowhere),
    ("get /api/v1/near-misses", "tune", LeftOut),
    ("get /api/v1/near-misses/histogram", "tune", LeftOut),
    ("get /api/v1/openapi.json", "caller", Nowhere),
    ("get /api/v1/policies", "see_settings", LeftOut),
    ("get /api/v1/policies/{kind}/{name}", "see_settings", Hidden),
    ("get /api/v1/policies/{kind}/{name}/draft", "tune", Hidden),
    ("get /api/v1/policies/{kind}/{name}/versions", "see_settings", Hidden),
    ("get /api/v1/rule-kinds", "caller", Nowhere),
    ("get /api/v1/session", "caller", Nowhere),
    ("get /api/v1/session/answer", "anyone", Nowhere),
    ("get /api/v1/session/sign-on", "anyone", Nowhere),
    ("get /api/v1/session/ways", "anyone", Nowhere),
    ("get /api/v1/sessions", "administer", Refused),
    ("get /api/v1/tokens", "administer", Refused),
    ("get /healthz", "anyone", Nowhere),
    ("get /metrics", "operate", Refused),
    ("get /readyz", "anyone", Nowhere),
    ("post /api/v1/accounts", "administer", Refused),
    ("post /api/v1/accounts/{name}", "administer", Refused),
    ("post /api/v1/alerts/{id}/verdict", "judge", Hidden),
    ("post /api/v1/cameras/{id}/apply", "change_cameras", Hidden),
    ("post /api/v1/changes", "change_cameras", Refused),
    ("post /api/v1/passwords/reseal", "change_cameras", Refused),
    ("post /api/v1/policies/{kind}/{name}/apply", "change_policies", Hidden),
    ("post /api/v1/policies/{kind}/{name}/check", "tune", Hidden),
    ("post /api/v1/policies/{kind}/{name}/pause", "change_policies", Hidden),
    ("post /api/v1/policies/{kind}/{name}/rollback", "change_policies", Hidden),
    ("post /api/v1/policies/{kind}/{name}/suggest", "tune", Hidden),
    ("post /api/v1/session", "anyone", Nowhere),
    ("post /api/v1/session/password", "caller", Nowhere),
    ("post /api/v1/session/provider-logout", "anyone", Nowhere),
    ("post /api/v1/tokens", "administer", Refused),
    ("post /api/v1/what-if", "tune", Hidden),
    ("post /api/v1/what-if/sweep", "tune", Hidden),
    ("put /api/v1/policies/{kind}/{name}/draft", "tune", Hidden),
];

/// Every route that the router knows besides the page's files.
pub(crate) fn routes() -> BTreeSet<String> {
    ROWS.iter().map(|(route, ..)| (*route).to_owned()).collect()
}

/// The table of docs/ACCESS.md.
const ROLES: [(&str, &[&str]); 6] = [
    ("viewer", &["see_alerts"]),
    ("operator", &["see_alerts", "judge", "see_settings", "tune", "change_policies"]),
    ("evidence", &["see_alerts", "see_evidence"]),
    (
        "administrator",
        &[
            "see_alerts",
            "judge",
            "see_evidence",
            "see_settings",
            "tune",
            "change_policies",
            "change_cameras",
            "administer",
            "read_audit",
            "operate",
        ],
    ),
    ("auditor", &["see_settings", "read_audit"]),
    ("monitor", &["operate"]),
];
/// These are for the whole site only.
const WHOLE_SITE: [&str; 3] = ["administer", "read_audit", "operate"];

/// A request of a route about what lies in the east (gate-1) or in the west (gate-2).
fn request(route: &str, in_west: bool) -> (Method, String, Value) {
    let (method, path) = route.split_once(' ').unwrap();
    let (gate, side, number) = if in_west { ("gate-2", "west", 1) } else { ("gate-1", "east", 0) };
    let id: AlertId = alert(number).id;
    let id = if path.contains("/alerts/") {
        id.to_string()
    } else if path.contains("/cameras/") {
        gate.into()
    } else {
        "0".into()
    };
    let mut path = path.replace("{id}", &id).replace("{kind}", "group").replace("{code}", "440305");
    path = path.replace("{name}", if path.contains("/policies/") { side } else { "nobody" });
    let times = "from=2026-03-01T08:00:00Z&until=2026-03-01T09:00:00Z";
    path += &match path.as_str() {
        "/api/v1/addresses" => "?q=42".to_owned(),
        "/api/v1/frames" => format!("?camera={gate}"),
        "/api/v1/explain" => format!("?camera={gate}&rule=a&at=2026-03-01T08:00:00Z"),
        "/api/v1/near-misses/histogram" => "?rule=a&term=score".to_owned(),
        path if path.starts_with("/api/v1/map/") => "?bbox=113.94,22.53,113.95,22.54".to_owned(),
        path if path.ends_with("/scores") || path.ends_with("/detections") => format!("?{times}"),
        _ => String::new(),
    };
    let between = json!({"cameras": [gate], "from": "2026-03-01T08:00:00Z", "until": "2026-03-01T09:00:00Z"});
    let with = |more: Value| {
        let mut body = between.clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let body = match route {
        "post /api/v1/alerts/{id}/verdict" => json!({"verdict": "confirmed"}),
        "post /api/v1/cameras/{id}/apply" => json!({"camera": Two::camera(gate), "plan": true}),
        "put /api/v1/policies/{kind}/{name}/draft" => json!({"toml": ""}),
        "post /api/v1/what-if" => with(json!({"set": {"a.score.enter": 0.7}})),
        "post /api/v1/what-if/sweep" => with(json!({"terms": [{"term": "a.score.enter", "values": [0.7]}]})),
        _ => json!({}),
    };
    (method.to_uppercase().parse().unwrap(), path, body)
}

fn is_refused(status: StatusCode) -> bool {
    status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN
}

#[tokio::test(flavor = "multi_thread")]
async fn the_matrix_has_a_row_for_every_route() {
    let site = Guarded::start().await;
    let description = site.get("root", "/api/v1/openapi.json").await.1;
    let mut described = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let permission = operation["x-permission"].as_str().unwrap_or("none");
            described.insert(format!("{method} {path}: {permission}"));
        }
    }
    let rows: BTreeSet<String> = ROWS.iter().map(|(route, permission, _)| format!("{route}: {permission}")).collect();
    let missing: Vec<_> = described.symmetric_difference(&rows).collect();
    assert!(missing.is_empty(), "{missing:#?}");
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_has_its_permissions_and_no_others() {
    let site = Guarded::start().await;
    for (route, permission, _) in ROWS {
        let (method, path, body) = request(route, false);
        let (status, answer) = site.ask(None, &method, &path, &body).await;
        let is_open = *permission == "anyone";
        assert_eq!(
            status == StatusCode::UNAUTHORIZED && answer["code"] == "access.login-needed",
            !is_open,
            "{route}: {status}"
        );
        for (role, permissions) in ROLES {
            // Its own session and password are tried last: they end.
            if route.contains("/session") && *permission == "caller" && !route.starts_with("get") {
                continue;
            }
            let (status, answer) = site.ask(Some(role), &method, &path, &body).await;
            let may = is_open || *permission == "caller" || permissions.contains(permission);
            assert_eq!(is_refused(status), !may && !is_open, "{role}, {route}: {status} {answer}");
            if !may {
                assert_eq!(answer["code"], "access.not-permitted", "{role}, {route}");
            }
        }
    }
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_elsewhere_is_as_if_it_were_not() {
    let site = Guarded::start().await;
    for role in ["operator-east", "administrator-east"] {
        let body = json!({"toml": "a draft of its own"});
        let put = site.ask(Some(role), &Method::PUT, "/api/v1/policies/group/east/draft", &body).await;
        assert_eq!(put.0, StatusCode::OK, "{}", put.1);
    }
    for (route, permission, west) in ROWS.iter().filter(|row| row.2 != Nowhere) {
        for (role, permissions) in ROLES.iter().filter(|(role, _)| !["auditor", "monitor"].contains(role)) {
            if !permissions.contains(permission) {
                continue;
            }
            let east = format!("{role}-east");
            let is_whole = WHOLE_SITE.contains(permission) || *west == Refused;
            for in_west in [false, true] {
                let (method, path, body) = request(route, in_west);
                let (status, answer) = site.ask(Some(&east), &method, &path, &body).await;
                let text = answer.to_string();
                let where_ = if in_west { "west" } else { "east" };
                if is_whole {
                    assert_eq!(status, StatusCode::FORBIDDEN, "{east}, {route}: {text}");
                    continue;
                }
                assert!(!is_refused(status), "{east} of the {where_}, {route}: {status} {text}");
                match west {
                    LeftOut => {
                        assert_eq!(status, StatusCode::OK, "{east}, {route}: {text}");
                        assert!(!text.contains("gate-2") && !text.contains("west"), "{east}, {route}: {text}");
                    }
                    Hidden if in_west => {
                        assert_eq!(status, StatusCode::NOT_FOUND, "{east}, {route}: {text}");
                        let (_, unknown, _) = request(route, true);
                        let unknown = unknown.replace("gate-2", "gate-9").replace("/group/west", "/group/none");
                        let unknown = unknown.replace(&alert(1).id.to_string(), &alert(99).id.to_string());
                        let body: Value = serde_json::from_str(&body.to_string().replace("gate-2", "gate-9")).unwrap();
                        let (of_none, none) = site.ask(Some(&east), &method, &unknown, &body).await;
                        // One who may make cameras makes a new one in its area.
                        if *permission != "change_cameras" {
                            assert_eq!((of_none, &none["code"]), (status, &answer["code"]), "{east}, {route}");
                        }
                    }
                    _ => assert_ne!(status, StatusCode::NOT_FOUND, "{east}, {route}: {text}"),
                }
            }
        }
    }
    site.stop().await;
}
