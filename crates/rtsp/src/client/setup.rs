//! From an address to a stream that plays.

use tokio::time::timeout;
use url::Url;

use super::session::{Session, Stream};
use super::talk::Talk;
use super::udp::Udp;
use crate::address::{base, controls, endpoint, redirected, usable};
use crate::login::Login;
use crate::message::Response;
use crate::sdp::{self, Sdp, Video};
use crate::track::Track;
use crate::transport::{agreed, session};
use crate::{Credentials, Description, Error, RedirectError, Settings, Transport, TransportError};

/// Most redirections that are followed.
const MAX_REDIRECTS: u32 = 5;
/// All of connecting takes this many timeouts at most.
const TIMEOUTS: u32 = 3;

/// Connects to a camera and lets it play its first supported video.
///
/// `url` is `rtsp://HOST[:PORT]/...`; a user or password in it is ignored. Redirections are followed, to RTSP only; `credentials` are
/// for the host and port of `url` and for no other.
///
/// # Errors
/// Everything that keeps the camera from playing; a retry may help.
pub async fn connect(url: &Url, credentials: Option<&Credentials>, settings: &Settings) -> Result<Session, Error> {
    let within = settings.timeout * TIMEOUTS;
    timeout(within, follow(usable(url)?, credentials, settings)).await.map_err(|_| Error::Timeout(within))?
}

async fn follow(url: Url, credentials: Option<&Credentials>, settings: &Settings) -> Result<Session, Error> {
    let home = endpoint(&url);
    let mut target = url;
    for _ in 0..=MAX_REDIRECTS {
        let at_home = endpoint(&target) == home;
        let login = Login::new(credentials.filter(|_| at_home).cloned());
        match establish(&target, login, settings).await {
            Ok(Established::Session(session)) => return Ok(*session),
            Ok(Established::Redirected(next)) => target = next,
            Err(Error::Unauthorized) if !at_home => return Err(RedirectError::Credentials.into()),
            Err(error) => return Err(error),
        }
    }
    Err(RedirectError::TooMany(MAX_REDIRECTS).into())
}

enum Established {
    Session(Box<Session>),
    Redirected(Url),
}

/// An answer that allows the next step, or leads elsewhere.
enum Answer {
    Good(Response),
    Redirected(Url),
}

fn judge(response: Response, target: &Url) -> Result<Answer, Error> {
    match response.status {
        200..=299 => Ok(Answer::Good(response)),
        300..=303 | 306..=399 => Ok(Answer::Redirected(redirected(target, response.headers.get("location"))?)),
        status => Err(refusal(status)),
    }
}

fn refusal(status: u16) -> Error {
    match status {
        401 | 403 | 407 => Error::Unauthorized,
        404 | 454 => Error::NotFound,
        status => Error::Status(status),
    }
}

async fn establish(target: &Url, login: Login, settings: &Settings) -> Result<Established, Error> {
    let mut talk = Talk::open(target, login, settings).await?;
    let response = talk.request("DESCRIBE", target.as_str(), &[("Accept", "application/sdp")]).await?;
    let response = match judge(response, target)? {
        Answer::Good(response) => response,
        Answer::Redirected(next) => return Ok(Established::Redirected(next)),
    };
    let said = response.headers.get("content-base").filter(|base| !base.is_empty());
    let base = base(target.as_str(), said.or_else(|| response.headers.get("content-location")));
    let sdp = sdp::read(&String::from_utf8_lossy(&response.body));
    let (index, video) = choose(&sdp)?;

    let medium = controls(&base, sdp.media[index].control.as_deref());
    let setup = Setup { target, controls: &medium, settings };
    let set_up = match setup.run(&mut talk).await? {
        Ok(set_up) => set_up,
        Err(next) => return Ok(Established::Redirected(next)),
    };
    let aggregate = controls(&base, sdp.control.as_deref()).swap_remove(0);
    let played = match play(&mut talk, target, &aggregate, &set_up.control).await? {
        Ok(played) => played,
        Err(next) => return Ok(Established::Redirected(next)),
    };

    let track = Track::new(&video, set_up.udp.is_some());
    let beside = sdp.media.iter().enumerate().filter(|(at, _)| *at != index);
    let description = Description {
        codec: video.codec,
        encoding: video.encoding.clone(),
        clock_rate: video.clock_rate,
        size: track.size(),
        has_parameter_sets: !video.sets.is_empty(),
        frame_rate: video.frame_rate,
        transport: if set_up.udp.is_some() { Transport::Udp } else { Transport::Tcp },
        other_media: beside.map(|(_, media)| media.name()).collect(),
    };
    let stream = Stream { channels: set_up.channels, udp: set_up.udp, address: played, keep_alive: set_up.keep_alive };
    Ok(Established::Session(Box::new(Session::new(talk, track, description, stream))))
}

/// The first video in a supported codec.
fn choose(sdp: &Sdp) -> Result<(usize, Video), Error> {
    let mut unsupported = None;
    for (index, media) in sdp.media.iter().enumerate().filter(|(_, media)| media.kind == "video") {
        match media.video() {
            Ok(video) => return Ok((index, video)),
            Err(name) => {
                unsupported.get_or_insert(name);
            }
        }
    }
    Err(unsupported.map_or(Error::NoVideo, Error::UnsupportedCodec))
}

/// What is needed to set the medium up.
struct Setup<'a> {
    target: &'a Url,
    controls: &'a [String],
    settings: &'a Settings,
}

/// A medium that is set up.
struct SetUp {
    control: String,
    channels: (u8, u8),
    udp: Option<Udp>,
    keep_alive: std::time::Duration,
}

impl Setup<'_> {
    /// Sets the medium up, in TCP before UDP; otherwise says where the camera redirects to.
    async fn run(&self, talk: &mut Talk) -> Result<Result<SetUp, Url>, Error> {
        let ways: &[Transport] = match self.settings.transport {
            Transport::Auto => &[Transport::Tcp, Transport::Udp],
            Transport::Tcp => &[Transport::Tcp],
            Transport::Udp => &[Transport::Udp],
        };
        let mut refused = None;
        for way in ways {
            for (index, control) in self.controls.iter().enumerate() {
                let mut udp = None;
                let mut transport = "RTP/AVP/TCP;unicast;interleaved=0-1".to_owned();
                if *way == Transport::Udp {
                    let sockets = Udp::bind(talk.connection.local()?.ip(), talk.connection.peer()?.ip()).await?;
                    let port = sockets.port();
                    transport = format!("RTP/AVP;unicast;client_port={port}-{}", port.saturating_add(1));
                    udp = Some(sockets);
                }
                let response = talk.request("SETUP", control, &[("Transport", &transport)]).await?;
                let agreed = agreed(response.headers.get("transport").unwrap_or_default());
                match response.status {
                    200..=299 if udp.is_none() && agreed.is_udp => refused = refused.or(Some(461)),
                    404 | 454 if index + 1 < self.controls.len() => continue,
                    // Cameras say this in several ways.
                    status @ (400 | 406 | 461 | 501) => refused = refused.or(Some(status)),
                    _ => {
                        let response = match judge(response, self.target)? {
                            Answer::Good(response) => response,
                            Answer::Redirected(next) => return Ok(Err(next)),
                        };
                        if let Some(udp) = &mut udp {
                            udp.announced(agreed.source, agreed.rtcp_port);
                        }
                        let (id, lasts) = session(response.headers.get("session").unwrap_or_default()).unzip();
                        talk.session = id;
                        let keep_alive = lasts.unwrap_or(std::time::Duration::from_secs(60)) / 2;
                        let channels = agreed.channels.unwrap_or((0, 1));
                        return Ok(Ok(SetUp { control: control.clone(), channels, udp, keep_alive }));
                    }
                }
                break;
            }
        }
        Err(match refused {
            Some(461) | None => match self.settings.transport {
                Transport::Auto => TransportError::Both,
                Transport::Tcp => TransportError::Tcp,
                Transport::Udp => TransportError::Udp,
            }
            .into(),
            Some(status) => Error::Status(status),
        })
    }
}

/// Lets the stream play; returns the address that the camera plays, or where it redirects to.
async fn play(talk: &mut Talk, target: &Url, aggregate: &str, medium: &str) -> Result<Result<String, Url>, Error> {
    let mut address = aggregate;
    let mut range: &[(&str, &str)] = &[("Range", "npt=0.000-")];
    loop {
        let response = talk.request("PLAY", address, range).await?;
        match response.status {
            // Of a part that it does not know, or for the whole of which it is not meant.
            457 if !range.is_empty() => range = &[],
            404 | 405 | 455 | 459 if address != medium => address = medium,
            _ => {
                return Ok(match judge(response, target)? {
                    Answer::Good(_) => Ok(address.to_owned()),
                    Answer::Redirected(next) => Err(next),
                });
            }
        }
    }
}
