use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::{CoreJsonWebKeySet, CoreJwsSigningAlgorithm};
use openidconnect::{JsonWebKey, JsonWebKeyAlgorithm, JsonWebKeyUse, JwsSigningAlgorithm};
use serde_json::{Map, Value};

use crate::error::SignOnError;

/// The algorithms of signatures that are believed. With `none` and those of shared secrets, anybody could sign who knows the public key.
pub(crate) const ALGORITHMS: [CoreJwsSigningAlgorithm; 9] = {
    use CoreJwsSigningAlgorithm as A;
    [
        A::RsaSsaPkcs1V15Sha256,
        A::RsaSsaPkcs1V15Sha384,
        A::RsaSsaPkcs1V15Sha512,
        A::RsaSsaPssSha256,
        A::RsaSsaPssSha384,
        A::RsaSsaPssSha512,
        A::EcdsaP256Sha256,
        A::EcdsaP384Sha384,
        A::EdDsa,
    ]
};

/// Why a signed text was not opened.
#[derive(Debug)]
pub(crate) enum NotOpened {
    /// Its key is not among those that are known.
    UnknownKey,
    Refused(SignOnError),
}

/// The content of a signed text whose signature is one of `keys`. `types` are the values of `typ` that it may have.
pub(crate) fn open(text: &str, keys: &CoreJsonWebKeySet, types: &[&str]) -> Result<Map<String, Value>, NotOpened> {
    let refused = |reason: &str| NotOpened::Refused(SignOnError::Token(reason.to_owned()));
    let (signed, signature) = text.rsplit_once('.').ok_or_else(|| refused("is no signed text"))?;
    let (header, payload) = signed.split_once('.').ok_or_else(|| refused("is no signed text"))?;
    let header = json(header).ok_or_else(|| refused("has no header that can be read"))?;
    if header.contains_key("crit") {
        return Err(refused("needs extensions that are not known"));
    }
    let given =
        header.get("typ").map_or(Some(""), Value::as_str).ok_or_else(|| refused("has a type that is no text"))?;
    let given = given.to_ascii_lowercase();
    if !given.is_empty() && !types.contains(&given.trim_start_matches("application/")) {
        return Err(refused("is of another type"));
    }
    let algorithm = header.get("alg").cloned().and_then(|given| serde_json::from_value(given).ok());
    let algorithm: CoreJwsSigningAlgorithm = algorithm
        .filter(|known| ALGORITHMS.contains(known))
        .ok_or_else(|| refused("is signed by an algorithm that is not believed"))?;
    let kid = header.get("kid").and_then(Value::as_str);
    let mut suitable = keys.keys().iter().filter(|key| {
        let is_named = kid.is_none_or(|kid| key.key_id().is_some_and(|id| id.as_str() == kid));
        let is_for_it = match key.signing_alg() {
            JsonWebKeyAlgorithm::Algorithm(of_key) => *of_key == algorithm,
            JsonWebKeyAlgorithm::Unspecified => true,
            JsonWebKeyAlgorithm::Unsupported => false,
        };
        let is_for_signatures = key.key_use().is_none_or(JsonWebKeyUse::allows_signature);
        is_named && is_for_it && is_for_signatures && Some(key.key_type()) == algorithm.key_type().as_ref()
    });
    let key = match (suitable.next(), suitable.next()) {
        (Some(key), None) => key,
        (None, _) => return Err(NotOpened::UnknownKey),
        (Some(_), Some(_)) => return Err(refused("does not say which of several keys signed it")),
    };
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| refused("has a malformed signature"))?;
    key.verify_signature(&algorithm, signed.as_bytes(), &signature)
        .map_err(|_| refused("has a signature that is not the provider's"))?;
    json(payload).ok_or_else(|| refused("has no content that can be read"))
}

/// The content of a signed text whose signature was verified before.
pub(crate) fn content(text: &str) -> Option<Map<String, Value>> {
    json(text.split('.').nth(1)?)
}

fn json(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
