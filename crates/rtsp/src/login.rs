//! Answers to challenges: which one, with which nonce, and when a refusal is final; pure but for the random client nonce.

use base64::Engine;
use md5::Md5;
use sha2::{Digest as _, Sha256};

use crate::challenge::{Algorithm, Challenge, Digest, next_nonce, strongest};
use crate::message::Headers;
use crate::{Credentials, Error};

/// How often one request is sent again because its nonce was stale.
const MAX_STALE: u32 = 3;

/// The login at one camera.
#[derive(Debug)]
pub(crate) struct Login {
    credentials: Option<Credentials>,
    challenge: Option<Challenge>,
    /// Requests authorised with the present nonce.
    count: u32,
    client_nonce: String,
    /// The nonce of the challenge comes from the refusal of the very request that is being sent.
    fresh: bool,
    stale: u32,
}

impl Login {
    pub(crate) fn new(credentials: Option<Credentials>) -> Self {
        Self { credentials, challenge: None, count: 0, client_nonce: client_nonce(), fresh: false, stale: 0 }
    }

    /// Another request begins.
    pub(crate) fn begin(&mut self) {
        (self.fresh, self.stale) = (false, 0);
    }

    /// The value of the `Authorization` header; none before the first challenge.
    pub(crate) fn authorization(&mut self, method: &str, uri: &str) -> Option<String> {
        let (credentials, challenge) = (self.credentials.as_ref()?, self.challenge.as_ref()?);
        match challenge {
            Challenge::Other(_) => None,
            Challenge::Basic => {
                let login = format!("{}:{}", credentials.user(), credentials.password());
                Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(login)))
            }
            Challenge::Digest(digest) => {
                self.count += 1;
                Some(authorize(digest, credentials, method, uri, self.count, &self.client_nonce))
            }
        }
    }

    /// The camera refused a request; `Ok` when sending it again may help.
    pub(crate) fn refused(&mut self, headers: &Headers) -> Result<(), Error> {
        if self.credentials.is_none() {
            return Err(Error::Unauthorized);
        }
        let challenge = strongest(headers.all("www-authenticate")).map_err(Error::Authentication)?;
        let may_help = match (&self.challenge, &challenge) {
            (None, _) => true,
            // A nonce of an earlier answer may have served its time; a new one that is refused means a wrong password.
            (Some(Challenge::Digest(_)), Challenge::Digest(new)) => !self.fresh || new.stale,
            (Some(old), new) => !self.fresh && old != new,
        };
        self.stale += 1;
        if !may_help || self.stale > MAX_STALE {
            return Err(Error::Unauthorized);
        }
        self.fresh = true;
        self.renew(challenge);
        Ok(())
    }

    /// The request that is being sent was refused, and is sent again.
    pub(crate) fn is_retrying(&self) -> bool {
        self.fresh
    }

    /// An answer may bring the nonce of the next request.
    pub(crate) fn answered(&mut self, headers: &Headers) {
        let Some(Challenge::Digest(old)) = &self.challenge else { return };
        let next = headers.all("authentication-info").find_map(next_nonce).or_else(|| {
            match strongest(headers.all("www-authenticate")) {
                Ok(Challenge::Digest(new)) if new.algorithm == old.algorithm => Some(new.nonce),
                _ => None,
            }
        });
        if let Some(nonce) = next.filter(|nonce| *nonce != old.nonce) {
            let challenge = Challenge::Digest(Digest { nonce, ..old.clone() });
            self.renew(challenge);
        }
    }

    fn renew(&mut self, challenge: Challenge) {
        self.challenge = Some(challenge);
        self.count = 0;
        self.client_nonce = client_nonce();
    }
}

fn client_nonce() -> String {
    format!("{:016x}", fastrand::u64(..))
}

/// RFC 7616, 3.4.
fn authorize(digest: &Digest, login: &Credentials, method: &str, uri: &str, count: u32, client_nonce: &str) -> String {
    let hash = |text: String| match digest.algorithm {
        Algorithm::Md5 | Algorithm::Md5Session => hex(&Md5::digest(text)),
        Algorithm::Sha256 | Algorithm::Sha256Session => hex(&Sha256::digest(text)),
    };
    let Digest { realm, nonce, .. } = digest;
    let mut secret = hash(format!("{}:{realm}:{}", login.user(), login.password()));
    if digest.algorithm.is_session() {
        secret = hash(format!("{secret}:{nonce}:{client_nonce}"));
    }
    let request = hash(format!("{method}:{uri}"));
    let response = if digest.qop {
        hash(format!("{secret}:{nonce}:{count:08x}:{client_nonce}:auth:{request}"))
    } else {
        hash(format!("{secret}:{nonce}:{request}"))
    };
    let mut header = format!(
        "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\"",
        quoted(login.user()),
        quoted(realm),
        quoted(nonce),
        quoted(uri)
    );
    if let Some(name) = &digest.algorithm_name {
        header += &format!(", algorithm={}", name.replace([',', ' ', '"'], ""));
    }
    if digest.qop {
        header += &format!(", qop=auth, nc={count:08x}");
    }
    if digest.qop || digest.algorithm.is_session() {
        header += &format!(", cnonce=\"{client_nonce}\"");
    }
    if let Some(opaque) = &digest.opaque {
        header += &format!(", opaque={}", quoted(opaque));
    }
    header
}

/// A line end would begin another header.
fn quoted(text: &str) -> String {
    let text: String = text.chars().filter(|c| !c.is_control()).collect();
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{Incoming, Reader};

    fn headers(lines: &[&str]) -> Headers {
        let mut reader = Reader::default();
        let text = format!("RTSP/1.0 401 Unauthorized\r\n{}\r\n\r\n", lines.join("\r\n"));
        reader.buffer().extend_from_slice(text.as_bytes());
        let Ok(Some(Incoming::Response(response))) = reader.next() else { panic!("no response") };
        response.headers
    }

    fn login(password: &str) -> Login {
        Login::new(Some(Credentials::new("Mufasa".into(), password.into())))
    }

    /// The examples of RFC 7616, 3.9.1, with its client nonce.
    #[test]
    fn the_examples_of_the_standard_come_out() {
        let digest = |algorithm, name: &str| Digest {
            realm: "http-auth@example.org".into(),
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v".into(),
            opaque: None,
            algorithm,
            algorithm_name: Some(name.into()),
            qop: true,
            stale: false,
        };
        let credentials = Credentials::new("Mufasa".into(), "Circle of Life".into());
        for (algorithm, name, response) in [
            (Algorithm::Md5, "MD5", "8ca523f5e9506fed4657c9700eebdbec"),
            (Algorithm::Sha256, "SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
        ] {
            let client = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
            let header = authorize(&digest(algorithm, name), &credentials, "GET", "/dir/index.html", 1, client);
            assert!(header.contains(&format!("response=\"{response}\"")), "{header}");
        }
    }

    #[test]
    fn a_wrong_password_is_tried_once_and_a_stale_nonce_is_replaced() {
        let first = headers(&["WWW-Authenticate: Digest realm=\"r\", nonce=\"1\""]);
        let second = headers(&["WWW-Authenticate: Digest realm=\"r\", nonce=\"2\""]);
        let stale = headers(&["WWW-Authenticate: Digest realm=\"r\", nonce=\"3\", stale=true"]);
        let mut login = login("wrong");
        login.begin();
        assert_eq!(login.authorization("DESCRIBE", "u"), None);
        login.refused(&first).unwrap();
        assert!(login.authorization("DESCRIBE", "u").is_some());
        assert_eq!(login.refused(&second), Err(Error::Unauthorized));
        // The nonce of an earlier answer is replaced without the flag, once.
        login.begin();
        login.refused(&second).unwrap();
        assert_eq!(login.refused(&first), Err(Error::Unauthorized));
        // A camera that calls each nonce stale is not asked for ever.
        login.begin();
        let tries = (0..10).take_while(|_| login.refused(&stale).is_ok()).count();
        assert_eq!(tries, 3);
    }

    #[test]
    fn each_answer_may_bring_a_nonce() {
        let mut login = login("p");
        login.refused(&headers(&["WWW-Authenticate: Digest realm=\"r\", nonce=\"1\", qop=\"auth\""])).unwrap();
        let sent = |login: &mut Login| login.authorization("PLAY", "u").unwrap();
        assert!(sent(&mut login).contains("nc=00000001"));
        assert!(sent(&mut login).contains("nc=00000002"));
        login.answered(&headers(&["Authentication-Info: nextnonce=\"2\""]));
        let next = sent(&mut login);
        assert!(next.contains("nonce=\"2\"") && next.contains("nc=00000001"), "{next}");
        login.answered(&headers(&["WWW-Authenticate: Digest realm=\"r\", nonce=\"3\", qop=\"auth\""]));
        assert!(sent(&mut login).contains("nonce=\"3\""));
    }

    #[test]
    fn nothing_shows_the_password() {
        let mut login = login("hunter2");
        login.refused(&headers(&["WWW-Authenticate: Basic realm=\"x\""])).unwrap();
        assert_eq!(login.authorization("PLAY", "u").as_deref(), Some("Basic TXVmYXNhOmh1bnRlcjI="));
        assert!(!format!("{login:?}").contains("hunter2"));
        assert_eq!(Login::new(None).refused(&headers(&[])), Err(Error::Unauthorized));
    }
}
