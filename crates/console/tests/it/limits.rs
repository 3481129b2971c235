//! Clients that are slow, many, or both: they are bounded, and others are served meanwhile.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use vedette_console::{ConsoleSettings, Limits};

use crate::stream::Events;
use crate::support::{Running, alert, settings};
use crate::wire::{ask, closed, connect, exchange};

const MANY: [u8; 4] = [127, 0, 0, 2];
const OTHER: [u8; 4] = [127, 0, 0, 3];
const FRAMES: &str = "GET /api/v1/frames HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const STREAM: &str = "GET /api/v1/alerts/stream HTTP/1.1\r\nHost: localhost\r\n\r\n";

async fn limited(limits: Limits) -> Running {
    Running::with(ConsoleSettings { limits, ..settings() }, true).await
}

#[tokio::test(flavor = "multi_thread")]
async fn heads_and_bodies_that_do_not_end_are_given_up() {
    let short = Duration::from_millis(300);
    let console = limited(Limits { header_timeout: short, body_timeout: short, ..Limits::DEFAULT }).await;
    console.raise(&alert(0));
    let mut silent = connect(&console, MANY).await;
    let mut slow = connect(&console, MANY).await;
    slow.write_all(b"GET /api/v1/frames HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await.unwrap();
    for stream in [&mut silent, &mut slow] {
        assert_eq!(closed(stream).await, "");
    }
    let verdict = format!("POST /api/v1/alerts/{}/verdict HTTP/1.1\r\nHost: localhost", alert(0).id);
    for length in ["Content-Length: 100", "Transfer-Encoding: chunked"] {
        let answer = ask(&console, &format!("{verdict}\r\nContent-Type: application/json\r\n{length}"), "").await;
        assert_eq!((answer.status, answer.problem()["code"].as_str()), (408, Some("body.slow")), "{length}");
    }
    for method in ["PUT", "DELETE", "PATCH"] {
        let draft = format!("{method} /api/v1/policies/group/east/draft HTTP/1.1\r\nHost: localhost");
        let toml = format!("{draft}\r\nIf-None-Match: *\r\nContent-Type: application/toml\r\nContent-Length: 100");
        let answer = ask(&console, &toml, "x").await;
        assert_eq!((answer.status, answer.problem()["code"].as_str()), (408, Some("body.slow")), "{method}");
    }
    // What is kept open without a request in it goes too, and then a new one is opened.
    let mut kept = connect(&console, OTHER).await;
    kept.write_all(b"GET /api/v1/frames HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    assert!(closed(&mut kept).await.starts_with("HTTP/1.1 200"));
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_too_large_is_a_problem_however_it_comes() {
    let console = Running::start().await;
    console.raise(&alert(0));
    let verdict = format!("POST /api/v1/alerts/{}/verdict HTTP/1.1\r\nHost: localhost", alert(0).id);
    let large = "x".repeat(20_000);
    let chunked = format!("{:x}\r\n{large}\r\n0\r\n\r\n", large.len());
    for (header, body) in [
        (format!("Content-Length: {}", large.len()), &*large),
        ("Transfer-Encoding: chunked".to_owned(), &*chunked),
        ("Content-Length: 200000000".to_owned(), &*"x".repeat(2_000_000)),
        ("Expect: 100-continue\r\nContent-Length: 200000000".to_owned(), ""),
    ] {
        let answer = ask(&console, &format!("{verdict}\r\nContent-Type: application/json\r\n{header}"), body).await;
        assert_eq!((answer.status, answer.problem()["code"].as_str()), (413, Some("body.too-large")), "{header}");
    }
    let draft = "PUT /api/v1/policies/group/east/draft HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/toml";
    let answer = ask(&console, &format!("{draft}\r\nContent-Length: 3000000"), &"x".repeat(3_000_000)).await;
    assert_eq!((answer.status, answer.problem()["code"].as_str()), (413, Some("body.too-large")));
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_connections_of_one_client_leave_room_for_it_and_for_others() {
    let console = limited(Limits { connections: 24, connections_per_client: 8, ..Limits::DEFAULT }).await;
    let mut slow = Vec::new();
    for _ in 0..40 {
        let mut stream = connect(&console, MANY).await;
        stream.write_all(b"GET /api/v1/frames HTTP/1.1\r\nHost: localhost\r\nX-Slow: ").await.unwrap();
        slow.push(stream);
    }
    for from in [OTHER, MANY] {
        let answer = exchange(&mut connect(&console, from).await, FRAMES.as_bytes()).await;
        assert_eq!(answer.status, 200, "{answer:?}");
    }
    for stream in &mut slow[..32] {
        assert_eq!(closed(stream).await, "", "the oldest make room");
    }
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_of_many_clients_are_bounded_too() {
    let console = limited(Limits { connections: 8, connections_per_client: 6, streams: 6, ..Limits::DEFAULT }).await;
    let mut slow = Vec::new();
    for client in 10..40 {
        let mut stream = connect(&console, [127, 0, 1, client]).await;
        stream.write_all(b"GET /").await.unwrap();
        slow.push(stream);
    }
    let answer = exchange(&mut connect(&console, OTHER).await, FRAMES.as_bytes()).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    let mut open = 0;
    for stream in &slow {
        let mut byte = [0];
        open +=
            usize::from(stream.try_read(&mut byte).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock));
    }
    assert!(open <= 8, "{open} of 30 are open");
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_every_connection_is_in_use_the_next_one_is_told() {
    let console = limited(Limits { connections: 8, connections_per_client: 4, ..Limits::DEFAULT }).await;
    // Three quarters of a client's connections may be streams; the fourth waits for the rest of its body.
    let mut busy = Vec::new();
    for _ in 0..3 {
        let mut stream = connect(&console, MANY).await;
        stream.write_all(STREAM.as_bytes()).await.unwrap();
        stream.readable().await.unwrap();
        busy.push(stream);
    }
    let post = "POST /api/v1/alerts/first/verdict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n";
    let mut stream = connect(&console, MANY).await;
    stream.write_all(post.as_bytes()).await.unwrap();
    // It is asked for the body, so its request is in progress.
    stream.readable().await.unwrap();
    busy.push(stream);
    let answer = exchange(&mut connect(&console, MANY).await, FRAMES.as_bytes()).await;
    assert_eq!((answer.status, answer.problem()["code"].as_str()), (503, Some("busy.connections")));
    let answer = exchange(&mut connect(&console, OTHER).await, FRAMES.as_bytes()).await;
    assert_eq!(answer.status, 200, "others are served: {answer:?}");
    drop(busy);
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_one_client_leave_streams_for_others() {
    let console = limited(Limits { streams_per_client: 2, ..Limits::DEFAULT }).await;
    let mut open = Vec::new();
    for _ in 0..2 {
        let mut stream = connect(&console, MANY).await;
        stream.write_all(STREAM.as_bytes()).await.unwrap();
        stream.readable().await.unwrap();
        open.push(stream);
    }
    let refused = STREAM.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    let answer = exchange(&mut connect(&console, MANY).await, refused.as_bytes()).await;
    assert_eq!((answer.status, answer.problem()["code"].as_str()), (429, Some("busy.streams-of-client")));
    assert!(answer.head.contains("\r\nretry-after: "), "{answer:?}");
    let mut events = Events::at(&console.url, None).await;
    events.expect("ready").await;
    console.raise(&alert(0));
    events.expect("alert").await;
    drop(open);
    // The server notices in its own time that they were closed.
    let deadline = tokio::time::Instant::now() + crate::wire::PATIENCE;
    loop {
        let mut stream = connect(&console, MANY).await;
        stream.write_all(STREAM.as_bytes()).await.unwrap();
        let mut head = [0; 12];
        tokio::io::AsyncReadExt::read_exact(&mut stream, &mut head).await.unwrap();
        if head.ends_with(b"200") {
            break;
        }
        assert!(tokio::time::Instant::now() < deadline, "a closed stream frees its place");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    console.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_does_not_wait_for_connections_without_a_request() {
    let console = Running::start().await;
    let mut slow = connect(&console, MANY).await;
    slow.write_all(b"GET /api/v1/frames HTTP/1.1\r\nX-Slow: ").await.unwrap();
    let mut events = Events::at(&console.url, None).await;
    events.expect("ready").await;
    console.stop().await;
    assert_eq!(closed(&mut slow).await, "");
}
