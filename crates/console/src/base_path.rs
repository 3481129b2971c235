use std::fmt;
use std::str::FromStr;

use axum::http::Uri;
use axum::http::uri::PathAndQuery;

const LONGEST: usize = 200;

/// The path under which a proxy publishes the console: empty for the root, otherwise `/vedette`, without a final slash.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BasePath(String);

/// Why a text is no base path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not empty and not a path as in /vedette: letters, digits, `-`, `_`, `.` and `~` between slashes")]
pub struct NotABasePath;

impl FromStr for BasePath {
    type Err = NotABasePath;

    /// A final slash is dropped.
    fn from_str(text: &str) -> Result<Self, NotABasePath> {
        let path = text.strip_suffix('/').unwrap_or(text);
        let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
        let segment = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(known);
        let good = path.strip_prefix('/').is_some_and(|path| path.split('/').all(segment));
        let fits = path.is_empty() || (good && path.len() <= LONGEST);
        if fits { Ok(Self(path.to_owned())) } else { Err(NotABasePath) }
    }
}

impl fmt::Display for BasePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A request's target, seen from the base path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A path of the console.
    Inside(Uri),
    /// The base path without its slash, from which relative addresses of the page would lead elsewhere.
    NoSlash,
}

/// Marks a request for [`Target::NoSlash`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct NoSlash;

impl BasePath {
    /// The root of the server.
    pub const ROOT: Self = Self(String::new());

    /// An absolute path of the console, as clients see it.
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// Takes the base path off a target. A target without it stays: a proxy may have stripped it.
    pub(crate) fn strip(&self, target: Uri) -> Target {
        let Some(rest) = target.path().strip_prefix(self.0.as_str()).filter(|_| !self.0.is_empty()) else {
            return Target::Inside(target);
        };
        if rest.is_empty() {
            return Target::NoSlash;
        }
        if !rest.starts_with('/') {
            return Target::Inside(target);
        }
        let rest = match target.query() {
            Some(query) => format!("{rest}?{query}"),
            None => rest.to_owned(),
        };
        let mut parts = target.clone().into_parts();
        parts.path_and_query = PathAndQuery::try_from(rest).ok();
        Target::Inside(Uri::from_parts(parts).unwrap_or(target))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_path_is_plain_segments() {
        for (text, path) in [("", ""), ("/", ""), ("/vedette", "/vedette"), ("/a/b-1/", "/a/b-1"), ("/~ops", "/~ops")] {
            assert_eq!(text.parse::<BasePath>().unwrap().to_string(), path);
        }
        for text in
            ["vedette", "//", "//evil.example", "/a//b", "/a/../b", "/.", "/a?b", "/a#b", "/a b", "/%61", "/\"", "/ä"]
        {
            assert_eq!(text.parse::<BasePath>(), Err(NotABasePath), "{text}");
        }
        assert!(format!("/{}", "a".repeat(300)).parse::<BasePath>().is_err());
    }

    #[test]
    fn the_base_path_is_taken_off_once_or_was_stripped_before() {
        let base: BasePath = "/vedette".parse().unwrap();
        for (target, inside) in [
            ("/vedette/", "/"),
            ("/vedette/api/v1/alerts?limit=1", "/api/v1/alerts?limit=1"),
            ("/vedette/vedette/", "/vedette/"),
            ("/vedette//x", "//x"),
            ("/api/v1/alerts?limit=1", "/api/v1/alerts?limit=1"),
            ("/vedettes/", "/vedettes/"),
            ("/", "/"),
            ("http://localhost/vedette/?a", "http://localhost/?a"),
        ] {
            assert_eq!(base.strip(target.parse().unwrap()), Target::Inside(inside.parse().unwrap()), "{target}");
        }
        for target in ["/vedette", "/vedette?a=1"] {
            assert_eq!(base.strip(target.parse().unwrap()), Target::NoSlash);
        }
        let root = BasePath::ROOT;
        assert_eq!(root.strip("/vedette".parse().unwrap()), Target::Inside("/vedette".parse().unwrap()));
    }
}
