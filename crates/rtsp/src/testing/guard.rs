use base64::Engine;
use md5::Md5;
use sha2::{Digest, Sha256};

/// Who may see a camera's pictures, and how that is asked.
#[derive(Debug, Clone)]
pub struct Guard {
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
    /// The challenges, in their order.
    pub schemes: Vec<Scheme>,
    /// All challenges are in one header.
    pub one_header: bool,
    /// Each nonce is good for one request, and an old one is called stale.
    pub one_time: bool,
    /// Each answer names the nonce of the next request, which is the only good one.
    pub next_nonce: bool,
    /// The connection is closed behind each refusal.
    pub closes: bool,
}

impl Guard {
    /// A guard with the user `operator`.
    #[must_use]
    pub fn new(password: &str, schemes: &[Scheme]) -> Self {
        Self {
            user: "operator".to_owned(),
            password: password.to_owned(),
            schemes: schemes.to_vec(),
            one_header: false,
            one_time: false,
            next_nonce: false,
            closes: false,
        }
    }
}

/// A challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// `Basic`.
    Basic,
    /// `Digest` with MD5 and without algorithm, `qop` or anything else.
    Old,
    /// `Digest` with MD5 and `qop="auth"`.
    Md5,
    /// With MD5-sess and `qop="auth,auth-int"`.
    Md5Session,
    /// With SHA-256 and `qop="auth"`.
    Sha256,
    /// With SHA-256-sess and `qop="auth"`.
    Sha256Session,
    /// A scheme that nobody knows, with odd parameters.
    Unknown,
}

const REALM: &str = r#"IP "Camera", a\b"#;

impl Guard {
    /// The header lines that ask for a login.
    pub(super) fn challenges(&self, nonce: &str, stale: bool) -> Vec<String> {
        let realm = REALM.replace('\\', "\\\\").replace('"', "\\\"");
        let digest = |rest: &str| format!("Digest realm=\"{realm}\", nonce=\"{nonce}\", stale={stale}{rest}");
        let all: Vec<String> = self
            .schemes
            .iter()
            .map(|scheme| match scheme {
                Scheme::Basic => format!("Basic realm=\"{realm}\""),
                Scheme::Old => format!("Digest realm=\"{realm}\",nonce=\"{nonce}\", "),
                Scheme::Md5 => digest(", algorithm=MD5, qop=\"auth\""),
                Scheme::Md5Session => digest(", algorithm=MD5-sess, qop=\"auth,auth-int\", opaque=\"o\""),
                Scheme::Sha256 => digest(", algorithm=SHA-256, qop=\"auth\""),
                Scheme::Sha256Session => digest(", algorithm=\"SHA-256-sess\", qop=\"auth\""),
                Scheme::Unknown => "Future key=\"a, b\", other".to_owned(),
            })
            .collect();
        if self.one_header { vec![all.join(", ")] } else { all }
    }

    /// Whether a request may pass.
    pub(super) fn admits(&self, method: &str, header: &str, nonce: &str) -> bool {
        if let Some(login) = header.strip_prefix("Basic ") {
            let expected = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", self.user, self.password));
            return self.schemes.contains(&Scheme::Basic) && login == expected;
        }
        let get = |name: &str| parameter(header, name).unwrap_or_default();
        let sha = get("algorithm").starts_with("SHA-256")
            || (!self.schemes.contains(&Scheme::Old) && get("algorithm").is_empty());
        let hash = |text: String| -> String {
            let bytes: Vec<u8> = if sha { Sha256::digest(text).to_vec() } else { Md5::digest(text).to_vec() };
            bytes.iter().map(|byte| format!("{byte:02x}")).collect()
        };
        let mut secret = hash(format!("{}:{REALM}:{}", self.user, self.password));
        if get("algorithm").ends_with("-sess") {
            secret = hash(format!("{secret}:{nonce}:{}", get("cnonce")));
        }
        let request = hash(format!("{method}:{}", get("uri")));
        let expected = match get("qop").as_str() {
            "" => hash(format!("{secret}:{nonce}:{request}")),
            qop => hash(format!("{secret}:{nonce}:{}:{}:{qop}:{request}", get("nc"), get("cnonce"))),
        };
        get("username") == self.user && get("realm") == REALM && get("nonce") == nonce && get("response") == expected
    }
}

/// A parameter of an `Authorization` header.
fn parameter(header: &str, name: &str) -> Option<String> {
    let mut rest = header.strip_prefix("Digest ")?;
    loop {
        let (key, after) = rest.split_once('=')?;
        let mut value = String::new();
        let mut length = after.len();
        let (mut quoted, mut escaped) = (false, false);
        for (at, c) in after.char_indices() {
            match c {
                _ if escaped => {
                    escaped = false;
                    value.push(c);
                }
                '\\' if quoted => escaped = true,
                '"' => quoted = !quoted,
                ',' if !quoted => {
                    length = at;
                    break;
                }
                c => value.push(c),
            }
        }
        if key.trim() == name {
            return Some(value);
        }
        rest = after.get(length + 1..)?;
    }
}
