use super::*;

/// WGS 84, GCJ-02, BD-09.
const KNOWN: [[LatLon; 3]; 3] = [
    [
        LatLon::new(22.543847, 113.912316),
        LatLon::new(22.540796131694766, 113.9171764808363),
        LatLon::new(22.546667437751108, 113.92368472926734),
    ],
    [
        LatLon::new(31.1774276, 121.5272106),
        LatLon::new(31.17530398364597, 121.531541859215),
        LatLon::new(31.181328606874466, 121.53801568643858),
    ],
    [
        LatLon::new(39.911954, 116.377817),
        LatLon::new(39.91334545536069, 116.38404722455657),
        LatLon::new(39.919575550965874, 116.39045471310828),
    ],
];

#[track_caller]
fn assert_close(found: LatLon, wanted: LatLon, tolerance: f64) {
    let near =
        (found.latitude - wanted.latitude).abs() < tolerance && (found.longitude - wanted.longitude).abs() < tolerance;
    assert!(near, "{found:?} is not {wanted:?}");
}

#[test]
fn web_map_systems_match_known_points() {
    for [wgs, gcj, bd] in KNOWN {
        assert_close(wgs84_to_gcj02(wgs), gcj, 1e-11);
        assert_close(wgs84_to_bd09(wgs), bd, 1e-11);
        assert_close(gcj02_to_wgs84(gcj), wgs, 1e-11);
        assert_close(bd09_to_wgs84(bd), wgs, 1e-11);
    }
}

#[test]
fn outside_china_gcj02_is_wgs84() {
    for (latitude, longitude) in [(48.85, 2.35), (22.5, 140.0), (0.5, 110.0), (-33.9, 151.2)] {
        assert_eq!(wgs84_to_gcj02(LatLon::new(latitude, longitude)), LatLon::new(latitude, longitude));
    }
}

#[test]
fn gauss_kruger_matches_proj() {
    for (latitude, longitude, northing, easting) in GRID_BY_PROJ {
        let metres = wgs84_to_gauss_kruger(LatLon::new(latitude, longitude)).unwrap();
        assert!((metres.northing_m - northing).abs() < 1e-6 && (metres.easting_m - easting).abs() < 1e-6, "{metres:?}");
        let back = gauss_kruger_to_wgs84(GaussKruger { northing_m: northing, easting_m: easting }).unwrap();
        assert_close(back, LatLon::new(latitude, longitude), 1e-11);
    }
}

/// Latitude, longitude, northing, easting by PROJ (EPSG:4490 to EPSG:4547, pyproj).
const GRID_BY_PROJ: [(f64, f64, f64, f64); 4] = [
    (22.531, 113.938, 2492601.489521, 493621.854122),
    (22.543847, 113.912316, 2494025.459089, 490980.488990),
    (22.8, 114.6, 2522514.056071, 561604.567660),
    (31.1774276, 115.5, 3451615.068228, 642998.102985),
];

#[test]
fn names_are_read_and_unknown_ones_refused() {
    for crs in Crs::ALL {
        assert_eq!(crs.as_str().parse::<Crs>().unwrap(), crs);
    }
    assert_eq!("gcj02".parse::<Crs>().unwrap(), Crs::Gcj02);
    assert!("EPSG:3857".parse::<Crs>().unwrap_err().to_string().contains("EPSG:4547"));
}

#[test]
fn numbers_that_cannot_be_coordinates_have_no_answer() {
    assert_eq!(Crs::Wgs84.to_wgs84(2_493_900.0, 493_000.0), None);
    assert_eq!(Crs::Wgs84.to_wgs84(f64::NAN, 22.0), None);
    assert_eq!(Crs::Cgcs2000GaussKruger114.to_wgs84(f64::NAN, 0.0), None);
    assert_eq!(Crs::Cgcs2000GaussKruger114.from_wgs84(LatLon::new(31.0, 90.0)), None);
}

proptest::proptest! {
    #[test]
    fn every_system_comes_back(latitude in 3.8..53.5_f64, longitude in 104.1..123.9_f64) {
        let point = LatLon::new(latitude, longitude);
        for crs in Crs::ALL {
            let (east, north) = crs.from_wgs84(point).unwrap();
            let back = crs.to_wgs84(east, north).unwrap();
            proptest::prop_assert!((back.latitude - latitude).abs() < 1e-9 && (back.longitude - longitude).abs() < 1e-9, "{crs}: {back:?}");
        }
    }
}
