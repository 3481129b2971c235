use std::fmt;

use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{GroundPoint, PixelPoint};

/// A polygon, optionally with holes.
#[derive(Debug, Clone, PartialEq)]
pub struct Area<P> {
    /// The corners of its outline, in order.
    pub outline: Vec<P>,
    /// Holes, each by its own corners.
    pub holes: Vec<Vec<P>>,
}

/// The place that a rule watches. In configuration `[[x, y], ...]` is an outline in pixels, `{ pixels = [[x, y], ...], holes =
/// [...] }` one with holes, and `{ ground = [{ latitude, longitude }, ...], holes = [...] }` a place on the ground, the same for
/// every calibrated camera that sees it.
#[derive(Debug, Clone, PartialEq)]
pub enum Zone {
    /// In pixels of the policy's frame.
    Pixels(Area<PixelPoint>),
    /// On the ground, WGS 84; edges are straight on the ground.
    Ground(Area<GroundPoint>),
}

impl Zone {
    /// Whether it lies on the ground, so that only a calibrated camera can tell what is inside.
    #[must_use]
    pub const fn is_on_ground(&self) -> bool {
        matches!(self, Self::Ground(_))
    }
}

impl From<Vec<PixelPoint>> for Zone {
    fn from(outline: Vec<PixelPoint>) -> Self {
        Self::Pixels(Area { outline, holes: Vec::new() })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pixels: Option<Vec<PixelPoint>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ground: Option<Vec<GroundPoint>>,
    #[serde(default)]
    holes: Holes,
}

/// Distinguished by their content, since holes are of the same kind as their outline.
#[derive(Serialize, Deserialize, Default)]
#[serde(untagged)]
enum Holes {
    #[default]
    None,
    Pixels(Vec<Vec<PixelPoint>>),
    Ground(Vec<Vec<GroundPoint>>),
}

impl Serialize for Zone {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Pixels(area) if area.holes.is_empty() => area.outline.serialize(serializer),
            Self::Pixels(Area { outline, holes }) => {
                let holes = Holes::Pixels(holes.clone());
                Table { pixels: Some(outline.clone()), ground: None, holes }.serialize(serializer)
            }
            Self::Ground(Area { outline, holes }) => {
                let holes = Holes::Ground(holes.clone());
                Table { pixels: None, ground: Some(outline.clone()), holes }.serialize(serializer)
            }
        }
    }
}

impl<'de> Deserialize<'de> for Zone {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ZoneVisitor)
    }
}

struct ZoneVisitor;

impl<'de> Visitor<'de> for ZoneVisitor {
    type Value = Zone;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("corners as [[x, y], ...], or a table with `pixels` or `ground` and `holes`")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, corners: A) -> Result<Zone, A::Error> {
        Vec::<PixelPoint>::deserialize(de::value::SeqAccessDeserializer::new(corners)).map(Zone::from)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Zone, A::Error> {
        let Table { pixels, ground, holes } = Table::deserialize(de::value::MapAccessDeserializer::new(map))?;
        match (pixels, ground, holes) {
            (Some(outline), None, Holes::None) => Ok(Zone::from(outline)),
            (Some(outline), None, Holes::Pixels(holes)) => Ok(Zone::Pixels(Area { outline, holes })),
            (None, Some(outline), Holes::None) => Ok(Zone::Ground(Area { outline, holes: Vec::new() })),
            (None, Some(outline), Holes::Ground(holes)) => Ok(Zone::Ground(Area { outline, holes })),
            // An empty list of holes parses as one of pixels.
            (None, Some(outline), Holes::Pixels(holes)) if holes.is_empty() => {
                Ok(Zone::Ground(Area { outline, holes: Vec::new() }))
            }
            (Some(_), Some(_), _) | (None, None, _) => {
                Err(de::Error::custom("a zone has either `pixels` or `ground`; give one of the two"))
            }
            _ => Err(de::Error::custom(
                "the holes of a zone are of the same kind as its outline: pixels or ground points",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Zone, String> {
        serde_json::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn every_form_reads_back_as_it_was_written() {
        for text in [
            "[[0, 0], [5, 0], [0, 5]]",
            r#"{"pixels": [[0, 0], [5, 0], [0, 5]], "holes": [[[1, 1], [2, 1], [1, 2]]]}"#,
            r#"{"ground": [{"latitude": 1, "longitude": 2}, {"latitude": 1, "longitude": 3}, {"latitude": 2, "longitude": 3}]}"#,
        ] {
            let zone = read(text).unwrap();
            assert_eq!(read(&serde_json::to_string(&zone).unwrap()).unwrap(), zone);
        }
        assert!(matches!(read(r#"{"pixels": [[0, 0]]}"#).unwrap(), Zone::Pixels(area) if area.holes.is_empty()));
    }

    #[test]
    fn what_is_no_zone_says_why() {
        for (text, expected) in [
            (r#"{"pixel": [[0, 0]]}"#, "unknown field"),
            (r#"{"holes": []}"#, "either `pixels` or `ground`"),
            (r#"{"ground": [], "holes": [[[1, 1]]]}"#, "same kind"),
            (r#""gate""#, "corners as [[x, y], ...]"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
