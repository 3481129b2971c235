use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;

use crate::access_matrix::routes;
use crate::support::{CODE, FORMER_CODE, Running, alert, view_of};

#[tokio::test(flavor = "multi_thread")]
async fn the_description_lists_every_route() {
    let console = Running::start().await;
    let description = console.json("/api/v1/openapi.json").await;
    let mut listed = BTreeSet::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            listed.insert(format!("{method} {path}"));
            for member in ["operationId", "summary", "responses"] {
                assert!(!operation[member].is_null(), "{method} {path} has no {member}");
            }
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                assert!(parameter["description"].is_string(), "{method} {path}: {parameter}");
            }
        }
    }
    assert_eq!(listed, routes());
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_any_request_may_be_refused_with_is_described() {
    let console = Running::start().await;
    let description = console.json("/api/v1/openapi.json").await;
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let of_body: &[&str] = if method == "post" { &["408", "413", "415"] } else { &[] };
            for status in ["400", "403", "421", "500", "503"].iter().chain(of_body) {
                let content = &operation["responses"][status]["content"];
                // `/readyz` says with 503 which stage does not work.
                let known = content["application/problem+json"].is_object() || path == "/readyz" && *status == "503";
                assert!(known, "{method} {path} does not describe {status}");
            }
        }
    }
    assert!(description["paths"]["/api/v1/alerts/stream"]["get"]["responses"]["429"].is_object());
    console.stop().await;
}

/// The page's types are made from the file. After a change: `VEDETTE_BLESS=1 cargo test -p vedette-console --test it`.
#[tokio::test(flavor = "multi_thread")]
async fn the_description_is_kept_in_a_file() {
    let console = Running::start().await;
    let description = console.json("/api/v1/openapi.json").await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    if std::env::var_os("VEDETTE_BLESS").is_some() {
        std::fs::write(&path, format!("{description:#}\n")).unwrap();
    }
    let kept: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    assert!(kept == description, "bless crates/console/openapi.json: see the head of this test");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_as_described() {
    let console = Running::start().await;
    console.raise(&alert(0));
    console.raise(&view_of(&alert(0)));
    let description = console.json("/api/v1/openapi.json").await;
    for (route, path) in [
        ("/api/v1/alerts", "/api/v1/alerts".to_owned()),
        ("/api/v1/alerts/{id}", format!("/api/v1/alerts/{}", alert(0).id)),
        ("/api/v1/alerts/{id}", format!("/api/v1/alerts/{}", view_of(&alert(0)).id)),
        ("/api/v1/cameras", "/api/v1/cameras".to_owned()),
        ("/api/v1/frames", "/api/v1/frames".to_owned()),
        ("/healthz", "/healthz".to_owned()),
        ("/api/v1/rule-kinds", "/api/v1/rule-kinds".to_owned()),
        ("/api/v1/addresses", "/api/v1/addresses?q=42".to_owned()),
        ("/api/v1/addresses", "/api/v1/addresses?lat=22.54&lon=113.949".to_owned()),
        ("/api/v1/addresses/base", "/api/v1/addresses/base".to_owned()),
        ("/api/v1/addresses/{code}", format!("/api/v1/addresses/{CODE}")),
        ("/api/v1/addresses/{code}", format!("/api/v1/addresses/{FORMER_CODE}")),
    ] {
        let schema = &description["paths"][route]["get"]["responses"]["200"]["content"]["application/json"]["schema"];
        check(&description, schema, &console.json(&path).await, route);
    }
    for layer in ["footprints", "grids", "roads"] {
        let content = &description["paths"][format!("/api/v1/map/{layer}")]["get"]["responses"]["200"]["content"];
        let features = console.json(&format!("/api/v1/map/{layer}?bbox=113.94,22.53,113.95,22.55")).await;
        assert_ne!(features["features"], Value::Array(Vec::new()));
        check(&description, &content["application/geo+json"]["schema"], &features, layer);
    }
    let refused: Value = console.get("/api/v1/alerts?x=1").await.json().await.unwrap();
    let schema =
        &description["paths"]["/api/v1/alerts"]["get"]["responses"]["400"]["content"]["application/problem+json"];
    check(&description, &schema["schema"], &refused, "problem");
    console.stop().await;
}

/// Checks types, words, required members, and that there are no others.
fn check(description: &Value, schema: &Value, value: &Value, at: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return check(description, description.pointer(&reference[1..]).unwrap(), value, at);
    }
    if let Some(choices) = schema["oneOf"].as_array() {
        let fits = |choice: &&Value| match choice["type"].as_str() {
            Some("null") => value.is_null(),
            Some("string") => value.is_string(),
            Some("number") => value.is_number(),
            Some("array") => value.is_array(),
            _ => !value.is_null(),
        };
        let choice = choices.iter().find(fits).unwrap_or_else(|| panic!("{at}: {value} is none of {choices:?}"));
        return check(description, choice, value, at);
    }
    if schema.as_object().is_some_and(|schema| !schema.contains_key("type")) {
        // Any value: only what it means is described.
        return assert!(schema["description"].is_string(), "{at}: {schema}");
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let allowed: Vec<_> = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect(),
    };
    let fits = allowed.contains(&kind) || (kind == "integer" && allowed.contains(&"number"));
    assert!(fits, "{at}: {value} is {kind}, described as {schema}");
    if let Some(words) = schema["enum"].as_array() {
        assert!(words.contains(value), "{at}: {value} is none of {words:?}");
    }
    for (index, item) in value.as_array().into_iter().flatten().enumerate() {
        // Arrays of a fixed length say what each place holds.
        let described = schema["prefixItems"].get(index).unwrap_or(&schema["items"]);
        check(description, described, item, &format!("{at}[{index}]"));
    }
    let Some(object) = value.as_object() else { return };
    if schema.get("properties").or(schema.get("additionalProperties")).is_none() {
        // Free form: a JSON Schema.
        return;
    }
    for name in schema["required"].as_array().into_iter().flatten() {
        assert!(object.contains_key(name.as_str().unwrap()), "{at}: {name} is missing");
    }
    for (name, member) in object {
        let described = schema["properties"].get(name).or(schema.get("additionalProperties"));
        let described = described.unwrap_or_else(|| panic!("{at}.{name} is not described"));
        check(description, described, member, &format!("{at}.{name}"));
    }
}
