use geo::orient::{Direction, Orient};
use geo::{Area, Coord, CoordsIter, Geometry, LineString, MapCoords, MultiPolygon, Validation};

use super::{BuilderOptions, Reason, SourceCrs};

/// Where a record lies, in WGS 84.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Ground {
    Shape(MultiPolygon<f64>),
    Point(Coord<f64>),
}

/// Ground with one of its coordinates as in the source, to guess its coordinate system later.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    pub(crate) ground: Ground,
    pub(crate) raw: Coord<f64>,
}

/// Another system that fits a place.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Guess {
    pub(crate) system: String,
    /// With its two numbers in the other order.
    pub(crate) exchanged: bool,
}

impl std::fmt::Display for Guess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let exchanged = if self.exchanged { " with its two numbers exchanged" } else { "" };
        write!(f, "{}{exchanged}", self.system)
    }
}

/// Why a geometry was refused, with a system that would fit it.
pub(crate) struct Refused {
    pub(crate) reason: Reason,
    pub(crate) rule: String,
    pub(crate) guess: Option<Guess>,
}

impl Refused {
    fn new(reason: Reason, rule: impl Into<String>) -> Self {
        Self { reason, rule: rule.into(), guess: None }
    }
}

/// Converts a source's geometry to WGS 84; also returns one of its original coordinates.
fn to_wgs84(
    raw: &Geometry<f64>,
    crs: &SourceCrs,
    options: &BuilderOptions,
) -> Result<(Geometry<f64>, Coord<f64>), Refused> {
    let Some(first) = raw.coords_iter().next() else {
        return Err(Refused::new(Reason::NoGeometry, "the geometry is empty"));
    };
    let convert = |coord: Coord<f64>| match crs.convert(coord.x, coord.y) {
        Some((x, y)) if options.area.contains(y, x) => Ok(Coord { x, y }),
        _ => Err(coord),
    };
    let degrees = raw.try_map_coords(convert).map_err(|wrong| wrong_place(wrong, crs, options))?;
    Ok((degrees, first))
}

/// Validates the place of a building or grid and converts it to WGS 84.
pub(crate) fn place(raw: &Geometry<f64>, crs: &SourceCrs, options: &BuilderOptions) -> Result<Placed, Refused> {
    let (degrees, raw) = to_wgs84(raw, crs, options)?;
    let shape = match degrees {
        Geometry::Point(point) => return Ok(Placed { ground: Ground::Point(point.0), raw }),
        Geometry::Polygon(polygon) => MultiPolygon(vec![polygon]),
        Geometry::MultiPolygon(shape) => shape,
        _ => return Err(Refused::new(Reason::BadGeometry, "a place is a polygon, a multipolygon or a point")),
    };
    if let Err(error) = shape.check_validation() {
        return Err(Refused::new(Reason::BadGeometry, format!("a footprint must not cross itself: {error}")));
    }
    if shape.unsigned_area() <= 0.0 {
        return Err(Refused::new(Reason::BadGeometry, "a footprint has an area"));
    }
    Ok(Placed { ground: Ground::Shape(shape.orient(Direction::Default)), raw })
}

/// Validates the line of a road and converts it to WGS 84.
pub(crate) fn way(
    raw: &Geometry<f64>,
    crs: &SourceCrs,
    options: &BuilderOptions,
) -> Result<Vec<LineString<f64>>, Refused> {
    let lines = match to_wgs84(raw, crs, options)?.0 {
        Geometry::LineString(line) => vec![line],
        Geometry::MultiLineString(lines) => lines.0,
        _ => return Err(Refused::new(Reason::BadGeometry, "a road is a line or several")),
    };
    if lines.iter().any(|line| line.0.len() < 2) {
        return Err(Refused::new(Reason::BadGeometry, "a line has two points or more"));
    }
    Ok(lines)
}

fn wrong_place(raw: Coord<f64>, crs: &SourceCrs, options: &BuilderOptions) -> Refused {
    let area = options.area;
    let guess = guess(raw, crs, options, |longitude, latitude| area.contains(latitude, longitude));
    let likely =
        guess.as_ref().map_or_else(|| "no known system puts it inside".to_owned(), |guess| looks_like(guess, crs));
    let rule = format!("it lies outside the area of the base when taken as {}; {likely}", crs.name());
    Refused { reason: Reason::Coordinates, rule, guess }
}

/// What a guess says about a place taken as `crs`.
pub(crate) fn looks_like(guess: &Guess, crs: &SourceCrs) -> String {
    if guess.system == crs.name() {
        return format!("its two numbers look exchanged (easting or longitude comes first in {} here)", crs.name());
    }
    format!("it looks like {guess}")
}

/// A guess at the system of `raw`: the first one, in either axis order, that places it where `inside` holds.
pub(crate) fn guess(
    raw: Coord<f64>,
    crs: &SourceCrs,
    options: &BuilderOptions,
    inside: impl Fn(f64, f64) -> bool,
) -> Option<Guess> {
    let fits = |system: &SourceCrs, east, north| system.convert(east, north).is_some_and(|(x, y)| inside(x, y));
    let guess = |system: &SourceCrs, exchanged| Guess { system: system.name().to_owned(), exchanged };
    if fits(crs, raw.y, raw.x) {
        return Some(guess(crs, true));
    }
    for system in options.systems.iter().filter(|system| system.name() != crs.name()) {
        if fits(system, raw.x, raw.y) {
            return Some(guess(system, false));
        }
        if fits(system, raw.y, raw.x) {
            return Some(guess(system, true));
        }
    }
    None
}
