use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openidconnect::core::CoreJsonWebKeySet;
use serde_json::{Value, json};

/// Bytes of a coordinate of each curve.
const CURVES: [(&str, usize); 2] = [("P-256", 32), ("P-384", 48)];

/// The keys with coordinates in full length, as RFC 7518 (6.2.1.2) has it. Some providers leave out the zeros that one key in a hundred
/// begins with, and nobody could log in at them. The number, and so the key, is the same.
pub(crate) fn in_full_length(keys: &CoreJsonWebKeySet) -> CoreJsonWebKeySet {
    let full = || {
        let mut all = serde_json::to_value(keys).ok()?;
        all.get_mut("keys")?.as_array_mut()?.iter_mut().for_each(lengthen);
        serde_json::from_value(all).ok()
    };
    full().unwrap_or_else(|| keys.clone())
}

fn lengthen(key: &mut Value) {
    let curve = CURVES.into_iter().find(|(name, _)| key["kty"] == "EC" && key["crv"] == *name);
    let Some((_, length)) = curve else { return };
    for name in ["x", "y"] {
        let given = key[name].as_str().and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        let Some(given) = given.filter(|given| (1..length).contains(&given.len())) else { continue };
        let full = [vec![0; length - given.len()], given].concat();
        key[name] = json!(URL_SAFE_NO_PAD.encode(full));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jws::{self, NotOpened};

    /// Signed by the key whose coordinate `x` begins with a zero.
    const SIGNED: &str = "eyJhbGciOiJFUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiJwZXJzb24tMSJ9.S3Asz3S9SBOT4Uo7_eiwVUQDVis39t9QeFmh9togi29s\
        ucB9jKrtuNb7Vf_Aaaia37DLpKh4iPCNZXywuMyDOg";
    const FULL: &str = "AJvHi_KxgPCVkl22-L8k0VjVt70iYKf4LBsq2jJ55I0";
    const SHORT: &str = "m8eL8rGA8JWSXbb4vyTRWNW3vSJgp_gsGyraMnnkjQ";

    fn keys(x: &str) -> CoreJsonWebKeySet {
        let key = json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "kid": "a", "use": "sig", "x": x,
            "y": "J7BwuCW3mgVoRP-sUaRjkP2TfDy8D65G-XOtKHFU-Yc" });
        serde_json::from_value(json!({ "keys": [key] })).unwrap()
    }

    #[test]
    fn a_key_is_the_same_without_the_zeros_that_it_begins_with() {
        assert!(matches!(jws::open(SIGNED, &keys(SHORT), &["jwt"]), Err(NotOpened::Refused(_))));
        let full = in_full_length(&keys(SHORT));
        assert_eq!(full, keys(FULL));
        assert_eq!(jws::open(SIGNED, &full, &["jwt"]).unwrap()["sub"], "person-1");
        assert_eq!(in_full_length(&keys(FULL)), keys(FULL));
    }

    #[test]
    fn other_keys_stay_as_they_are() {
        for key in [
            json!({ "kty": "RSA", "n": "AQ", "e": "AQAB", "x": "AQ" }),
            json!({ "kty": "OKP", "crv": "Ed25519", "x": "AQ" }),
            json!({ "kty": "EC", "crv": "P-521", "x": "AQ", "y": "AQ" }),
            json!({ "kty": "EC", "crv": "P-256", "x": "", "y": "A" }),
            json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode([0; 33]) }),
        ] {
            let keys: CoreJsonWebKeySet = serde_json::from_value(json!({ "keys": [key] })).unwrap();
            assert_eq!(in_full_length(&keys), keys, "{key}");
        }
    }
}
