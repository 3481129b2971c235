use openidconnect::core::CoreJsonWebKeySet;
use serde_json::{Map, Value};
use vedette_core::{Span, Timestamp};

use crate::error::SignOnError;
use crate::id_token::{LONGEST_ID, SKEW};
use crate::jws::{self, NotOpened};

/// What a logout token is about.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";
/// The longest life of one.
const LONGEST_LIFE: Span = Span::from_secs(3_600);

/// Sessions that the provider ends: those of a person, one, or those which are both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The person there.
    pub subject: Option<String>,
    /// The session there.
    pub sid: Option<String>,
    /// The name of the token.
    pub(crate) jti: String,
    /// When it expires.
    pub(crate) expires: Timestamp,
}

/// Reads a logout token (OpenID Connect Back-Channel Logout 1.0, 2.6). Whether it is a replay is for the caller to see.
pub(crate) fn read(
    token: &str,
    keys: &CoreJsonWebKeySet,
    issuer: &str,
    client: &str,
    now: Timestamp,
) -> Result<Ended, NotOpened> {
    let claims = jws::open(token, keys, &["jwt", "logout+jwt"])?;
    ended(&claims, issuer, client, now).map_err(|reason| NotOpened::Refused(SignOnError::Token(reason.to_owned())))
}

pub(crate) fn ended(
    claims: &Map<String, Value>,
    issuer: &str,
    client: &str,
    now: Timestamp,
) -> Result<Ended, &'static str> {
    if claims.get("iss").and_then(Value::as_str) != Some(issuer) {
        return Err("is of another issuer");
    }
    let is_for_us = match claims.get("aud") {
        Some(Value::String(one)) => one == client,
        Some(Value::Array(several)) => several.iter().any(|one| one.as_str() == Some(client)),
        _ => false,
    };
    if !is_for_us {
        return Err("is for another audience");
    }
    let issued = time(claims, "iat").ok_or("does not say when it was issued")?;
    let expires = time(claims, "exp").ok_or("does not say when it expires")?;
    if issued.since(now) > SKEW {
        return Err("was issued in the future");
    }
    if now.since(expires) >= SKEW {
        return Err("has expired");
    }
    if expires.since(now) > LONGEST_LIFE {
        return Err("lives longer than an hour");
    }
    if claims.contains_key("nonce") {
        return Err("has a nonce, so it is no logout token");
    }
    if !claims.get("events").and_then(|events| events.get(EVENT)).is_some_and(Value::is_object) {
        return Err("is not about a logout");
    }
    let jti = text(claims, "jti")?.ok_or("has no name (`jti`)")?;
    let (subject, sid) = (text(claims, "sub")?, text(claims, "sid")?);
    if subject.is_none() && sid.is_none() {
        return Err("names neither a person nor a session");
    }
    Ok(Ended { subject, sid, jti, expires: expires + SKEW })
}

fn text(claims: &Map<String, Value>, name: &str) -> Result<Option<String>, &'static str> {
    match claims.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if !text.is_empty() && text.len() <= LONGEST_ID => Ok(Some(text.clone())),
        Some(_) => Err("has a `jti`, `sub` or `sid` that is no text, or too long"),
    }
}

/// A time in seconds, which may have a fraction.
fn time(claims: &Map<String, Value>, name: &str) -> Option<Timestamp> {
    let seconds = claims.get(name)?.as_f64()?;
    (0.0..1e11).contains(&seconds).then(|| Timestamp::from_micros((seconds * 1e6) as i64))
}
