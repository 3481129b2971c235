use nalgebra::Vector2;
use vedette_core::{ControlPoint, FrameSize, GroundPoint, PixelPoint};

use crate::error::R95_PER_SIGMA;
use crate::fit::{FitError, Pair, homography};
use crate::mistake::CalibrationMistake;
use crate::plane::TangentPlane;
use crate::projection::Projection;

/// One sigma in pixels with which a person marks a point in a picture.
const MARK_SIGMA_PX: f64 = 1.0;
/// Least sigma of a survey, in metres.
const SURVEY_SIGMA_M: f64 = 0.01;
/// Closer control points are duplicates, in pixels and in metres.
const SAME_PX: f32 = 2.0;
const SAME_M: f64 = 0.02;
/// A control point farther from the camera than this has wrong coordinates.
const FARTHEST_M: f64 = 2_000.0;
/// Residuals this many times larger than the stated errors, and larger than this many metres, indicate a wrong pair.
const GROSS_MISFIT: f64 = 10.0;
const GROSS_RESIDUAL_M: f64 = 1.0;

/// Control points solved to a projection for the frame size in which they were marked.
#[derive(Debug, Clone)]
pub(crate) struct Surveyed {
    pub(crate) plane: TangentPlane,
    pub(crate) projection: Projection,
    /// Position of the camera, in metres of the plane.
    pub(crate) camera: Vector2<f64>,
    /// Metres from the camera to the farthest control point.
    pub(crate) extent_m: f64,
}

impl Surveyed {
    /// Validates the points and fits the projection.
    pub(crate) fn new(
        position: &GroundPoint,
        frame: FrameSize,
        points: &[ControlPoint],
    ) -> Result<Self, Vec<CalibrationMistake>> {
        let mut mistakes = Vec::new();
        if frame.width == 0 || frame.height == 0 {
            mistakes.push(CalibrationMistake::new(
                "calibration.frame",
                format!("{} x {}", frame.width, frame.height),
                "a frame has a width and a height of 1 pixel or more",
                "give the size of the picture in which the points were marked",
            ));
        }
        if points.len() < 4 {
            mistakes.push(CalibrationMistake::new(
                "calibration.points",
                format!("{} points", points.len()),
                "four or more control points fix a projection",
                "add points spread over the ground that the camera sees; six or more also show their own errors",
            ));
        }
        check_pixels(frame, points, &mut mistakes);
        check_distances(position, points, &mut mistakes);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let count = points.len() as f64;
        let plane = TangentPlane::around(
            points.iter().map(|point| point.ground.latitude()).sum::<f64>() / count,
            points.iter().map(|point| point.ground.longitude()).sum::<f64>() / count,
        );
        let pairs: Vec<Pair> = points.iter().map(|point| pair(plane, point)).collect();
        check_lines(&pairs, &mut mistakes);
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let projection = fit(&pairs).map_err(|mistake| vec![mistake])?;
        let camera = plane.to_metres(position);
        let extent_m = pairs.iter().map(|pair| (pair.metres - camera).norm()).fold(0.0, f64::max);
        Ok(Self { plane, projection, camera, extent_m })
    }
}

fn pair(plane: TangentPlane, point: &ControlPoint) -> Pair {
    Pair {
        pixel: Vector2::new(f64::from(point.pixel.x), f64::from(point.pixel.y)),
        metres: plane.to_metres(&point.ground),
        pixel_sigma: MARK_SIGMA_PX,
        ground_sigma: (f64::from(point.ground.error_m()) / R95_PER_SIGMA).max(SURVEY_SIGMA_M),
    }
}

fn check_pixels(frame: FrameSize, points: &[ControlPoint], mistakes: &mut Vec<CalibrationMistake>) {
    let (width, height) = (frame.width as f32, frame.height as f32);
    for (index, point) in points.iter().enumerate() {
        let PixelPoint { x, y } = point.pixel;
        let path = format!("calibration.points[{index}].pixel");
        if !((0.0..=width).contains(&x) && (0.0..=height).contains(&y)) {
            mistakes.push(CalibrationMistake::new(
                path,
                format!("[{x}, {y}]"),
                format!("a control point lies in the frame of {width} x {height} pixels"),
                "mark it in a picture of this size, or correct `calibration.frame`",
            ));
            continue;
        }
        let twin = points[..index].iter().position(|other| (other.pixel.x - x).hypot(other.pixel.y - y) < SAME_PX);
        if let Some(twin) = twin {
            mistakes.push(CalibrationMistake::new(
                path,
                format!("[{x}, {y}]"),
                format!("it lies within {SAME_PX} pixels of points[{twin}]"),
                "remove one of the two",
            ));
        }
    }
}

fn check_distances(position: &GroundPoint, points: &[ControlPoint], mistakes: &mut Vec<CalibrationMistake>) {
    let plane = TangentPlane::around(position.latitude(), position.longitude());
    let metres: Vec<Vector2<f64>> = points.iter().map(|point| plane.to_metres(&point.ground)).collect();
    for (index, at) in metres.iter().enumerate() {
        let ground = &points[index].ground;
        let value = format!("{}, {}", ground.latitude(), ground.longitude());
        let path = format!("calibration.points[{index}].ground");
        if at.norm() > FARTHEST_M {
            mistakes.push(CalibrationMistake::new(
                path,
                value,
                format!(
                    "a control point lies within {FARTHEST_M} m of the camera's position, this one is {:.0} m away",
                    at.norm()
                ),
                "check the camera's position and the coordinate system: GCJ-02 or BD-09 differ from WGS 84 by 100 m to \
                 1,500 m, swapped coordinates by far more",
            ));
        } else if let Some(twin) = metres[..index].iter().position(|other| (other - at).norm() < SAME_M) {
            mistakes.push(CalibrationMistake::new(
                path,
                value,
                format!("it is the same place as points[{twin}]"),
                "two pixels cannot show one place: correct or remove one of the two",
            ));
        }
    }
}

/// Twice the area of the triangle over its longest side squared: 0 on a line, at most about 0.87.
fn flatness(a: Vector2<f64>, b: Vector2<f64>, c: Vector2<f64>) -> f64 {
    let longest = (b - a).norm_squared().max((c - a).norm_squared()).max((c - b).norm_squared());
    turn(a, b, c).abs() / longest
}

/// Positive when a, b, c turn anticlockwise with x right and y up.
fn turn(a: Vector2<f64>, b: Vector2<f64>, c: Vector2<f64>) -> f64 {
    (b - a).perp(&(c - a))
}

/// A projection needs four points of which no three are collinear; and seen from above, left stays left.
fn check_lines(pairs: &[Pair], mistakes: &mut Vec<CalibrationMistake>) {
    let spread = |place: fn(&Pair) -> Vector2<f64>, least: f64| {
        let on_line =
            |i: usize, j: usize, k: usize| flatness(place(&pairs[i]), place(&pairs[j]), place(&pairs[k])) < least;
        let n = pairs.len();
        let mut flat = None;
        for (i, j, k) in triples(n) {
            if on_line(i, j, k) {
                flat.get_or_insert((i, j, k));
            } else if (0..n)
                .any(|m| ![i, j, k].contains(&m) && !on_line(i, j, m) && !on_line(i, k, m) && !on_line(j, k, m))
            {
                return None;
            }
        }
        flat
    };
    // Pixels of points on flat ground may crowd near the horizon, so their threshold is the smaller one.
    let found = spread(|pair| pair.metres, 0.02)
        .map(|at| (at, "ground"))
        .or_else(|| spread(|pair| pair.pixel, 0.005).map(|at| (at, "pixel")));
    if let Some(((i, j, k), which)) = found {
        mistakes.push(CalibrationMistake::new(
            "calibration.points",
            format!("points {i}, {j} and {k}"),
            format!("four of the points must have no three on a line; the {which} points have no such four"),
            "add a point well off the line",
        ));
        return;
    }
    let (mut same, mut mirrored) = (0_usize, 0_usize);
    for (i, j, k) in triples(pairs.len()) {
        let ground = turn(pairs[i].metres, pairs[j].metres, pairs[k].metres);
        let pixels = turn(pairs[i].pixel, pairs[j].pixel, pairs[k].pixel);
        // Pixel rows count downwards, so a view from above has the opposite orientation in pixels.
        if ground * pixels < 0.0 { same += 1 } else { mirrored += 1 }
    }
    if mirrored > same {
        mistakes.push(CalibrationMistake::new(
            "calibration.points",
            format!("{mirrored} of {} triangles are mirrored", same + mirrored),
            "a camera above the ground never shows it mirrored",
            "two points are exchanged, or their axes are",
        ));
    }
}

/// All triples of `n`, at most of the first 24 points, which are sufficient.
fn triples(n: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let n = n.min(24);
    (0..n).flat_map(move |i| (i + 1..n).flat_map(move |j| (j + 1..n).map(move |k| (i, j, k))))
}

fn fit(pairs: &[Pair]) -> Result<Projection, CalibrationMistake> {
    let refuse = |rule: &str, fix: &str| {
        CalibrationMistake::new("calibration.points", format!("{} points", pairs.len()), rule, fix)
    };
    let fitted = homography(pairs).map_err(|error| match error {
        FitError::Degenerate => {
            refuse("the points do not fix a projection", "spread them over the ground that the camera sees")
        }
        FitError::Horizon => refuse(
            "the points put part of themselves above the horizon",
            "two points are exchanged, or one is far from its true place",
        ),
    })?;
    let worst = (0..pairs.len()).max_by(|a, b| fitted.residuals[*a].total_cmp(&fitted.residuals[*b])).unwrap_or(0);
    let residual = fitted.residuals.get(worst).copied().unwrap_or(0.0);
    if fitted.misfit > GROSS_MISFIT && residual > GROSS_RESIDUAL_M {
        return Err(CalibrationMistake::new(
            format!("calibration.points[{worst}]"),
            format!("{residual:.1} m off"),
            format!(
                "the points contradict each other: their residuals are {:.0} times the stated errors",
                fitted.misfit
            ),
            "check this point first, then its neighbours; state larger survey errors if they are true",
        ));
    }
    let mean = pairs.iter().map(|pair| pair.pixel).sum::<Vector2<f64>>() / pairs.len() as f64;
    let middle = PixelPoint::new(mean.x as f32, mean.y as f32);
    Projection::new(fitted.to_ground, fitted.causes, 0.0, middle)
        .ok_or_else(|| refuse("the points do not fix a projection", "spread them over the ground that the camera sees"))
}
