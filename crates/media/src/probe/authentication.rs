//! What a camera asks for before it describes its streams.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

/// Most bytes of an answer that are read.
const MOST: usize = 64 * 1024;

/// The authentication schemes that a camera asks of someone without credentials, for example `Digest MD5`; empty when it asks for none,
/// none when it gives no usable answer.
pub(super) async fn schemes(url: &Url, timeout: Duration) -> Option<Vec<String>> {
    tokio::time::timeout(timeout, ask(url)).await.ok()?
}

async fn ask(url: &Url) -> Option<Vec<String>> {
    let host = url.host_str()?.trim_start_matches('[').trim_end_matches(']').to_owned();
    let mut stream = TcpStream::connect((host, url.port().unwrap_or(554))).await.ok()?;
    let mut address = url.clone();
    address.set_fragment(None);
    let agent = concat!("vedette/", env!("CARGO_PKG_VERSION"));
    let request =
        format!("DESCRIBE {address} RTSP/1.0\r\nCSeq: 1\r\nAccept: application/sdp\r\nUser-Agent: {agent}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    while answer.len() < MOST {
        if stream.read_buf(&mut answer).await.ok()? == 0 {
            break;
        }
        if let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") {
            return read(&String::from_utf8_lossy(&answer[..end]));
        }
    }
    None
}

/// The schemes that the head of an answer asks for; pure.
fn read(head: &str) -> Option<Vec<String>> {
    let mut lines = head.lines();
    let status: u16 = lines.next()?.strip_prefix("RTSP/1.0 ")?.get(..3)?.parse().ok()?;
    if status != 401 {
        return (200..300).contains(&status).then(Vec::new);
    }
    let headers = lines.filter_map(|line| line.split_once(':'));
    let asked = headers.filter(|(name, _)| name.trim().eq_ignore_ascii_case("WWW-Authenticate"));
    Some(asked.take(16).map(|(_, value)| scheme(value.trim())).collect())
}

/// Name and algorithm of a challenge.
fn scheme(challenge: &str) -> String {
    let name: String = challenge.chars().take_while(char::is_ascii_alphanumeric).take(32).collect();
    if !name.eq_ignore_ascii_case("digest") {
        return name;
    }
    let algorithm = challenge.split(',').filter_map(|part| part.trim().rsplit(' ').next()?.split_once('='));
    let mut algorithm = algorithm.filter(|(key, _)| key.trim().eq_ignore_ascii_case("algorithm"));
    let told = algorithm.next().map_or("MD5", |(_, value)| value.trim().trim_matches('"'));
    let told: String = told.chars().filter(|it| it.is_ascii_alphanumeric() || *it == '-').take(32).collect();
    format!("{name} {told}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemes_are_those_of_the_answer() {
        for (head, expected) in [
            ("RTSP/1.0 200 OK\r\nCSeq: 1", Some(vec![])),
            ("RTSP/1.0 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"cam\"", Some(vec!["Basic"])),
            (
                "RTSP/1.0 401 Unauthorized\r\nwww-authenticate: Digest realm=\"a, b\", nonce=\"1\", algorithm=\"SHA-256\"\r\n\
                 WWW-Authenticate: Digest realm=\"c\", nonce=\"2\"",
                Some(vec!["Digest SHA-256", "Digest MD5"]),
            ),
            ("RTSP/1.0 404 Not Found", None),
            ("HTTP/1.1 200 OK", None),
            ("", None),
        ] {
            let expected = expected.map(|all: Vec<&str>| all.into_iter().map(str::to_owned).collect());
            assert_eq!(read(head), expected, "{head}");
        }
    }
}
