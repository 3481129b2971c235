//! Parts of a file that is held in memory (RFC 9110, section 14).

use std::ops::Range;

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;

use crate::api_rule::ApiRule;
use crate::problem::{Problem, ProblemKind};

/// The part of a file of `length` bytes that a request asks for; none when it asks for all of it. A `Range` that is malformed, of another
/// unit or of several parts is ignored, as is one that is only valid for a certain version of the file: it has none.
pub(super) fn part(headers: &HeaderMap, length: usize) -> Result<Option<Range<usize>>, Problem> {
    let asked = headers.get(header::RANGE).filter(|_| !headers.contains_key(header::IF_RANGE));
    let Some((first, last)) = asked.and_then(|range| parse(range.to_str().ok()?)) else { return Ok(None) };
    let range = match (first, last) {
        (Some(first), last) => first..last.map_or(length, |last| last.saturating_add(1)).min(length),
        (None, last) => length.saturating_sub(last.unwrap_or(0))..length,
    };
    match range.is_empty() {
        true => Err(Problem::new(ProblemKind::RANGE, ApiRule::ByteRange { bytes: length })),
        false => Ok(Some(range)),
    }
}

/// The first and last byte of `bytes=FIRST-LAST`, `bytes=FIRST-` or, with the number of last bytes, `bytes=-COUNT`.
fn parse(range: &str) -> Option<(Option<usize>, Option<usize>)> {
    let (first, last) = range.strip_prefix("bytes=")?.trim().split_once('-')?;
    let number = |text: &str| match text {
        "" => Some(None),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => digits.parse().ok().map(Some),
        _ => None,
    };
    let (first, last) = (number(first)?, number(last)?);
    let is_valid = match (first, last) {
        (None, None) => false,
        (Some(first), Some(last)) => first <= last,
        _ => true,
    };
    is_valid.then_some((first, last))
}

/// The file, or a part of it. It is not cached: every access must be recorded.
pub(super) fn answer(content_type: &'static str, file: Bytes, part: Option<Range<usize>>) -> Response {
    let length = file.len();
    let headers =
        [(header::CONTENT_TYPE, content_type), (header::CACHE_CONTROL, "no-store"), (header::ACCEPT_RANGES, "bytes")];
    let Some(part) = part else { return (headers, file).into_response() };
    let place = format!("bytes {}-{}/{length}", part.start, part.end - 1);
    let mut response = (StatusCode::PARTIAL_CONTENT, headers, file.slice(part)).into_response();
    if let Ok(place) = HeaderValue::try_from(place) {
        response.headers_mut().insert(header::CONTENT_RANGE, place);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(range: &str) -> Result<Option<Range<usize>>, Problem> {
        part(&HeaderMap::from_iter([(header::RANGE, HeaderValue::from_str(range).unwrap())]), 100)
    }

    #[test]
    fn parts_are_cut_from_the_file() {
        for (range, expected) in [
            ("bytes=0-", 0..100),
            ("bytes=10-19", 10..20),
            ("bytes=90-500", 90..100),
            ("bytes=-7", 93..100),
            ("bytes=-700", 0..100),
        ] {
            assert_eq!(asked(range).unwrap(), Some(expected), "{range}");
        }
    }

    #[test]
    fn what_is_no_single_range_of_bytes_means_the_whole_file() {
        for range in [
            "bytes=",
            "bytes=-",
            "bytes=5-2",
            "bytes=a-b",
            "bytes=+1-2",
            "bytes=0-1,5-6",
            "lines=0-1",
            "0-1",
            "bytes=99999999999999999999-",
        ] {
            assert_eq!(asked(range).unwrap(), None, "{range}");
        }
        let headers = [(header::RANGE, "bytes=0-1"), (header::IF_RANGE, "\"tag\"")];
        let headers = HeaderMap::from_iter(headers.map(|(name, value)| (name, HeaderValue::from_static(value))));
        assert_eq!(part(&headers, 100).unwrap(), None);
    }

    #[test]
    fn a_range_outside_the_file_is_refused() {
        for range in ["bytes=100-", "bytes=100-200", "bytes=-0"] {
            assert_eq!(
                asked(range).unwrap_err().into_response().status(),
                StatusCode::RANGE_NOT_SATISFIABLE,
                "{range}"
            );
        }
    }
}
