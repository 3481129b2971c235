//! Cameras that speak RTSP in their own way.

use std::time::Duration;

use vedette_core::{Codec, FrameSize};
use vedette_rtsp::testing::{Misdeed, Rule, Script, Server, Transports};
use vedette_rtsp::{Error, RedirectError, Settings, Transport, TransportError, connect};

use crate::common::{credentials, failure, follows, impatient, open, script, settings};

#[tokio::test]
async fn odd_answers_are_understood() {
    let odd = [
        Script { content_type: "application/sdp; charset=utf-8".into(), ..script() },
        Script { content_type: "text/plain".into(), ..script() },
        Script { line_end: "\n", lower_case: true, ..script() },
        Script { numbers: false, session: " 4711 ;Timeout = 30".into(), ..script() },
        Script { content_base: Some(String::new()), control: "*".into(), ..script() },
        Script { content_base: Some("not an address".into()), control: "rtsp://192.0.2.1/other".into(), ..script() },
        Script { content_base: Some("rtsp://192.0.2.1:9/live/".into()), control: "/track1".into(), ..script() },
        Script { other_media: true, describes_sets: false, ..script() },
    ];
    for script in odd {
        let shown = format!("{script:?}").split_once("content_type").unwrap().1.to_owned();
        let server = Server::start(script).await;
        let mut session =
            connect(&server.url(), None, &settings()).await.unwrap_or_else(|error| panic!("{error}: {shown}"));
        follows(&mut session, 12).await;
    }
}

#[tokio::test]
async fn a_camera_is_described() {
    let attributes = vec!["a=framerate:25".to_owned()];
    let server = Server::start(Script { other_media: true, attributes, ..script() }).await;
    let session = open(&server).await;
    let description = session.description();
    assert_eq!(
        (description.codec, description.clock_rate, description.transport),
        (Codec::H264, 90_000, Transport::Tcp)
    );
    assert_eq!(description.size, Some(FrameSize { width: 320, height: 112 }));
    assert_eq!((description.frame_rate, description.has_parameter_sets), (Some(25.0), true));
    assert_eq!(description.other_media, ["audio", "application (vnd.onvif.metadata)"]);
}

#[tokio::test]
async fn a_medium_is_set_up_where_the_camera_has_it() {
    let not_there = Rule { method: "SETUP", times: 1, misdeed: Misdeed::Status(404, vec![]) };
    let server = Server::start(Script { rules: vec![not_there], ..script() }).await;
    follows(&mut open(&server).await, 3).await;
    let aggregate = Rule { method: "PLAY", times: 1, misdeed: Misdeed::Status(459, vec![]) };
    let range = Rule { method: "PLAY", times: 1, misdeed: Misdeed::Status(457, vec![]) };
    let server = Server::start(Script { rules: vec![range, aggregate], ..script() }).await;
    follows(&mut open(&server).await, 3).await;
    assert_eq!(server.count("PLAY"), 3);
}

#[tokio::test]
async fn redirections_are_followed_and_credentials_stay_at_home() {
    let target = Server::start(script()).await;
    let to = |url: &str| vec![("Location", url.to_owned())];
    for method in ["DESCRIBE", "SETUP", "PLAY"] {
        for status in [301, 302, 303, 307, 308] {
            let server = Server::start(script().with(method, Misdeed::Status(status, to(target.url().as_str())))).await;
            follows(&mut connect(&server.url(), Some(&credentials()), &settings()).await.unwrap(), 3).await;
        }
    }
    let guard = vedette_rtsp::testing::Guard::new(crate::common::PASSWORD, &[vedette_rtsp::testing::Scheme::Basic]);
    let guarded = Server::start(Script { guard: Some(guard), ..script() }).await;
    let refused = failure(script().with("DESCRIBE", Misdeed::Status(302, to(guarded.url().as_str())))).await;
    assert_eq!(refused, Error::Redirect(RedirectError::Credentials));
    assert!(guarded.seen().iter().all(|seen| !seen.head.contains("authorization")));
}

#[tokio::test]
async fn redirections_that_lead_nowhere_have_their_reason() {
    let to = |url: &str| Misdeed::Status(302, vec![("Location", url.to_owned())]);
    for (location, reason) in [
        ("rtsps://127.0.0.1/live", RedirectError::Scheme),
        ("http://127.0.0.1/", RedirectError::Scheme),
        ("", RedirectError::NoLocation),
        ("/again", RedirectError::TooMany(5)),
    ] {
        assert_eq!(failure(script().with("DESCRIBE", to(location))).await, Error::Redirect(reason), "{location}");
    }
}

#[tokio::test]
async fn refusals_have_their_reason() {
    for (status, reason) in
        [(404, Error::NotFound), (403, Error::Unauthorized), (500, Error::Status(500)), (305, Error::Status(305))]
    {
        assert_eq!(failure(script().with("DESCRIBE", Misdeed::Status(status, vec![]))).await, reason);
    }
    let describe = |text: &str| Script { description: Some(text.to_owned()), ..script() };
    assert_eq!(failure(describe("v=0\nm=audio 0 RTP/AVP 0\n")).await, Error::NoVideo);
    let old = describe("m=video 0 RTP/AVP 96\na=rtpmap:96 MP4V-ES/90000\n");
    assert_eq!(failure(old).await, Error::UnsupportedCodec("mp4v-es".into()));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("rtsp://{free}/live").parse().unwrap();
    assert!(matches!(connect(&nobody, None, &settings()).await.unwrap_err(), Error::Unreachable(_)));
    assert!(matches!(
        connect(&"http://camera/".parse().unwrap(), None, &settings()).await.unwrap_err(),
        Error::Address(_)
    ));
}

#[tokio::test]
async fn udp_is_used_where_nothing_else_is_served_or_wanted() {
    let server = Server::start(Script { transports: Transports::Udp, swaps: true, ..script() }).await;
    let mut session = open(&server).await;
    assert_eq!(session.description().transport, Transport::Udp);
    // A busy machine may lose datagrams; what arrives is whole and in order.
    let (expected, mut last) = (crate::common::pictures(), -1);
    for _ in 0..30 {
        let unit = crate::common::unit(&mut session).await;
        assert!(expected.iter().any(|picture| picture[..] == unit.data[..]) && unit.time.ticks > last);
        last = unit.time.ticks;
    }
    let wants = |transport| Settings { transport, ..settings() };
    assert_eq!(
        connect(&server.url(), None, &wants(Transport::Tcp)).await.unwrap_err(),
        Error::Transport(TransportError::Tcp)
    );
    let server = Server::start(Script { transports: Transports::Tcp, ..script() }).await;
    assert_eq!(
        connect(&server.url(), None, &wants(Transport::Udp)).await.unwrap_err(),
        Error::Transport(TransportError::Udp)
    );
    assert_eq!(
        failure(script().with("SETUP", Misdeed::Status(461, vec![]))).await,
        Error::Transport(TransportError::Both)
    );
    assert_eq!(failure(script().with("SETUP", Misdeed::Status(400, vec![]))).await, Error::Status(400));
}

#[tokio::test]
async fn a_session_is_kept_alive_and_taken_leave_of() {
    // The camera knows one of the two signs of life only, or both.
    for (unknown, known) in
        [("OPTIONS", "GET_PARAMETER"), ("GET_PARAMETER", "OPTIONS"), ("SET_PARAMETER", "GET_PARAMETER")]
    {
        let script = Script { session: "1;timeout=1".into(), ..script() };
        let server = Server::start(script.with(unknown, Misdeed::Status(501, vec![]))).await;
        let mut session = open(&server).await;
        while server.count(known) < 2 {
            crate::common::unit(&mut session).await;
        }
        drop(session);
        server.wait("TEARDOWN", 1).await;
    }
}

#[tokio::test]
async fn silence_and_slowness_end_in_time() {
    for misdeed in [Misdeed::Silence, Misdeed::Slowly(Duration::from_millis(50))] {
        let server = Server::start(script().with("DESCRIBE", misdeed)).await;
        let reason = connect(&server.url(), None, &impatient()).await.unwrap_err();
        assert_eq!(reason, Error::Timeout(impatient().timeout));
    }
    let server = Server::start(script().with("DESCRIBE", Misdeed::Slowly(Duration::from_micros(10)))).await;
    follows(&mut open(&server).await, 3).await;
}
