//! The features of a GeoJSON file, one by one, so that a city's file need not fit into memory.
//!
//! A feature that is not well formed is lost alone: reading resumes where the next one begins.

use std::io::Read;
use std::ops::Range;

use memchr::{memchr, memmem};
use serde::de::IgnoredAny;

use super::encoding::Text;
use super::records::LONGEST_RECORD;

/// Bytes already taken before they are dropped from the buffer.
const DROPPED: usize = 1 << 20;
/// Bytes within which a feature's first key and its type are looked for.
const HEAD: usize = 256;

/// What comes next in a file.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// One feature, well formed as JSON.
    Feature(&'a [u8]),
    /// Features that cannot be read, with the reason.
    Lost {
        /// Their number.
        features: u64,
        why: String,
    },
}

/// How features follow each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Start,
    /// In the list of a collection.
    List,
    /// One after the other (newline-delimited GeoJSON, RFC 8142).
    Sequence,
    Ended,
}

/// Why a value cannot be read.
enum Broken {
    Syntax(String),
    /// The file ends in it.
    Cut,
    Source(String),
}

pub(super) struct Features<R> {
    text: Text<R>,
    buffer: Vec<u8>,
    at: usize,
    mode: Mode,
    is_collection: bool,
    /// The first key of the features.
    first_key: Option<Vec<u8>>,
}

impl<R: Read> Features<R> {
    pub(super) fn new(text: Text<R>) -> Self {
        Self { text, buffer: Vec::new(), at: 0, mode: Mode::Start, is_collection: false, first_key: None }
    }

    /// The encoding if it is not UTF-8.
    pub(super) fn foreign(&self) -> Option<&'static str> {
        self.text.foreign()
    }

    /// The next piece; none at the end.
    ///
    /// # Errors
    /// Why the file cannot be read to its end.
    pub(super) fn next(&mut self) -> Result<Option<Piece<'_>>, String> {
        if self.mode == Mode::Start {
            self.mode = self.begin()?;
        }
        loop {
            if self.at >= DROPPED {
                self.buffer.drain(..self.at);
                self.at = 0;
            }
            let next = match self.mode {
                Mode::Ended | Mode::Start => return Ok(None),
                Mode::List | Mode::Sequence => self.peek()?,
            };
            match (next, self.mode) {
                (Some(b','), _) => self.at += 1,
                (Some(b']'), Mode::List) => {
                    self.at += 1;
                    self.mode = Mode::Ended;
                    self.finish_collection()?;
                }
                (None, Mode::List) => return Err("it is truncated: the list of features does not end".to_owned()),
                (None, _) => self.mode = Mode::Ended,
                (Some(b'{'), _) => match self.value() {
                    Ok(range) => {
                        self.at = range.end;
                        if self.first_key.is_none() {
                            self.first_key = first_key(&self.buffer[range.clone()]).map(<[u8]>::to_vec);
                        }
                        return Ok(Some(Piece::Feature(&self.buffer[range])));
                    }
                    Err(Broken::Syntax(why)) => {
                        let features = self.resume()?.max(1);
                        return Ok(Some(Piece::Lost { features, why }));
                    }
                    Err(Broken::Cut) => return Err("it is truncated: its last feature does not end".to_owned()),
                    Err(Broken::Source(why)) => return Err(why),
                },
                (Some(_), _) => {
                    let features = self.resume()?;
                    if features > 0 {
                        let why = "there is other text between the features".to_owned();
                        return Ok(Some(Piece::Lost { features, why }));
                    }
                }
            }
        }
    }

    /// Reads to the first feature.
    fn begin(&mut self) -> Result<Mode, String> {
        const NOT_ONE: &str = "it is not a FeatureCollection";
        if self.peek()? != Some(b'{') {
            return Err(NOT_ONE.to_owned());
        }
        let start = self.at;
        self.at += 1;
        loop {
            let Some(key) = self.key()? else { return Err(NOT_ONE.to_owned()) };
            match key.as_str() {
                "features" if self.peek()? == Some(b'[') => {
                    self.at += 1;
                    return Ok(Mode::List);
                }
                "geometry" | "properties" => {
                    self.at = start;
                    return Ok(Mode::Sequence);
                }
                "type" => match self.text_value()?.as_deref() {
                    Some("FeatureCollection") => self.is_collection = true,
                    Some("Feature") => {
                        self.at = start;
                        return Ok(Mode::Sequence);
                    }
                    _ => return Err(NOT_ONE.to_owned()),
                },
                _ => self.skip_value()?,
            }
        }
    }

    /// Reads what follows the list of features.
    fn finish_collection(&mut self) -> Result<(), String> {
        while let Some(key) = self.key()? {
            match key.as_str() {
                "type" => self.is_collection = self.text_value()?.as_deref() == Some("FeatureCollection"),
                "features" => return Err("it has two lists of features".to_owned()),
                _ => self.skip_value()?,
            }
        }
        if self.peek()?.is_some() {
            return Err("there is more text after its end".to_owned());
        }
        if self.is_collection { Ok(()) } else { Err("it is not a FeatureCollection".to_owned()) }
    }

    /// The next key of the object, with its colon taken; none at the object's end.
    fn key(&mut self) -> Result<Option<String>, String> {
        loop {
            match self.peek()? {
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(None);
                }
                Some(b'"') => break,
                Some(_) => return Err("its outer object is not well formed".to_owned()),
                None => return Err("it is truncated: its outer object does not end".to_owned()),
            }
        }
        let key = self.text_value()?.unwrap_or_default();
        if self.peek()? != Some(b':') {
            return Err(format!("the key `{key}` has no value"));
        }
        self.at += 1;
        Ok(Some(key))
    }

    fn skip_value(&mut self) -> Result<(), String> {
        self.text_value().map(drop)
    }

    /// Takes a value; its text where it is one.
    fn text_value(&mut self) -> Result<Option<String>, String> {
        self.peek()?;
        let range = self.value().map_err(|broken| match broken {
            Broken::Syntax(why) | Broken::Source(why) => why,
            Broken::Cut => "it is truncated".to_owned(),
        })?;
        self.at = range.end;
        Ok(serde_json::from_slice(&self.buffer[range]).ok())
    }

    /// The next byte that is no white space; none at the end.
    fn peek(&mut self) -> Result<Option<u8>, String> {
        loop {
            // 0x1e separates the features of RFC 8142.
            let blank = |byte: &u8| byte.is_ascii_whitespace() || *byte == 0x1e;
            match self.buffer[self.at..].iter().position(|byte| !blank(byte)) {
                Some(found) => {
                    self.at += found;
                    return Ok(Some(self.buffer[self.at]));
                }
                None => {
                    self.at = self.buffer.len();
                    if !self.fill().map_err(|error| error.to_string())? {
                        return Ok(None);
                    }
                }
            }
        }
    }

    fn fill(&mut self) -> std::io::Result<bool> {
        self.text.fill(&mut self.buffer)
    }

    /// Where the value that begins here lies.
    fn value(&mut self) -> Result<Range<usize>, Broken> {
        loop {
            let rest = &self.buffer[self.at..];
            let mut values = serde_json::Deserializer::from_slice(rest).into_iter::<IgnoredAny>();
            let (result, length) = (values.next(), values.byte_offset());
            let size = rest.len();
            let unfinished = match result {
                // A number at the end of the buffer may go on.
                Some(Ok(_)) => length == size && !matches!(rest.last(), Some(b'}' | b']' | b'"')),
                Some(Err(error)) if !error.is_eof() => return Err(Broken::Syntax(without_position(&error))),
                Some(Err(_)) | None => true,
            };
            if !unfinished {
                return Ok(self.at..self.at + length);
            }
            if size > LONGEST_RECORD {
                return Err(Broken::Syntax("a feature has 16 MiB at most".to_owned()));
            }
            // Twice as much each time, since the value is read from its beginning again.
            let mut more = false;
            while self.buffer.len() - self.at < 2 * size.max(1)
                && self.fill().map_err(|error| Broken::Source(error.to_string()))?
            {
                more = true;
            }
            if !more {
                return match result {
                    Some(Ok(_)) => Ok(self.at..self.at + length),
                    _ => Err(Broken::Cut),
                };
            }
        }
    }

    /// Moves to the next feature after the broken one here, or to the end; returns the number of geometries that are passed.
    fn resume(&mut self) -> Result<u64, String> {
        self.at += 1;
        let mut passed = 0_u64;
        loop {
            let mut from = self.at;
            while let Some(found) = memchr(b'{', &self.buffer[from..]) {
                let start = from + found;
                if self.buffer.len() - start < HEAD && self.fill().map_err(|error| error.to_string())? {
                    continue;
                }
                if self.is_feature(&self.buffer[start..]) {
                    passed += geometries(&self.buffer[self.at..start]);
                    self.at = start;
                    return Ok(passed);
                }
                from = start + 1;
            }
            passed += geometries(&self.buffer[self.at..]);
            self.buffer.clear();
            self.at = 0;
            if !self.fill().map_err(|error| error.to_string())? {
                self.mode = Mode::Ended;
                return Ok(passed);
            }
        }
    }

    /// Whether a feature begins here.
    fn is_feature(&self, text: &[u8]) -> bool {
        let text = &text[..text.len().min(HEAD)];
        match (first_key(text), self.first_key.as_deref()) {
            (Some(b"type"), _) => {
                let after = memchr(b':', text).map_or(&[][..], |colon| &text[colon + 1..]);
                after.trim_ascii_start().starts_with(b"\"Feature\"")
            }
            (Some(key), Some(usual)) => key == usual,
            (Some(key), None) => matches!(key, b"geometry" | b"properties"),
            (None, _) => false,
        }
    }
}

fn geometries(text: &[u8]) -> u64 {
    memmem::find_iter(text, b"\"geometry\"").count() as u64
}

/// The first key of an object.
fn first_key(object: &[u8]) -> Option<&[u8]> {
    let key = object.strip_prefix(b"{")?.trim_ascii_start().strip_prefix(b"\"")?;
    Some(&key[..memchr(b'"', key)?])
}

/// The message of a parser without its position, which counts from the value's beginning.
pub(super) fn without_position(error: &serde_json::Error) -> String {
    let message = error.to_string();
    message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message).to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::encoding::TextEncoding;
    use super::*;

    /// The features, and how many were lost.
    fn all(text: &[u8]) -> Result<(Vec<String>, u64), String> {
        let mut features = Features::new(Text::new(text, TextEncoding::Utf8));
        let (mut found, mut lost) = (Vec::new(), 0);
        while let Some(piece) = features.next()? {
            match piece {
                Piece::Feature(bytes) => found.push(String::from_utf8_lossy(bytes).into_owned()),
                Piece::Lost { features, .. } => lost += features,
            }
        }
        Ok((found, lost))
    }

    fn feature(number: usize) -> String {
        format!(
            r#"{{"type":"Feature","properties":{{"code":"{number}","x":{{"y":[1]}}}},"geometry":{{"type":"Point","coordinates":[1,2]}}}}"#
        )
    }

    fn collection(features: &[String], separator: &str) -> String {
        format!(
            r#"{{"name":"a","type":"FeatureCollection","crs":{{"a":[1]}},"features":[{}],"bbox":[1,2,3,4]}}"#,
            features.join(separator)
        )
    }

    #[test]
    fn collections_and_sequences_give_their_features() {
        let features: Vec<String> = (0..3).map(feature).collect();
        let wanted = Ok((features.clone(), 0));
        for text in [
            collection(&features, ","),
            collection(&features, " ,\r\n\t"),
            features.join("\n"),
            features.join("\r\n") + "\r\n",
            features.iter().map(|feature| format!("\u{1e}{feature}\n")).collect(),
        ] {
            assert_eq!(all(text.as_bytes()), wanted, "{text}");
        }
        assert_eq!(all(collection(&[], ",").as_bytes()), Ok((Vec::new(), 0)));
        let late = format!(r#"{{"features":[{}],"type":"FeatureCollection"}}"#, features.join(","));
        assert_eq!(all(late.as_bytes()), wanted);
    }

    #[test]
    fn a_broken_feature_is_lost_alone() {
        let breaks: [(&str, &str); 5] = [
            (r#""code":"7""#, r#""code":"7"""#),
            (r#""code":"7""#, r#""code":""7""#),
            (r#""code":"7""#, r#""code":"7"#),
            ("[1,2]", "[1,2"),
            ("\"coordinates\"", "coordinates"),
        ];
        for separator in [",", "\n", ",\n"] {
            for (right, wrong) in breaks {
                let features: Vec<String> = (0..50)
                    .map(|number| if number == 7 { feature(7).replacen(right, wrong, 1) } else { feature(number) })
                    .collect();
                let text = if separator == "\n" { features.join(separator) } else { collection(&features, separator) };
                let (found, lost) = all(text.as_bytes()).unwrap();
                assert_eq!((found.len(), lost), (49, 1), "{wrong:?} {separator:?}");
            }
        }
        let sorted = |number: usize| {
            format!(
                r#"{{"geometry":{{"type":"Point","coordinates":[1,2]}},"properties":{{"code":"{number}"}},"type":"Feature"}}"#
            )
        };
        let features: Vec<String> =
            (0..50).map(|number| if number == 7 { sorted(7).replace("[1", "[[1") } else { sorted(number) }).collect();
        let (found, lost) = all(collection(&features, ",").as_bytes()).unwrap();
        assert_eq!((found.len(), lost), (49, 1));
    }

    #[test]
    fn deep_nesting_is_one_feature() {
        let deep = format!(r#"{{"type":"Feature","geometry":{}{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
        let (found, lost) = all(collection(&[feature(1), deep.clone(), feature(2)], ",").as_bytes()).unwrap();
        assert_eq!((found.len(), lost), (3, 0));
        assert_eq!(found[1], deep);
        // A feature as long as the buffer is read at a time goes on in the next piece.
        let long = format!(r#"{{"type":"Feature","properties":{{"x":"{}"}}}}"#, "x".repeat(3 << 20));
        assert_eq!(all(collection(&[long.clone(), feature(1)], ",").as_bytes()).unwrap().0, [long, feature(1)]);
    }

    #[test]
    fn other_files_and_cut_ones_are_refused() {
        for (text, why) in [
            ("[]".to_owned(), "not a FeatureCollection"),
            ("{}".to_owned(), "not a FeatureCollection"),
            (r#"{"type":"Topology","objects":{}}"#.to_owned(), "not a FeatureCollection"),
            (r#"{"features":[]}"#.to_owned(), "not a FeatureCollection"),
            (collection(&[feature(1)], ",").split_at(120).0.to_owned(), "truncated"),
            (r#"{"type":"FeatureCollection","features":["#.to_owned() + &feature(1), "truncated"),
            (collection(&[], ",").repeat(2), "more text"),
        ] {
            let said = all(text.as_bytes()).unwrap_err();
            assert!(said.contains(why), "{text}: {said}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(proptest::sample::select(b"{}[]\",:1ft \n\x1e\xff".as_slice()), 0..100)) {
            let _ = all(&bytes);
            let _ = all(&[br#"{"type":"FeatureCollection","features":["#, bytes.as_slice()].concat());
        }

        #[test]
        fn one_altered_byte_loses_few_features(at in proptest::prelude::any::<proptest::sample::Index>(), value in 0x20_u8..0x7f) {
            let text = (0..30).map(feature).collect::<Vec<_>>().join("\n");
            let mut bytes = text.into_bytes();
            let at = at.index(bytes.len());
            bytes[at] = value;
            if let Ok((found, lost)) = all(&bytes) {
                proptest::prop_assert!(found.len() >= 28 && found.len() as u64 + lost >= 29, "{} {lost}", found.len());
            }
        }
    }
}
