//! The site's key is changed while the product runs.

use serde_json::json;
use vedette_core::SealedLogin;
use vedette_sealing::KeyRing;

use super::{Site, USER, apply, guarded, is_analysed, is_lost, login, plain};
use crate::product::Product;
use crate::support::{edit, said};

/// The keys in the key file, and what `vedette key rotate` said, with its exit code.
fn rotate(site: &Site, product: &Product) -> (usize, Option<i32>, String) {
    let output = site.run(&["key", "rotate", "--console", &product.url, "--by", "operator 7"], &[]);
    let text = said(&output);
    assert!(!text.contains("geheim") && !text.contains("v1."), "{text}");
    (1 + KeyRing::read(&site.key_file()).unwrap().older().count(), output.status.code(), text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_changed_by_one_command_while_the_cameras_run() {
    let site = Site::new();
    let servers = [guarded("geheim").await, guarded("geheim").await];
    let [of_file, of_console] = servers.each_ref().map(|server| server.url().to_string());
    let lost = KeyRing::create(&site.folder.path().join("lost.key")).unwrap().newest().public().clone();
    let source = |address: &str, login: SealedLogin| {
        let sealed = login.password.to_text();
        format!(
            "{{ kind = \"rtsp\", url = \"{address}\", login = {{ user = \"{USER}\", sealed = \"{sealed}\" }} }} # by hand"
        )
    };
    let first = site.public_key();
    site.add_camera("gate", &source(&of_file, login(&first, "gate", &of_file, "geheim")));
    site.add_camera("lost", &source("rtsp://127.0.0.1:9/", login(&lost, "lost", "rtsp://127.0.0.1:9/", "geheim")));
    let product = site.start(Vec::new()).await;
    let mut yard = serde_json::to_value(plain("yard")).unwrap();
    yard["source"] = json!({ "kind": "rtsp", "url": of_console, "login": { "user": USER, "password": "geheim" } });
    let (status, answer) = apply(&product, "yard", &json!({ "camera": yard, "by": "anna" })).await;
    assert_eq!(status, 200, "{answer}");
    for camera in ["gate", "yard"] {
        is_analysed(&product, camera).await;
    }

    let (keys, code, text) = rotate(&site, &product);
    assert_eq!((keys, code), (2, Some(2)), "{text}");
    let second = site.public_key();
    assert_ne!(first.id(), second.id());
    for words in ["sealed again: gate", "sealed again: yard", "not opened: lost", &lost.id().to_string(), "keep"] {
        assert!(text.contains(words), "`{words}` is not in:\n{text}");
    }
    let sealed_with = async |camera: &str| {
        let version = product.json(&format!("/api/v1/cameras/{camera}")).await;
        (version["camera"]["source"]["login"]["sealed_with"].clone(), version["by"].clone(), version["owner"].clone())
    };
    let id = json!(second.id().to_string());
    assert_eq!(sealed_with("gate").await, (id.clone(), json!("operator 7"), json!("file")));
    assert_eq!(sealed_with("yard").await, (id, json!("operator 7"), json!("console")));
    let file = std::fs::read_to_string(site.folder.path().join("cameras.toml")).unwrap();
    assert!(file.contains(&format!("v1.{}.", second.id())) && !file.contains(&format!("v1.{}.", first.id())), "{file}");
    assert!(file.contains("# by hand"), "the rest of the file is as it was");

    // Again: nothing is left but what the first run named.
    let versions = async |camera: &str| {
        product.json(&format!("/api/v1/cameras/{camera}/versions")).await.as_array().unwrap().len()
    };
    let before = [versions("gate").await, versions("yard").await];
    let (keys, code, text) = rotate(&site, &product);
    assert_eq!((keys, code), (2, Some(2)), "{text}");
    assert!(!text.contains("sealed again") && text.contains("not opened: lost"), "{text}");
    assert_eq!([versions("gate").await, versions("yard").await], before);

    // The lost password is given again: then the old key may go.
    let cameras = site.folder.path().join("cameras.toml");
    let old = file.split('"').find(|part| part.starts_with(&format!("v1.{}.", lost.id()))).unwrap();
    edit(&cameras, old, &login(&second, "lost", "rtsp://127.0.0.1:9/", "geheim").password.to_text());
    let (keys, code, text) = rotate(&site, &product);
    assert_eq!((keys, code), (2, Some(0)), "{text}");
    assert!(text.contains(&format!("no password is sealed with {} any more", first.id())), "{text}");
    is_lost(&product, "lost", "unreachable").await;
    let counts = servers.each_ref().map(|server| server.connections());
    assert_eq!(counts, [1, 1], "no camera was connected again");
    product.end().await;
}

/// No password is sealed with a key that a machine may not have yet.
#[test]
fn of_several_machines_the_first_run_only_makes_the_key() {
    let site = Site::new();
    edit(&site.config, "[ingest]\n", "[ingest]\nshare = \"1/2\"\n");
    let before = site.public_key();
    let output = site.run(&["key", "rotate", "--console", "http://127.0.0.1:9"], &[]);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(2), "{text}");
    assert!(text.contains("copy") && text.contains("site.key"), "{text}");
    let keys = KeyRing::read(&site.key_file()).unwrap();
    assert_eq!(keys.older().collect::<Vec<_>>(), [before.id()]);
    assert_eq!(site.public_key(), before, "the console still seals with the old key");
    // Then it goes on, and needs the product.
    let output = site.run(&["key", "rotate", "--console", "http://127.0.0.1:9"], &[]);
    assert!(said(&output).contains("no answer of"), "{}", said(&output));
    assert_eq!(KeyRing::read(&site.key_file()).unwrap().older().count(), 1);
}
