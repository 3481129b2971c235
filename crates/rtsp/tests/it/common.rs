use std::time::Duration;

use vedette_core::Codec;
use vedette_rtsp::testing::{Script, Server};
use vedette_rtsp::{Credentials, Error, Item, Session, Settings, Unit, connect};

pub(crate) const PASSWORD: &str = "s3cret \"Pa55:phrase\\";

/// H.264 of 320 by 112 pixels: sequence and picture parameter sets.
pub(crate) const SPS: &[u8] = &[0x67, 0x42, 0xc0, 0x0d, 0xf4, 0x0a, 0x1f, 0x20];
pub(crate) const PPS: &[u8] = &[0x68, 0xce];

pub(crate) fn annex_b(nals: &[&[u8]]) -> Vec<u8> {
    nals.iter().flat_map(|nal| [&[0, 0, 0, 1], *nal].concat()).collect()
}

/// A slice of a picture: the first if `first`, with `number` in it.
pub(crate) fn slice(head: u8, first: bool, number: u8, length: usize) -> Vec<u8> {
    let mut slice = vec![head, if first { 0x88 } else { 0x48 }, number + 1];
    slice.resize(length, 7);
    slice
}

/// Ten pictures, the first a key frame with parameter sets and larger than a packet.
pub(crate) fn pictures() -> Vec<Vec<u8>> {
    (0..10)
        .map(|number| match number {
            0 => annex_b(&[SPS, PPS, &slice(0x65, true, 0, 5000)]),
            number => annex_b(&[&slice(0x41, true, number, 200), &slice(0x41, false, number, 3000)]),
        })
        .collect()
}

/// A camera that plays [`pictures`] as fast as is good for a test.
pub(crate) fn script() -> Script {
    Script { pace: Duration::from_millis(5), ..Script::new(Codec::H264, pictures()) }
}

pub(crate) fn settings() -> Settings {
    Settings { timeout: Duration::from_secs(30), ..Settings::default() }
}

pub(crate) fn impatient() -> Settings {
    Settings { timeout: Duration::from_millis(300), ..Settings::default() }
}

pub(crate) fn credentials() -> Credentials {
    Credentials::new("operator".into(), PASSWORD.into())
}

pub(crate) async fn open(server: &Server) -> Session {
    connect(&server.url(), None, &settings()).await.unwrap()
}

/// Why no connection is made.
pub(crate) async fn failure(script: Script) -> Error {
    let server = Server::start(script).await;
    connect(&server.url(), Some(&credentials()), &settings()).await.unwrap_err()
}

pub(crate) async fn next(session: &mut Session) -> Result<Item, Error> {
    tokio::time::timeout(Duration::from_secs(60), session.next()).await.expect("something within a minute")
}

pub(crate) async fn unit(session: &mut Session) -> Unit {
    loop {
        if let Item::Unit(unit) = next(session).await.unwrap() {
            return unit;
        }
    }
}

/// The end of a session.
pub(crate) async fn end(session: &mut Session) -> Error {
    loop {
        if let Err(error) = next(session).await {
            return error;
        }
    }
}

/// Reads whole pictures of a script that repeats them, each as it was played.
pub(crate) async fn follows(session: &mut Session, count: usize) {
    let expected = pictures();
    let first = unit(session).await;
    let mut index = expected.iter().position(|picture| picture[..] == first.data[..]).expect("a picture of the script");
    for _ in 0..count {
        index = (index + 1) % expected.len();
        let unit = unit(session).await;
        assert_eq!((unit.lost, &unit.data[..]), (0, &expected[index][..]));
    }
}
