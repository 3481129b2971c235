//! A camera's own address is the address of its alerts where nothing better is known.

use std::sync::{Arc, LazyLock};

use vedette_address::{AddressBase, BaseBuilder, BuilderOptions, SourceCrs};
use vedette_analysis::{CameraAnalysis, Serving, Setups};
use vedette_core::{
    AddressMatch, Alert, Camera, CameraRecord, Detection, FrameAt, FrameSize, ModelRef, ObjectClass, PixelBox,
    PlaceSource, Policy, ProcessedFrame, RecordBody, Score, SignalLoss, SignalLossReason, Span, Timestamp,
};
use vedette_rules::{RuleSet, SharedPolicy};

const FRAME: FrameSize = FrameSize { width: 1280, height: 720 };
const START: Timestamp = Timestamp::from_micros(1_772_323_200_000_000);

const HALL: &str = "4403050010010100001******";
const ROOM: &str = "4403050010010100001000002";
const GRID: &str = "44030500100102***********";

/// A grid with a building of one room in its middle, and a grid a kilometre away, both with a unit; and codes that are no more.
static BASE: LazyLock<Arc<AddressBase>> = LazyLock::new(|| {
    let square = |west: f64, south: f64, size: f64| {
        let (east, north) = (west + size, south + size);
        format!("\"POLYGON(({west} {south},{east} {south},{east} {north},{west} {north},{west} {south}))\"")
    };
    let grids = format!(
        "GRIDCODE,WORKCODE,province,city,district,street,community,source,wkt\n\
         44030500100101,W1,广东省,深圳市,南山区,试街道,甲社区,synthetic,{}\n\
         44030500100102,W2,广东省,深圳市,南山区,试街道,甲社区,synthetic,{}\n",
        square(113.9, 22.5, 0.004),
        square(113.914, 22.5, 0.004)
    );
    let columns =
        "code,building_id,province,city,district,street,community,road,road_num,village,building,address,source,wkt";
    let row = |code: &str, text: &str, shape: &str| {
        format!("{code},{},广东省,深圳市,南山区,试街道,甲社区,长青路,1号,,会堂,{text},synthetic,{shape}\n", &code[..19])
    };
    let rows = format!(
        "{columns}\n{}{}",
        row("4403050010010100001000000", "会堂", &square(113.9018, 22.5018, 0.0004)),
        row(ROOM, "会堂101房", "")
    );
    let formers = "former_code,code,changed,source\n\
                   4403050010010900001,4403050010010800001,2016-01-01,synthetic\n\
                   4403050010010800001,4403050010010100001,2019-05-04,synthetic\n";
    let workgrids = "kind,workgrid,name,gridcode,source\npolice,P01,东所,44030500100101,synthetic\n\
                     police,P02,西所,44030500100102,synthetic\n";
    let mut builder = BaseBuilder::new(BuilderOptions::default());
    for (name, text) in
        [("grids.csv", &*grids), ("rows.csv", &rows), ("formers.csv", formers), ("workgrids.csv", workgrids)]
    {
        builder.add_csv(text.as_bytes(), name, &SourceCrs::wgs84()).unwrap();
    }
    let (bytes, report) = builder.finish().unwrap();
    assert_eq!(report.refused_count(), 0, "{report}");
    Arc::new(AddressBase::from_bytes(bytes).unwrap())
});

/// A calibration whose lower half sees the ground in front of the mount.
const DOWN: &str =
    r#"{ method = "pose", height_m = 6.0, heading_deg = 0.0, pitch_deg = 25.0, field_of_view_deg = 70.0 }"#;
/// One that sees the sky only.
const UP: &str =
    r#"{ method = "pose", height_m = 6.0, heading_deg = 0.0, pitch_deg = -45.0, field_of_view_deg = 40.0 }"#;

/// Where a camera is mounted: north of the building's south wall, and a kilometre and more from everything.
const AT_HALL: (f64, f64) = (22.50165, 113.902);
const NOWHERE: (f64, f64) = (22.6, 113.95);

struct Mount {
    at: (f64, f64),
    calibration: Option<&'static str>,
    address: Option<&'static str>,
}

fn camera(mount: &Mount) -> Camera {
    let (latitude, longitude) = mount.at;
    let mut text = format!(
        "id = \"hall\"\nname = \"Hall\"\npurpose = \"test\"\ngroups = [\"halls\"]\n\
         position = {{ latitude = {latitude}, longitude = {longitude}, error_m = 1.0 }}\n"
    );
    let optional = [
        ("calibration", mount.calibration.map(str::to_owned)),
        ("address", mount.address.map(|code| format!("\"{code}\""))),
    ];
    for (key, value) in optional {
        text.extend(value.map(|value| format!("{key} = {value}\n")));
    }
    toml::from_str(&text).unwrap()
}

fn policy() -> Arc<SharedPolicy> {
    let text = r#"
        applies_to = { group = "halls" }
        version = 1
        frame = { width = 1280, height = 720 }

        [[rule]]
        id = "somebody"
        name = "Somebody"
        purpose = "test"
        when = { kind = "presence", zone = { pixels = [[0, 0], [1280, 0], [1280, 720], [0, 720]] } }

        [[rule]]
        id = "offline"
        name = "Offline"
        purpose = "test"
        when = { kind = "offline", after = "5s" }
    "#;
    Arc::new(SharedPolicy::new(RuleSet::complete(toml::from_str::<Policy>(text).unwrap())))
}

/// A person that stands before the camera for ten seconds, then no signal for ten.
fn records(camera: &Camera) -> Vec<CameraRecord> {
    let model = ModelRef { name: "scripted".into(), version: "1".into() };
    let person = Detection {
        class: ObjectClass::Person,
        score: Score::new(0.9).unwrap(),
        bbox: PixelBox::new(600.0, 300.0, 80.0, 300.0),
    };
    let seen = ProcessedFrame { detections: vec![person], ..ProcessedFrame::empty(FRAME) };
    let frame = |number: i64| CameraRecord {
        camera: camera.id.clone(),
        at: FrameAt { epoch: 1, sequence: number.unsigned_abs(), captured: START + Span::from_millis(number * 200) },
        model: model.clone(),
        body: RecordBody::Processed(seen.clone()),
    };
    let loss = |second: i64| {
        let at = START + Span::from_secs(second);
        let loss = SignalLoss { camera: camera.id.clone(), epoch: 2, at, reason: SignalLossReason::NoData };
        CameraRecord::signal_loss(SignalLoss { epoch: 2 + second.unsigned_abs(), ..loss }, model.clone())
    };
    (0..50).map(frame).chain((11..22).map(loss)).collect()
}

/// The first alert of a kind.
fn raised(mount: &Mount, kind: &str) -> Alert {
    let camera = Arc::new(camera(mount));
    let setups = Setups::fixed(camera.clone(), Some(policy()));
    let base = |_| Some(BASE.clone());
    let serving = Serving { setups: &setups, base: &base };
    let mut analysis = CameraAnalysis::new(camera.clone(), &Default::default()).unwrap();
    let alerts: Vec<Alert> = records(&camera).iter().flat_map(|record| analysis.take(record, serving).alerts).collect();
    let found = alerts.into_iter().find(|alert| alert.kind.as_str() == kind);
    found.unwrap_or_else(|| panic!("no alert of kind {kind}"))
}

fn address(mount: &Mount, kind: &str) -> Option<AddressMatch> {
    raised(mount, kind).place.address
}

/// The code as text, if there is an address.
fn code(mount: &Mount, kind: &str) -> Option<String> {
    address(mount, kind).map(|address| address.best.code.to_string())
}

const KINDS: [&str; 2] = ["presence", "offline"];

#[test]
fn a_camera_without_calibration_has_its_own_address() {
    for stated in [HALL, ROOM, GRID] {
        for at in [AT_HALL, NOWHERE] {
            for kind in KINDS {
                let found = address(&Mount { at, calibration: None, address: Some(stated) }, kind).unwrap();
                assert_eq!(found.best.code.to_string(), stated, "{kind} at {at:?}");
                assert_eq!((found.best.confidence, found.best.distance_m, found.ambiguous), (1.0, 0.0, false));
                assert!(found.alternatives.is_empty() && found.synthetic && !found.best.text.is_empty(), "{found:?}");
                let unit = if stated == GRID { "P02" } else { "P01" };
                assert_eq!(found.responsible.iter().map(|unit| &*unit.code).collect::<Vec<_>>(), [unit], "{stated}");
            }
        }
    }
}

#[test]
fn a_calibrated_camera_keeps_the_address_of_the_place_that_it_sees() {
    let mount = Mount { at: AT_HALL, calibration: Some(DOWN), address: Some(GRID) };
    for kind in KINDS {
        let found = code(&mount, kind).unwrap();
        assert!(found.starts_with("44030500100101"), "{kind}: {found}");
    }
    assert_eq!(raised(&mount, "presence").place.source, PlaceSource::Calibration);
}

#[test]
fn its_own_address_stands_in_where_the_base_has_nothing() {
    let mount = Mount { at: NOWHERE, calibration: Some(DOWN), address: Some(ROOM) };
    for kind in KINDS {
        assert_eq!(code(&mount, kind).as_deref(), Some(ROOM), "{kind}");
    }
    assert_eq!(raised(&mount, "presence").place.source, PlaceSource::Calibration);
    assert_eq!(code(&Mount { address: None, ..mount }, "presence"), None);
}

/// What is seen above the horizon is anywhere within reach, not at the mount.
#[test]
fn an_alert_above_the_horizon_has_the_cameras_own_address() {
    let mount = Mount { at: AT_HALL, calibration: Some(UP), address: Some(GRID) };
    assert_eq!(raised(&mount, "presence").place.source, PlaceSource::AboveHorizon);
    assert_eq!(code(&mount, "presence").as_deref(), Some(GRID));
    // The camera itself is at its mount.
    assert!(code(&mount, "offline").unwrap().starts_with("44030500100101"));
    assert!(code(&Mount { address: None, ..mount }, "presence").unwrap().starts_with("44030500100101"));
}

#[test]
fn a_former_code_gives_its_successor() {
    for former in ["4403050010010800001******", "4403050010010900001******"] {
        for calibration in [None, Some(DOWN)] {
            let mount = Mount { at: NOWHERE, calibration, address: Some(former) };
            for kind in KINDS {
                assert_eq!(code(&mount, kind).as_deref(), Some(HALL), "{former}, {kind}");
            }
        }
    }
}

#[test]
fn a_code_that_the_base_does_not_know_is_no_address() {
    for unknown in ["4403050010010700001******", "4403050010010100001000099", "44030500100199***********"] {
        for calibration in [None, Some(DOWN), Some(UP)] {
            for kind in KINDS {
                let nowhere = Mount { at: NOWHERE, calibration, address: Some(unknown) };
                assert_eq!(code(&nowhere, kind), None, "{unknown}, {kind}");
                let found = code(&Mount { at: AT_HALL, ..nowhere }, kind);
                assert!(found.is_some_and(|code| code.starts_with("44030500100101")), "{unknown}, {kind}");
            }
        }
    }
}
