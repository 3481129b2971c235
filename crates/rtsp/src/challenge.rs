//! `WWW-Authenticate` and `Authentication-Info` headers (RFC 9110, RFC 7616); pure.

/// Most challenges that are looked at.
const MAX_CHALLENGES: usize = 16;

/// What a camera asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Challenge {
    Basic,
    Digest(Digest),
    /// A scheme or algorithm that is not supported; its name.
    Other(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Digest {
    pub(crate) realm: String,
    pub(crate) nonce: String,
    pub(crate) opaque: Option<String>,
    pub(crate) algorithm: Algorithm,
    /// The algorithm as the camera writes it; none when it names none.
    pub(crate) algorithm_name: Option<String>,
    /// `qop=auth` is offered.
    pub(crate) qop: bool,
    pub(crate) stale: bool,
}

/// In the order of their strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Algorithm {
    Md5,
    Md5Session,
    Sha256,
    Sha256Session,
}

impl Algorithm {
    fn from_name(name: &str) -> Option<Self> {
        // Some cameras write `SHA256`.
        match name.to_ascii_uppercase().replace('_', "-").as_str() {
            "MD5" | "" => Some(Self::Md5),
            "MD5-SESS" => Some(Self::Md5Session),
            "SHA-256" | "SHA256" => Some(Self::Sha256),
            "SHA-256-SESS" | "SHA256-SESS" => Some(Self::Sha256Session),
            _ => None,
        }
    }

    pub(crate) const fn is_session(self) -> bool {
        matches!(self, Self::Md5Session | Self::Sha256Session)
    }
}

/// The strongest supported challenge of all headers of an answer; of equal ones the first.
pub(crate) fn strongest<'a>(headers: impl Iterator<Item = &'a str>) -> Result<Challenge, String> {
    let all: Vec<Challenge> = headers.flat_map(challenges).take(MAX_CHALLENGES).collect();
    let rank = |challenge: &Challenge| match challenge {
        Challenge::Other(_) => None,
        Challenge::Basic => Some(None),
        Challenge::Digest(digest) => Some(Some(digest.algorithm)),
    };
    let best = all.iter().filter_map(rank).max();
    let Some(best) = best else {
        let names: Vec<&str> = all
            .iter()
            .map(|challenge| if let Challenge::Other(name) = challenge { name.as_str() } else { "" })
            .collect();
        return Err(if names.is_empty() { "none".to_owned() } else { names.join(", ") });
    };
    all.into_iter().find(|challenge| rank(challenge) == Some(best)).ok_or_else(String::new)
}

/// The `nextnonce` of an `Authentication-Info` header.
pub(crate) fn next_nonce(header: &str) -> Option<String> {
    let mut rest = header;
    while !rest.is_empty() {
        let (name, after) = token(rest);
        let (value, after) = value(after);
        if name.eq_ignore_ascii_case("nextnonce") {
            return value.filter(|nonce| !nonce.is_empty());
        }
        rest = skip(after, name);
    }
    None
}

/// The challenges of one header. A word that no `=` follows begins another one.
fn challenges(header: &str) -> Vec<Challenge> {
    let mut schemes: Vec<(String, Vec<(String, String)>)> = Vec::new();
    let mut rest = header;
    while !rest.is_empty() {
        let (name, after) = token(rest);
        match value(after) {
            (Some(value), after) if !name.is_empty() => {
                if let Some((_, parameters)) = schemes.last_mut() {
                    parameters.push((name.to_ascii_lowercase(), value));
                }
                rest = skip(after, name);
            }
            (_, after) => {
                if !name.is_empty() && schemes.len() < MAX_CHALLENGES {
                    schemes.push((name.to_owned(), Vec::new()));
                }
                rest = skip(after, name);
            }
        }
    }
    schemes.into_iter().map(|(scheme, parameters)| challenge(&scheme, &parameters)).collect()
}

fn challenge(scheme: &str, parameters: &[(String, String)]) -> Challenge {
    let get = |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    if scheme.eq_ignore_ascii_case("basic") {
        return Challenge::Basic;
    }
    // The name is shown: nothing that is not a plain word.
    let shown =
        |text: &str| text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(32).collect::<String>();
    if !scheme.eq_ignore_ascii_case("digest") {
        return Challenge::Other(shown(scheme));
    }
    let algorithm_name = get("algorithm");
    let Some(algorithm) = Algorithm::from_name(algorithm_name.as_deref().unwrap_or_default()) else {
        return Challenge::Other(shown(&format!("Digest-{}", algorithm_name.unwrap_or_default())));
    };
    let qop = get("qop");
    let offers =
        |wanted: &str| qop.as_ref().is_some_and(|qop| qop.split([',', ' ']).any(|q| q.eq_ignore_ascii_case(wanted)));
    if offers("auth-int") && !offers("auth") {
        return Challenge::Other("Digest-auth-int".to_owned());
    }
    Challenge::Digest(Digest {
        realm: get("realm").unwrap_or_default(),
        nonce: get("nonce").unwrap_or_default(),
        opaque: get("opaque"),
        algorithm,
        algorithm_name,
        qop: offers("auth"),
        stale: get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
    })
}

/// A leading word, without white space around it.
fn token(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text.find(|c: char| c.is_whitespace() || matches!(c, '=' | ',' | '"' | ';')).unwrap_or(text.len());
    (&text[..end], text[end..].trim_start())
}

/// The value behind `=`, if there is one: quoted with escapes, or up to a comma.
fn value(text: &str) -> (Option<String>, &str) {
    let Some(text) = text.strip_prefix('=') else { return (None, text) };
    let text = text.trim_start();
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (Some(text[..end].to_owned()), &text[end..]);
    };
    let mut value = String::new();
    let mut chars = quoted.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return (Some(value), &quoted[at + 1..]),
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    (Some(value), "")
}

/// Commas and white space; a character at which no word begins is passed over.
fn skip<'a>(text: &'a str, name: &str) -> &'a str {
    let trimmed = text.trim_start_matches([',', ' ', '\t', ';']);
    if name.is_empty() && trimmed.len() == text.len() {
        let mut chars = trimmed.chars();
        chars.next();
        return chars.as_str();
    }
    trimmed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(headers: &[&str]) -> Digest {
        match strongest(headers.iter().copied()) {
            Ok(Challenge::Digest(digest)) => digest,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_strongest_of_several_is_taken() {
        let sha = r#"Digest realm="r", nonce="n", algorithm=SHA-256"#;
        let md5 = r#"Digest realm="r", nonce="n", algorithm=MD5"#;
        let together = format!("Basic realm=\"r\", {md5}, {sha}, Bearer");
        for headers in [&[sha, md5][..], &[md5, sha], &[&together]] {
            assert_eq!(digest(headers).algorithm, Algorithm::Sha256);
        }
        let session = r#"Digest realm="r",nonce="n",algorithm="md5-sess""#;
        assert_eq!(digest(&["Basic realm=x", session]).algorithm, Algorithm::Md5Session);
        assert_eq!(strongest(["Basic realm=\"x\""].into_iter()), Ok(Challenge::Basic));
    }

    #[test]
    fn odd_spellings_are_read() {
        let plain =
            digest(&[r#"DIGEST realm="a \"b\", c=d" , nonce=abc==,qop="auth-int, auth" ,stale=TRUE, opaque="", "#]);
        assert_eq!((plain.realm.as_str(), plain.nonce.as_str()), (r#"a "b", c=d"#, "abc=="));
        assert_eq!((plain.qop, plain.stale, plain.opaque.as_deref()), (true, true, Some("")));
        let spaced = digest(&["Digest realm = \"IP Camera\" nonce =  \"1\"  stale=\"FALSE\""]);
        assert_eq!((spaced.realm.as_str(), spaced.nonce.as_str(), spaced.stale), ("IP Camera", "1", false));
        assert_eq!(digest(&["Digest realm=\"open, nonce=\"x\""]).realm, "open, nonce=");
    }

    #[test]
    fn what_is_unsupported_is_named() {
        let headers = [r#"Digest realm="r", nonce="n", algorithm=SHA-512-256"#, "Bearer realm=\"x\""];
        assert_eq!(strongest(headers.into_iter()), Err("Digest-SHA-512-256, Bearer".to_owned()));
        assert_eq!(strongest(std::iter::empty()), Err("none".to_owned()));
        assert_eq!(strongest(["Digest qop=\"auth-int\""].into_iter()), Err("Digest-auth-int".to_owned()));
    }

    #[test]
    fn the_next_nonce_is_found() {
        assert_eq!(next_nonce(r#"rspauth="1", nextnonce="abc", nc=00000001"#).as_deref(), Some("abc"));
        assert_eq!(next_nonce("qop=auth"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "[a-zA-Z=,\"\\\\ ;\u{e9}]{0,80}|.{0,80}") {
            let _ = (challenges(&text), next_nonce(&text));
        }

        #[test]
        fn a_quoted_realm_is_read_as_it_was_written(realm in ".{0,40}") {
            let quoted = realm.replace('\\', "\\\\").replace('"', "\\\"");
            prop_assert_eq!(digest(&[&format!("Digest realm=\"{quoted}\", nonce=\"n\"")]).realm, realm);
        }
    }
}
