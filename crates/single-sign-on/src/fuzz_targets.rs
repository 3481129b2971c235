//! Entry points for fuzzing: what reads the texts of browsers and of the provider. Any bytes are taken.

use std::collections::BTreeMap;

use openidconnect::core::CoreJsonWebKeySet;
use serde_json::{Map, Value};
use url::Url;
use vedette_access::Name;
use vedette_core::Timestamp;

use crate::claims::{self, ClaimPath};
use crate::logout_token;
use crate::return_to::ReturnTo;

/// Reads `data` line by line: as keys, as a logout token signed with them, as claims, and as a path to return to.
pub fn sign_on(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let lines: Vec<&str> = text.lines().collect();
    let now = Timestamp::from_micros(1_772_352_000_000_000);
    let (issuer, client) = ("https://id.example", "vedette");
    let keys: CoreJsonWebKeySet = lines
        .first()
        .and_then(|line| serde_json::from_str(line).ok())
        .unwrap_or_else(|| CoreJsonWebKeySet::new(Vec::new()));
    for line in lines {
        // Nobody signs here.
        assert!(logout_token::read(line, &keys, issuer, client, now).is_err());
        if let Ok(given) = serde_json::from_str::<Map<String, Value>>(line) {
            read_claims(&given);
            if let Ok(ended) = logout_token::ended(&given, issuer, client, now) {
                assert!(ended.subject.is_some() || ended.sid.is_some());
                assert!(!given.contains_key("nonce"));
            }
        }
        if let (Some(path), Ok(page)) = (ReturnTo::read(line), Url::parse("https://vedette.example/")) {
            let leads = page.join(path.as_str()).map(|url| url.origin());
            assert_eq!(leads, Ok(page.origin()));
        }
    }
}

fn read_claims(given: &Map<String, Value>) {
    for path in ["groups", "a.b.c", "https://id.example/groups"] {
        let Some(path) = ClaimPath::read(path) else { continue };
        if let Ok(name) = claims::name(given, &path) {
            assert_eq!(Name::new(name.as_str()).as_ref(), Ok(&name));
            assert!(claims::grants(given, &path, &BTreeMap::new(), &name).is_err());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_tokens_of_any_form_are_taken() {
        let token = |header: &str| {
            use base64::Engine as _;
            let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
            format!("{}.{}.{}", part(header), part("{}"), part(&"s".repeat(256)))
        };
        let headers = [
            "{}",
            r#"{"alg":"RS256"}"#,
            r#"{"alg":"PS512","kid":"a"}"#,
            r#"{"alg":"ES256"}"#,
            r#"{"alg":"ES384"}"#,
            r#"{"alg":"EdDSA"}"#,
            r#"{"alg":7,"typ":8,"kid":9}"#,
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS256"}"#,
        ];
        for key in [
            r#"{"kty":"RSA","n":"","e":""}"#,
            r#"{"kty":"RSA","n":"AQ","e":"AQ"}"#,
            r#"{"kty":"RSA","n":"AAAA","e":"AQAB","kid":"a"}"#,
            r#"{"kty":"RSA","e":"AQAB"}"#,
            r#"{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}"#,
            r#"{"kty":"EC","crv":"P-384","x":"","y":""}"#,
            r#"{"kty":"EC","crv":"P-256"}"#,
            r#"{"kty":"EC","crv":"P-999","x":"AA","y":"AA"}"#,
            r#"{"kty":"OKP","crv":"Ed25519","x":"AA"}"#,
            r#"{"kty":"OKP","crv":"Ed448","x":"AA"}"#,
            r#"{"kty":"oct","k":"AA"}"#,
            r#"{"kty":"RSA","use":"enc","n":"AQAB","e":"AQAB"}"#,
            "{}",
            "7",
        ] {
            let tokens = headers.map(token).join("\n");
            sign_on(format!("{{\"keys\":[{key}]}}\n{tokens}").as_bytes());
        }
        sign_on(include_bytes!("../../../tests/fuzz/corpus/sign-on/logout"));
        sign_on(include_bytes!("../../../tests/fuzz/corpus/sign-on/paths"));
        sign_on(&[0xff, 0, b'\n', b'{']);
    }
}
