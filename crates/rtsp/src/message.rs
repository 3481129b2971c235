//! Bytes of an RTSP connection to messages and interleaved packets; pure.

use bytes::{Buf, Bytes, BytesMut};

use crate::Error;

/// Most bytes of a message's head.
pub(crate) const MAX_HEAD: usize = 64 * 1024;
/// Most bytes of a message's body.
pub(crate) const MAX_BODY: usize = 256 * 1024;
/// Most bytes in a row that belong to no message.
const MAX_NOISE: usize = 64 * 1024;

/// What a connection carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Incoming {
    Response(Response),
    Request(Request),
    /// An interleaved packet.
    Packet(u8, Bytes),
}

/// The camera's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) headers: Headers,
    pub(crate) body: Bytes,
}

/// A request of the camera.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) headers: Headers,
}

/// The headers of a message: names in lower case, values trimmed, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value of `name`, which is in lower case.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The headers as they stand, one a line.
    #[cfg(feature = "testing")]
    pub(crate) fn text(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}: {value}\n")).collect()
    }

    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// Takes a connection's bytes apart. It holds one message at most, and refuses one that is too large before it arrives.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    buffer: BytesMut,
    /// Bytes of the buffer that are known to hold no end of a head.
    scanned: usize,
    /// A head whose body is still arriving, and the body's length.
    head: Option<(Start, Headers, usize)>,
    noise: usize,
}

#[derive(Debug)]
enum Start {
    Response(u16),
    Request(String),
}

impl Reader {
    /// Where arriving bytes go.
    pub(crate) fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next message or packet; none while it is incomplete.
    pub(crate) fn next(&mut self) -> Result<Option<Incoming>, Error> {
        loop {
            if self.head.is_some() {
                return Ok(self.body());
            }
            self.skip_noise()?;
            match self.buffer.first().copied() {
                None => return Ok(None),
                Some(b'$') => return Ok(self.packet()),
                Some(_) if !self.head()? => return Ok(None),
                Some(_) => {}
            }
        }
    }

    fn packet(&mut self) -> Option<Incoming> {
        let &[_, channel, high, low, ..] = &self.buffer[..] else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        if self.buffer.len() < 4 + length {
            self.buffer.reserve(4 + length - self.buffer.len());
            return None;
        }
        self.noise = 0;
        self.buffer.advance(4);
        Some(Incoming::Packet(channel, self.buffer.split_to(length).freeze()))
    }

    /// Line ends between messages, and whatever some cameras leave behind a packet of a wrong length: a message begins with a letter.
    fn skip_noise(&mut self) -> Result<(), Error> {
        let noise = self.buffer.iter().take_while(|byte| **byte != b'$' && !byte.is_ascii_uppercase()).count();
        if noise > 0 {
            self.buffer.advance(noise);
            self.noise += noise;
            self.scanned = 0;
        }
        if self.noise > MAX_NOISE { Err(Error::Protocol("the camera sends bytes that are no RTSP")) } else { Ok(()) }
    }

    /// Whether a whole head was there, or noise that looked like one.
    fn head(&mut self) -> Result<bool, Error> {
        let binary = self.buffer.iter().position(|byte| *byte < b' ' && *byte != b'\t');
        if let Some(end) = binary.filter(|at| !matches!(self.buffer[*at], b'\r' | b'\n')) {
            self.buffer.advance(end);
            self.noise += end;
            self.scanned = 0;
            return Ok(true);
        }
        let Some((end, after)) = end_of_head(&self.buffer, self.scanned) else {
            if self.buffer.len() > MAX_HEAD {
                return Err(Error::TooLarge { what: "the head of a message", most: MAX_HEAD });
            }
            // The end may be split: `\r\n\r` has arrived, `\n` has not.
            self.scanned = self.buffer.len().saturating_sub(4);
            return Ok(false);
        };
        if end > MAX_HEAD {
            return Err(Error::TooLarge { what: "the head of a message", most: MAX_HEAD });
        }
        let head = self.buffer.split_to(after);
        self.scanned = 0;
        let text = String::from_utf8_lossy(&head[..end]);
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let Some(start) = start(first.trim())? else {
            // Not a message: noise that begins with a letter.
            self.noise += after;
            return Ok(true);
        };
        self.noise = 0;
        let headers = headers(rest);
        let length = match headers.get("content-length") {
            None => 0,
            Some(text) => {
                let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
                if digits.is_empty() {
                    return Err(Error::Protocol("the camera sends a Content-Length that is no number"));
                }
                digits.parse().unwrap_or(usize::MAX)
            }
        };
        if length > MAX_BODY {
            return Err(Error::TooLarge { what: "the body of a message", most: MAX_BODY });
        }
        self.head = Some((start, headers, length));
        Ok(true)
    }

    fn body(&mut self) -> Option<Incoming> {
        let (start, headers, length) = self.head.take()?;
        if self.buffer.len() < length {
            self.head = Some((start, headers, length));
            return None;
        }
        let body = self.buffer.split_to(length).freeze();
        Some(match start {
            Start::Response(status) => Incoming::Response(Response { status, headers, body }),
            Start::Request(method) => Incoming::Request(Request { method, headers }),
        })
    }
}

/// Where the head ends, and where its empty line ends; lines end with CR LF or LF alone.
fn end_of_head(data: &[u8], from: usize) -> Option<(usize, usize)> {
    let mut at = from;
    loop {
        let newline = at + data.get(at..)?.iter().position(|byte| *byte == b'\n')?;
        match &data[newline + 1..] {
            [b'\n', ..] => return Some((newline, newline + 2)),
            [b'\r', b'\n', ..] => return Some((newline, newline + 3)),
            _ => at = newline + 1,
        }
    }
}

/// The first line; none when it is that of no message.
fn start(line: &str) -> Result<Option<Start>, Error> {
    let mut words = line.split_ascii_whitespace();
    let (first, second) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    if first.starts_with("RTSP/") {
        let status = second.parse().ok().filter(|status| (100..1000).contains(status));
        return status
            .map(Start::Response)
            .map(Some)
            .ok_or(Error::Protocol("the camera sends an answer without status"));
    }
    if first.starts_with("HTTP/") || first.starts_with("SSH-") {
        return Err(Error::NotRtsp);
    }
    let is_request = words.next().is_some_and(|version| version.starts_with("RTSP/"));
    Ok(is_request.then(|| Start::Request(first.to_owned())))
}

/// Headers of the lines; a line that begins with white space continues the one before, one without colon is skipped.
fn headers(lines: &str) -> Headers {
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = headers.last_mut() {
                value.push(' ');
                value.push_str(line.trim());
            }
        } else if let Some((name, value)) = line.split_once(':') {
            headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
        }
    }
    Headers(headers)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(data: &[u8]) -> Vec<Incoming> {
        let mut reader = Reader::default();
        reader.buffer().extend_from_slice(data);
        std::iter::from_fn(|| reader.next().unwrap()).collect()
    }

    fn response(data: &str) -> Response {
        match read(data.as_bytes()).as_slice() {
            [Incoming::Response(response)] => response.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn odd_heads_are_read() {
        for text in [
            "RTSP/1.0 200 OK\r\nCSeq: 1\r\nX-Long: a\r\n  b\r\nContent-Length: 3\r\n\r\nabc",
            "\r\n\r\nRTSP/1.0 200 OK\ncseq : 1\nx-long:a\n\tb\ncontent-LENGTH:\t3 \n\nabc",
            "RTSP/1.0  200\r\nCSEQ:1\nno colon here\r\nX-LONG: a\r\n b\nContent-Length: 3;\r\n\nabc",
        ] {
            let response = response(text);
            assert_eq!((response.status, &response.body[..]), (200, &b"abc"[..]), "{text:?}");
            assert_eq!((response.headers.get("cseq"), response.headers.get("x-long")), (Some("1"), Some("a b")));
        }
    }

    #[test]
    fn packets_requests_and_noise_between_them_are_told_apart() {
        let data =
            b"$\x00\x00\x02ab\0\0\x7f\r\nRTSP/1.0 200 OK\r\n\r\n$\x03\x00\x00OPTIONS * RTSP/1.0\r\nCSeq: 9\r\n\r\n";
        match read(data).as_slice() {
            [
                Incoming::Packet(0, first),
                Incoming::Response(_),
                Incoming::Packet(3, empty),
                Incoming::Request(request),
            ] => {
                assert_eq!((&first[..], empty.len()), (&b"ab"[..], 0));
                assert_eq!((request.method.as_str(), request.headers.get("cseq")), ("OPTIONS", Some("9")));
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_too_large_is_refused_before_it_arrives() {
        let mut reader = Reader::default();
        reader.buffer().extend_from_slice(b"RTSP/1.0 200 OK\r\nContent-Length: 4000000000\r\n\r\n");
        assert!(matches!(reader.next(), Err(Error::TooLarge { most: MAX_BODY, .. })));
        let mut reader = Reader::default();
        reader.buffer().extend_from_slice(b"RTSP/1.0 200 OK\r\nContent-Length: 99999999999999999999999\r\n\r\n");
        assert!(matches!(reader.next(), Err(Error::TooLarge { .. })));
        let endless = |piece: &[u8]| {
            let mut reader = Reader::default();
            reader.buffer().extend_from_slice(b"RTSP/1.0 200 OK\r\n");
            for _ in 0..10 * MAX_HEAD / piece.len() {
                reader.buffer().extend_from_slice(piece);
                if let Err(error) = reader.next() {
                    assert!(reader.buffer().len() < 2 * MAX_HEAD);
                    return error;
                }
            }
            panic!("never refused")
        };
        assert!(matches!(endless(b"X-Header: value\r\n"), Error::TooLarge { .. }));
        assert!(matches!(endless(b"x"), Error::TooLarge { .. }));
        let mut reader = Reader::default();
        let noise = (0..10).find_map(|_| {
            reader.buffer().extend_from_slice(&[0; 10_000]);
            reader.next().err()
        });
        assert!(matches!(noise, Some(Error::Protocol(_))));
    }

    #[test]
    fn other_protocols_are_recognised() {
        let mut reader = Reader::default();
        reader.buffer().extend_from_slice(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(reader.next(), Err(Error::NotRtsp));
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken_in_any_pieces(
            data in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'$'), Just(b'\n'), Just(b'R'), Just(b':')], 0..300),
            cut in 1_usize..50,
        ) {
            let mut whole = Reader::default();
            whole.buffer().extend_from_slice(&data);
            let mut pieces = Reader::default();
            let (mut all, mut same) = (Vec::new(), Vec::new());
            while let Ok(Some(item)) = whole.next() {
                all.push(item);
            }
            'pieces: for piece in data.chunks(cut) {
                pieces.buffer().extend_from_slice(piece);
                loop {
                    match pieces.next() {
                        Ok(Some(item)) => same.push(item),
                        Ok(None) => break,
                        Err(_) => break 'pieces,
                    }
                }
            }
            prop_assert_eq!(all, same);
        }
    }
}
