//! Addresses of the stream and its media; pure.

use url::Url;

use crate::{Error, RedirectError};

/// The port of RTSP.
pub(crate) const PORT: u16 = 554;

/// Checks an address and removes the user and password that may be in it.
pub(crate) fn usable(url: &Url) -> Result<Url, Error> {
    if url.scheme() != "rtsp" {
        return Err(Error::Address("it has to start with rtsp://"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(Error::Address("it names no host"));
    }
    let mut url = url.clone();
    url.set_fragment(None);
    let plain = url.set_username("").and_then(|()| url.set_password(None));
    plain.map_err(|()| Error::Address("it names no host"))?;
    Ok(url)
}

/// Host and port to connect to.
pub(crate) fn endpoint(url: &Url) -> (String, u16) {
    let host = url.host_str().unwrap_or_default();
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    (host.to_ascii_lowercase(), url.port().unwrap_or(PORT))
}

/// Where a redirection leads.
pub(crate) fn redirected(from: &Url, location: Option<&str>) -> Result<Url, RedirectError> {
    let location = location.map(str::trim).filter(|text| !text.is_empty()).ok_or(RedirectError::NoLocation)?;
    let url = from.join(location).map_err(|_| RedirectError::NoLocation)?;
    if url.scheme() != "rtsp" {
        return Err(RedirectError::Scheme);
    }
    usable(&url).map_err(|_| RedirectError::NoLocation)
}

/// The address that relative ones extend: the answer's `Content-Base` or `Content-Location` where it is one, else the request's.
pub(crate) fn base(request: &str, said: Option<&str>) -> String {
    let said = said.map(|text| text.trim().trim_matches(['"', '<', '>'])).filter(|text| !text.is_empty());
    match said {
        Some(said) if is_absolute(said) && !said.contains(is_unfit) => without_user(said),
        _ => request.to_owned(),
    }
}

/// The addresses at which a medium may be set up, the likeliest first. Cameras append relative ones to the base, also behind
/// a query; a few mean what RFC 2396 says.
pub(crate) fn controls(base: &str, control: Option<&str>) -> Vec<String> {
    let control: String = control.unwrap_or_default().chars().filter(|c| !is_unfit(*c)).collect();
    let control = control.as_str();
    if control.is_empty() || control == "*" {
        return vec![base.to_owned()];
    }
    if is_absolute(control) {
        return vec![without_user(control)];
    }
    let appended = match (base.ends_with('/'), control.strip_prefix('/')) {
        (true, Some(rest)) => format!("{base}{rest}"),
        (true, None) | (false, Some(_)) => format!("{base}{control}"),
        (false, None) => format!("{base}/{control}"),
    };
    let resolved = Url::parse(base).ok().and_then(|base| base.join(control).ok()).map(String::from);
    let mut all = vec![appended];
    if let Some(resolved) = resolved.filter(|resolved| is_absolute(resolved) && *resolved != all[0]) {
        // `/live/track1` of `rtsp://host/live` names its own path again.
        let repeats = Url::parse(base).is_ok_and(|base| base.path().len() > 1 && control.starts_with(base.path()));
        all.insert(usize::from(!repeats), resolved);
    }
    all
}

/// It would end the first line of a request, or its address.
fn is_unfit(c: char) -> bool {
    c.is_whitespace() || c.is_control()
}

fn is_absolute(text: &str) -> bool {
    text.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("rtsp://"))
}

/// Some cameras repeat the login within their addresses; it is not sent back in clear.
fn without_user(text: &str) -> String {
    match Url::parse(text).ok().map(|url| (url.username().is_empty() && url.password().is_none(), usable(&url))) {
        Some((false, Ok(url))) => url.into(),
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    #[test]
    fn controls_extend_the_base() {
        let first = |base: &str, control| controls(base, control).remove(0);
        assert_eq!(first("rtsp://h/live", Some("track1")), "rtsp://h/live/track1");
        assert_eq!(first("rtsp://h/live/", Some("track1")), "rtsp://h/live/track1");
        assert_eq!(first("rtsp://h/live/", Some("/track1")), "rtsp://h/live/track1");
        assert_eq!(first("rtsp://h/live", Some("/live/track1")), "rtsp://h/live/track1");
        assert_eq!(
            first("rtsp://h/cam?channel=1&subtype=0", Some("trackID=0")),
            "rtsp://h/cam?channel=1&subtype=0/trackID=0"
        );
        assert_eq!(first("rtsp://h/live", Some("RTSP://10.0.0.1/x?a=b")), "RTSP://10.0.0.1/x?a=b");
        for own in [None, Some("*"), Some(""), Some(" ")] {
            assert_eq!(controls("rtsp://h/live/", own), ["rtsp://h/live/"]);
        }
        assert_eq!(controls("rtsp://h/a/b", Some("c")), ["rtsp://h/a/b/c", "rtsp://h/a/c"]);
        assert_eq!(first("rtsp://h/live", Some("rtsp://u:p@h/x")), "rtsp://h/x");
    }

    #[test]
    fn an_odd_base_is_not_believed() {
        assert_eq!(base("rtsp://h/a", Some(" rtsp://h/a/ ")), "rtsp://h/a/");
        for odd in [None, Some(""), Some("/a/"), Some("http://h/a"), Some("rtsp://h/a b")] {
            assert_eq!(base("rtsp://h/a", odd), "rtsp://h/a");
        }
    }

    #[test]
    fn redirections_lead_to_rtsp_only() {
        let from = url("rtsp://h:8554/a/b?c=d");
        assert_eq!(redirected(&from, Some("rtsp://u:p@i/x")).unwrap().as_str(), "rtsp://i/x");
        assert_eq!(redirected(&from, Some("/x")).unwrap().as_str(), "rtsp://h:8554/x");
        assert_eq!(redirected(&from, Some("rtsps://h/x")), Err(RedirectError::Scheme));
        assert_eq!(redirected(&from, Some("http://h/x")), Err(RedirectError::Scheme));
        assert_eq!(redirected(&from, Some("rtsp://")), Err(RedirectError::NoLocation));
        assert_eq!(redirected(&from, None), Err(RedirectError::NoLocation));
    }

    #[test]
    fn endpoints_of_names_and_numbers() {
        assert_eq!(endpoint(&url("rtsp://[::1]:8554/x")), ("::1".into(), 8554));
        assert_eq!(endpoint(&url("rtsp://Camera.example/x")), ("camera.example".into(), 554));
        assert!(usable(&url("http://h/")).is_err() && usable(&url("rtsp:///x")).is_err());
    }

    proptest! {
        #[test]
        fn any_text_is_taken(a in ".{0,40}", b in ".{0,40}") {
            let _ = (base("rtsp://h/", Some(&a)), controls(&a, Some(&b)), redirected(&url("rtsp://h/"), Some(&a)));
        }
    }
}
