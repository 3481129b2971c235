use nalgebra::Vector2;
use vedette_core::{ControlPoint, FrameSize, GroundPoint, PixelPoint, ValidationError, ValidationErrors};

use crate::calibration_rule::CalibrationRule;
use crate::error::R95_PER_SIGMA;
use crate::fit::{FitError, Pair, homography};
use crate::plane::TangentPlane;
use crate::projection::Projection;
use crate::residual::{Odd, odd_one};

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
/// Likewise for residuals that no survey has.
const LARGE_MISFIT: f64 = 5.0;
const LARGE_RESIDUAL_M: f64 = 3.0;
/// A point this far from where the others put it, in metres and in sigmas, is wrong.
const WRONG_M: f64 = 3.0;
const WRONG_SIGMAS: f64 = 6.0;
/// A point this far from there is remarkable.
const REMARKABLE_M: f64 = 1.0;
const REMARKABLE_SIGMAS: f64 = 4.0;

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

/// How well control points agree with their common projection.
#[derive(Debug, Clone)]
pub(crate) struct Agreement {
    /// Residual of each point in metres.
    pub(crate) residuals: Vec<f64>,
    /// The point that agrees remarkably less than the others.
    pub(crate) odd: Option<Odd>,
}

impl Surveyed {
    /// Validates the points and fits the projection; also how well they agree, which is of use to whoever sets the camera up.
    pub(crate) fn new(
        position: &GroundPoint,
        frame: FrameSize,
        points: &[ControlPoint],
    ) -> Result<(Self, Agreement), Vec<ValidationError>> {
        let mut found = ValidationErrors::default();
        let has_pixels = frame.width > 0 && frame.height > 0;
        let size = format!("{} x {}", frame.width, frame.height);
        found.check(has_pixels, "calibration.frame", size, CalibrationRule::Frame);
        let count = format!("{} points", points.len());
        found.check(points.len() >= 4, "calibration.points", count, CalibrationRule::TooFewPoints);
        check_pixels(frame, points, &mut found);
        check_distances(position, points, &mut found);
        let mistakes = found.into_vec();
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let count = points.len() as f64;
        let plane = TangentPlane::around(
            points.iter().map(|point| point.ground.latitude()).sum::<f64>() / count,
            points.iter().map(|point| point.ground.longitude()).sum::<f64>() / count,
        );
        let pairs: Vec<Pair> = points.iter().map(|point| pair(plane, point)).collect();
        let mut found = ValidationErrors::default();
        check_lines(&pairs, &mut found);
        let mistakes = found.into_vec();
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let (projection, agreement) = fit(&pairs)?;
        let camera = plane.to_metres(position);
        let extent_m = pairs.iter().map(|pair| (pair.metres - camera).norm()).fold(0.0, f64::max);
        Ok((Self { plane, projection, camera, extent_m }, agreement))
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

fn check_pixels(frame: FrameSize, points: &[ControlPoint], found: &mut ValidationErrors) {
    let (width, height) = (frame.width as f32, frame.height as f32);
    for (index, point) in points.iter().enumerate() {
        let PixelPoint { x, y } = point.pixel;
        let path = format!("calibration.points[{index}].pixel");
        if !((0.0..=width).contains(&x) && (0.0..=height).contains(&y)) {
            let FrameSize { width, height } = frame;
            found.add(path, format!("[{x}, {y}]"), CalibrationRule::PointOutside { width, height });
            continue;
        }
        let twin = points[..index].iter().position(|other| (other.pixel.x - x).hypot(other.pixel.y - y) < SAME_PX);
        if let Some(twin) = twin {
            found.add(path, format!("[{x}, {y}]"), CalibrationRule::SamePixel { least: SAME_PX, other: twin });
        }
    }
}

fn check_distances(position: &GroundPoint, points: &[ControlPoint], found: &mut ValidationErrors) {
    let plane = TangentPlane::around(position.latitude(), position.longitude());
    let metres: Vec<Vector2<f64>> = points.iter().map(|point| plane.to_metres(&point.ground)).collect();
    for (index, at) in metres.iter().enumerate() {
        let ground = &points[index].ground;
        let value = format!("{}, {}", ground.latitude(), ground.longitude());
        let path = format!("calibration.points[{index}].ground");
        if at.norm() > FARTHEST_M {
            let distance = format!("{:.0}", at.norm());
            found.add(path, value, CalibrationRule::FarPoint { most: FARTHEST_M, distance });
        } else if let Some(twin) = metres[..index].iter().position(|other| (other - at).norm() < SAME_M) {
            found.add(path, value, CalibrationRule::SamePlace { other: twin });
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
fn check_lines(pairs: &[Pair], found: &mut ValidationErrors) {
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
    let on_line = spread(|pair| pair.metres, 0.02)
        .map(|at| (at, "ground"))
        .or_else(|| spread(|pair| pair.pixel, 0.005).map(|at| (at, "pixel")));
    if let Some(((i, j, k), which)) = on_line {
        let rule = CalibrationRule::OnALine { space: which.to_owned() };
        found.add("calibration.points", format!("points {i}, {j} and {k}"), rule);
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
        let value = format!("{mirrored} of {} triangles are mirrored", same + mirrored);
        found.add("calibration.points", value, CalibrationRule::Mirrored);
    }
}

/// All triples of `n`, at most of the first 24 points, which are sufficient.
fn triples(n: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let n = n.min(24);
    (0..n).flat_map(move |i| (i + 1..n).flat_map(move |j| (j + 1..n).map(move |k| (i, j, k))))
}

fn fit(pairs: &[Pair]) -> Result<(Projection, Agreement), Vec<ValidationError>> {
    let refuse = |rule: CalibrationRule| {
        vec![ValidationError::new("calibration.points", format!("{} points", pairs.len()), rule)]
    };
    let fitted = homography(pairs);
    let chi_squared = fitted.as_ref().map_or(f64::INFINITY, |fitted| fitted.chi_squared);
    let odd = odd_one(pairs, chi_squared, REMARKABLE_SIGMAS);
    if let Some(odd) = odd.filter(|odd| odd.sigmas >= WRONG_SIGMAS && odd.off_m.is_none_or(|off| off >= WRONG_M)) {
        return Err(vec![wrong_point(odd)]);
    }
    let fitted = fitted.map_err(|error| match error {
        FitError::Degenerate => refuse(CalibrationRule::Degenerate),
        FitError::Horizon => refuse(CalibrationRule::Horizon),
    })?;
    let worst = (0..pairs.len()).max_by(|a, b| fitted.residuals[*a].total_cmp(&fitted.residuals[*b])).unwrap_or(0);
    let residual = fitted.residuals.get(worst).copied().unwrap_or(0.0);
    let is_gross = fitted.misfit > GROSS_MISFIT && residual > GROSS_RESIDUAL_M;
    if is_gross || (fitted.misfit > LARGE_MISFIT && residual > LARGE_RESIDUAL_M) {
        let rule = CalibrationRule::Contradiction { times: format!("{:.0}", fitted.misfit) };
        return Err(vec![ValidationError::new(
            format!("calibration.points[{worst}]"),
            format!("{residual:.1} m off"),
            rule,
        )]);
    }
    let mean = pairs.iter().map(|pair| pair.pixel).sum::<Vector2<f64>>() / pairs.len() as f64;
    let middle = PixelPoint::new(mean.x as f32, mean.y as f32);
    let remarkable = |odd: &Odd| odd.sigmas >= REMARKABLE_SIGMAS && odd.off_m.is_none_or(|off| off >= REMARKABLE_M);
    let agreement = Agreement { residuals: fitted.residuals, odd: odd.filter(remarkable) };
    let projection = Projection::new(fitted.to_ground, fitted.causes, 0.0, middle);
    projection.map(|projection| (projection, agreement)).ok_or_else(|| refuse(CalibrationRule::Degenerate))
}

fn wrong_point(odd: Odd) -> ValidationError {
    let off = odd.off_m.map_or_else(|| "beyond their horizon".to_owned(), |off| format!("{off:.1} m off"));
    let value =
        odd.instead.map_or_else(|| off.clone(), |other| format!("{off}, unless points[{other}] is the wrong one"));
    let rule = CalibrationRule::WrongPoint { most: WRONG_M, rest: format!("{:.1}", odd.rest_m) };
    ValidationError::new(format!("calibration.points[{}]", odd.index), value, rule)
}
