use std::fmt;

use url::Url;

/// The port of `rtsp://` without one.
const RTSP_PORT: u16 = 554;

/// Host and port of a camera's address. A password is sealed for one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// That of an address, in which no password has been put in yet; none if it has no host.
    #[must_use]
    pub fn of(address: &str) -> Option<Self> {
        let url = Url::parse(address).ok().filter(|url| url.scheme() == "rtsp")?;
        let host = url.host_str().filter(|host| !host.is_empty())?;
        Some(Self(format!("{}:{}", host.to_ascii_lowercase(), url.port().unwrap_or(RTSP_PORT))))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_host_and_port_whatever_the_path() {
        let of = |address| Endpoint::of(address).map(|endpoint| endpoint.to_string());
        for address in ["rtsp://Cam.Example/live", "rtsp://cam.example:554/other?x=1", "rtsp://user@cam.example"] {
            assert_eq!(of(address).as_deref(), Some("cam.example:554"), "{address}");
        }
        assert_eq!(of("rtsp://[2001:DB8::1]:8554/live").as_deref(), Some("[2001:db8::1]:8554"));
        assert_ne!(of("rtsp://cam.example:8554/live"), of("rtsp://cam.example/live"));
        for address in ["", "live", "rtsp:///live", "http://cam.example/", "rtsp://[/"] {
            assert_eq!(of(address), None, "{address}");
        }
    }
}
