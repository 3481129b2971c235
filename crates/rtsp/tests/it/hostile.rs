//! Cameras that mean harm, or are broken beyond use.

use std::time::Duration;

use vedette_rtsp::testing::{End, Misdeed, Script, Server};
use vedette_rtsp::{Error, connect};

use crate::common::{end, failure, impatient, open, script};

#[tokio::test]
async fn what_is_too_large_is_refused() {
    let head = |text: &str| text.as_bytes().to_vec();
    for misdeed in [
        Misdeed::Bytes(head("RTSP/1.0 200 OK\r\nContent-Length: 4000000000\r\n\r\n")),
        Misdeed::Bytes(head("RTSP/1.0 200 OK\r\nContent-Length: 300000\r\n\r\n")),
        Misdeed::Endless(head("X-Header: value of a header that does not end\r\n")),
        Misdeed::Endless(head("RTSP/1.0 200 OK\r\nX: 1\r\n")),
    ] {
        let reason = failure(script().with("DESCRIBE", misdeed.clone())).await;
        assert!(matches!(reason, Error::TooLarge { .. }), "{reason:?} {misdeed:?}");
    }
}

#[tokio::test]
async fn what_is_no_rtsp_is_named() {
    let http = Misdeed::Bytes(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n".to_vec());
    assert_eq!(failure(script().with("DESCRIBE", http)).await, Error::NotRtsp);
    for noise in [vec![0; 4096], vec![b'Z', 0, 1, 2]] {
        let reason = failure(script().with("DESCRIBE", Misdeed::Endless(noise))).await;
        assert!(matches!(reason, Error::Protocol(_)), "{reason:?}");
    }
    assert!(matches!(failure(script().with("DESCRIBE", Misdeed::Close)).await, Error::Ended | Error::Broken(_)));
}

/// Packets without end keep no request waiting for ever, and are not kept.
#[tokio::test]
async fn a_flood_before_the_answer_ends_in_time() {
    let mut packet = vec![b'$', 0, 0xff, 0xff];
    packet.resize(4 + 0xffff, 1);
    for flood in [packet, b"OPTIONS * RTSP/1.0\r\nCSeq: 1\r\n\r\n".to_vec()] {
        let server = Server::start(script().with("DESCRIBE", Misdeed::Endless(flood))).await;
        let reason = connect(&server.url(), None, &impatient()).await.unwrap_err();
        assert!(matches!(reason, Error::Timeout(_) | Error::Protocol(_) | Error::Broken(_)), "{reason:?}");
    }
}

#[tokio::test]
async fn useless_packets_in_a_row_end_a_session() {
    let server = Server::start(Script { end: End::Garbage, pace: Duration::from_millis(1), ..script() }).await;
    let reason = end(&mut open(&server).await).await;
    assert!(matches!(reason, Error::TooManyBadPackets { .. }), "{reason:?}");
}

#[tokio::test]
async fn the_end_of_a_stream_is_told() {
    for finish in [End::Close, End::Bye] {
        let server = Server::start(Script { end: finish, ..script() }).await;
        let reason = end(&mut open(&server).await).await;
        assert!(matches!(reason, Error::Ended | Error::Broken(_)), "{reason:?}");
    }
    let server = Server::start(Script { end: End::Silence, ..script() }).await;
    let mut session = open(&server).await;
    for _ in 0..10 {
        crate::common::unit(&mut session).await;
    }
    let silent = tokio::time::timeout(Duration::from_millis(300), session.next()).await;
    assert!(silent.is_err(), "{silent:?}");
    drop(server);
    assert!(matches!(end(&mut session).await, Error::Ended | Error::Broken(_)));
}

#[tokio::test]
async fn descriptions_of_any_length_are_taken_or_refused() {
    let many = "m=video 0 RTP/AVP 96\r\na=rtpmap:96 VP8/90000\r\n";
    for (count, fits) in [(3_000, true), (20_000, false)] {
        let description = Some(many.repeat(count));
        let reason = failure(Script { description, ..script() }).await;
        assert_eq!(matches!(reason, Error::UnsupportedCodec(_)), fits, "{reason:?}");
    }
}
