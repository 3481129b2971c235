//! A stream that plays.

use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::{Instant, Sleep, sleep_until};

use super::talk::Talk;
use super::udp::Udp;
use crate::message::{Incoming, Response};
use crate::rtp::receiver_report;
use crate::track::Track;
use crate::{Description, Error, Item};

/// Time between two receiver reports over UDP.
const REPORT: Duration = Duration::from_secs(5);
/// Bounds of the time between two signs of life.
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// The requests that keep a session alive; cameras know one of them at least.
const OPTIONS: &str = "OPTIONS";
const GET_PARAMETER: &str = "GET_PARAMETER";

/// How a stream travels.
#[derive(Debug)]
pub(super) struct Stream {
    /// Channels of RTP and RTCP within TCP.
    pub(super) channels: (u8, u8),
    pub(super) udp: Option<Udp>,
    /// The address that plays.
    pub(super) address: String,
    /// Time between two signs of life.
    pub(super) keep_alive: Duration,
}

/// A camera's stream that plays. Dropping it ends the camera's session.
#[derive(Debug)]
pub struct Session {
    talk: Talk,
    track: Track,
    description: Description,
    stream: Stream,
    /// The request by which the session is kept alive.
    sign_of_life: &'static str,
    alive_due: Instant,
    report_due: Instant,
    /// Of what is due next. It stays set from packet to packet: to set it costs as much as to receive one.
    timer: Pin<Box<Sleep>>,
    own_source: u32,
}

impl Session {
    pub(super) fn new(talk: Talk, track: Track, description: Description, mut stream: Stream) -> Self {
        let now = Instant::now();
        stream.keep_alive = stream.keep_alive.clamp(KEEP_ALIVE.0, KEEP_ALIVE.1);
        Self {
            talk,
            track,
            description,
            sign_of_life: OPTIONS,
            alive_due: now + stream.keep_alive,
            report_due: now + REPORT,
            timer: Box::pin(sleep_until(now)),
            own_source: fastrand::u32(..),
            stream,
        }
    }

    /// What the camera offers.
    #[must_use]
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// The packets of the video so far, whether or not they make a picture.
    #[must_use]
    pub fn packets(&self) -> u64 {
        self.track.packets()
    }

    /// The next picture or report. It waits for as long as the camera is silent; nothing is lost when the future is dropped.
    ///
    /// # Errors
    /// The stream is over; connect again.
    pub async fn next(&mut self) -> Result<Item, Error> {
        loop {
            if let Some(item) = self.track.next() {
                return Ok(item);
            }
            if let Some((channel, data)) = self.talk.early.pop_front() {
                self.interleaved(channel, &data)?;
                continue;
            }
            if let Some(incoming) = self.talk.connection.arrived()? {
                self.take(incoming)?;
                continue;
            }
            let due = self.track.due().map_or(self.alive_due, |due| due.min(self.alive_due));
            let due = if self.stream.udp.is_some() { due.min(self.report_due) } else { due };
            if self.timer.deadline() != due {
                self.timer.as_mut().reset(due);
            }
            tokio::select! {
                incoming = self.talk.connection.next() => self.take(incoming?)?,
                (is_control, data) = datagram(&mut self.stream.udp) => self.packet(is_control, &data)?,
                () = self.timer.as_mut() => self.tick()?,
            }
        }
    }

    fn take(&mut self, incoming: Incoming) -> Result<(), Error> {
        match incoming {
            Incoming::Packet(channel, data) => self.interleaved(channel, &data),
            Incoming::Response(response) => self.answered(&response),
            Incoming::Request(request) => self.talk.answer(&request),
        }
    }

    fn interleaved(&mut self, channel: u8, data: &Bytes) -> Result<(), Error> {
        let (rtp, rtcp) = self.stream.channels;
        match channel {
            // Channels of other media, or packets that the camera sends twice.
            _ if self.stream.udp.is_some() => Ok(()),
            channel if channel == rtp => self.packet(false, data),
            channel if channel == rtcp => self.packet(true, data),
            _ => Ok(()),
        }
    }

    fn packet(&mut self, is_control: bool, data: &Bytes) -> Result<(), Error> {
        let now = Instant::now();
        // RFC 5761: reports among the pictures.
        let is_control = is_control || matches!(data.get(1), Some(200..=204));
        if is_control { self.track.rtcp(data, now) } else { self.track.rtp(data, now) }
    }

    /// The answer to a sign of life.
    fn answered(&mut self, response: &Response) -> Result<(), Error> {
        tracing::debug!(status = response.status, "the camera answered a sign of life");
        match response.status {
            401 => {
                // What it refuses for good it will not need.
                if self.talk.login.refused(&response.headers).is_ok() {
                    self.sign_of_life()?;
                }
            }
            454 => return Err(Error::Ended),
            200..=299 => {
                self.talk.login.answered(&response.headers);
                let knows =
                    |public: &str| public.split(',').any(|method| method.trim().eq_ignore_ascii_case(GET_PARAMETER));
                if response.headers.all("public").any(knows) {
                    self.sign_of_life = GET_PARAMETER;
                }
            }
            _ => self.sign_of_life = if self.sign_of_life == OPTIONS { GET_PARAMETER } else { OPTIONS },
        }
        Ok(())
    }

    fn sign_of_life(&mut self) -> Result<(), Error> {
        let message = self.talk.message(self.sign_of_life, &self.stream.address, &[]);
        self.talk.connection.send(&message)
    }

    fn tick(&mut self) -> Result<(), Error> {
        let now = Instant::now();
        if self.alive_due <= now {
            self.alive_due = now + self.stream.keep_alive;
            self.talk.login.begin();
            self.sign_of_life()?;
        }
        if let Some(udp) = self.stream.udp.as_ref().filter(|_| self.report_due <= now) {
            self.report_due = now + REPORT;
            udp.report(&receiver_report(self.own_source, self.track.reception(now)));
        }
        self.track.expire(now)
    }
}

impl Drop for Session {
    /// Cameras serve few sessions at once: this one need not wait for its timeout.
    fn drop(&mut self) {
        let farewell = self.talk.message("TEARDOWN", &self.stream.address, &[]);
        self.talk.connection.send_last(&farewell);
    }
}

async fn datagram(udp: &mut Option<Udp>) -> (bool, Bytes) {
    match udp {
        Some(udp) => udp.next().await,
        None => std::future::pending().await,
    }
}
