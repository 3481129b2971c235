//! What the calibrations of the cameras are worth.

use vedette_locate::CalibrationQuality;

use super::{Ask, Finding, For, Level, PreflightRule};

/// Fewer control points than this have no residuals.
const LEAST_WITH_RESIDUALS: usize = 5;

/// Residuals of control points, and calibrations that give most objects no place. Those that are invalid are reported by themselves.
pub(super) fn look(ask: &Ask<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let file = &ask.reading.config.settings.site.cameras;
    for (index, camera) in ask.reading.config.cameras.iter().enumerate().filter(|(_, camera)| camera.enabled) {
        let Some(quality) = CalibrationQuality::of(camera) else { continue };
        let at = ask.reading.camera_paths.get(index).map_or("camera", String::as_str);
        let mut add = |level, part: &str, value: String, rule: PreflightRule| {
            found.push(Finding::new(level, file, &format!("{at}.calibration{part}"), value, rule));
        };
        // A process that starts logs no notes.
        if ask.by != For::Run && !quality.residuals_m.is_empty() {
            let (value, rule) = residuals(&quality.residuals_m);
            add(Level::Note, ".points", value, rule);
        }
        if let Some(odd) = quality.odd {
            let off = odd.off_m.map_or_else(|| "far".to_owned(), |off| format!("{off:.1} m"));
            add(Level::Warning, &format!(".points[{}]", odd.index), String::new(), PreflightRule::OddPoint { off });
        }
        if quality.is_mostly_lost() {
            let share = format!("{:.0}", 100.0 * quality.ground_share);
            add(Level::Warning, "", String::new(), PreflightRule::MostlyLost { share });
        }
    }
    found
}

fn residuals(metres: &[f64]) -> (String, PreflightRule) {
    if metres.len() < LEAST_WITH_RESIDUALS {
        return (format!("{} points", metres.len()), PreflightRule::NoResiduals);
    }
    let value = metres.iter().map(|metres| format!("{metres:.2}")).collect::<Vec<_>>().join(", ");
    let rms = (metres.iter().map(|metres| metres * metres).sum::<f64>() / metres.len() as f64).sqrt();
    let worst = metres.iter().copied().fold(0.0, f64::max);
    (value, PreflightRule::Residuals { rms: format!("{rms:.2}"), worst: format!("{worst:.2}") })
}
