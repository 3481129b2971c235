//! The address base in the API.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_alerts::json::{LevelWords, UnitJson};
use vedette_core::{AddressLevel, AddressMatch, AddressPrefix, GroundPoint};

/// The address base. Calls may compute but not wait: they run on a blocking thread.
pub trait AddressSource: Send + Sync {
    /// The entity of a code in the base in force now; none for an unknown code.
    fn entity(&self, code: &AddressPrefix) -> Option<EntityJson>;

    /// The matches of `text`, best first, at most `at_most`.
    fn search(&self, text: &str, at_most: usize) -> Vec<HitJson>;

    /// The address at a point.
    fn resolve(&self, point: &GroundPoint) -> Option<AddressMatch>;

    /// Past, present and future bases.
    fn report(&self) -> BaseReport;
}

/// A district, street, community, grid, building or room.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(title = "Address")]
pub struct EntityJson {
    /// The significant part of its code: 6, 9, 12, 14, 19 or 25 characters.
    #[schema(value_type = String, example = "4403040010010100001")]
    pub code: AddressPrefix,
    /// Its level.
    #[schema(value_type = LevelWords)]
    pub level: AddressLevel,
    /// Its full address.
    pub text: String,
    /// Its name: of a building the building's, otherwise equal to `text`.
    pub name: String,
    /// Working code of a basic grid; null for others.
    #[schema(required = true)]
    pub work_code: Option<String>,
    /// Its ground, of a room its building's; null when the base has none.
    #[schema(required = true)]
    pub geometry: Option<GeometryJson>,
    /// The last day of its address, if past; null otherwise.
    #[schema(format = Date, required = true)]
    pub ended_on: Option<String>,
    /// Its alternative names.
    pub names: Vec<NameJson>,
    /// The requested code if it is a former one, which this entity replaced; null otherwise.
    #[schema(required = true)]
    pub asked_by: Option<FormerCodeJson>,
    /// The units responsible for it, by kind and code; empty above the level of a basic grid.
    pub responsible: Vec<UnitJson>,
    /// Version of the base.
    pub base_version: String,
    /// Whether the base holds synthetic addresses (demo, tests).
    pub synthetic: bool,
}

/// An alternative name of an entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NameJson {
    /// `full`, `administrative`, `geographic`, `common`, `short`, `alternative` or `former`.
    pub kind: String,
    /// The name.
    pub text: String,
    /// First day it was in use; null if unknown.
    #[schema(format = Date, required = true)]
    pub valid_from: Option<String>,
    /// Last day it was in use; null if unknown.
    #[schema(format = Date, required = true)]
    pub valid_to: Option<String>,
}

/// A former code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FormerCodeJson {
    /// The code.
    pub former: String,
    /// Day of the change; null if unknown.
    #[schema(format = Date, required = true)]
    pub changed: Option<String>,
}

/// A `GeoJSON` geometry (RFC 7946).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct GeometryJson {
    /// Its type.
    #[serde(rename = "type")]
    #[schema(value_type = GeometryType)]
    pub kind: String,
    /// Pairs in degrees, WGS 84, longitude first, in arrays as deep as the type has them.
    pub coordinates: serde_json::Value,
}

/// Types of a `GeoJSON` geometry.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it describes `GeometryJson`")]
enum GeometryType {
    Point,
    MultiPoint,
    LineString,
    MultiLineString,
    Polygon,
    MultiPolygon,
}

/// A match of a text search.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct HitJson {
    /// `district`, `street`, `community`, `grid`, `building`, `room`, or `road`.
    pub kind: String,
    /// The significant part of its code; null of a road, which has none.
    #[schema(value_type = Option<String>, example = "4403040010010100001", required = true)]
    pub code: Option<AddressPrefix>,
    /// Its full address, of a road its name.
    pub text: String,
    /// The score of the match, 0 to 1.
    pub score: f32,
}

/// Past, present and future bases. A frame is resolved in the newest base whose `from` is not after its capture time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct BaseReport {
    /// The base for frames captured now; null when there is none.
    #[schema(required = true)]
    pub current: Option<ServedJson>,
    /// Announced bases, soonest first.
    pub scheduled: Vec<ServedJson>,
    /// Past bases, latest first.
    pub history: Vec<ServedJson>,
    /// The refused change because of which an older base is in force than announced; null otherwise.
    #[schema(required = true)]
    pub standing_refusal: Option<RefusalJson>,
    /// The last change that was refused; null when none was.
    #[schema(required = true)]
    pub last_refusal: Option<RefusalJson>,
}

/// A base and the time for which it is in force.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServedJson {
    /// The base's version.
    pub version: String,
    /// Whether it holds synthetic addresses (demo, tests).
    pub synthetic: bool,
    /// Capture time from which it is in force; null for the configured base, which is in force from the beginning.
    #[schema(format = DateTime, required = true)]
    pub from: Option<String>,
    /// Capture time from which another one is in force; null when none is known.
    #[schema(format = DateTime, required = true)]
    pub until: Option<String>,
    /// When this server received it, by its clock.
    #[schema(format = DateTime)]
    pub taken: String,
}

/// A refused change of the base.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct RefusalJson {
    /// The version that was announced; empty when the record could not be read.
    pub version: String,
    /// Capture time from which it was to be in force.
    #[schema(format = DateTime, required = true)]
    pub from: Option<String>,
    /// The reason, as one word.
    #[schema(
        pattern = "^(missing_file|unusable_file|wrong_version|unknown_base|delta|record)$",
        example = "missing_file"
    )]
    pub reason: String,
    /// The reason and the remedy.
    pub detail: String,
    /// When, by the server's clock.
    #[schema(format = DateTime)]
    pub at: String,
}
