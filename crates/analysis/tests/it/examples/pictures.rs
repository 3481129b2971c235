//! Drawn pictures of a scene, and what may go wrong with a camera's picture.

use serde::Deserialize;
use vedette_core::FrameSize;

use super::scene::noise;

pub(crate) const SIZE: FrameSize = FrameSize { width: 160, height: 90 };

/// What is wrong with the picture, and when.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Effect {
    from: f64,
    until: f64,
    is: Wrong,
}

#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Wrong {
    /// Nothing.
    Good,
    /// The same picture again and again.
    Frozen,
    /// Something hangs before the lens.
    Covered,
    /// Spray on the glass: no detail.
    Blurred,
    /// Somebody turned the camera.
    Moved,
    /// The sun goes down: darker, with less contrast.
    Dusk,
    /// The lamp is out: little is left to see.
    Dark,
}

/// The picture of frame `number` at `time` seconds: a wall and a road with detail, and noise.
pub(crate) fn at(effects: &[Effect], number: u64, time: f64) -> Vec<u8> {
    let wrong = effects.iter().find(|effect| (effect.from..effect.until).contains(&time)).map_or(Wrong::Good, |e| e.is);
    let seed = if wrong == Wrong::Frozen { 0 } else { number };
    let mut data = Vec::with_capacity((SIZE.width * SIZE.height * 3) as usize);
    for y in 0..SIZE.height {
        for x in 0..SIZE.width {
            let noise = 4.0 * noise(seed << 32 | u64::from(y * SIZE.width + x)) - 2.0;
            let grey = (brightness(wrong, f64::from(x), f64::from(y)) + noise).clamp(0.0, 255.0) as u8;
            data.extend([grey; 3]);
        }
    }
    data
}

fn brightness(wrong: Wrong, x: f64, y: f64) -> f64 {
    let (width, height) = (f64::from(SIZE.width), f64::from(SIZE.height));
    let scene = |x: f64, y: f64| {
        let wall = 70.0 + 110.0 * x / width;
        if y < height * 0.6 { wall } else { 60.0 + 30.0 * y / height }
    };
    let detail = if (x / 5.0) as i64 % 2 == (y / 5.0) as i64 % 2 { 18.0 } else { -18.0 };
    match wrong {
        Wrong::Good | Wrong::Frozen => scene(x, y) + detail,
        Wrong::Covered => 14.0,
        Wrong::Blurred => scene(x, y),
        Wrong::Moved => scene(width - x, height - y) + detail,
        Wrong::Dusk => 0.45 * (scene(x, y) + detail),
        Wrong::Dark => 0.25 * (scene(x, y) + detail),
    }
}
