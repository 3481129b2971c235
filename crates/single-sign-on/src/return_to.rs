use std::fmt;

use url::Url;

/// Most bytes.
const LONGEST: usize = 1024;

/// Where a person goes on after a login: a path of this console, which begins with one slash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReturnTo(String);

impl ReturnTo {
    /// The page.
    #[must_use]
    pub fn page() -> Self {
        Self("/".into())
    }

    /// A path from outside; none when a browser could leave this console by it.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let is_plain = |c: char| c.is_ascii_graphic() && c != '\\';
        let path = text.split(['?', '#']).next().unwrap_or_default();
        let is_path =
            text.len() <= LONGEST && path.starts_with('/') && !path.contains("//") && text.chars().all(is_plain);
        // What it means is asked of the reader of addresses that browsers have.
        let page = Url::parse("https://console.invalid/").ok()?;
        let stays = |url: Url| url.origin() == page.origin() && !url.path().starts_with("//");
        (is_path && page.join(text).is_ok_and(stays)).then(|| Self(text.to_owned()))
    }

    /// The path.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ReturnTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_console_are_returned_to() {
        for text in [
            "/",
            "/#alert=80000000",
            "/?a=1&b=2",
            "/a/b",
            "/?next=//evil.example",
            "/#//evil.example",
            "/a/../b",
            "/%2f%2fevil",
        ] {
            assert_eq!(ReturnTo::read(text).unwrap().as_str(), text);
        }
        for text in [
            "",
            "a",
            "//evil.example",
            "///evil.example",
            "/\\evil.example",
            "\\\\evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "\t//evil.example",
            " /",
            "/ ",
            "/a//evil.example",
            "/..//evil.example",
            "/.//evil.example",
            "https://evil.example",
            "https:/evil.example",
            "javascript:alert(1)",
            "data:text/html,a",
            "/\u{0}",
            "/\r\nSet-Cookie: a=b",
            "/é",
            "/\u{2028}",
            "@evil.example",
            ":80",
            "?a",
            "#a",
        ] {
            assert_eq!(ReturnTo::read(text), None, "{text:?}");
        }
        assert_eq!(ReturnTo::read(&format!("/{}", "a".repeat(LONGEST))), None);
    }
}
