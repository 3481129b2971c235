//! Finds what may be a secret in values that people wrote, so that no message repeats it: `check` is run where others watch, and its
//! output is pasted into tickets.

use std::borrow::Cow;

use vedette_stages::registry::PASSWORD_PLACEHOLDER;

/// In place of a secret.
pub(crate) const HIDDEN: &str = "***";

/// Parts of the names of parameters that hold secrets.
const PARTS: [&str; 10] =
    ["pass", "pwd", "psw", "token", "secret", "auth", "credential", "signature", "apikey", "accesskey"];
/// Whole names of such parameters.
const NAMES: [&str; 4] = ["key", "sig", "pw", "pin"];
/// Last names of the paths of settings that may hold an address or a secret.
const SETTINGS: [&str; 7] = ["url", "password", "secret", "token", "credential", "login", "sealed"];

fn is_secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    PARTS.iter().any(|part| name.contains(part)) || NAMES.contains(&name.as_str())
}

/// The address with the values of secret parameters in its path, query and fragment hidden, as in `/user=admin&password=***`; none
/// when there are none. The placeholder is no secret.
pub(crate) fn without_parameters(address: &str) -> Option<String> {
    let authority = address.find("://").map_or(0, |at| at + 3);
    let mut at = authority + address[authority..].find(['/', '?', '#', ';']).unwrap_or(address.len() - authority);
    if authority == 0 {
        at = 0;
    }
    let mut shown = address[..at].to_owned();
    let mut found = false;
    while let Some(equals) = address[at..].find('=').map(|equals| at + equals) {
        let (name, value) = (&address[at..equals], &address[equals + 1..]);
        let name = name.rsplit(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap_or_default();
        shown.push_str(&address[at..=equals]);
        at = equals + 1;
        let end = value.find(['&', ';', '/', '?', '#']).unwrap_or(value.len());
        if is_secret_name(name) && end > 0 && &value[..end] != PASSWORD_PLACEHOLDER {
            found = true;
            shown.push_str(HIDDEN);
            at += end;
        }
    }
    shown.push_str(&address[at..]);
    found.then_some(shown)
}

/// Whether a text may hold a secret: `user:password@`, in an address or by itself, or a parameter such as `token=`.
pub(crate) fn is_suspicious(text: &str) -> bool {
    let holds_login = text.rfind('@').is_some_and(|at| text[..at].contains(':'));
    holds_login || without_parameters(text).is_some()
}

/// Whether the setting at `path` may hold an address or a secret, whatever its value looks like.
pub(crate) fn is_secret_setting(path: &str) -> bool {
    let last = path.rsplit(['.', ']']).next().unwrap_or_default().to_ascii_lowercase();
    SETTINGS.contains(&last.as_str())
        || path.contains("kafka.properties.")
        || (is_secret_name(&last) && !last.ends_with("_env"))
}

/// A message without the texts in quotes or backticks that it repeats, when one of them may be a secret.
pub(crate) fn scrubbed(message: &str, hide: bool) -> Cow<'_, str> {
    if !hide && !is_suspicious(message) {
        return message.into();
    }
    for (open, close) in [('"', "\""), ('`', "`")] {
        if let Some(from) = message.find(open)
            && let Some(to) = message.rfind(close).filter(|to| *to > from)
        {
            // A list of what is expected follows the value.
            let end = message.find(&format!("{close}, expected")).unwrap_or(to);
            return format!("{}{open}{HIDDEN}{}", &message[..from], &message[end..]).into();
        }
    }
    if is_suspicious(message) { "the value cannot be used".into() } else { message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_path_and_query_are_hidden() {
        for (address, shown) in [
            ("rtsp://h/user=admin&password=GEHEIM&channel=1", "rtsp://h/user=admin&password=***&channel=1"),
            ("rtsp://h/user=admin_password=GEHEIM_channel=1_stream=0.sdp", "rtsp://h/user=admin_password=***"),
            ("rtsp://h/live?token=GEHEIM", "rtsp://h/live?token=***"),
            ("rtsp://h/live?Access_Token=GEHEIM#x", "rtsp://h/live?Access_Token=***#x"),
            ("rtsp://h?pwd=GEHEIM;a=b", "rtsp://h?pwd=***;a=b"),
            ("rtsp://h/live#secret=GEHEIM", "rtsp://h/live#secret=***"),
            ("rtsp://h/a?x=1&userPassword=GEHEIM", "rtsp://h/a?x=1&userPassword=***"),
            ("h/live?key=GEHEIM", "h/live?key=***"),
        ] {
            assert_eq!(without_parameters(address).as_deref(), Some(shown));
        }
        for harmless in [
            "rtsp://h/live",
            "rtsp://h/live?channel=1&subtype=0",
            "rtsp://h/user=admin&password={password}&channel=1",
            "rtsp://h/live?token=",
            "rtsp://h",
            "",
        ] {
            assert_eq!(without_parameters(harmless), None, "{harmless}");
        }
    }

    #[test]
    fn logins_are_suspicious_wherever_they_are() {
        for text in ["rtsp://u:p@h/s", "u:p@h", "rtsp://u:p#/?@h", "string \"Postgresql://u:p w@h/db\"", "a?token=x"] {
            assert!(is_suspicious(text), "{text}");
        }
        for text in
            ["rtsp://h/live", "postgresql://vedette@db/alerts".trim_start_matches("postgresql:"), "data/a", "5m"]
        {
            assert!(!is_suspicious(text), "{text}");
        }
    }

    #[test]
    fn messages_keep_their_sense() {
        assert_eq!(
            scrubbed("invalid type: string \"rtsp://u:GEHEIM@h\", expected a map", false),
            "invalid type: string \"***\", expected a map"
        );
        assert_eq!(
            scrubbed("unknown variant `u:GEHEIM@h`, expected `file` or `rtsp`", false),
            "unknown variant `***`, expected `file` or `rtsp`"
        );
        assert_eq!(
            scrubbed("invalid type: string \"a\", expected u32", false),
            "invalid type: string \"a\", expected u32"
        );
        assert!(!scrubbed("u:GEHEIM@h is not it", false).contains("GEHEIM"));
        assert!(
            is_secret_setting("camera[0] (gate).source.url") && is_secret_setting("bus.kafka.properties.sasl.password")
        );
        assert!(!is_secret_setting("ingest.credentials.a.password_env") && !is_secret_setting("bus.keep_video"));
    }
}
