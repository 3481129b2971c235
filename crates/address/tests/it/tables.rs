//! Tables as spreadsheets, exports and editors leave them.

use encoding_rs::GB18030;
use proptest::prelude::*;
use vedette_address::{
    AddressBase, BaseBuilder, BuildError, BuilderOptions, ImportReport, Reason, SourceCrs, TextEncoding,
};
use vedette_core::AddressPrefix;

const HEADER: [&str; 13] = [
    "code",
    "building_id",
    "province",
    "city",
    "district",
    "street",
    "community",
    "road",
    "road_num",
    "building",
    "address",
    "valid_from",
    "wkt",
];

fn building(number: usize) -> String {
    format!("4403050020030100{number:03}")
}

/// The cells of a building; each stands 20 m east of the one before.
fn row(number: usize) -> Vec<String> {
    let west = 113.9 + number as f64 * 2e-4;
    let (east, south, north) = (west + 1e-4, 22.5, 22.5001);
    let wkt = format!(
        "POLYGON(({west:.6} {south}, {east:.6} {south}, {east:.6} {north}, {west:.6} {north}, {west:.6} {south}))"
    );
    let own = building(number);
    let (code, number) = (format!("{own}000000"), format!("{number}号"));
    let address = format!("广东省深圳市南山区街社区路{number}楼");
    let cells = [
        code.as_str(),
        own.as_str(),
        "广东省",
        "深圳市",
        "南山区",
        "街",
        "社区",
        "路",
        number.as_str(),
        "楼",
        address.as_str(),
        "",
        wkt.as_str(),
    ];
    cells.map(str::to_owned).to_vec()
}

fn rows(count: usize) -> Vec<Vec<String>> {
    (0..count).map(row).collect()
}

fn header() -> Vec<String> {
    HEADER.map(str::to_owned).to_vec()
}

/// A CSV file.
fn csv(rows: &[Vec<String>], separator: char, end: &str) -> String {
    let quoted = |cell: &String| match cell.contains([separator, '"', '\n', '\r']) {
        true => format!("\"{}\"", cell.replace('"', "\"\"")),
        false => cell.clone(),
    };
    let line =
        |row: &Vec<String>| row.iter().map(quoted).collect::<Vec<_>>().join(separator.to_string().as_str()) + end;
    rows.iter().map(line).collect()
}

fn table(rows: Vec<Vec<String>>) -> String {
    csv(&[vec![header()], rows].concat(), ',', "\n")
}

fn changed(change: impl Fn(usize, &mut Vec<String>), count: usize) -> String {
    let mut rows = rows(count);
    rows.iter_mut().enumerate().for_each(|(number, row)| change(number, row));
    table(rows)
}

fn cell(name: &str) -> usize {
    HEADER.iter().position(|known| *known == name).unwrap()
}

fn options() -> BuilderOptions {
    let shifted =
        |name: &str, degrees: f64| SourceCrs::new(name, move |east, north| Some((east - degrees, north + degrees)));
    let systems = vec![SourceCrs::wgs84(), shifted("GCJ-02", 0.005), shifted("EPSG:4490", 0.0)];
    BuilderOptions { refused_share_limit: 1.0, systems, ..Default::default() }
}

fn build(tables: &[(&str, &[u8])]) -> Result<(AddressBase, ImportReport), BuildError> {
    let mut builder = BaseBuilder::new(options());
    for (name, bytes) in tables {
        let crs = SourceCrs::wgs84();
        match name.ends_with("json") {
            true => builder.add_geojson(*bytes, name, &crs)?,
            false => builder.add_csv(*bytes, name, &crs)?,
        }
    }
    let (bytes, report) = builder.finish()?;
    Ok((AddressBase::from_bytes(bytes).unwrap(), report))
}

fn import(bytes: &[u8]) -> ImportReport {
    build(&[("t.csv", bytes)]).unwrap().1
}

#[test]
fn a_table_reads_alike_in_every_encoding_and_with_every_separator() {
    let plain = table(rows(40));
    let wanted = build(&[("t.csv", plain.as_bytes())]).unwrap().0.version().to_owned();
    let all = [vec![header()], rows(40)].concat();
    let utf16 = |mark: bool, bytes: fn(u16) -> [u8; 2]| {
        let text = if mark { format!("\u{feff}{plain}") } else { plain.clone() };
        text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>()
    };
    let variants: Vec<(&str, Vec<u8>)> = vec![
        ("byte order mark", format!("\u{feff}{plain}").into_bytes()),
        ("CR LF", csv(&all, ',', "\r\n").into_bytes()),
        ("CR", csv(&all, ',', "\r").into_bytes()),
        ("semicolons", csv(&all, ';', "\r\n").into_bytes()),
        ("tabs", csv(&all, '\t', "\n").into_bytes()),
        ("sep=;", format!("sep=;\r\n{}", csv(&all, ';', "\r\n")).into_bytes()),
        ("GB 18030", GB18030.encode(&plain).0.into_owned()),
        ("UTF-16 LE", utf16(true, u16::to_le_bytes)),
        ("UTF-16 BE", utf16(true, u16::to_be_bytes)),
        ("UTF-16 LE without mark", utf16(false, u16::to_le_bytes)),
        ("UTF-16 BE without mark", utf16(false, u16::to_be_bytes)),
        ("empty columns at the end", plain.replace('\n', ",,\n").into_bytes()),
        ("a comma at the end of rows only", plain.replace('\n', ",\n").replacen(",\n", "\n", 1).into_bytes()),
        (
            "spaces in the header",
            plain.replacen("code,building_id", " Code\u{3000},\u{a0}BUILDING_ID ", 1).into_bytes(),
        ),
    ];
    for (what, bytes) in variants {
        let (base, report) = build(&[("t.csv", &bytes)]).unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!((base.version(), report.refused_count()), (wanted.as_str(), 0), "{what}: {report}");
        assert_eq!(report.notes.len(), usize::from(what.contains("UTF-16") || what.contains("GB")), "{what}");
    }
    let mut builder = BaseBuilder::new(options());
    builder.read_as("gbk".parse::<TextEncoding>().unwrap());
    builder.add_csv(&*GB18030.encode(&plain).0, "t.csv", &SourceCrs::wgs84()).unwrap();
    assert_eq!(AddressBase::from_bytes(builder.finish().unwrap().0).unwrap().version(), wanted);
}

#[test]
fn blank_rows_are_counted_and_lines_are_those_of_the_file() {
    for end in ["\n", "\r\n", "\r"] {
        let mut all = [vec![header()], rows(8)].concat();
        all[2][cell("building")] = format!("楼{end}二");
        all.insert(3, vec![String::new(); HEADER.len()]);
        all.insert(4, vec![" ".to_owned(); HEADER.len()]);
        all[6][cell("code")] = "4403".to_owned();
        let report = import(csv(&all, ',', end).as_bytes());
        assert_eq!((report.buildings, report.blank_rows), (7, 2), "{end:?}: {report}");
        assert_eq!(report.refused.iter().map(|refusal| refusal.line).collect::<Vec<_>>(), [8], "{end:?}");
    }
}

#[test]
fn a_stray_quotation_mark_costs_its_row_in_any_column() {
    for column in 0..HEADER.len() {
        let all: Vec<String> =
            csv(&[vec![header()], rows(60)].concat(), ',', "\n").lines().map(str::to_owned).collect();
        let mut lines = all.clone();
        let mut cells: Vec<String> = row(29);
        cells[column].insert(0, '"');
        lines[30] = cells.join(",");
        let report = import(lines.join("\n").as_bytes());
        assert_eq!((report.buildings, report.refused_count()), (59, 1), "{column}: {report}");
        assert_eq!(report.refused[0].line, 31, "{column}: {report}");
    }
    // Many of them are as many rows, not one.
    let rooms: String = (0..300)
        .map(|number| {
            let quote = if number % 3 == 0 { "\"" } else { "" };
            format!(
                "{}{:06},{},广东省,深圳市,南山区,街,社区,路,1号,楼,{quote}全称{number},,\n",
                building(1),
                number + 1,
                building(1)
            )
        })
        .collect();
    let report = import(format!("{}{rooms}", table(rows(3))).as_bytes());
    assert_eq!((report.units, report.refused_count()), (200, 100), "{report}");
}

#[test]
fn two_columns_of_one_name_are_refused() {
    for twin in ["ADDRESS", "Address ", "\u{feff}address"] {
        let text = table(rows(3)).replacen("valid_from", twin, 1);
        let error = build(&[("t.csv", text.as_bytes())]).unwrap_err();
        assert!(matches!(&error, BuildError::DoubleColumn { name: "address", .. }), "{error}");
    }
    let text = "road,lat,lon,latitude,wkt\n";
    assert!(build(&[("t.csv", text.as_bytes())]).unwrap_err().to_string().contains("`lat`, `latitude`"));
    // Columns that are not read do not matter.
    assert_eq!(
        import(table(rows(3)).replacen("valid_from", "note,NOTE", 1).replace(",,", ",,,").as_bytes()).buildings,
        3
    );
}

#[test]
fn dates_in_usual_forms_are_read_and_others_refused_by_cause() {
    let with = |date: &str| import(changed(|_, row| row[cell("valid_from")] = date.to_owned(), 2).as_bytes());
    for date in ["2018/1/5", "20180105", "2018年1月5日", "2018-01-05 00:00:00", "２０１８-０１-０５"] {
        assert_eq!(with(date).buildings, 2, "{date}");
    }
    let mut builder = BaseBuilder::new(options());
    builder
        .add_csv(
            changed(|_, row| row[cell("valid_from")] = "43105".to_owned(), 2).as_bytes(),
            "t.csv",
            &SourceCrs::wgs84(),
        )
        .unwrap();
    assert!(builder.report().refused[0].rule.contains("2018-01-05"), "{}", builder.report());
    assert!(matches!(builder.finish(), Err(BuildError::Nothing(report)) if report.refused_count() == 2));
}

#[test]
fn codes_that_became_numbers_are_refused_by_their_cause() {
    for code in ["4.40306E+24", "4.40306e+24", "44,030,500,200,301", "44030500200301.0"] {
        let report = import(
            changed(
                |number, row| {
                    if number == 1 {
                        row[cell("code")] = code.to_owned()
                    }
                },
                3,
            )
            .as_bytes(),
        );
        assert_eq!(report.buildings, 2, "{code}: {report}");
    }
    let report = import(
        changed(
            |number, row| {
                if number == 1 {
                    row[cell("code")] = "4.40306E+24".to_owned()
                }
            },
            3,
        )
        .as_bytes(),
    );
    assert!(report.refused[0].rule.contains("spreadsheet"), "{report}");
    let feature = r#"{"type":"Feature","geometry":null,"properties":{"code":4403050020030100001000000,"address":"x"}}"#;
    let (_, report) = build(&[("t.csv", table(rows(3)).as_bytes()), ("f.geojson", feature.as_bytes())]).unwrap();
    assert!(report.refused[0].rule.contains("spreadsheet"), "{report}");
    let wide =
        changed(|_, row| row[0] = row[0].chars().filter_map(|c| char::from_u32(u32::from(c) + 0xfee0)).collect(), 3);
    assert_eq!(import(wide.as_bytes()).buildings, 3);
}

#[test]
fn texts_that_are_none_are_refused() {
    for text in ["a\0b".to_owned(), "路".repeat(300_000), "a\u{1b}[2Jb".to_owned(), "a\u{fffd}".to_owned()] {
        let report = import(
            changed(
                |number, row| {
                    if number == 1 {
                        row[cell("building")] = text.clone()
                    }
                },
                3,
            )
            .as_bytes(),
        );
        assert_eq!((report.buildings, report.counts.get(&Reason::Unreadable)), (2, Some(&1)), "{report}");
        assert!(report.refused[0].value.chars().all(|character| !character.is_control()));
    }
}

#[test]
fn places_with_an_srid_are_in_its_system() {
    let with = |prefix: &str| {
        let text = changed(|_, row| row[cell("wkt")].insert_str(0, prefix), 3);
        build(&[("t.csv", text.as_bytes())])
    };
    let plain = build(&[("t.csv", table(rows(3)).as_bytes())]).unwrap().0.version().to_owned();
    for prefix in ["SRID=4326;", "srid = 4326; ", "SRID=4490;", "SRID=0;"] {
        assert_eq!(with(prefix).unwrap().0.version(), plain, "{prefix}");
    }
    assert!(with("SRID=3857;").unwrap_err().to_string().contains("SRID 3857 is not supported"));
    let nested = changed(
        |number, row| {
            if number == 1 {
                row[cell("wkt")] = "(".repeat(20_000)
            }
        },
        3,
    );
    let report = import(nested.as_bytes());
    assert_eq!((report.buildings, report.counts[&Reason::BadGeometry]), (2, 1), "{report}");
}

#[test]
fn points_are_read_with_a_decimal_comma() {
    let head =
        "code,building_id,province,city,district,street,community,road,road_num,building,address,Longitude,latitude ";
    let row = format!("{}000000;{};省;市;区;街;社区;路;1号;楼;全称;113,9301;22,51234", building(1), building(1));
    let report = import(format!("{}\n{row}\n", head.replace(',', ";")).as_bytes());
    assert_eq!((report.buildings, report.refused_count()), (1, 0), "{report}");
    let twofold = row.replace("113,9301", "113,930");
    assert!(
        build(&[("t.csv", format!("{}\n{twofold}\n", head.replace(',', ";")).as_bytes())])
            .unwrap_err()
            .to_string()
            .contains("decimal point")
    );
}

#[test]
fn tables_without_records_are_noted() {
    let formers = "former_code,code,changed\r\n\r\n";
    let empty = r#"{"type":"FeatureCollection","features":[]}"#.as_bytes();
    let (_, report) =
        build(&[("t.csv", table(rows(3)).as_bytes()), ("formers.csv", formers.as_bytes()), ("e.geojson", empty)])
            .unwrap();
    assert_eq!((report.buildings, report.refused_count()), (3, 0));
    assert!(report.notes[0].contains("formers.csv") && report.notes[1].contains("e.geojson"), "{:?}", report.notes);
    assert!(matches!(build(&[("formers.csv", formers.as_bytes())]), Err(BuildError::Nothing(_))));
    assert!(matches!(build(&[("t.csv", &b""[..])]), Err(BuildError::Empty { .. })));
    assert!(matches!(build(&[("t.csv", &b"\r\n\r\n"[..])]), Err(BuildError::Empty { .. })));
    assert!(build(&[("t.csv", &b"PK\x03\x04..."[..])]).unwrap_err().to_string().contains(".xlsx"));
}

fn grid(shift: f64) -> String {
    let corner = |x: f64, y: f64| format!("[{},{}]", 113.895 + x + shift, 22.4985 + y - shift);
    let ring =
        [corner(0.0, 0.0), corner(0.02, 0.0), corner(0.02, 0.0035), corner(0.0, 0.0035), corner(0.0, 0.0)].join(",");
    format!(
        r#"{{"type":"Feature","properties":{{"GRIDCODE":"44030500200301","WORKCODE":"W"}},"geometry":{{"type":"Polygon","coordinates":[[{ring}]]}}}}"#
    )
}

#[test]
fn geojson_is_read_with_a_mark_line_by_line_and_without_its_broken_features() {
    let collection = format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, grid(0.0));
    let rows = table(rows(3));
    let with = |json: Vec<u8>| build(&[("t.csv", rows.as_bytes()), ("g.geojson", &json)]).unwrap();
    let wanted = with(collection.clone().into_bytes()).0.version().to_owned();
    for (what, json) in [
        ("mark", format!("\u{feff}{collection}").into_bytes()),
        ("lines", format!("{}\n", grid(0.0)).into_bytes()),
        ("marked lines", format!("\u{feff}{}\r\n", grid(0.0)).into_bytes()),
        ("UTF-16", collection.encode_utf16().flat_map(u16::to_le_bytes).collect()),
    ] {
        let (base, report) = with(json);
        assert_eq!((base.version(), report.refused_count()), (wanted.as_str(), 0), "{what}: {report}");
    }
    let deep = format!(r#"{{"type":"Feature","properties":{{}},"geometry":{}"#, "[".repeat(100_000));
    let deep = format!("{deep}{}}}", "]".repeat(100_000));
    for (what, bad) in [
        ("quotation mark", grid(0.0).replace("\"W\"", "\"\"W\"").replace("0301", "0302")),
        ("deep", deep),
        (
            "two properties",
            grid(0.0).replace("\"WORKCODE\"", "\"gridcode\":\"1\",\"WORKCODE\"").replace("0301", "0302"),
        ),
        ("position", grid(0.0).replace("[[[", "[[[113.9],[").replace("0301", "0302")),
        ("no feature", r#"{"type":"Feature","geometry":7}"#.to_owned()),
        ("NUL", grid(0.0).replace("\"W\"", "\"W\\u0000\"").replace("0301", "0302")),
    ] {
        let text = format!(r#"{{"type":"FeatureCollection","features":[{bad},{}]}}"#, grid(0.0));
        let (base, report) = with(text.into_bytes());
        assert_eq!((report.grids, report.refused_count()), (1, 1), "{what}: {report}");
        assert!(base.entity(&"44030500200301".parse::<AddressPrefix>().unwrap()).is_some());
    }
}

#[test]
fn a_table_in_another_system_is_named() {
    // Both directions: the buildings are shifted, or the grids are.
    let shifted: Vec<Vec<String>> = {
        let moved = |text: &str| -> String {
            let number = |word: &str| word.trim_matches(|c: char| !c.is_ascii_digit()).parse::<f64>().unwrap();
            let corners: Vec<String> = text
                .trim_start_matches("POLYGON((")
                .trim_end_matches("))")
                .split(", ")
                .map(|corner| {
                    let (x, y) = corner.split_once(' ').unwrap();
                    format!("{:.6} {:.6}", number(x) + 0.005, number(y) - 0.005)
                })
                .collect();
            format!("POLYGON(({}))", corners.join(", "))
        };
        let mut all = rows(30);
        all.iter_mut().for_each(|row| row[cell("wkt")] = moved(&row[cell("wkt")]));
        all
    };
    for (buildings, grids, guilty) in
        [(table(shifted), grid(0.0), "b.csv"), (table(rows(30)), grid(0.005), "g.geojson")]
    {
        let other = table(vec![row(50)]).replace("0100050", "0200050");
        let tables: [(&str, &[u8]); 3] =
            [("b.csv", buildings.as_bytes()), ("g.geojson", grids.as_bytes()), ("o.csv", other.as_bytes())];
        let (_, report) = build(&tables).unwrap();
        let likely = &report.likely_systems;
        assert_eq!(likely.len(), 1, "{report}");
        assert_eq!(
            (likely[0].file.as_str(), likely[0].likely.as_str(), likely[0].records),
            (guilty, "GCJ-02", 30),
            "{report}"
        );
        // With its system told, everything fits.
        let mut builder = BaseBuilder::new(options());
        let gcj = options().systems[1].clone();
        let crs = |name: &str| if name == guilty { gcj.clone() } else { SourceCrs::wgs84() };
        builder.add_csv(tables[0].1, "b.csv", &crs("b.csv")).unwrap();
        builder.add_geojson(tables[1].1, "g.geojson", &crs("g.geojson")).unwrap();
        let (_, report) = builder.finish().unwrap();
        assert_eq!((report.buildings, report.refused_count()), (30, 0), "{report}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_bytes_are_taken(bytes in prop::collection::vec(any::<u8>(), 0..400), told in 0_usize..3) {
        for name in ["t.csv", "t.geojson"] {
            let mut builder = BaseBuilder::new(options());
            builder.read_as([TextEncoding::Recognised, TextEncoding::Gb18030, TextEncoding::Utf8][told]);
            let head = if name == "t.csv" { HEADER.join(",") + "\n" } else { "{\"features\":[".to_owned() };
            let bytes = [head.as_bytes(), &bytes].concat();
            let crs = SourceCrs::wgs84();
            let _ = if name == "t.csv" { builder.add_csv(bytes.as_slice(), name, &crs) } else { builder.add_geojson(bytes.as_slice(), name, &crs) };
            let _ = builder.finish();
        }
    }
}
