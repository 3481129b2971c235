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

/// Why a geometry was refused.
pub(crate) type Refused = (Reason, String);

/// Converts a source's geometry to WGS 84; also returns one of its original coordinates.
fn to_wgs84(
    raw: &Geometry<f64>,
    crs: &SourceCrs,
    options: &BuilderOptions,
) -> Result<(Geometry<f64>, Coord<f64>), Refused> {
    let Some(first) = raw.coords_iter().next() else {
        return Err((Reason::NoGeometry, "the geometry is empty".to_owned()));
    };
    let convert = |coord: Coord<f64>| match crs.convert(coord.x, coord.y) {
        Some((x, y)) if options.area.contains(y, x) => Ok(Coord { x, y }),
        _ => Err(coord),
    };
    let degrees =
        raw.try_map_coords(convert).map_err(|wrong| (Reason::Coordinates, wrong_place(wrong, crs, options)))?;
    Ok((degrees, first))
}

/// Validates the place of a building or grid and converts it to WGS 84.
pub(crate) fn place(raw: &Geometry<f64>, crs: &SourceCrs, options: &BuilderOptions) -> Result<Placed, Refused> {
    let (degrees, raw) = to_wgs84(raw, crs, options)?;
    let shape = match degrees {
        Geometry::Point(point) => return Ok(Placed { ground: Ground::Point(point.0), raw }),
        Geometry::Polygon(polygon) => MultiPolygon(vec![polygon]),
        Geometry::MultiPolygon(shape) => shape,
        _ => return Err((Reason::BadGeometry, "a place is a polygon, a multipolygon or a point".to_owned())),
    };
    if let Err(error) = shape.check_validation() {
        return Err((Reason::BadGeometry, format!("a footprint must not cross itself: {error}")));
    }
    if shape.unsigned_area() <= 0.0 {
        return Err((Reason::BadGeometry, "a footprint has an area".to_owned()));
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
        _ => return Err((Reason::BadGeometry, "a road is a line or several".to_owned())),
    };
    if lines.iter().any(|line| line.0.len() < 2) {
        return Err((Reason::BadGeometry, "a line has two points or more".to_owned()));
    }
    Ok(lines)
}

fn wrong_place(raw: Coord<f64>, crs: &SourceCrs, options: &BuilderOptions) -> String {
    let area = options.area;
    let likely = guess(raw, crs, options, |longitude, latitude| area.contains(latitude, longitude));
    format!(
        "it lies outside the area of the base when taken as {}; {}",
        crs.name(),
        likely.unwrap_or_else(|| { "no known system puts it inside".to_owned() })
    )
}

/// A guess at the system of `raw`: the first one, in either axis order, that places it where `inside` holds.
pub(crate) fn guess(
    raw: Coord<f64>,
    crs: &SourceCrs,
    options: &BuilderOptions,
    inside: impl Fn(f64, f64) -> bool,
) -> Option<String> {
    let fits = |system: &SourceCrs, east, north| system.convert(east, north).is_some_and(|(x, y)| inside(x, y));
    if fits(crs, raw.y, raw.x) {
        return Some(format!(
            "its two numbers look exchanged (easting or longitude comes first in {} here)",
            crs.name()
        ));
    }
    for system in options.systems.iter().filter(|system| system.name() != crs.name()) {
        if fits(system, raw.x, raw.y) {
            return Some(format!("it looks like {}", system.name()));
        }
        if fits(system, raw.y, raw.x) {
            return Some(format!("it looks like {} with its two numbers exchanged", system.name()));
        }
    }
    None
}
