//! Coordinate reference systems of Chinese maps and surveys, to and from WGS 84.
//!
//! WGS 84 and CGCS2000 differ by centimetres and count as equal here. GCJ-02 is the system of Chinese web maps, BD-09 that of Baidu
//! on top of it; both are defined by formulas only, and outside China they equal WGS 84. EPSG:4547 is the 3-degree Gauss-Kruger
//! grid of CGCS2000 around 114° E, by `proj4rs`.

use std::f64::consts::PI;
use std::str::FromStr;

use proj4rs::Proj;

/// Degrees north and east in a system given by context.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct LatLon {
    /// Degrees north.
    pub latitude: f64,
    /// Degrees east.
    pub longitude: f64,
}

impl LatLon {
    /// A point at `latitude`, `longitude`.
    #[must_use]
    pub const fn new(latitude: f64, longitude: f64) -> Self {
        Self { latitude, longitude }
    }
}

/// Metres in EPSG:4547, in the order of its axes.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct GaussKruger {
    /// Metres north of the equator.
    pub northing_m: f64,
    /// Metres east, 500,000 on the meridian of 114° E.
    pub easting_m: f64,
}

/// A coordinate reference system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Crs {
    /// EPSG:4326.
    Wgs84,
    /// EPSG:4490, equal to WGS 84 for this purpose.
    Cgcs2000,
    /// EPSG:4547: CGCS2000, 3-degree Gauss-Kruger, central meridian 114° E.
    Cgcs2000GaussKruger114,
    /// GCJ-02.
    Gcj02,
    /// BD-09, longitude and latitude.
    Bd09,
}

/// An unknown coordinate system.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a known coordinate system; give EPSG:4326, EPSG:4490, EPSG:4547, GCJ-02 or BD-09")]
pub struct UnknownCrs(pub String);

impl Crs {
    /// Every system.
    pub const ALL: [Self; 5] = [Self::Wgs84, Self::Cgcs2000, Self::Cgcs2000GaussKruger114, Self::Gcj02, Self::Bd09];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Wgs84 => "EPSG:4326",
            Self::Cgcs2000 => "EPSG:4490",
            Self::Cgcs2000GaussKruger114 => "EPSG:4547",
            Self::Gcj02 => "GCJ-02",
            Self::Bd09 => "BD-09",
        }
    }

    /// WGS 84 from this system; `east` is a longitude or an easting, `north` a latitude or a northing, in the order of geometry
    /// files whatever the official axis order. None when the numbers cannot be such coordinates.
    #[must_use]
    pub fn to_wgs84(self, east: f64, north: f64) -> Option<LatLon> {
        let degrees = LatLon::new(north, east);
        if self == Self::Cgcs2000GaussKruger114 {
            return gauss_kruger_to_wgs84(GaussKruger { northing_m: north, easting_m: east });
        }
        if !(-90.0..=90.0).contains(&north) || !(-180.0..=180.0).contains(&east) {
            return None;
        }
        Some(match self {
            Self::Wgs84 | Self::Cgcs2000 | Self::Cgcs2000GaussKruger114 => degrees,
            Self::Gcj02 => gcj02_to_wgs84(degrees),
            Self::Bd09 => bd09_to_wgs84(degrees),
        })
    }

    /// East and north in this system (see [`Self::to_wgs84`]) of a WGS 84 point; none far from the grid's meridian.
    #[must_use]
    pub fn from_wgs84(self, point: LatLon) -> Option<(f64, f64)> {
        let degrees = |point: LatLon| (point.longitude, point.latitude);
        match self {
            Self::Wgs84 | Self::Cgcs2000 => Some(degrees(point)),
            Self::Gcj02 => Some(degrees(wgs84_to_gcj02(point))),
            Self::Bd09 => Some(degrees(wgs84_to_bd09(point))),
            Self::Cgcs2000GaussKruger114 => {
                wgs84_to_gauss_kruger(point).map(|metres| (metres.easting_m, metres.northing_m))
            }
        }
    }
}

impl FromStr for Crs {
    type Err = UnknownCrs;
    fn from_str(text: &str) -> Result<Self, UnknownCrs> {
        let bare = text.to_ascii_lowercase().replace(['-', '_', ' '], "");
        match bare.as_str() {
            "epsg:4326" | "wgs84" => Ok(Self::Wgs84),
            "epsg:4490" | "cgcs2000" => Ok(Self::Cgcs2000),
            "epsg:4547" => Ok(Self::Cgcs2000GaussKruger114),
            "gcj02" => Ok(Self::Gcj02),
            "bd09" | "bd09ll" => Ok(Self::Bd09),
            _ => Err(UnknownCrs(text.chars().take(40).collect())),
        }
    }
}

impl std::fmt::Display for Crs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl TryFrom<String> for Crs {
    type Error = UnknownCrs;
    fn try_from(text: String) -> Result<Self, UnknownCrs> {
        text.parse()
    }
}

impl From<Crs> for String {
    fn from(crs: Crs) -> Self {
        crs.as_str().to_owned()
    }
}

/// The grid is not used farther than this many degrees from the central meridian.
const GRID_HALF_WIDTH_DEG: f64 = 10.0;

fn projections() -> Option<&'static (Proj, Proj)> {
    static PAIR: std::sync::OnceLock<Option<(Proj, Proj)>> = std::sync::OnceLock::new();
    PAIR.get_or_init(|| {
        // `etmerc` is the exact series (Poder and Engsager), accurate to nanometres within the grid's width.
        let grid = "+proj=etmerc +lat_0=0 +lon_0=114 +k=1 +x_0=500000 +y_0=0 +ellps=GRS80 +units=m +no_defs";
        let degrees = "+proj=longlat +ellps=GRS80 +no_defs";
        Some((Proj::from_proj_string(degrees).ok()?, Proj::from_proj_string(grid).ok()?))
    })
    .as_ref()
}

/// EPSG:4547 from WGS 84; none more than 10 degrees from 114° E.
#[must_use]
pub fn wgs84_to_gauss_kruger(point: LatLon) -> Option<GaussKruger> {
    if !((point.longitude - 114.0).abs() <= GRID_HALF_WIDTH_DEG && point.latitude.abs() <= 90.0) {
        return None;
    }
    let (degrees, grid) = projections()?;
    let mut at = (point.longitude.to_radians(), point.latitude.to_radians(), 0.0);
    proj4rs::transform::transform(degrees, grid, &mut at).ok()?;
    Some(GaussKruger { northing_m: at.1, easting_m: at.0 })
}

/// WGS 84 from EPSG:4547; none for metres far outside the grid.
#[must_use]
pub fn gauss_kruger_to_wgs84(metres: GaussKruger) -> Option<LatLon> {
    if !((metres.easting_m - 500_000.0).abs() <= 1_200_000.0 && metres.northing_m.abs() <= 10_000_000.0) {
        return None;
    }
    let (degrees, grid) = projections()?;
    let mut at = (metres.easting_m, metres.northing_m, 0.0);
    proj4rs::transform::transform(grid, degrees, &mut at).ok()?;
    Some(LatLon::new(at.1.to_degrees(), at.0.to_degrees()))
}

/// Semi-major axis and first eccentricity squared of the ellipsoid that GCJ-02 is defined on.
const GCJ_AXIS_M: f64 = 6_378_245.0;
const GCJ_ECCENTRICITY_SQUARED: f64 = 0.006_693_421_622_965_943;

/// Whether GCJ-02 shifts this point.
fn is_shifted(point: LatLon) -> bool {
    (72.004..=137.8347).contains(&point.longitude) && (0.8293..=55.8271).contains(&point.latitude)
}

/// The shift in degrees from WGS 84 to GCJ-02.
fn gcj_shift(point: LatLon) -> (f64, f64) {
    let (x, y) = (point.longitude - 105.0, point.latitude - 35.0);
    let ripple = (20.0 * (6.0 * x * PI).sin() + 20.0 * (2.0 * x * PI).sin()) * 2.0 / 3.0;
    let root = x.abs().sqrt();
    let north = -100.0
        + 2.0 * x
        + 3.0 * y
        + 0.2 * y * y
        + 0.1 * x * y
        + 0.2 * root
        + ripple
        + (20.0 * (y * PI).sin() + 40.0 * (y / 3.0 * PI).sin()) * 2.0 / 3.0
        + (160.0 * (y / 12.0 * PI).sin() + 320.0 * (y * PI / 30.0).sin()) * 2.0 / 3.0;
    let east = 300.0
        + x
        + 2.0 * y
        + 0.1 * x * x
        + 0.1 * x * y
        + 0.1 * root
        + ripple
        + (20.0 * (x * PI).sin() + 40.0 * (x / 3.0 * PI).sin()) * 2.0 / 3.0
        + (150.0 * (x / 12.0 * PI).sin() + 300.0 * (x / 30.0 * PI).sin()) * 2.0 / 3.0;
    let latitude = point.latitude.to_radians();
    let magic = 1.0 - GCJ_ECCENTRICITY_SQUARED * latitude.sin().powi(2);
    let meridian = GCJ_AXIS_M * (1.0 - GCJ_ECCENTRICITY_SQUARED) / (magic * magic.sqrt());
    let parallel = GCJ_AXIS_M / magic.sqrt() * latitude.cos();
    ((north / meridian).to_degrees(), (east / parallel).to_degrees())
}

/// GCJ-02 from WGS 84.
#[must_use]
pub fn wgs84_to_gcj02(point: LatLon) -> LatLon {
    if !is_shifted(point) {
        return point;
    }
    let (north, east) = gcj_shift(point);
    LatLon::new(point.latitude + north, point.longitude + east)
}

/// WGS 84 from GCJ-02, to about a tenth of a micrometre.
#[must_use]
pub fn gcj02_to_wgs84(point: LatLon) -> LatLon {
    if is_shifted(point) { inverse(point, wgs84_to_gcj02) } else { point }
}

/// BD-09 from GCJ-02.
#[must_use]
pub fn gcj02_to_bd09(point: LatLon) -> LatLon {
    let turn = PI * 3000.0 / 180.0;
    let (x, y) = (point.longitude, point.latitude);
    let radius = x.hypot(y) + 0.000_02 * (y * turn).sin();
    let angle = y.atan2(x) + 0.000_003 * (x * turn).cos();
    LatLon::new(radius * angle.sin() + 0.006, radius * angle.cos() + 0.0065)
}

/// GCJ-02 from BD-09.
#[must_use]
pub fn bd09_to_gcj02(point: LatLon) -> LatLon {
    inverse(point, gcj02_to_bd09)
}

/// BD-09 from WGS 84; outside China, where GCJ-02 is WGS 84, only the second step applies.
#[must_use]
pub fn wgs84_to_bd09(point: LatLon) -> LatLon {
    gcj02_to_bd09(wgs84_to_gcj02(point))
}

/// WGS 84 from BD-09.
#[must_use]
pub fn bd09_to_wgs84(point: LatLon) -> LatLon {
    gcj02_to_wgs84(bd09_to_gcj02(point))
}

/// Inverts `forward` at `target` by fixed-point iteration: the shifts vary slowly, so each iteration gains about two digits.
fn inverse(target: LatLon, forward: fn(LatLon) -> LatLon) -> LatLon {
    let mut guess = target;
    for _ in 0..40 {
        let image = forward(guess);
        let (north, east) = (target.latitude - image.latitude, target.longitude - image.longitude);
        guess = LatLon::new(guess.latitude + north, guess.longitude + east);
        if north.abs() < 1e-13 && east.abs() < 1e-13 {
            break;
        }
    }
    guess
}

#[cfg(test)]
mod tests;
