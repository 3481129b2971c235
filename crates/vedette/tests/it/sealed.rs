//! Sealed passwords of cameras in the running product: opened by ingest for their camera at its address, and nowhere else.

mod leaks;
mod rotation;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use serde_json::{Value, json};
use vedette_core::{Camera, CameraId, CameraSource, Codec, SealedLogin, Span};
use vedette_rtsp::testing::{Guard, Scheme, Script, Server};
use vedette_sealing::{Endpoint, KeyRing, Password, PublicKey, public_path};
use zeroize::Zeroizing;

use crate::encoding::{H264, encode};
use crate::product::Product;
use crate::support::{demo_site, edit, eventually, finish, said, vedette};

/// The user of a guarded test camera.
const USER: &str = "operator";

fn password(text: &str) -> Password {
    Password::new(Zeroizing::new(text.to_owned())).unwrap()
}

/// A camera that asks for a password, five pictures in two seconds.
async fn guarded(password: &str) -> Server {
    let script = Script {
        pace: Duration::from_millis(400),
        ticks: 36_000,
        guard: Some(Guard::new(password, &[Scheme::Sha256, Scheme::Md5])),
        ..Script::new(Codec::H264, encode(H264, 20))
    };
    Server::start(script).await
}

/// The demo site with a key of its own.
struct Site {
    folder: tempfile::TempDir,
    config: PathBuf,
}

impl Site {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = demo_site(folder.path());
        edit(&config, "[site]\n", "[site]\npublic_key = \"site.key.pub\"\n");
        edit(&config, "[ingest]\n", "[ingest]\nkey_file = \"site.key\"\n");
        edit(&config, "nanodet-g-640x480", "nanodet-g-416x320");
        let site = Self { folder, config };
        let made = site.run(&["key", "new", "--out", site.key_file().to_str().unwrap()], &[]);
        assert!(made.status.success(), "{}", said(&made));
        site
    }

    fn key_file(&self) -> PathBuf {
        self.folder.path().join("site.key")
    }

    fn public_key(&self) -> PublicKey {
        PublicKey::read(&public_path(&self.key_file())).unwrap()
    }

    fn run(&self, words: &[&str], variables: &[(&str, &str)]) -> Output {
        let mut command = vedette();
        command.args(words).envs(variables.iter().copied()).env("VEDETTE_CONFIG", &self.config);
        finish(command)
    }

    fn add_camera(&self, id: &str, source: &str) {
        let file = self.folder.path().join("cameras.toml");
        let entry = format!(
            "\n[[camera]]\nid = \"{id}\"\nname = \"{id}\"\npurpose = \"test\"\nsource = {source}\n\
             position = {{ latitude = 22.53, longitude = 113.93 }}\n"
        );
        std::fs::write(&file, std::fs::read_to_string(&file).unwrap() + &entry).unwrap();
    }

    async fn start(&self, cameras: Vec<Camera>) -> Product {
        Product::start(&self.config, |config| {
            config.settings.ingest.timeout = Span::from_secs(5);
            config.settings.detect.max_fps = Some(0.5);
            config.cameras.retain(|camera| camera.login().is_some());
            config.cameras.extend(cameras);
        })
        .await
    }
}

fn camera(id: &str, address: &str, login: SealedLogin) -> Camera {
    Camera {
        id: CameraId::new(id).unwrap(),
        source: Some(CameraSource::Rtsp { url: address.to_owned(), credential: None, login: Some(login) }),
        ..plain(id)
    }
}

/// Without a source.
fn plain(id: &str) -> Camera {
    serde_json::from_value(json!({
        "id": id, "name": id, "purpose": "test", "position": { "latitude": 22.53, "longitude": 113.93 },
    }))
    .unwrap()
}

fn login(key: &PublicKey, camera: &str, address: &str, text: &str) -> SealedLogin {
    let (camera, endpoint) = (CameraId::new(camera).unwrap(), Endpoint::of(address).unwrap());
    SealedLogin { user: USER.to_owned(), password: key.seal(&camera, &endpoint, &password(text)).unwrap() }
}

async fn is_analysed(product: &Product, camera: &str) {
    eventually(&format!("frames of {camera}"), async || {
        let counts = product.get(&format!("/api/v1/frames?camera={camera}")).await;
        (counts.status().is_success() && counts.json::<Value>().await.unwrap()["analysed"].as_u64() >= Some(1))
            .then_some(())
    })
    .await;
}

async fn is_lost(product: &Product, camera: &str, reason: &str) {
    eventually(&format!("{camera} without signal"), async || {
        let cameras = product.json("/api/v1/cameras").await;
        let cameras = cameras["cameras"].as_array().unwrap().clone();
        let found = cameras.into_iter().find(|found| found["id"] == camera)?;
        (found["signal_loss"]["reason"] == reason).then_some(())
    })
    .await;
}

async fn apply(product: &Product, id: &str, body: &Value) -> (u16, Value) {
    let url = format!("{}/api/v1/cameras/{id}/apply", product.url);
    let answer = reqwest::Client::new().post(url).json(body).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

fn ingest_detail(product: &Product) -> String {
    product.app.health.snapshot()["ingest"].detail.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_sent_to_its_own_camera_only_and_the_others_say_why_not() {
    let site = Site::new();
    let (server, attacker) = (guarded("geheim").await, guarded("geheim").await);
    let (address, elsewhere) = (server.url().to_string(), attacker.url().to_string());
    let key = site.public_key();
    let lost = KeyRing::create(&site.folder.path().join("lost.key")).unwrap();
    let lost_key = lost.newest().public().clone();
    let damaged = {
        let good = login(&key, "damaged", &elsewhere, "geheim");
        let text = good.password.to_text();
        let changed = if text.ends_with('A') { "B" } else { "A" };
        SealedLogin { password: format!("{}{changed}", &text[..text.len() - 1]).parse().unwrap(), ..good }
    };
    let product = site
        .start(vec![
            camera("good", &address, login(&key, "good", &address, "geheim")),
            camera("lost", &elsewhere, login(&lost_key, "lost", &elsewhere, "geheim")),
            camera("moved", &elsewhere, login(&key, "moved", &address, "geheim")),
            camera("copied", &elsewhere, login(&key, "good", &elsewhere, "geheim")),
            camera("damaged", &elsewhere, damaged),
        ])
        .await;
    is_analysed(&product, "good").await;
    for camera in ["lost", "moved", "copied", "damaged"] {
        is_lost(&product, camera, "password_unopened").await;
    }
    let detail = ingest_detail(&product);
    let said = |camera: &str, words: &str| {
        let of_camera = detail.split("; ").find(|part| part.contains(&format!("{camera}: its password")));
        assert!(of_camera.is_some_and(|part| part.contains(words)), "{camera}, `{words}`: {detail}");
    };
    said("lost", &lost_key.id().to_string());
    said("moved", "sealed for another host or port");
    said("copied", "sealed for camera good");
    said("damaged", "damaged");
    assert!(!detail.contains("geheim"), "{detail}");
    assert_eq!(attacker.connections(), 0, "no password left, not even its hash");

    // The key comes back, behind the site's own.
    let both = format!(
        "{}{}",
        std::fs::read_to_string(site.key_file()).unwrap(),
        std::fs::read_to_string(site.folder.path().join("lost.key")).unwrap()
    );
    std::fs::write(site.key_file(), both).unwrap();
    is_analysed(&product, "lost").await;
    assert_eq!((server.count("PLAY"), attacker.count("PLAY")), (1, 1));
    product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_sealed_again_reconnects_no_camera() {
    let site = Site::new();
    let (server, second) = (guarded("geheim").await, guarded("geheim").await);
    let (address, other) = (server.url().to_string(), second.url().to_string());
    let gate = camera("gate", &address, login(&site.public_key(), "gate", &address, "geheim"));
    let product = site.start(vec![gate.clone()]).await;
    is_analysed(&product, "gate").await;

    // With a new key that only the file has, beside the old one.
    let ring = KeyRing::read(&site.key_file()).unwrap().with_new_key(&site.key_file()).unwrap();
    let key = ring.newest().public();
    let again = |camera: &Camera| {
        let mut camera = serde_json::to_value(camera).unwrap();
        camera["source"]["login"] = serde_json::to_value(login(key, "gate", &address, "geheim")).unwrap();
        json!({ "camera": camera, "by": "anna", "take_over": true })
    };
    for _ in 0..2 {
        let (status, answer) = apply(&product, "gate", &again(&gate)).await;
        assert_eq!(status, 200, "{answer}");
    }
    let (_, plan) = apply(&product, "gate", &{
        let mut body = again(&gate);
        body["plan"] = json!(true);
        body
    })
    .await;
    let sealed_again = json!({
        "path": "source.login.password",
        "before": format!("sealed with key {}", key.id()), "after": format!("sealed again with key {}", key.id()),
    });
    assert_eq!(plan["planned"][0]["differences"], json!([sealed_again]), "{plan}");
    // What comes behind it is in force: so was that.
    let yard = camera("yard", &other, login(key, "yard", &other, "geheim"));
    let (status, answer) = apply(&product, "yard", &json!({ "camera": yard, "by": "anna" })).await;
    assert_eq!(status, 200, "{answer}");
    is_analysed(&product, "yard").await;
    assert_eq!((server.connections(), server.count("PLAY")), (1, 1), "it was never connected again");

    // Another password is another source.
    let mut wrong = again(&gate);
    wrong["camera"]["source"]["login"] = serde_json::to_value(login(key, "gate", &address, "falsch")).unwrap();
    let (status, answer) = apply(&product, "gate", &wrong).await;
    assert_eq!(status, 200, "{answer}");
    is_lost(&product, "gate", "unauthorized").await;
    product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_takes_a_password_in_clear_and_keeps_it_sealed() {
    let site = Site::new();
    let server = guarded("geheim").await;
    let address = server.url().to_string();
    let product = site.start(Vec::new()).await;
    let mut gate = serde_json::to_value(plain("gate")).unwrap();
    gate["source"] = json!({ "kind": "rtsp", "url": address, "login": { "user": USER, "password": "geheim" } });
    let body = |camera: &Value| json!({ "camera": camera, "by": "anna" });
    let (status, answer) = apply(&product, "gate", &body(&gate)).await;
    assert_eq!(status, 200, "{answer}");
    is_analysed(&product, "gate").await;

    // A camera sent back as the API shows it retains its password.
    let shown = product.json("/api/v1/cameras/gate").await["camera"].clone();
    let login = json!({ "user": USER, "sealed_with": site.public_key().id().to_string() });
    assert_eq!(shown["source"]["login"], login, "{shown}");
    let mut renamed = shown.clone();
    renamed["name"] = json!("The gate");
    let (status, answer) = apply(&product, "gate", &body(&renamed)).await;
    assert_eq!((status, &answer["planned"][0]["differences"][0]["path"]), (200, &json!("name")), "{answer}");
    assert_eq!(answer["planned"][0]["differences"].as_array().unwrap().len(), 1, "{answer}");
    assert_eq!(server.count("PLAY"), 1);
    // But not for another address.
    let mut moved = shown.clone();
    moved["source"]["url"] = json!("rtsp://192.0.2.66/live");
    let (status, problem) = apply(&product, "gate", &body(&moved)).await;
    assert_eq!((status, &problem["refusals"][0]["path"]), (422, &json!("source.url")), "{problem}");
    let mut foreign = shown.clone();
    foreign["source"]["login"]["sealed_with"] = json!("3f9a1c2e77b0");
    let (status, problem) = apply(&product, "gate", &body(&foreign)).await;
    assert_eq!((status, &problem["code"]), (400, &json!("password.not-kept")), "{problem}");
    for wrong in [
        json!({ "user": USER, "password": ["geheim"] }),
        json!("geheim"),
        json!({ "user": USER, "password": "ge\nheim" }),
    ] {
        let mut camera = shown.clone();
        camera["source"]["login"] = wrong;
        let (status, problem) = apply(&product, "gate", &body(&camera)).await;
        assert_eq!(status, 400, "{problem}");
        assert!(!problem.to_string().contains("heim"), "{problem}");
    }

    // By the other way in, as a plan; and without a key.
    let whole = json!({ "cameras": [gate], "by": "anna", "take_over": true, "plan": true });
    let post = async |body: &Value| {
        let url = format!("{}/api/v1/changes", product.url);
        let answer = reqwest::Client::new().post(url).json(body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let (status, plan) = post(&whole).await;
    assert_eq!((status, &plan["planned"][0]["of"]), (200, &json!("camera gate")), "{plan}");
    assert!(!plan.to_string().contains("geheim"), "{plan}");
    std::fs::remove_file(public_path(&site.key_file())).unwrap();
    let (status, problem) = post(&whole).await;
    assert_eq!((status, &problem["code"]), (409, &json!("password.key-unusable")), "{problem}");
    product.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_public_key_no_password_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let product = Product::start(&demo_site(folder.path()), |_| {}).await;
    let mut gate = serde_json::to_value(plain("gate")).unwrap();
    gate["source"] =
        json!({ "kind": "rtsp", "url": "rtsp://192.0.2.10/live", "login": { "user": USER, "password": "geheim" } });
    let (status, problem) = apply(&product, "gate", &json!({ "camera": gate, "by": "anna" })).await;
    assert_eq!((status, &problem["code"]), (409, &json!("password.no-key")), "{problem}");
    assert!(problem["fix"].as_str().unwrap().contains("vedette key new"), "{problem}");
    assert!(!problem.to_string().contains("geheim"), "{problem}");
    assert_eq!(product.get("/api/v1/cameras/gate").await.status(), 404);
    product.end().await;
}

/// Whether the check found no error, and what it said.
fn checked(site: &Site, roles: &str) -> (bool, String) {
    let listen = if roles.contains("console") { &["--listen", "127.0.0.1:0"][..] } else { &[] };
    let output = site.run(&[&["check", "--offline", "--roles", roles], listen].concat(), &[]);
    assert!(matches!(output.status.code(), Some(0 | 2)), "{}", said(&output));
    (output.status.success(), said(&output))
}

#[test]
fn check_names_the_cameras_whose_password_cannot_be_opened_and_what_is_wrong_with_the_key() {
    use std::os::unix::fs::PermissionsExt;
    let set_mode = |path: &Path, mode| std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    let site = Site::new();
    let address = "rtsp://192.0.2.10/live";
    let sealed = site.run(
        &["camera", "seal", "gate", "--user", "viewer", "--url", address, "--password-env", "GATE"],
        &[("GATE", "GEHEIM")],
    );
    assert!(sealed.status.success() && !said(&sealed).contains("GEHEIM"), "{}", said(&sealed));
    let login = String::from_utf8(sealed.stdout).unwrap();
    site.add_camera("gate", &format!("{{ kind = \"rtsp\", url = \"{address}\", {} }}", login.trim()));
    let (is_good, text) = checked(&site, "ingest,console");
    assert!(is_good && !text.contains("key."), "{text}");

    site.add_camera("yard", &format!("{{ kind = \"rtsp\", url = \"{address}\", {} }}", login.trim()));
    let (is_good, text) = checked(&site, "ingest,console");
    assert!(!is_good && text.contains("(yard).source.login") && text.contains("sealed for camera gate"), "{text}");
    assert!(!text.contains("(gate).source"), "{text}");
    // Only ingest opens passwords, and only there the key may lie.
    let (is_good, text) = checked(&site, "console");
    assert!(is_good && text.contains("[key.not-for-this-machine]"), "{text}");
    set_mode(&site.key_file(), 0o640);
    assert!(checked(&site, "ingest").1.contains("[key.open-to-others]"));

    let id = site.public_key().id().to_string();
    for name in ["site.key", "site.key.pub"] {
        std::fs::remove_file(site.folder.path().join(name)).unwrap();
    }
    let (is_good, text) = checked(&site, "ingest");
    assert!(!is_good && text.contains("[key.unusable]"), "{text}");
    KeyRing::create(&site.key_file()).unwrap();
    let (is_good, text) = checked(&site, "ingest");
    assert!(!is_good && text.contains("(gate).source.login") && text.contains(&id), "{text}");
    std::fs::remove_file(public_path(&site.key_file())).unwrap();
    KeyRing::create(&site.folder.path().join("other.key")).unwrap();
    std::fs::rename(site.folder.path().join("other.key.pub"), public_path(&site.key_file())).unwrap();
    assert!(checked(&site, "ingest").1.contains("[key.other-pair]"));
}

#[test]
fn a_key_is_never_written_over_and_a_password_is_read_from_standard_input() {
    use std::io::Write as _;
    use std::process::Stdio;
    let site = Site::new();
    let path = site.key_file();
    let again = site.run(&["key", "new", "--out", path.to_str().unwrap()], &[]);
    assert!(!again.status.success() && said(&again).contains("site.key"), "{}", said(&again));
    let address = "rtsp://192.0.2.10/live";
    let seal = |given: &[u8]| {
        let mut command = vedette();
        command.args(["camera", "seal", "gate", "--user", "viewer", "--url", address]);
        command.env("VEDETTE_CONFIG", &site.config).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(given).unwrap();
        child.wait_with_output().unwrap()
    };
    let output = seal(b"GE HEIM\n");
    let text: toml::Table = toml::from_str(std::str::from_utf8(&output.stdout).unwrap()).unwrap();
    let login: SealedLogin = text["login"].clone().try_into().unwrap();
    let (camera, endpoint) = (CameraId::new("gate").unwrap(), Endpoint::of(address).unwrap());
    let opened = KeyRing::read(&path).unwrap().open(&login.password, &camera, &endpoint).unwrap();
    assert_eq!((login.user.as_str(), opened.reveal()), ("viewer", "GE HEIM"));
    for given in [&b""[..], b"\n", b"GE\x07HEIM\n", b"GEHEIM\xff\n", &[b'G'; 5_000]] {
        let output = seal(given);
        assert!(
            !output.status.success() && output.stdout.is_empty() && !said(&output).contains("GE"),
            "{}",
            said(&output)
        );
    }
}
