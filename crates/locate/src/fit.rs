use nalgebra::{DMatrix, Matrix2, Matrix3, SMatrix, SVector, Vector2, Vector3};

/// A pixel and its ground point in metres, both with one sigma.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) pixel: Vector2<f64>,
    pub(crate) metres: Vector2<f64>,
    /// Pixels.
    pub(crate) pixel_sigma: f64,
    /// Metres.
    pub(crate) ground_sigma: f64,
}

/// Result of a fit.
#[derive(Debug, Clone)]
pub(crate) struct Fitted {
    /// Homography from pixels to metres.
    pub(crate) to_ground: Matrix3<f64>,
    /// Its change by one sigma of eight independent causes of error.
    pub(crate) causes: Vec<Matrix3<f64>>,
    /// Factor by which the residuals exceed the stated errors; at least 1.
    pub(crate) misfit: f64,
    /// Sum of the squared residuals in units of the stated errors.
    pub(crate) chi_squared: f64,
    /// Residual of each pair in metres.
    pub(crate) residuals: Vec<f64>,
}

impl Fitted {
    /// Metres of a pixel; none above the horizon.
    pub(crate) fn image(&self, pixel: Vector2<f64>) -> Option<Vector2<f64>> {
        image(&self.to_ground, pixel)
    }
}

/// Why the fit failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FitError {
    /// The points do not determine a homography.
    Degenerate,
    /// Some points are projected to the other side of the horizon.
    Horizon,
}

type Parameters = SVector<f64, 8>;

/// Below this ratio of the eighth to the first singular value the points count as collinear.
const SMALLEST_RATIO: f64 = 1e-3;

/// The homography of four or more pairs: normalised direct linear transform, then weighted Gauss-Newton on the ground
/// residuals, with the covariance of the result.
pub(crate) fn homography(pairs: &[Pair]) -> Result<Fitted, FitError> {
    let pixel_frame = normaliser(pairs.iter().map(|pair| pair.pixel)).ok_or(FitError::Degenerate)?;
    let ground_frame = normaliser(pairs.iter().map(|pair| pair.metres)).ok_or(FitError::Degenerate)?;
    let (pixel_scale, ground_scale) = (pixel_frame[(0, 0)], ground_frame[(0, 0)]);
    let normal: Vec<Pair> = pairs
        .iter()
        .map(|pair| Pair {
            pixel: (pixel_frame * pair.pixel.push(1.0)).xy(),
            metres: (ground_frame * pair.metres.push(1.0)).xy(),
            pixel_sigma: pair.pixel_sigma * pixel_scale,
            ground_sigma: pair.ground_sigma * ground_scale,
        })
        .collect();
    let (parameters, information, chi_squared) = refine(&normal, direct(&normal)?)?;
    let freedom = (2 * pairs.len()).saturating_sub(8);
    let misfit = if freedom == 0 { 1.0 } else { (chi_squared / freedom as f64).sqrt().max(1.0) };
    let covariance = information.try_inverse().ok_or(FitError::Degenerate)? * (misfit * misfit);
    let root = covariance.cholesky().ok_or(FitError::Degenerate)?.l();
    let from_ground_frame = ground_frame.try_inverse().ok_or(FitError::Degenerate)?;
    let causes = (0..8)
        .map(|column| {
            let mut change = matrix(&root.column(column).into_owned());
            change[(2, 2)] = 0.0;
            from_ground_frame * change * pixel_frame
        })
        .collect();
    let residuals = normal
        .iter()
        .map(|pair| {
            image(&matrix(&parameters), pair.pixel).map_or(f64::MAX, |at| (at - pair.metres).norm()) / ground_scale
        })
        .collect();
    Ok(Fitted {
        to_ground: from_ground_frame * matrix(&parameters) * pixel_frame,
        causes,
        misfit,
        chi_squared,
        residuals,
    })
}

/// Moves the mean to the origin and the mean distance from it to the square root of 2.
fn normaliser(points: impl Iterator<Item = Vector2<f64>> + Clone) -> Option<Matrix3<f64>> {
    let count = points.clone().count() as f64;
    let mean = points.clone().sum::<Vector2<f64>>() / count;
    let distance = points.map(|point| (point - mean).norm()).sum::<f64>() / count;
    let scale = std::f64::consts::SQRT_2 / distance;
    (scale.is_finite() && scale > 0.0)
        .then(|| Matrix3::new(scale, 0.0, -scale * mean.x, 0.0, scale, -scale * mean.y, 0.0, 0.0, 1.0))
}

/// The direct linear transform, scaled so that its last element is 1.
fn direct(pairs: &[Pair]) -> Result<Parameters, FitError> {
    // At least nine rows, so that the decomposition gives all nine right singular vectors.
    let mut rows = DMatrix::zeros((2 * pairs.len()).max(9), 9);
    for (index, pair) in pairs.iter().enumerate() {
        let (p, g) = (pair.pixel, pair.metres);
        let east = [p.x, p.y, 1.0, 0.0, 0.0, 0.0, -g.x * p.x, -g.x * p.y, -g.x];
        let north = [0.0, 0.0, 0.0, p.x, p.y, 1.0, -g.y * p.x, -g.y * p.y, -g.y];
        for column in 0..9 {
            rows[(2 * index, column)] = east[column];
            rows[(2 * index + 1, column)] = north[column];
        }
    }
    let parts = rows.svd(false, true);
    let vectors = parts.v_t.ok_or(FitError::Degenerate)?;
    let mut order: Vec<usize> = (0..9).collect();
    order.sort_by(|a, b| parts.singular_values[*b].total_cmp(&parts.singular_values[*a]));
    if parts.singular_values[order[7]] < SMALLEST_RATIO * parts.singular_values[order[0]] {
        return Err(FitError::Degenerate);
    }
    let solution = vectors.row(order[8]);
    let last = solution[8];
    // The mean of the pixels is the origin here and lies among them, so it is below the horizon and `last` is not 0.
    if last.abs() < 1e-9 {
        return Err(FitError::Horizon);
    }
    Ok(Parameters::from_fn(|row, _| solution[row] / last))
}

fn matrix(parameters: &Parameters) -> Matrix3<f64> {
    let p = parameters;
    Matrix3::new(p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], 1.0)
}

fn image(to_ground: &Matrix3<f64>, pixel: Vector2<f64>) -> Option<Vector2<f64>> {
    let image = to_ground * Vector3::new(pixel.x, pixel.y, 1.0);
    (image.z > 1e-9).then(|| image.xy() / image.z)
}

/// Normal equations of the weighted residuals: information matrix, gradient and sum of squares.
fn equations(pairs: &[Pair], parameters: &Parameters) -> Option<(SMatrix<f64, 8, 8>, Parameters, f64)> {
    let to_ground = matrix(parameters);
    let mut information = SMatrix::<f64, 8, 8>::zeros();
    let mut gradient = Parameters::zeros();
    let mut chi_squared = 0.0;
    for pair in pairs {
        let at = image(&to_ground, pair.pixel)?;
        let (x, y) = (pair.pixel.x, pair.pixel.y);
        let depth = to_ground[(2, 0)] * x + to_ground[(2, 1)] * y + 1.0;
        let by_parameter = SMatrix::<f64, 2, 8>::from_row_slice(&[
            x,
            y,
            1.0,
            0.0,
            0.0,
            0.0,
            -at.x * x,
            -at.x * y,
            0.0,
            0.0,
            0.0,
            x,
            y,
            1.0,
            -at.y * x,
            -at.y * y,
        ]) / depth;
        let by_pixel =
            Matrix2::from_fn(|row, column| to_ground[(row, column)] - at[row] * to_ground[(2, column)]) / depth;
        let covariance = Matrix2::identity() * pair.ground_sigma.powi(2)
            + by_pixel * by_pixel.transpose() * pair.pixel_sigma.powi(2);
        let weight = covariance.try_inverse()?;
        let residual = pair.metres - at;
        information += by_parameter.transpose() * weight * by_parameter;
        gradient += by_parameter.transpose() * weight * residual;
        chi_squared += (residual.transpose() * weight * residual)[0];
    }
    Some((information, gradient, chi_squared))
}

type Refined = (Parameters, SMatrix<f64, 8, 8>, f64);

fn refine(pairs: &[Pair], start: Parameters) -> Result<Refined, FitError> {
    let mut parameters = start;
    let (mut information, mut gradient, mut chi_squared) = equations(pairs, &parameters).ok_or(FitError::Horizon)?;
    for _ in 0..30 {
        let Some(inverse) = information.try_inverse() else { return Err(FitError::Degenerate) };
        let mut step = inverse * gradient;
        if step.norm() < 1e-12 {
            break;
        }
        let mut better = false;
        for _ in 0..12 {
            let next = parameters + step;
            if let Some((i, g, c)) = equations(pairs, &next).filter(|(_, _, next)| *next < chi_squared) {
                better = chi_squared - c > 1e-12 * chi_squared;
                (parameters, information, gradient, chi_squared) = (next, i, g, c);
                break;
            }
            step *= 0.5;
        }
        if !better {
            break;
        }
    }
    Ok((parameters, information, chi_squared))
}
