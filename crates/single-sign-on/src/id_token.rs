use chrono::{DateTime, Utc};
use openidconnect::core::{CoreIdTokenVerifier, CoreTokenResponse};
use openidconnect::{
    AccessTokenHash, ClaimsVerificationError, ClientId, IssuerUrl, JsonWebTokenType, Nonce, OAuth2TokenResponse,
    SignatureVerificationError, TokenResponse,
};
use serde_json::{Map, Value};
use vedette_core::{Span, Timestamp};

use crate::directory::Known;
use crate::error::SignOnError;
use crate::http::reasons;
use crate::jws::{self, ALGORITHMS, NotOpened};

/// By how much the provider's clock may differ.
pub(crate) const SKEW: Span = Span::from_secs(60);
/// Most bytes of the name of a person, a session or a token at the provider.
pub(crate) const LONGEST_ID: usize = 255;

/// A person's ID token that obeys every rule.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) subject: String,
    pub(crate) sid: Option<String>,
    pub(crate) claims: Map<String, Value>,
    pub(crate) text: String,
}

/// Verifies the ID token of an answer of the token endpoint (OpenID Connect Core 1.0, 3.1.3.7 and 3.1.3.8).
pub(crate) fn verify(
    answer: &CoreTokenResponse,
    known: &Known,
    issuer: &IssuerUrl,
    client: &ClientId,
    nonce: &Nonce,
    now: Timestamp,
) -> Result<Verified, NotOpened> {
    let refused = |reason: String| NotOpened::Refused(SignOnError::Token(reason));
    let token = answer.id_token().ok_or_else(|| refused("is missing in the provider's answer".into()))?;
    // Without the client's secret, which would make algorithms of shared secrets possible.
    let verifier = CoreIdTokenVerifier::new_public_client(client.clone(), issuer.clone(), known.keys.clone());
    let types =
        ["JWT", "application/JWT", "application/jose"].map(|text| JsonWebTokenType::new(text.into()).normalize());
    let (latest, earliest) = (at(now + SKEW), at(now - SKEW));
    let verifier = verifier
        .set_allowed_algs(ALGORITHMS)
        .set_allowed_jose_types(types.into_iter().flatten())
        .set_time_fn(move || earliest)
        .set_issue_time_verifier_fn(
            move |issued| if issued <= latest { Ok(()) } else { Err("it was issued in the future".into()) },
        )
        // `azp` says for whom it is then.
        .set_other_audience_verifier_fn(|_| true);
    let claims = token.claims(&verifier, nonce).map_err(|error| match error {
        ClaimsVerificationError::SignatureVerification(SignatureVerificationError::NoMatchingKey) => {
            NotOpened::UnknownKey
        }
        error => refused(format!("is refused: {}", reasons(&error))),
    })?;
    if let Some(expected) = claims.access_token_hash() {
        let hash = |error: &dyn std::error::Error| {
            refused(format!("has an `at_hash` that cannot be checked: {}", reasons(error)))
        };
        let algorithm = token.signing_alg().map_err(|error| hash(&error))?;
        let key = token.signing_key(&verifier).map_err(|error| hash(&error))?;
        let of_answer =
            AccessTokenHash::from_token(answer.access_token(), algorithm, key).map_err(|error| hash(&error))?;
        if of_answer != *expected {
            return Err(refused("belongs to another access token".into()));
        }
    }
    let text = token.to_string();
    let subject = claims.subject().to_string();
    let claims = jws::content(&text).ok_or_else(|| refused("cannot be read".into()))?;
    check_rest(&claims, client, now).map_err(|reason| refused(reason.into()))?;
    if subject.is_empty() || subject.len() > LONGEST_ID {
        return Err(refused("has a `sub` that is empty or too long".into()));
    }
    let sid = match claims.get("sid") {
        None => None,
        Some(Value::String(sid)) if !sid.is_empty() && sid.len() <= LONGEST_ID => Some(sid.clone()),
        Some(_) => return Err(refused("has a `sid` that is no text, or too long".into())),
    };
    Ok(Verified { subject, sid, claims, text })
}

/// What the library leaves to its user.
fn check_rest(claims: &Map<String, Value>, client: &ClientId, now: Timestamp) -> Result<(), &'static str> {
    let several = claims.get("aud").and_then(Value::as_array).is_some_and(|audiences| audiences.len() > 1);
    match claims.get("azp") {
        None if several => return Err("has several audiences, and does not say for whom it is (`azp`)"),
        Some(azp) if azp.as_str() != Some(client.as_str()) => return Err("was made for another client (`azp`)"),
        _ => {}
    }
    if let Some(from) = claims.get("nbf") {
        let from = from.as_f64().ok_or("has an `nbf` that is no time")?;
        if from > (now + SKEW).as_micros() as f64 / 1e6 {
            return Err("is not valid yet (`nbf`)");
        }
    }
    Ok(())
}

fn at(time: Timestamp) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(time.as_micros()).unwrap_or_default()
}
