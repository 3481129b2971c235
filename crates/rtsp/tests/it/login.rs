//! Cameras that ask for a login.

use vedette_rtsp::testing::{Guard, Scheme, Script, Server};
use vedette_rtsp::{Credentials, Error, connect};

use crate::common::{PASSWORD, credentials, follows, script, settings};

fn guarded(guard: Guard) -> Script {
    Script { guard: Some(guard), session: "1;timeout=1".into(), ..script() }
}

#[tokio::test]
async fn each_kind_of_login_opens_the_camera() {
    use Scheme::{Basic, Md5, Md5Session, Old, Sha256, Sha256Session, Unknown};
    let all: [&[Scheme]; 11] = [
        &[Basic],
        &[Old],
        &[Md5],
        &[Md5Session],
        &[Sha256],
        &[Sha256Session],
        &[Basic, Md5],
        &[Md5, Basic],
        &[Sha256, Md5],
        &[Md5, Sha256, Basic],
        &[Unknown, Md5],
    ];
    for schemes in all {
        for one_header in [false, true] {
            let server = Server::start(guarded(Guard { one_header, ..Guard::new(PASSWORD, schemes) })).await;
            let session = connect(&server.url(), Some(&credentials()), &settings()).await;
            follows(&mut session.unwrap_or_else(|error| panic!("{error}: {schemes:?}")), 3).await;
            let strongest = schemes.iter().any(|scheme| matches!(scheme, Sha256 | Sha256Session));
            let used = server.seen().iter().any(|seen| seen.head.contains("SHA-256"));
            assert_eq!(used, strongest, "{schemes:?}");
        }
    }
}

#[tokio::test]
async fn nonces_may_change_with_each_request() {
    for (one_time, next_nonce, closes) in [(true, false, false), (false, true, false), (true, false, true)] {
        let guard = Guard { one_time, next_nonce, closes, ..Guard::new(PASSWORD, &[Scheme::Md5]) };
        // A camera that closes the connection behind a refusal cannot do so within a session.
        let guard = if closes { Guard { one_time: false, ..guard } } else { guard };
        let server = Server::start(guarded(guard)).await;
        let mut session = connect(&server.url(), Some(&credentials()), &settings()).await.unwrap();
        while server.count("OPTIONS") + server.count("GET_PARAMETER") < 3 {
            follows(&mut session, 20).await;
        }
        let refused = if next_nonce || closes { 1 } else { 3 };
        let requests = ["DESCRIBE", "SETUP", "PLAY"].map(|method| server.count(method)).iter().sum::<usize>();
        assert_eq!(requests, 3 + refused, "one_time {one_time}, next_nonce {next_nonce}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_tried_once_and_shown_nowhere() {
    for schemes in [&[Scheme::Basic][..], &[Scheme::Md5], &[Scheme::Sha256, Scheme::Md5]] {
        let server = Server::start(guarded(Guard::new("another", schemes))).await;
        let error = connect(&server.url(), Some(&credentials()), &settings()).await.unwrap_err();
        assert_eq!(error, Error::Unauthorized);
        let with_login = server.seen().iter().filter(|seen| seen.head.contains("authorization")).count();
        assert_eq!(with_login, 1, "a camera locks out who tries too often");
        assert!(server.seen().iter().all(|seen| !seen.head.contains(PASSWORD)));
        assert!(!format!("{error}{error:?}{:?}", credentials()).contains("s3cret"));
    }
    let server = Server::start(guarded(Guard::new(PASSWORD, &[Scheme::Md5]))).await;
    assert_eq!(connect(&server.url(), None, &settings()).await.unwrap_err(), Error::Unauthorized);
    let server = Server::start(guarded(Guard::new(PASSWORD, &[Scheme::Unknown]))).await;
    let error = connect(&server.url(), Some(&Credentials::new("a".into(), "b".into())), &settings()).await.unwrap_err();
    assert!(matches!(error, Error::Authentication(name) if name.starts_with("Future")));
}
