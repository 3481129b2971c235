use std::fmt;
use std::time::Duration;

use zeroize::Zeroizing;

/// How pictures travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Transport {
    /// Within the RTSP connection; in UDP where the camera refuses that.
    #[default]
    Auto,
    /// Within the RTSP connection only.
    Tcp,
    /// In UDP only.
    Udp,
}

/// User and password of a camera. It prints as `Credentials(..)`, and the memory of the password is wiped.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    user: String,
    password: Zeroizing<String>,
}

impl Credentials {
    /// From user and password.
    #[must_use]
    pub fn new(user: String, password: String) -> Self {
        Self { user, password: Zeroizing::new(password) }
    }

    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    pub(crate) fn password(&self) -> &str {
        &self.password
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// Settings of a connection.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Timeout of each request, including the connection for it; all of connecting takes three times as long at most. Default 10 s.
    pub timeout: Duration,
    /// How pictures travel.
    pub transport: Transport,
    /// The name given to the camera. Default `vedette/VERSION`.
    pub user_agent: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(10),
            transport: Transport::Auto,
            user_agent: concat!("vedette/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_do_not_print() {
        let text = format!("{:?}", Credentials::new("operator".into(), "hunter2".into()));
        assert_eq!(text, "Credentials(..)");
    }
}
