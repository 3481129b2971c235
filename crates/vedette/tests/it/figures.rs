//! Measurements of cameras that fail, which `benches/run offline` prints. No test asserts them, because a machine may be busy.

use std::path::Path;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use vedette_core::{CameraId, CameraSource, Codec};
use vedette_rtsp::testing::{Misdeed, Script, Server, nal_units};
use vedette_stages::ShedAfter;

use crate::blind::cut_slices;
use crate::encoding::{H264, encode};
use crate::product::{ALL, Product};
use crate::support::{demo_site, eventually};

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
pub(crate) const LOST_SLICE: [u8; 5] = [0x88, 0x01, 0x93, 0x5a, 0x80];

/// A picture whose slices are replaced by a begin and as many bytes of which nothing is true.
pub(crate) fn undecodable(unit: &[u8], begin: &[u8], bytes: u32) -> Vec<u8> {
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
            source: Some(CameraSource::Rtsp {
                url: format!("rtsp://127.0.0.1:{}/live", plug.port),
                credential: None,
                login: None,
            }),
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
