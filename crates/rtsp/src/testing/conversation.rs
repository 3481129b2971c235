//! One connection to the camera.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, sleep_until};

use super::player::{Burst, Player, description};
use super::script::{Misdeed, Script, Transports};
use super::{Shared, lock};
use crate::message::{Incoming, Reader, Request};

/// When nothing is to be sent.
const LATER: Duration = Duration::from_secs(3600);

pub(super) struct Conversation {
    stream: TcpStream,
    peer: IpAddr,
    script: Arc<Script>,
    shared: Arc<Shared>,
    player: Option<Player>,
    /// When the next picture is to be sent, and when without jitter.
    due: Instant,
    punctual: Instant,
    udp: Option<Udp>,
    alive: Instant,
}

/// The camera's sockets, and the client's ports.
struct Udp {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    to: (SocketAddr, SocketAddr),
}

/// The connection ends.
struct Over;

impl From<io::Error> for Over {
    fn from(_: io::Error) -> Self {
        Self
    }
}

/// What is answered.
struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
}

impl Answer {
    fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}

impl Conversation {
    pub(super) fn new(stream: TcpStream, peer: IpAddr, script: Arc<Script>, shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        Self { stream, peer, script, shared, player: None, due: now + LATER, punctual: now, udp: None, alive: now }
    }

    pub(super) async fn run(mut self) {
        let mut reader = Reader::default();
        loop {
            while let Ok(Some(incoming)) = reader.next() {
                if let Incoming::Request(request) = incoming
                    && self.request(&request).await.is_err()
                {
                    return;
                }
            }
            let forgotten = self.script.session_timeout.map_or(Instant::now() + LATER, |timeout| self.alive + timeout);
            tokio::select! {
                read = self.stream.read_buf(reader.buffer()) => match read {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                },
                () = sleep_until(self.due) => {
                    if self.play().await.is_err() {
                        return;
                    }
                }
                () = sleep_until(forgotten), if self.player.is_some() => return,
            }
        }
    }

    async fn play(&mut self) -> Result<(), Over> {
        let Some(player) = &mut self.player else { return Ok(()) };
        let burst = player.next();
        self.punctual += player.pause();
        self.due = self.punctual + self.script.jitter.mul_f64(fastrand::f64());
        match burst {
            Burst::Silence => self.due = Instant::now() + LATER,
            Burst::Close => return Err(Over),
            Burst::Packets(packets) => {
                for (is_control, packet) in packets {
                    match &self.udp {
                        None => {
                            let mut frame = vec![b'$', u8::from(is_control)];
                            frame.extend((packet.len() as u16).to_be_bytes());
                            frame.extend(packet);
                            self.stream.write_all(&frame).await?;
                        }
                        Some(udp) if is_control => drop(udp.rtcp.send_to(&packet, udp.to.1).await),
                        Some(udp) => drop(udp.rtp.send_to(&packet, udp.to.0).await),
                    }
                }
            }
        }
        Ok(())
    }

    async fn request(&mut self, request: &Request) -> Result<(), Over> {
        self.alive = Instant::now();
        let method = request.method.clone();
        self.shared.note(&method, request.headers.text());
        let script = self.script.clone();
        let number = request.headers.get("cseq").unwrap_or_default().to_owned();
        let mut pause = None;
        match self.exception(&method) {
            None => {}
            Some(Misdeed::Slowly(every)) => pause = Some(every),
            Some(Misdeed::Close) => return Err(Over),
            Some(Misdeed::Silence) => return Ok(()),
            Some(Misdeed::Bytes(bytes)) => return Ok(self.stream.write_all(&bytes).await?),
            Some(Misdeed::Endless(bytes)) => loop {
                self.stream.write_all(&bytes).await?;
            },
            Some(Misdeed::Status(status, headers)) => {
                let answer = Answer { status, headers, body: String::new() };
                return self.send(&number, answer, None).await;
            }
        }
        let mut answer = match self.refusal(&method, request) {
            Some(refusal) => refusal,
            None => self.answer(&method, request).await?,
        };
        let closes = answer.status == 401 && script.guard.as_ref().is_some_and(|guard| guard.closes);
        if answer.status == 200 && method != "OPTIONS" {
            match &script.guard {
                Some(guard) if guard.next_nonce => {
                    let next = fastrand::u64(..);
                    *lock(&self.shared.nonce) = next;
                    answer = answer.with("Authentication-Info", format!("nextnonce=\"{next:x}\""));
                }
                Some(guard) if guard.one_time => *lock(&self.shared.nonce) = fastrand::u64(..),
                _ => {}
            }
        }
        let plays = method == "PLAY" && answer.status == 200;
        self.send(&number, answer, pause).await?;
        if closes || method == "TEARDOWN" {
            return Err(Over);
        }
        if plays && self.player.is_none() {
            self.player = Some(Player::new(script));
            (self.due, self.punctual) = (Instant::now(), Instant::now());
        }
        Ok(())
    }

    /// The first exception for a method that is not used up.
    fn exception(&self, method: &str) -> Option<Misdeed> {
        let mut applied = lock(&self.shared.applied);
        let rules = self.script.rules.iter().enumerate();
        let (index, rule) =
            rules.filter(|(_, rule)| rule.method == method).find(|(at, rule)| applied[*at] < rule.times)?;
        applied[index] += 1;
        Some(rule.misdeed.clone())
    }

    fn refusal(&self, method: &str, request: &Request) -> Option<Answer> {
        let guard = self.script.guard.as_ref().filter(|_| method != "OPTIONS")?;
        let header = request.headers.get("authorization").unwrap_or_default();
        let nonce = format!("{:x}", *lock(&self.shared.nonce));
        if guard.admits(method, header, &nonce) {
            return None;
        }
        let stale = guard.one_time && !header.is_empty() && !header.contains(&nonce);
        let mut answer = Answer::new(401);
        for challenge in guard.challenges(&nonce, stale) {
            answer = answer.with("WWW-Authenticate", challenge);
        }
        Some(answer)
    }

    async fn answer(&mut self, method: &str, request: &Request) -> Result<Answer, Over> {
        let script = self.script.clone();
        Ok(match method {
            "OPTIONS" => Answer::new(200).with("Public", "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER"),
            "DESCRIBE" => {
                let mut answer = Answer::new(200).with("Content-Type", script.content_type.clone());
                if let Some(base) = &script.content_base {
                    answer = answer.with("Content-Base", base.clone());
                }
                Answer { body: description(&script), ..answer }
            }
            "SETUP" => self.set_up(request.headers.get("transport").unwrap_or_default()).await?,
            "PLAY" | "GET_PARAMETER" | "TEARDOWN" => Answer::new(200).with("Session", script.session.clone()),
            _ => Answer::new(501),
        })
    }

    async fn set_up(&mut self, transport: &str) -> Result<Answer, Over> {
        let session = self.script.session.clone();
        if transport.contains("TCP") {
            if self.script.transports == Transports::Udp {
                return Ok(Answer::new(461));
            }
            let transport = "RTP/AVP/TCP;unicast;interleaved=0-1;ssrc=0000ABCD";
            return Ok(Answer::new(200).with("Session", session).with("Transport", transport));
        }
        if self.script.transports == Transports::Tcp {
            return Ok(Answer::new(461));
        }
        let port =
            transport.split("client_port=").nth(1).and_then(|ports| ports.split('-').next()?.parse::<u16>().ok());
        let Some(port) = port else { return Ok(Answer::new(400)) };
        let rtp = UdpSocket::bind("127.0.0.1:0").await?;
        let rtcp = UdpSocket::bind("127.0.0.1:0").await?;
        let ports = (rtp.local_addr()?.port(), rtcp.local_addr()?.port());
        let to = (SocketAddr::new(self.peer, port), SocketAddr::new(self.peer, port + 1));
        self.udp = Some(Udp { rtp, rtcp, to });
        let transport = format!("RTP/AVP;unicast;client_port={port}-{};server_port={}-{}", port + 1, ports.0, ports.1);
        Ok(Answer::new(200).with("Session", session).with("Transport", transport))
    }

    async fn send(&mut self, number: &str, answer: Answer, pause: Option<Duration>) -> Result<(), Over> {
        let end = self.script.line_end;
        let mut text = format!("RTSP/1.0 {} Answer{end}", answer.status);
        let mut headers = answer.headers;
        if self.script.numbers {
            headers.insert(0, ("CSeq", number.to_owned()));
        }
        if !answer.body.is_empty() {
            headers.push(("Content-Length", answer.body.len().to_string()));
        }
        for (name, value) in headers {
            let name = if self.script.lower_case { name.to_ascii_lowercase() } else { name.to_owned() };
            text += &format!("{name}: {value}{end}");
        }
        text = text + end + &answer.body;
        match pause {
            None => self.stream.write_all(text.as_bytes()).await?,
            Some(pause) => {
                for byte in text.bytes() {
                    self.stream.write_all(&[byte]).await?;
                    tokio::time::sleep(pause).await;
                }
            }
        }
        Ok(())
    }
}
