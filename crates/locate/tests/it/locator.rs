//! The locator against cameras whose truth is known.

use proptest::prelude::*;
use vedette_core::{Calibration, Camera, CameraPose, ControlPoint, FrameSize, GroundPoint, PixelPoint, PlaceSource};
use vedette_locate::{CalibrationQuality, Locator};

const FRAME: FrameSize = FrameSize { width: 768, height: 576 };
const LATITUDE: f64 = 22.531;
const LONGITUDE: f64 = 113.938;

fn camera(calibration: Option<Calibration>) -> Camera {
    Camera {
        id: "test".parse().unwrap(),
        name: "test".into(),
        purpose: "test".into(),
        groups: Vec::new(),
        enabled: true,
        priority: Default::default(),
        source: None,
        position: GroundPoint::new(LATITUDE, LONGITUDE, 0.0).unwrap(),
        address: None,
        calibration,
        masks: Vec::new(),
    }
}

fn pose() -> CameraPose {
    CameraPose {
        height_m: 6.0,
        heading_deg: 0.0,
        pitch_deg: 16.0,
        roll_deg: 0.0,
        field_of_view_deg: 39.1,
        angle_sigma_deg: 0.5,
    }
}

fn posed(pose: CameraPose) -> Locator {
    Locator::new(&camera(Some(Calibration::Pose(pose)))).unwrap()
}

fn metres(a: &GroundPoint, b: &GroundPoint) -> f64 {
    // Radii of curvature at 22.531 N.
    let north = (a.latitude() - b.latitude()).to_radians() * 6_344_826.0;
    let east = (a.longitude() - b.longitude()).to_radians() * 6_381_269.0 * LATITUDE.to_radians().cos();
    north.hypot(east)
}

/// A small generator of normal numbers (SplitMix64, Box and Muller), so that every run is the same.
struct Noise(u64);

impl Noise {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    fn pixel(&mut self, at: PixelPoint, sigma: f64) -> PixelPoint {
        PixelPoint::new(at.x + (sigma * self.normal()) as f32, at.y + (sigma * self.normal()) as f32)
    }

    fn ground(&mut self, at: &GroundPoint, sigma_m: f64, error_m: f32) -> GroundPoint {
        let north = (sigma_m * self.normal() / 6_344_826.0).to_degrees();
        let east = (sigma_m * self.normal() / 6_381_269.0 / LATITUDE.to_radians().cos()).to_degrees();
        GroundPoint::new(at.latitude() + north, at.longitude() + east, error_m).unwrap()
    }
}

/// The first four span the view; a calibration does not reach far beyond its points.
const MARKS: [[f32; 2]; 10] = [
    [60.0, 540.0],
    [700.0, 550.0],
    [45.0, 190.0],
    [600.0, 150.0],
    [430.0, 390.0],
    [180.0, 275.0],
    [300.0, 210.0],
    [740.0, 285.0],
    [310.0, 110.0],
    [570.0, 420.0],
];

fn surveyed(truth: &Locator, count: usize, noise: Option<&mut Noise>) -> Calibration {
    let mut noise = noise;
    let points = MARKS[..count]
        .iter()
        .map(|mark| {
            let pixel = PixelPoint::from(*mark);
            let ground = truth.locate(pixel, FRAME, 0.0).0;
            let exact = GroundPoint::new(ground.latitude(), ground.longitude(), 0.25).unwrap();
            match noise.as_deref_mut() {
                Some(noise) => {
                    ControlPoint { pixel: noise.pixel(pixel, 1.0), ground: noise.ground(&exact, 0.25 / 2.4477, 0.25) }
                }
                None => ControlPoint { pixel, ground: exact },
            }
        })
        .collect();
    Calibration::ControlPoints { frame: FRAME, points }
}

#[test]
fn the_axis_of_a_camera_hits_the_ground_where_trigonometry_says() {
    let (ground, source) =
        posed(CameraPose { heading_deg: 90.0, ..pose() }).locate(PixelPoint::new(384.0, 288.0), FRAME, 1.0);
    assert_eq!(source, PlaceSource::Calibration);
    let camera = GroundPoint::new(LATITUDE, LONGITUDE, 0.0).unwrap();
    assert!((metres(&ground, &camera) - 6.0 / 16.0_f64.to_radians().tan()).abs() < 0.01);
    assert!((ground.latitude() - LATITUDE).abs() < 1e-6 && ground.longitude() > LONGITUDE);
}

#[test]
fn without_calibration_the_camera_stands_in() {
    let (ground, source) = Locator::new(&camera(None)).unwrap().locate(PixelPoint::new(1.0, 1.0), FRAME, 1.0);
    assert_eq!((source, ground.error_m()), (PlaceSource::CameraPosition, 100.0));
}

#[test]
fn above_the_horizon_and_nonsense_give_the_camera_with_its_reach() {
    for locator in [posed(CameraPose { pitch_deg: 5.0, ..pose() }), posed(pose())] {
        for pixel in [[384.0, -900.0], [384.0, -30.0], [f32::NAN, 3.0], [f32::INFINITY, f32::NEG_INFINITY]] {
            let (ground, source) = locator.locate(pixel.into(), FRAME, 2.0);
            assert_eq!(source, PlaceSource::AboveHorizon, "{pixel:?}");
            assert!(f64::from(ground.error_m()) >= locator.reach_m());
            assert_eq!(ground.latitude(), LATITUDE);
        }
        let nothing = FrameSize { width: 0, height: 0 };
        assert_eq!(locator.locate(PixelPoint::new(1.0, 1.0), nothing, f32::NAN).1, PlaceSource::AboveHorizon);
    }
    let sky = posed(CameraPose { pitch_deg: -40.0, ..pose() });
    assert_eq!(sky.locate(PixelPoint::new(384.0, 576.0), FRAME, 1.0).1, PlaceSource::AboveHorizon);
    assert!(sky.view_polygon(FRAME).is_none());
}

#[test]
fn exact_control_points_repeat_the_camera() {
    let truth = posed(pose());
    for count in [4, 6, 10] {
        let locator = Locator::new(&camera(Some(surveyed(&truth, count, None)))).unwrap();
        for pixel in [[100.0, 500.0], [384.0, 300.0], [650.0, 200.0]] {
            let wanted = truth.locate(pixel.into(), FRAME, 0.0).0;
            let (found, source) = locator.locate(pixel.into(), FRAME, 0.0);
            assert_eq!(source, PlaceSource::Calibration);
            assert!(metres(&found, &wanted) < 1e-3, "{count}: {}", metres(&found, &wanted));
            // A frame of half the size shows the same.
            let half = FrameSize { width: 384, height: 288 };
            let again = locator.locate([pixel[0] / 2.0, pixel[1] / 2.0].into(), half, 0.0).0;
            assert!(metres(&found, &again) < 1e-3);
        }
    }
}

/// Share of true points inside the stated radius over simulated cameras.
fn coverage(mut place: impl FnMut(&mut Noise) -> Option<(Locator, Locator)>, pixel_sigma: f64) -> (f64, usize) {
    let mut noise = Noise(7);
    let (mut inside, mut total) = (0_usize, 0_usize);
    for _ in 0..200 {
        let Some((truth, believed)) = place(&mut noise) else { continue };
        for _ in 0..8 {
            let pixel = PixelPoint::new((noise.uniform() * 768.0) as f32, (120.0 + noise.uniform() * 450.0) as f32);
            let (real, PlaceSource::Calibration) = truth.locate(pixel, FRAME, 0.0) else { continue };
            let seen = noise.pixel(pixel, pixel_sigma);
            let (found, PlaceSource::Calibration) = believed.locate(seen, FRAME, pixel_sigma as f32) else { continue };
            total += 1;
            inside += usize::from(metres(&real, &found) <= f64::from(found.error_m()));
        }
    }
    (inside as f64 / total as f64, total)
}

#[test]
fn control_points_state_an_honest_error() {
    let truth = posed(pose());
    for count in [4, 5, 6, 10] {
        for pixel_sigma in [0.5, 4.0] {
            let (share, total) = coverage(
                |noise| {
                    let calibration = surveyed(&truth, count, Some(noise));
                    Some((truth.clone(), Locator::new(&camera(Some(calibration))).ok()?))
                },
                pixel_sigma,
            );
            println!("{count} points, {pixel_sigma} px: {:.1} % of {total}", 100.0 * share);
            assert!(
                total > 1400 && (0.93..=0.995).contains(&share),
                "{count} points, {pixel_sigma} px: {share} of {total}"
            );
        }
    }
}

#[test]
fn a_pose_states_an_honest_error() {
    for (pixel_sigma, angle_sigma_deg) in [(1.0, 0.5), (4.0, 1.0)] {
        let believed = posed(CameraPose { angle_sigma_deg, ..pose() });
        let (share, total) = coverage(
            |noise| {
                let real = CameraPose {
                    height_m: 6.0 * (1.0 + 0.02 * noise.normal()),
                    heading_deg: angle_sigma_deg * noise.normal(),
                    pitch_deg: 16.0 + angle_sigma_deg * noise.normal(),
                    roll_deg: angle_sigma_deg * noise.normal(),
                    ..pose()
                };
                Some((posed(real), believed.clone()))
            },
            pixel_sigma,
        );
        println!("pose, {pixel_sigma} px, {angle_sigma_deg} deg: {:.1} % of {total}", 100.0 * share);
        assert!(total > 1400 && (0.93..=0.995).contains(&share), "{pixel_sigma} px: {share} of {total}");
    }
}

fn mistakes(change: impl FnOnce(&mut Vec<ControlPoint>)) -> Vec<String> {
    let Calibration::ControlPoints { frame, mut points } = surveyed(&posed(pose()), 6, None) else { unreachable!() };
    change(&mut points);
    match Locator::new(&camera(Some(Calibration::ControlPoints { frame, points }))) {
        Ok(_) => Vec::new(),
        Err(mistakes) => mistakes.iter().map(ToString::to_string).collect(),
    }
}

fn moved(ground: &GroundPoint, north_deg: f64, east_deg: f64) -> GroundPoint {
    GroundPoint::new(ground.latitude() + north_deg, ground.longitude() + east_deg, ground.error_m()).unwrap()
}

#[test]
fn every_mistake_of_control_points_is_named() {
    let expect = |found: Vec<String>, wanted: &[&str]| {
        for text in wanted {
            assert!(found.iter().any(|mistake| mistake.contains(text)), "`{text}` is not in {found:?}");
        }
    };
    assert!(mistakes(|_| ()).is_empty());
    expect(mistakes(|points| points.truncate(3)), &["four or more"]);
    expect(mistakes(|points| points[1].pixel = points[0].pixel), &["points[1].pixel", "within 2 pixels of points[0]"]);
    expect(mistakes(|points| points[2].ground = points[0].ground), &["points[2].ground", "same place as points[0]"]);
    expect(mistakes(|points| points[3].ground = moved(&points[3].ground, 0.1, 0.0)), &["points[3].ground", "GCJ-02"]);
    expect(
        mistakes(|points| {
            points[0].pixel = PixelPoint::new(900.0, 3.0);
            points[1].pixel = PixelPoint::new(f32::NAN, 3.0);
        }),
        &["points[0].pixel", "points[1].pixel"],
    );
    expect(mistakes(|points| *points = points.iter().map(mirrored).collect()), &["mirrored"]);
    let line = |points: &mut Vec<ControlPoint>| {
        let start = points[0].ground;
        for (index, point) in points.iter_mut().enumerate() {
            point.ground = moved(&start, 1e-5 * index as f64, 1e-5 * index as f64);
        }
    };
    expect(mistakes(line), &["no three on a line"]);
    expect(mistakes(|points| points[5].ground = moved(&points[5].ground, 1e-4, 1e-4)), &["contradict"]);
}

#[test]
fn a_wrong_point_is_named_whichever_it_is() {
    let truth = posed(pose());
    let (mut first, mut total) = (0, 0);
    for count in [6, 8, 10] {
        for wrong in 0..count {
            for (north, east) in [(1.8e-4, 0.0), (-1.8e-4, 0.0), (0.0, 1.9e-4), (0.0, -1.9e-4)] {
                let mut noise = Noise(11);
                let Calibration::ControlPoints { frame, mut points } = surveyed(&truth, count, Some(&mut noise)) else {
                    unreachable!()
                };
                points[wrong].ground = moved(&points[wrong].ground, north, east);
                let found = Locator::new(&camera(Some(Calibration::ControlPoints { frame, points })));
                let found: Vec<String> = found.map(drop).unwrap_err().iter().map(ToString::to_string).collect();
                let named = found.iter().any(|mistake| mistake.contains(&format!("points[{wrong}]")));
                first += usize::from(found[0].starts_with(&format!("calibration.points[{wrong}]")));
                total += 1;
                // Another rule may hold before the fit: two points at one place, a mirrored view.
                let earlier =
                    found.iter().all(|mistake| mistake.contains("mirrored") || mistake.contains("same place"));
                assert!(named || earlier, "{count} points, {wrong}, {north} {east}: {found:?}");
            }
        }
    }
    assert!(first * 10 >= total * 8, "{first} of {total}");
}

#[test]
fn honest_points_are_never_refused_and_their_residuals_are_told() {
    let truth = posed(pose());
    let mut noise = Noise(3);
    for count in [4, 5, 6, 7, 10] {
        for _ in 0..100 {
            let camera = camera(Some(surveyed(&truth, count, Some(&mut noise))));
            Locator::new(&camera).unwrap_or_else(|mistakes| panic!("{count}: {mistakes:?}"));
            let quality = CalibrationQuality::of(&camera).unwrap();
            assert_eq!(quality.residuals_m.len(), count);
            assert!(quality.residuals_m.iter().all(|residual| *residual < 15.0), "{quality:?}");
            assert!(count > 4 || quality.residuals_m.iter().all(|residual| *residual < 0.01), "{quality:?}");
            assert!(!quality.is_mostly_lost(), "{quality:?}");
        }
    }
}

#[test]
fn a_point_off_by_less_stands_out() {
    let Calibration::ControlPoints { frame, mut points } = surveyed(&posed(pose()), 10, None) else { unreachable!() };
    points[4].ground = moved(&points[4].ground, 1.8e-5, 0.0);
    let camera = camera(Some(Calibration::ControlPoints { frame, points }));
    let quality = CalibrationQuality::of(&camera).unwrap();
    let odd = quality.odd.unwrap();
    assert_eq!(odd.index, 4);
    assert!((1.8..2.2).contains(&odd.off_m.unwrap()), "{odd:?}");
}

#[test]
fn a_camera_that_looks_at_the_sky_says_so() {
    let lost = |pitch_deg: f64| {
        let camera = camera(Some(Calibration::Pose(CameraPose { pitch_deg, ..pose() })));
        CalibrationQuality::of(&camera).unwrap()
    };
    assert!(lost(-30.0).is_mostly_lost() && lost(-30.0).ground_share == 0.0);
    assert!(lost(-8.0).is_mostly_lost());
    assert!(!lost(16.0).is_mostly_lost() && lost(16.0).ground_share > 0.95);
    let bare = camera(None);
    assert!(CalibrationQuality::of(&bare).is_none());
}

fn mirrored(point: &ControlPoint) -> ControlPoint {
    let east = 2.0 * (LONGITUDE - point.ground.longitude());
    ControlPoint { pixel: point.pixel, ground: moved(&point.ground, 0.0, east) }
}

#[test]
fn every_mistake_of_a_pose_is_named() {
    let wrong = CameraPose { height_m: 0.0, field_of_view_deg: 190.0, pitch_deg: f64::NAN, ..pose() };
    let found = Locator::new(&camera(Some(Calibration::Pose(wrong)))).unwrap_err();
    let paths: Vec<&str> = found.iter().map(|mistake| mistake.path.as_str()).collect();
    assert_eq!(paths, ["calibration.height_m", "calibration.pitch_deg", "calibration.field_of_view_deg"]);
}

#[test]
fn the_view_lies_ahead_and_within_reach() {
    let truth = posed(pose());
    let from_points = Locator::new(&camera(Some(surveyed(&truth, 10, None)))).unwrap();
    for locator in [truth, from_points] {
        let ring = locator.view_polygon(FRAME).unwrap();
        assert_eq!(ring.len(), 34);
        for point in ring {
            let distance = metres(&point, &locator.position());
            assert!(point.latitude() > LATITUDE && (9.0..80.1).contains(&distance), "{distance}");
        }
    }
}

proptest! {
    #[test]
    fn a_projected_pixel_comes_back(
        height in 3.0..60.0_f64, heading in -180.0..180.0_f64, pitch in 10.0..89.0_f64, roll in -20.0..20.0_f64,
        fov in 20.0..90.0_f64, x in 0.0..768.0_f32, y in 0.0..576.0_f32,
    ) {
        let locator = posed(CameraPose {
            height_m: height, heading_deg: heading, pitch_deg: pitch, roll_deg: roll, field_of_view_deg: fov, angle_sigma_deg: 0.1,
        });
        if let (ground, PlaceSource::Calibration) = locator.locate(PixelPoint::new(x, y), FRAME, 0.5) {
            let back = locator.project(&ground, FRAME).unwrap();
            prop_assert!((back.x - x).hypot(back.y - y) < 0.01, "{back:?}");
        }
    }

    #[test]
    fn nothing_from_outside_panics(points in prop::collection::vec((any::<[f32; 2]>(), -90.0..90.0_f64, -180.0..180.0_f64), 0..8), x: f32, y: f32, sigma: f32) {
        let points = points.into_iter().map(|(pixel, lat, lon)| ControlPoint { pixel: pixel.into(), ground: GroundPoint::new(lat, lon, 0.0).unwrap() }).collect();
        if let Ok(locator) = Locator::new(&camera(Some(Calibration::ControlPoints { frame: FRAME, points }))) {
            let _ = locator.locate(PixelPoint::new(x, y), FRAME, sigma);
        }
    }

    #[test]
    fn any_four_points_are_refused_or_reproduced(pixels in prop::array::uniform4((0.0..768.0_f32, 0.0..576.0_f32)), ground in prop::array::uniform4((-1e-3..1e-3_f64, -1e-3..1e-3_f64))) {
        let points: Vec<_> = pixels.iter().zip(ground).map(|((x, y), (lat, lon))| ControlPoint {
            pixel: PixelPoint::new(*x, *y), ground: GroundPoint::new(LATITUDE + lat, LONGITUDE + lon, 0.1).unwrap(),
        }).collect();
        if let Ok(locator) = Locator::new(&camera(Some(Calibration::ControlPoints { frame: FRAME, points: points.clone() }))) {
            for point in points {
                if let (found, PlaceSource::Calibration) = locator.locate(point.pixel, FRAME, 0.0) {
                    prop_assert!(metres(&found, &point.ground) < 0.05);
                }
            }
        }
    }
}

/// The control points written in `deploy/demo/calibration.md`, one a line.
fn demo_points() -> Vec<ControlPoint> {
    let page =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/demo/calibration.md")).unwrap();
    let numbers = |line: &str| -> Vec<f64> {
        line.split(|c: char| !(c.is_ascii_digit() || c == '.')).filter_map(|part| part.parse().ok()).collect()
    };
    page.lines()
        .filter(|line| line.trim_start().starts_with("{ pixel"))
        .map(|line| match numbers(line)[..] {
            [x, y, latitude, longitude, error_m, ..] => ControlPoint {
                pixel: PixelPoint::new(x as f32, y as f32),
                ground: GroundPoint::new(latitude, longitude, error_m as f32).unwrap(),
            },
            _ => panic!("{line}"),
        })
        .collect()
}

#[test]
fn the_demo_camera_is_calibrated_well_where_people_walk() {
    let points = demo_points();
    assert_eq!(points.len(), 10);
    let mut camera = camera(Some(Calibration::ControlPoints { frame: FRAME, points }));
    camera.position = GroundPoint::new(22.530_774_24, LONGITUDE, 0.5).unwrap();
    let locator = Locator::new(&camera).unwrap();
    for (pixel, distance, error) in
        [([384.0, 350.0], 17.2, 0.5), ([384.0, 254.0], 23.7, 0.8), ([231.0, 94.0], 59.3, 5.0)]
    {
        let (ground, source) = locator.locate(pixel.into(), FRAME, 3.0);
        assert_eq!(source, PlaceSource::Calibration);
        let found = metres(&ground, &camera.position);
        println!("{pixel:?}: {found:.2} m away, {:.2} m of error", ground.error_m());
        assert!((found - distance).abs() < 0.2 && ground.error_m() < error, "{found} m, {} m", ground.error_m());
    }
    // The border of the demo's grids is the middle of the picture.
    let west = locator.locate(PixelPoint::new(360.0, 300.0), FRAME, 3.0).0;
    let east = locator.locate(PixelPoint::new(408.0, 300.0), FRAME, 3.0).0;
    assert!(west.longitude() < LONGITUDE && LONGITUDE < east.longitude());
}

#[test]
fn a_view_in_metres_says_what_the_locator_says_at_any_frame_size() {
    let mut surveyed = camera(Some(Calibration::ControlPoints { frame: FRAME, points: demo_points() }));
    surveyed.position = GroundPoint::new(22.530_774_24, LONGITUDE, 0.5).unwrap();
    let half = FrameSize { width: FRAME.width / 2, height: FRAME.height / 2 };
    for locator in [Locator::new(&surveyed).unwrap(), posed(pose())] {
        for (frame, scale) in [(FRAME, 1.0), (half, 0.5)] {
            let view = locator.view(frame).unwrap();
            let pixel = PixelPoint::new(0.4 * FRAME.width as f32 * scale, 0.7 * FRAME.height as f32 * scale);
            let (ground, source) = locator.locate(pixel, frame, 3.0 * scale);
            let (metres, error) = view.metres(pixel, 3.0 * scale).unwrap();
            let [east, north] = view.of(&ground);
            assert_eq!(source, PlaceSource::Calibration);
            assert!((metres[0] - east).hypot(metres[1] - north) < 1e-3, "{metres:?} against {east}, {north}");
            assert!((error - f64::from(ground.error_m())).abs() < 1e-3);
            assert!(view.metres(PixelPoint::new(f32::NAN, 1.0), 3.0).is_none());
        }
        assert!(locator.view(FrameSize { width: 0, height: 5 }).is_none());
    }
    assert!(Locator::new(&camera(None)).unwrap().view(FRAME).is_none());
}
