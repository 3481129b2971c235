//! `vedette address build` on the tables that come from elsewhere, and what `check` says about calibrations.

use std::path::Path;
use std::process::Output;

use crate::support::{demo_site, edit, finish, said, vedette};

fn address(arguments: &[&str], folder: &Path) -> Output {
    let mut command = vedette();
    command.arg("address").args(arguments).current_dir(folder);
    finish(command)
}

#[test]
fn a_small_synthetic_city_is_built_and_its_refused_rows_are_written() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let made = address(&["synth", "city", "--buildings", "200", "--units", "800"], at);
    assert!(made.status.success(), "{}", said(&made));
    let built = address(&["build", "city", "-o", "city.base", "--report", "refused.jsonl"], at);
    assert!(built.status.success(), "{}", said(&built));
    assert_eq!(std::fs::read(at.join("refused.jsonl")).unwrap(), b"");

    // Every second room gets a code that a spreadsheet made a number.
    let units = at.join("city/units.csv");
    let text = std::fs::read_to_string(&units).unwrap();
    let header = text.lines().next().unwrap();
    let code = header.split(',').position(|name| name.eq_ignore_ascii_case("code")).unwrap();
    let spoilt = text.lines().enumerate().map(|(line, row)| {
        let mut cells: Vec<&str> = row.split(',').collect();
        if line > 0 && line % 2 == 0 {
            cells[code] = "4.40306E+24";
        }
        cells.join(",") + "\r\n"
    });
    let spoilt: String = spoilt.collect();
    std::fs::write(&units, spoilt).unwrap();
    let refused = address(&["build", "city", "-o", "other.base", "--report", "refused.jsonl"], at);
    assert!(!refused.status.success() && !at.join("other.base").exists(), "{}", said(&refused));
    let report = std::fs::read_to_string(at.join("refused.jsonl")).unwrap();
    let lines: Vec<serde_json::Value> = report.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.len(), 400);
    assert_eq!(lines[0]["line"], 3);
    assert!(lines.iter().all(|line| line["rule"].as_str().unwrap().contains("spreadsheet")));
}

#[test]
fn settings_hold_for_one_table_or_for_all() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/demo/address");
    std::fs::create_dir(at.join("city")).unwrap();
    for table in ["buildings.geojson", "grids.geojson", "units.csv", "roads.csv", "workgrids.csv"] {
        std::fs::copy(demo.join(table), at.join("city").join(table)).unwrap();
    }
    let built =
        address(&["build", "city", "-o", "wgs84.base", "--encoding", "units.csv=gbk", "--encoding", "utf-8"], at);
    assert!(built.status.success(), "{}", said(&built));
    // Taken as GCJ-02, the buildings move half a kilometre out of their grids, and the remedy is named.
    let moved =
        address(&["build", "city", "-o", "x.base", "--crs", "EPSG:4326", "--crs", "buildings.geojson=GCJ-02"], at);
    assert!(!moved.status.success());
    assert!(said(&moved).contains("give --crs buildings.geojson=EPSG:4326"), "{}", said(&moved));
    let unknown = address(&["build", "city", "-o", "x.base", "--crs", "houses.csv=GCJ-02"], at);
    assert!(said(&unknown).contains("--crs houses.csv=...: no input has this name"), "{}", said(&unknown));
    let wrong = address(&["build", "city", "-o", "x.base", "--encoding", "units.csv=klingon"], at);
    assert!(said(&wrong).contains("gb18030"), "{}", said(&wrong));
}

#[test]
fn check_tells_residuals_and_refuses_a_wrong_point() {
    let site = tempfile::tempdir().unwrap();
    let config = demo_site(site.path());
    let check = || {
        let mut command = vedette();
        command.args(["check", "--offline", "--listen", "127.0.0.1:0", "--config"]).arg(&config);
        said(&finish(command))
    };
    let told = check();
    assert!(told.contains("[calibration.residuals]") && told.contains("calibration.points = 0.0"), "{told}");
    let cameras = site.path().join("cameras.toml");
    // The fourth point, 20 m further south.
    edit(&cameras, "latitude = 22.53097286", "latitude = 22.53079286");
    let told = check();
    assert!(told.contains("[calibration.wrong-point]") && told.contains("calibration.points[3] = "), "{told}");
}
