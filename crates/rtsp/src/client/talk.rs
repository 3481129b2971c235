//! Requests and their answers.

use std::collections::VecDeque;

use bytes::Bytes;
use tokio::time::timeout;
use url::Url;

use super::connection::Connection;
use crate::address::endpoint;
use crate::login::Login;
use crate::message::{Incoming, Request, Response};
use crate::{Error, Settings};

/// Most packets that are kept while an answer is waited for, and most bytes of them; cameras may send before they answer.
const MAX_EARLY: usize = 1024;
const MAX_EARLY_BYTES: usize = 4 * 1024 * 1024;

/// The dialogue with a camera.
#[derive(Debug)]
pub(super) struct Talk {
    pub(super) connection: Connection,
    pub(super) login: Login,
    settings: Settings,
    host: String,
    port: u16,
    number: u32,
    /// The session's id, from its begin on.
    pub(super) session: Option<String>,
    /// Packets that came before the answer to the request to play.
    pub(super) early: VecDeque<(u8, Bytes)>,
    early_bytes: usize,
}

impl Talk {
    pub(super) async fn open(url: &Url, login: Login, settings: &Settings) -> Result<Self, Error> {
        let (host, port) = endpoint(url);
        let connection = Connection::open(&host, port, settings.timeout).await?;
        Ok(Self {
            connection,
            login,
            settings: settings.clone(),
            host,
            port,
            number: 0,
            session: None,
            early: VecDeque::new(),
            early_bytes: 0,
        })
    }

    /// Sends a request and waits for its answer; logs in where the camera asks for it.
    pub(super) async fn request(
        &mut self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
    ) -> Result<Response, Error> {
        self.login.begin();
        let mut reopened = false;
        loop {
            let message = self.message(method, uri, headers);
            self.connection.send(&message)?;
            let answer = timeout(self.settings.timeout, self.response()).await;
            let response = match answer.map_err(|_| Error::Timeout(self.settings.timeout))? {
                // Some cameras close the connection after a refusal.
                Err(Error::Ended | Error::Broken(_))
                    if self.login.is_retrying() && self.session.is_none() && !reopened =>
                {
                    reopened = true;
                    self.reopen().await?;
                    continue;
                }
                other => other?,
            };
            tracing::debug!(method, status = response.status, "the camera answered");
            if response.status != 401 {
                self.login.answered(&response.headers);
                return Ok(response);
            }
            self.login.refused(&response.headers)?;
            let closes = response.headers.get("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
            if closes && self.session.is_none() {
                self.reopen().await?;
            }
        }
    }

    async fn reopen(&mut self) -> Result<(), Error> {
        self.connection = Connection::open(&self.host, self.port, self.settings.timeout).await?;
        Ok(())
    }

    /// The text of a request.
    pub(super) fn message(&mut self, method: &str, uri: &str, headers: &[(&str, &str)]) -> String {
        self.number += 1;
        let mut text =
            format!("{method} {uri} RTSP/1.0\r\nCSeq: {}\r\nUser-Agent: {}\r\n", self.number, self.settings.user_agent);
        if let Some(session) = &self.session {
            text += &format!("Session: {session}\r\n");
        }
        if let Some(authorization) = self.login.authorization(method, uri) {
            text += &format!("Authorization: {authorization}\r\n");
        }
        for (name, value) in headers {
            text += &format!("{name}: {value}\r\n");
        }
        text + "\r\n"
    }

    async fn response(&mut self) -> Result<Response, Error> {
        loop {
            match self.connection.next().await? {
                Incoming::Response(response) if response.status >= 200 => return Ok(response),
                Incoming::Response(_) => {}
                Incoming::Request(request) => self.answer(&request)?,
                Incoming::Packet(channel, data) => {
                    if self.early.len() < MAX_EARLY && self.early_bytes + data.len() <= MAX_EARLY_BYTES {
                        self.early_bytes += data.len();
                        self.early.push_back((channel, data));
                    }
                }
            }
        }
    }

    /// Answers a request of the camera.
    pub(super) fn answer(&mut self, request: &Request) -> Result<(), Error> {
        if matches!(request.method.as_str(), "TEARDOWN" | "REDIRECT") {
            return Err(Error::Ended);
        }
        let known = matches!(request.method.as_str(), "OPTIONS" | "GET_PARAMETER" | "SET_PARAMETER" | "ANNOUNCE");
        let status = if known { "200 OK" } else { "501 Not Implemented" };
        let number: String = request.headers.get("cseq").unwrap_or("0").chars().take(20).collect();
        self.connection.send(&format!("RTSP/1.0 {status}\r\nCSeq: {number}\r\n\r\n"))
    }
}
