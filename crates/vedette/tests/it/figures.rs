//! Measurements of cameras that fail or are hostile, which `benches/run offline` and `benches/run growth` print. No test asserts them,
//! because a machine may be busy.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use vedette_core::{CameraId, CameraSource, Codec};
use vedette_rtsp::testing::{End, Misdeed, Script, Server, nal_units};
use vedette_stages::ShedAfter;

use crate::blind::cut_slices;
use crate::encoding::{H264, encode};
use crate::product::{ALL, Product};
use crate::support::{demo_site, edit, eventually, vedette};

/// Five pictures a second.
fn script(codec: Codec, units: Vec<Vec<u8>>) -> Script {
    Script { pace: Duration::from_millis(200), ticks: 18_000, ..Script::new(codec, units) }
}

fn without_key_frames(units: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let is_key = |unit: &&Vec<u8>| nal_units(unit).iter().any(|nal| nal.first().is_some_and(|byte| byte & 0x1f == 5));
    units.iter().filter(|unit| !is_key(unit)).cloned().collect()
}

async fn is_analysed(product: &Product, camera: &str) {
    eventually(&format!("analysed frames of `{camera}`"), async || {
        let counts = product.get(&format!("/api/v1/frames?camera={camera}")).await;
        (counts.status().is_success()
            && counts.json::<serde_json::Value>().await.unwrap()["analysed"].as_u64() >= Some(5))
        .then_some(())
    })
    .await;
}

/// What the cable to a camera does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cable {
    /// It leads to the camera with this port.
    To(u16),
    /// Connections stay, and new ones are taken, but nothing comes any more.
    Mute,
    /// There is nothing.
    Cut,
}

/// A camera's address, behind which the camera may be changed.
struct Plug {
    port: u16,
    cable: watch::Sender<Cable>,
    running: JoinHandle<()>,
}

impl Plug {
    async fn to(camera: &Server) -> Self {
        let mut listener = Some(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = listener.as_ref().unwrap().local_addr().unwrap();
        let (cable, mut changes) = watch::channel(Cable::To(camera.port()));
        let running = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let cable = *changes.borrow_and_update();
                match cable {
                    Cable::Cut => listener = None,
                    Cable::To(_) | Cable::Mute if listener.is_none() => {
                        listener = Some(TcpListener::bind(address).await.unwrap());
                    }
                    Cable::To(_) | Cable::Mute => {}
                }
                let accepted = async {
                    match &listener {
                        Some(listener) => listener.accept().await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    accepted = accepted => drop(connections.spawn(carry(accepted.unwrap().0, changes.clone()))),
                    changed = changes.changed() => changed.unwrap(),
                }
            }
        });
        Self { port: address.port(), cable, running }
    }
}

impl Drop for Plug {
    fn drop(&mut self) {
        self.running.abort();
    }
}

/// One connection, until the cable leads elsewhere.
async fn carry(mut near: TcpStream, mut changes: watch::Receiver<Cable>) {
    let cable = *changes.borrow_and_update();
    if let Cable::To(port) = cable {
        let mut far = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        tokio::select! {
            _ = tokio::io::copy_bidirectional(&mut near, &mut far) => return,
            changed = changes.changed() => changed.unwrap(),
        }
    }
    if *changes.borrow_and_update() == Cable::Mute {
        let _ = changes.changed().await;
    }
}

/// The begin of an I slice of picture parameter set 200, which was never sent: of such slices a decoder makes no picture.
const LOST_SLICE: [u8; 5] = [0x88, 0x01, 0x93, 0x5a, 0x80];

/// A picture whose slices are replaced by a begin and as many bytes of which nothing is true.
fn undecodable(unit: &[u8], begin: &[u8], bytes: u32) -> Vec<u8> {
    let mut made = Vec::new();
    for nal in nal_units(unit) {
        made.extend([0, 0, 0, 1]);
        if matches!(nal[0] & 0x1f, 1 | 5) {
            made.push(nal[0]);
            made.extend(begin);
            made.extend((0..bytes).map(|number| 1 + (number.wrapping_mul(2_654_435_761) >> 25) as u8));
        } else {
            made.extend(nal);
        }
    }
    made
}

const AFTER: [u64; 2] = [3, 30];

fn add_offline_rules(site: &Path) {
    let policies = site.join("policies.toml");
    let mut text = std::fs::read_to_string(&policies).unwrap();
    for after in AFTER {
        text += &format!(
            "\n[[policy.rule]]\nid = \"offline-{after}\"\nname = \"Camera offline\"\npurpose = \"test\"\n\
             when = {{ kind = \"offline\", after = \"{after}s\" }}\n"
        );
    }
    std::fs::write(&policies, text).unwrap();
}

/// Seconds from the last usable picture to the alert in the API, over the longer of timeout and `after`, for each cause in the camera
/// itself. `blind::how_late_an_outage_is_told` has those in the product's processes.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: benches/run offline"]
async fn how_late_a_failing_camera_is_told() {
    let units = encode(H264, 20);
    let good = Server::start(script(Codec::H264, units.clone())).await;
    let plain = script(Codec::H264, units.clone());
    let describes = |misdeed| plain.clone().with("DESCRIBE", misdeed);
    let no_sets = Script { strips_sets: true, describes_sets: false, ..plain.clone() };
    let mut others = Vec::new();
    let mut cameras = vec![("falls silent", Cable::Mute), ("connection refused", Cable::Cut)];
    for (cause, script) in [
        ("no key frame any more", script(Codec::H264, without_key_frames(&units))),
        (
            "pictures do not decode",
            script(Codec::H264, units.iter().map(|unit| undecodable(unit, &LOST_SLICE, 0)).collect()),
        ),
        // As long as they are not all damaged, they count as pictures.
        ("pictures decode to grey", script(Codec::H264, units.iter().map(|unit| cut_slices(unit)).collect())),
        ("no parameter sets", no_sets),
        ("takes connections, never answers", describes(Misdeed::Silence)),
        ("hangs up", describes(Misdeed::Close)),
        ("answers 404", describes(Misdeed::Status(404, vec![]))),
    ] {
        let other = Server::start(script).await;
        cameras.push((cause, Cable::To(other.port())));
        others.push(other);
    }
    let mut plugs = Vec::new();
    for _ in &cameras {
        plugs.push(Plug::to(&good).await);
    }
    let site = tempfile::tempdir().unwrap();
    let path = demo_site(site.path());
    add_offline_rules(site.path());
    let id = |number: usize| format!("camera-{number}");
    let product = Product::start_roles(&path, &ALL, |config| {
        config.settings.detect.max_fps = Some(1.0);
        config.settings.detect.shed_after = ShedAfter::default();
        let first = config.cameras.remove(0);
        config.cameras.extend(plugs.iter().enumerate().map(|(number, plug)| vedette_core::Camera {
            id: CameraId::new(&id(number)).unwrap(),
            calibration: None,
            masks: Vec::new(),
            source: Some(CameraSource::Rtsp { url: format!("rtsp://127.0.0.1:{}/live", plug.port), credential: None }),
            ..first.clone()
        }));
    })
    .await;
    for number in 0..cameras.len() {
        is_analysed(&product, &id(number)).await;
    }
    let failed = Instant::now();
    for (plug, (_, cable)) in plugs.iter().zip(&cameras) {
        plug.cable.send_replace(*cable);
    }
    let timeout = 10;
    println!(
        "cause, after: seconds from the last picture to the alert, over max(timeout = {timeout} s, after); target 2 s"
    );
    let mut told = std::collections::BTreeSet::new();
    while told.len() < cameras.len() * AFTER.len() {
        for alert in product.alerts().await {
            let (camera, rule) = (alert["camera"].as_str().unwrap(), alert["why"]["rule"].as_str().unwrap());
            let Some(after) = AFTER.into_iter().find(|after| rule == format!("offline-{after}")) else { continue };
            if told.insert((camera.to_owned(), after)) {
                let number = (0..cameras.len()).find(|number| camera == id(*number)).unwrap();
                let late = failed.elapsed().as_secs_f64() - after.max(timeout) as f64;
                let reason = &alert["signal_loss"]["reason"];
                println!("{}, {after} s: {late:+.2} s, reason {reason}", cameras[number].0);
            }
        }
        assert!(failed.elapsed() < Duration::from_secs(120), "told by now: {told:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    product.end().await;
}

/// One hostile camera each.
fn hostile() -> Vec<(&'static str, Script)> {
    let units = encode(H264, 20);
    let plain = Script::new(Codec::H264, units.clone());
    let describes = |misdeed| plain.clone().with("DESCRIBE", misdeed);
    let fast = |end| Script { pace: Duration::from_micros(200), units: units[..5].to_vec(), end, ..plain.clone() };
    let real_begin =
        nal_units(&units[0]).into_iter().find(|nal| nal[0] & 0x1f == 5).expect("a key frame")[1..8].to_vec();
    // Whatever follows the first head is the body that it announces.
    let huge = b"RTSP/1.0 200 OK\r\nContent-Length: 4000000000\r\n\r\n".repeat(100);
    vec![
        ("huge-answer", describes(Misdeed::Endless(huge))),
        ("endless-headers", describes(Misdeed::Endless(b"X-Header: 1\r\n".repeat(100)))),
        ("bad-packets", fast(End::Garbage)),
        ("reconnect-storm", fast(End::Close)),
        ("undecodable-800-kb", Script { units: vec![undecodable(&units[0], &LOST_SLICE, 800_000)], ..plain.clone() }),
        ("grey-800-kb", Script { units: vec![undecodable(&units[0], &real_begin, 800_000)], ..plain }),
    ]
}

/// The product in a process of its own, killed with the measurement.
struct Running(std::process::Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Running {
    fn start(config: &Path) -> Self {
        let log = std::fs::File::create(config.with_file_name("log")).unwrap();
        let mut command = vedette();
        command.args(["run", "--operations-listen", "127.0.0.1:0", "--listen", "127.0.0.1:0", "--config"]).arg(config);
        command.stdin(std::process::Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Self(command.spawn().unwrap())
    }

    fn resident(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.0.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("it runs");
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
    }
}

/// Bytes of all files below a folder; one that goes away meanwhile has none.
fn size(folder: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    let of = |entry: std::fs::DirEntry| match entry.metadata() {
        Ok(found) if found.is_dir() => size(&entry.path()),
        Ok(found) => found.len(),
        Err(_) => 0,
    };
    entries.flatten().map(of).sum()
}

/// What is measured, in bytes.
struct Sample {
    resident: u64,
    video: u64,
    dead_letters: u64,
    other: u64,
    log: u64,
}

impl Sample {
    fn of(product: &Running, site: &Path) -> Self {
        let data = site.join("data");
        let topic = |name: &str| size(&data.join("bus/topics").join(name));
        let (video, dead_letters) = (topic("video"), topic("dead-letters"));
        let other = size(&data).saturating_sub(video + dead_letters);
        Self { resident: product.resident(), video, dead_letters, other, log: size_of_log(site) }
    }
}

fn size_of_log(site: &Path) -> u64 {
    std::fs::metadata(site.join("log")).map_or(0, |log| log.len())
}

/// How memory and data grow beside one hostile camera, and nothing else, in the last 60 % of `VEDETTE_GROWTH_SECONDS` (300).
/// `VEDETTE_GROWTH_ONLY` names one camera.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: benches/run growth"]
async fn how_much_grows_beside_a_hostile_camera() {
    let seconds = std::env::var("VEDETTE_GROWTH_SECONDS").map_or(300, |text| text.parse().expect("seconds"));
    let only = std::env::var("VEDETTE_GROWTH_ONLY").ok();
    println!("{seconds} s each; MB after 40 % and at the end:");
    println!(
        "{:20}{:>18}{:>18}{:>18}{:>16}{:>14}{:>13}",
        "camera", "memory", "video", "dead letters", "other data", "log", "connections"
    );
    for (name, script) in hostile().into_iter().filter(|(name, _)| only.as_ref().is_none_or(|only| only == name)) {
        let camera = Server::start(script).await;
        let site = tempfile::tempdir().unwrap();
        let path = demo_site(site.path());
        let cameras = site.path().join("cameras.toml");
        let text = std::fs::read_to_string(&cameras).unwrap();
        let source = text.lines().find(|line| line.starts_with("source = ")).unwrap().to_owned();
        edit(&cameras, &source, &format!("source = {{ kind = \"rtsp\", url = \"{}\" }}", camera.url()));
        let product = Running::start(&path);
        tokio::time::sleep(Duration::from_secs(seconds * 2 / 5)).await;
        let (before, connections) = (Sample::of(&product, site.path()), camera.connections());
        tokio::time::sleep(Duration::from_secs(seconds - seconds * 2 / 5)).await;
        let after = Sample::of(&product, site.path());
        assert!(camera.connections() > 0, "{}", std::fs::read_to_string(site.path().join("log")).unwrap());
        let from_to =
            |of: fn(&Sample) -> u64| format!("{:.2} {:.2}", of(&before) as f64 / 1e6, of(&after) as f64 / 1e6);
        println!(
            "{name:20}{:>18}{:>18}{:>18}{:>16}{:>14}{:>13}",
            from_to(|it| it.resident),
            from_to(|it| it.video),
            from_to(|it| it.dead_letters),
            from_to(|it| it.other),
            from_to(|it| it.log),
            format!("{connections} {}", camera.connections()),
        );
    }
}
