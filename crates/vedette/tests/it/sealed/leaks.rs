//! Nothing that the product keeps, logs or answers has a password in it.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};
use vedette_core::CameraId;

use super::{Site, USER, guarded, plain};
use crate::support::{eventually, said, vedette};

/// In the file, and through the API.
const PASSWORDS: [&str; 2] = ["kein-Mensch-liest-dies-4711", "und-dies-auch-nicht-0815"];

/// The binary, killed with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Every file below with its content.
fn files(folder: &Path, found: &mut Vec<(String, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => files(&path, found),
            false => found.push((path.display().to_string(), std::fs::read(&path).unwrap())),
        }
    }
}

fn has(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_file_no_log_and_no_answer_has_the_password() {
    let site = Site::new();
    let servers = [guarded(PASSWORDS[0]).await, guarded(PASSWORDS[1]).await];
    let [of_file, of_api] = servers.each_ref().map(|server| server.url().to_string());
    let words = ["camera", "seal", "gate", "--user", USER, "--url", &of_file, "--password-env", "GATE_PASSWORD"];
    let sealed = site.run(&words, &[("GATE_PASSWORD", PASSWORDS[0])]);
    assert!(sealed.status.success(), "{}", said(&sealed));
    let login = String::from_utf8(sealed.stdout).unwrap();
    site.add_camera("gate", &format!("{{ kind = \"rtsp\", url = \"{of_file}\", {} }}", login.trim()));

    let log = site.folder.path().join("product.log");
    let mut command = vedette();
    command
        .args(["run", "--listen", "127.0.0.1:0", "--operations-listen", "127.0.0.1:0", "--config"])
        .arg(&site.config);
    command.env(
        "RUST_LOG",
        "vedette=trace,vedette_stages=trace,vedette_console=trace,vedette_rtsp=trace,vedette_media=trace,info",
    );
    let out = std::fs::File::create(&log).unwrap();
    command.stdin(Stdio::null()).stdout(out.try_clone().unwrap()).stderr(out);
    let mut running = Running(command.spawn().unwrap());
    let url = eventually("the page", async || {
        let text = std::fs::read_to_string(&log).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("The page: "))?;
        Some(line.trim_end_matches('/').to_owned())
    })
    .await;

    let mut answers: Vec<String> = Vec::new();
    let client = reqwest::Client::new();
    let mut yard = serde_json::to_value(plain("yard")).unwrap();
    yard["source"] = json!({ "kind": "rtsp", "url": of_api, "login": { "user": USER, "password": PASSWORDS[1] } });
    let misspelt = json!({ "user": USER, "passwort": PASSWORDS[1] });
    let mut refused = yard.clone();
    refused["source"]["login"] = misspelt;
    let mut nowhere = yard.clone();
    nowhere["source"]["url"] = json!("rtsp://");
    for (path, body) in [
        ("cameras/yard/apply", json!({ "camera": yard, "by": "anna", "plan": true })),
        ("cameras/yard/apply", json!({ "camera": refused, "by": "anna" })),
        ("cameras/yard/apply", json!({ "camera": nowhere, "by": "anna" })),
        ("cameras/other/apply", json!({ "camera": yard, "by": "anna" })),
        ("cameras/yard/apply", json!({ "camera": yard, "by": "anna" })),
        ("changes", json!({ "cameras": [yard], "by": "anna" })),
    ] {
        let answer = client.post(format!("{url}/api/v1/{path}")).json(&body).send().await.unwrap();
        answers.push(answer.text().await.unwrap());
    }
    for server in &servers {
        eventually("the login", async || (server.count("PLAY") > 0).then_some(())).await;
    }
    eventually("frames of both", async || {
        let mut count = 0;
        for camera in ["gate", "yard"] {
            let answer = client.get(format!("{url}/api/v1/frames?camera={camera}")).send().await.unwrap();
            count +=
                usize::from(answer.status().is_success() && answer.json::<Value>().await.unwrap()["analysed"] != 0);
        }
        (count == 2).then_some(())
    })
    .await;
    let described: Value = client.get(format!("{url}/api/v1/openapi.json")).send().await.unwrap().json().await.unwrap();
    for (path, methods) in described["paths"].as_object().unwrap() {
        if methods.get("get").is_none() || path.ends_with("/stream") {
            continue;
        }
        for id in ["gate", "yard"] {
            let path = path.replace("{id}", id);
            let answer = client.get(format!("{url}{path}")).send().await.unwrap();
            answers.push(String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned());
        }
    }
    for path in ["/healthz", "/readyz", "/metrics"] {
        answers.push(client.get(format!("{url}{path}")).send().await.unwrap().text().await.unwrap());
    }
    assert!(Command::new("kill").arg(running.0.id().to_string()).status().unwrap().success());
    assert!(running.0.wait().unwrap().success());
    let history = site.folder.path().join("history.jsonl");
    let exported = site.run(&["export", "--history", history.to_str().unwrap()], &[]);
    assert!(exported.status.success());
    answers.push(said(&exported));
    answers.push(said(&site.run(&["dead-letters", "list"], &[])));

    let mut kept = Vec::new();
    files(site.folder.path(), &mut kept);
    let id: CameraId = "gate".parse().unwrap();
    let sealed = login.split('"').find(|part| part.starts_with("v1.")).unwrap();
    let holders: Vec<&str> =
        kept.iter().filter(|(_, bytes)| has(bytes, sealed)).map(|(path, _)| path.as_str()).collect();
    assert!(holders.iter().any(|path| path.contains("/bus/")), "the sealed text of {id} is on the bus: {holders:?}");
    assert!(holders.iter().any(|path| path.ends_with("history.jsonl")), "{holders:?}");
    for password in PASSWORDS {
        for text in [password.to_owned(), BASE64_STANDARD.encode(format!("{USER}:{password}"))] {
            let found: Vec<&str> =
                kept.iter().filter(|(_, bytes)| has(bytes, &text)).map(|(path, _)| path.as_str()).collect();
            assert!(found.is_empty(), "{found:?}");
            assert!(answers.iter().all(|answer| !answer.contains(&text)), "an answer has the password");
        }
    }
    let of_api = answers.iter().filter(|answer| answer.contains(sealed) || answer.contains("v1.")).count();
    assert_eq!(of_api, 0, "the API answers no sealed text");
    let shown = answers.iter().filter(|answer| answer.contains("sealed_with")).count();
    assert!(shown >= 4, "cameras and their versions are among the answers: {shown}");
}
