use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde::de::DeserializeOwned;
use vedette_core::Timestamp;

use crate::api_rule::ApiRule;
use crate::problem::Problem;

/// Largest page of a list.
const MOST_OF_PAGE: u32 = 1000;

/// The query of a request: unknown and repeated parameters are refused.
#[derive(Debug)]
pub(crate) struct Params {
    values: BTreeMap<String, String>,
    /// Whether the query has a `+`, which means a space.
    plus: bool,
}

impl Params {
    /// Parses the query. An empty value counts as absent.
    pub(crate) fn read(query: Option<&str>, known: &[&str]) -> Result<Self, Problem> {
        let mut params = BTreeMap::new();
        for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            if !known.contains(&name.as_ref()) {
                let rule = match known {
                    [] => ApiRule::NoSuchParameter,
                    _ => ApiRule::UnknownParameter { known: known.iter().copied().collect() },
                };
                return Err(Problem::parameter(&name, value, rule));
            }
            if params.insert(name.to_string(), value.to_string()).is_some() {
                return Err(Problem::parameter(&name, value, ApiRule::GivenTwice));
            }
        }
        params.retain(|_, value| !value.is_empty());
        Ok(Self { values: params, plus: query.is_some_and(|query| query.contains('+')) })
    }

    /// The text of a parameter.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// A parameter parsed from its text.
    pub(crate) fn parse<T>(&self, name: &str, rule: impl FnOnce(String) -> ApiRule) -> Result<Option<T>, Problem>
    where
        T: FromStr<Err: Display>,
    {
        let Some(text) = self.text(name) else { return Ok(None) };
        text.parse().map(Some).map_err(|error: T::Err| {
            let meant = text.replace(' ', "+");
            if self.plus && meant != text && meant.parse::<T>().is_ok() {
                return Problem::parameter(name, text, ApiRule::Plus { written: meant.replace('+', "%2B") });
            }
            Problem::parameter(name, text, rule(error.to_string()))
        })
    }

    /// `from` and `until`, of which the second must be later.
    pub(crate) fn times(&self) -> Result<(Option<Timestamp>, Option<Timestamp>), Problem> {
        let instant = |reason| ApiRule::Instant { reason };
        let (from, until) = (self.parse("from", instant)?, self.parse("until", instant)?);
        match (from, until) {
            (Some(from), Some(until)) if from >= until => {
                Err(Problem::parameter("until", until, ApiRule::Until { from }))
            }
            times => Ok(times),
        }
    }

    /// `limit`, the size of a page; 0 when absent.
    pub(crate) fn page_limit(&self) -> Result<u32, Problem> {
        let limit = self.parse::<u32>("limit", ApiRule::number("a number from 1 to 1000"))?;
        match limit {
            Some(limit) if !(1..=MOST_OF_PAGE).contains(&limit) => {
                Err(Problem::parameter("limit", limit, ApiRule::Page { most: MOST_OF_PAGE }))
            }
            limit => Ok(limit.unwrap_or_default()),
        }
    }

    /// A parameter with one of a few values, as in JSON.
    pub(crate) fn word<T: DeserializeOwned>(&self, name: &str, words: &[&str]) -> Result<Option<T>, Problem> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let word =
            Some(text).filter(|text| words.contains(text)).map(|text| serde_json::Value::String(text.to_owned()));
        word.and_then(|word| serde_json::from_value(word).ok()).map(Some).ok_or_else(|| {
            Problem::parameter(name, text, ApiRule::UnknownWord { known: words.iter().copied().collect() })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vedette_core::RuleKind;

    #[test]
    fn a_misspelt_parameter_is_refused_with_the_known_ones() {
        let problem = serde_json::to_value(Params::read(Some("camra=a"), &["camera", "kind"]).unwrap_err()).unwrap();
        assert_eq!(problem["parameter"], "camra");
        assert_eq!(problem["fix"], "known parameters are camera, kind");
    }

    #[test]
    fn a_parameter_counts_once_and_an_empty_one_not_at_all() {
        assert!(Params::read(Some("kind=a&kind=b"), &["kind"]).is_err());
        assert_eq!(Params::read(Some("kind="), &["kind"]).unwrap().text("kind"), None);
    }

    #[test]
    fn a_plus_that_became_a_space_is_told() {
        let refused = |value: &str| {
            let params = Params::read(Some(&format!("from={value}")), &["from"]).unwrap();
            let at = params.parse::<vedette_core::Timestamp>("from", |reason| ApiRule::Instant { reason });
            serde_json::to_value(at.unwrap_err()).unwrap()
        };
        let problem = refused("2026-03-01T16:01:00+08:00");
        assert_eq!(
            (&problem["code"], &problem["fix"]),
            (&"parameter.plus".into(), &"write 2026-03-01T16:01:00%2B08:00".into())
        );
        for value in ["2026-03-01T16:01:00%2008:00", "next+week"] {
            assert_eq!(refused(value)["code"], "parameter.instant", "{value}");
        }
    }

    #[test]
    fn a_word_is_read_as_in_json() {
        let words = &["presence", "line_crossing"];
        let params = Params::read(Some("kind=line_crossing"), &["kind"]).unwrap();
        assert_eq!(params.word::<RuleKind>("kind", words).unwrap(), Some(RuleKind::named("line_crossing")));
        let params = Params::read(Some("kind=party"), &["kind"]).unwrap();
        let problem = serde_json::to_value(params.word::<RuleKind>("kind", words).unwrap_err()).unwrap();
        assert_eq!(problem["value"], "party");
    }
}
