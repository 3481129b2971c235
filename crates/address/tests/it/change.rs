//! Names, former codes, roads and working grids of a base, and deltas of it.

use vedette_address::{
    AddressBase, BaseBuilder, BuildError, BuilderOptions, DeltaError, DeltaHead, FoundKind, ImportReport, NameKind,
    Reason, SourceCrs,
};
use vedette_core::{AddressLevel, AddressPrefix, GroundPoint, Timestamp};

const COLUMNS: &str = "code,building_id,province,city,district,street,community,road,road_num,village,building,address,valid_from,valid_to,former_code,source,wkt";

/// Rows of a small town: two grids of 400 m by 400 m beside each other, two buildings in the first, one in the second.
const GRIDS: &str = "GRIDCODE,WORKCODE,province,city,district,street,community,former_code,changed,source,wkt\n\
    44030500100101,W1,广东省,深圳市,南山区,试街道,甲社区,44030500100191,2020-03-01,synthetic,\"POLYGON((113.9 22.5,113.904 22.5,113.904 22.504,113.9 22.504,113.9 22.5))\"\n\
    44030500100102,W2,广东省,深圳市,南山区,试街道,甲社区,,,synthetic,\"POLYGON((113.904 22.5,113.908 22.5,113.908 22.504,113.904 22.504,113.904 22.5))\"\n";

fn building(code: &str, west: f64, south: f64, number: u32, name: &str) -> String {
    building_until(code, west, south, number, name, "")
}

fn building_until(code: &str, west: f64, south: f64, number: u32, name: &str, valid_to: &str) -> String {
    let (east, north) = (west + 0.0004, south + 0.0003);
    let ring = format!("\"POLYGON(({west} {south},{east} {south},{east} {north},{west} {north},{west} {south}))\"");
    format!(
        "{code}000000,{code},广东省,深圳市,南山区,试街道,甲社区,长青路,{number}号,翠竹苑,{name},\
         广东省深圳市南山区试街道甲社区长青路{number}号翠竹苑{name},2018-01-01,{valid_to},,synthetic,{ring}"
    )
}

fn unit(code: &str, room: u32, number: u32, name: &str, own: &str) -> String {
    format!(
        "{code}{room:06},{code},广东省,深圳市,南山区,试街道,甲社区,长青路,{number}号,翠竹苑,{name},\
         广东省深圳市南山区试街道甲社区长青路{number}号翠竹苑{name}{own},,,,synthetic,"
    )
}

const A: &str = "4403050010010100001";
const B: &str = "44030500100101T0117";
const C: &str = "4403050010010200001";

fn tables() -> Vec<(&'static str, String)> {
    let rows = [
        COLUMNS.to_owned(),
        building(A, 113.901, 22.501, 1, "1栋"),
        building(B, 113.9025, 22.501, 3, "2栋"),
        building(C, 113.905, 22.501, 5, "3栋"),
        unit(A, 1, 1, "1栋", "1层101房"),
        unit(A, 2, 1, "1栋", "1层102房"),
        // Rooms that are not 1, 2, 3, and one whose row calls its building otherwise.
        unit(B, 7, 3, "2栋", "8层801房"),
        unit(B, 9, 3, "乙楼", "9层901房"),
    ];
    let names = format!(
        "code,kind,text,valid_from,valid_to,source\n{A},common,试验大厦,,,synthetic\n{A},former,老粮仓,,2015-06-30,synthetic\n\
         {A}000002,alternative,长青小卖部,,,synthetic\n440305001,short,试街,,,synthetic\n"
    );
    let formers = format!(
        "former_code,code,changed,source\n44030500100109T0001,{B},2019-05-04,synthetic\n44030500100108T0001,44030500100109T0001,2016-01-01,synthetic\n"
    );
    let roads = "road,source,wkt\n长青路,synthetic,\"LINESTRING(113.9 22.5005,113.906 22.5005,113.908 22.5006)\"\n";
    let workgrids = "kind,workgrid,name,gridcode,source\n\
        police,P01,试街派出所,44030500100101,synthetic\n\
        fire,F01,南山一队,44030500100101,synthetic\nfire,F01,南山一队,44030500100102,synthetic\n\
        fire,F02,南山二队,44030500100102,synthetic\n";
    vec![
        ("rows.csv", rows.join("\n")),
        ("grids.csv", GRIDS.to_owned()),
        ("names.csv", names),
        ("formers.csv", formers),
        ("roads.csv", roads.to_owned()),
        ("workgrids.csv", workgrids.to_owned()),
    ]
}

fn build(builder: BaseBuilder, tables: &[(&str, String)]) -> Result<(Vec<u8>, ImportReport), BuildError> {
    let mut builder = builder;
    for (name, text) in tables {
        builder.add_csv(text.as_bytes(), name, &SourceCrs::wgs84())?;
    }
    builder.finish()
}

fn options() -> BuilderOptions {
    BuilderOptions { refused_share_limit: 1.0, ..Default::default() }
}

fn town() -> AddressBase {
    let (bytes, report) = build(BaseBuilder::new(options()), &tables()).unwrap();
    assert_eq!(report.refused_count(), 0, "{report}");
    AddressBase::from_bytes(bytes).unwrap()
}

fn delta(base: &AddressBase, tables: &[(&str, String)]) -> (Vec<u8>, ImportReport) {
    build(BaseBuilder::new(options()).delta_of(base.clone()), tables).unwrap()
}

fn at(latitude: f64, longitude: f64) -> GroundPoint {
    GroundPoint::new(latitude, longitude, 1.0).unwrap()
}

/// 2026-06-01, in microseconds since 1970.
const NOW: Timestamp = Timestamp::from_micros(1_780_243_200_000_000);

fn prefix(code: &str) -> AddressPrefix {
    code.parse().unwrap()
}

#[test]
fn the_order_of_the_tables_and_rows_does_not_matter() {
    let (bytes, _) = build(BaseBuilder::new(options()), &tables()).unwrap();
    let mut other = tables();
    other.reverse();
    for (_, text) in &mut other {
        let mut lines: Vec<&str> = text.lines().collect();
        lines[1..].reverse();
        *text = lines.join("\n");
    }
    assert!(build(BaseBuilder::new(options()), &other).unwrap().0 == bytes);
}

#[test]
fn a_room_is_found_whatever_its_number_and_text() {
    let base = town();
    let text = |code: &str| base.entity(&prefix(code)).map(|entity| entity.text);
    let start = "广东省深圳市南山区试街道甲社区长青路";
    assert_eq!(text(&format!("{A}000002")).unwrap(), format!("{start}1号翠竹苑1栋1层102房"));
    assert_eq!(text(&format!("{A}000003")), None);
    assert_eq!(text(&format!("{B}000007")).unwrap(), format!("{start}3号翠竹苑2栋8层801房"));
    assert_eq!(text(&format!("{B}000009")).unwrap(), format!("{start}3号翠竹苑乙楼9层901房"));
    assert_eq!(text(&format!("{B}000008")), None);
    let entity = base.entity(&prefix(A)).unwrap();
    assert_eq!((entity.valid_from.unwrap().to_string().as_str(), entity.valid_to), ("2018-01-01", None));
}

#[test]
fn names_and_former_codes_lead_to_todays_entity() {
    let base = town();
    let names = base.names(&prefix(A));
    assert_eq!(names.iter().map(|name| name.kind).collect::<Vec<_>>(), [NameKind::Common, NameKind::Former]);
    assert_eq!(names[1].valid_to.unwrap().to_string(), "2015-06-30");
    assert_eq!(base.names(&prefix("440305001"))[0].text, "试街");
    // Twice changed, and a grid's own.
    let former = base.former_code("44030500100108T0001").unwrap();
    assert_eq!((former.code.as_str(), former.changed.unwrap().to_string().as_str()), (B, "2016-01-01"));
    assert_eq!(base.former_code("44030500100191").unwrap().code.as_str(), "44030500100101");
    assert_eq!(base.former_code(A), None);
    let hit = &base.search("44030500100109T0001", 5)[0];
    assert_eq!((hit.kind, hit.code.as_ref().unwrap().as_str(), hit.score), (FoundKind::Building, B, 1.0));
}

#[test]
fn a_text_finds_buildings_rooms_areas_and_roads() {
    let base = town();
    let first = |text: &str| {
        let hit = base.search(text, 3).into_iter().next().unwrap_or_else(|| panic!("{text}"));
        (hit.kind, hit.code.map(|code| code.to_string()).unwrap_or_default())
    };
    assert_eq!(first("深圳市南山区长青路１号翠竹苑1栋"), (FoundKind::Building, A.to_owned()));
    assert_eq!(first("长青路3号翠竹苑2栋801"), (FoundKind::Room, format!("{B}000007")));
    assert_eq!(first("试验大厦"), (FoundKind::Building, A.to_owned()));
    assert_eq!(first("老粮仓"), (FoundKind::Building, A.to_owned()));
    assert_eq!(first("翠竹苑长青小卖部"), (FoundKind::Room, format!("{A}000002")));
    assert_eq!(first("南山区试街道甲社区"), (FoundKind::Community, "440305001001".to_owned()));
    assert_eq!(first("长青路").0, FoundKind::Road);
    assert!(base.search("上海市浦东新区世纪大道100号", 3).is_empty());
    assert!(base.search("  ", 3).is_empty() && base.search("长青路", 0).is_empty());
}

#[test]
fn a_place_names_who_answers_for_it_and_the_road_and_plate_nearby() {
    let base = town();
    let inside = base.resolve(&at(22.50115, 113.9012), NOW).unwrap();
    assert_eq!(&inside.best.code.as_str()[..19], A);
    let codes = |units: &[vedette_core::ResponsibleUnit]| -> Vec<String> {
        units.iter().map(|unit| format!("{}:{}", unit.kind, unit.code)).collect()
    };
    assert_eq!(codes(&inside.responsible), ["fire:F01", "police:P01"]);
    assert!(inside.road.is_none() && inside.plate.is_none() && !inside.ambiguous);
    let outdoors = base.resolve(&at(22.5007, 113.9015), NOW).unwrap();
    assert_eq!(outdoors.level, AddressLevel::Grid);
    let (road, plate) = (outdoors.road.unwrap(), outdoors.plate.unwrap());
    assert_eq!((road.name.as_str(), plate.text.as_str()), ("长青路", "长青路1号"));
    assert!((road.distance_m - 22.1).abs() < 0.5 && (plate.distance_m - 34.7).abs() < 1.5, "{road:?} {plate:?}");
    assert_eq!(codes(&base.responsible_for("44030500100102")), ["fire:F01", "fire:F02"]);
    assert_eq!(codes(&base.responsible_for_entity(&prefix(&format!("{A}000001")))), ["fire:F01", "police:P01"]);
    let coverage = base.coverage();
    assert_eq!(coverage.iter().map(|kind| kind.kind.as_str()).collect::<Vec<_>>(), ["fire", "police"]);
    assert_eq!(coverage[0].overlaps, [("44030500100102".to_owned(), vec!["F01".to_owned(), "F02".to_owned()])]);
    assert_eq!(coverage[1].holes, ["44030500100102"]);
    // On the border of two buildings' grids the answer says that it is not sure.
    let border = base.resolve(&GroundPoint::new(22.503, 113.904, 5.0).unwrap(), NOW).unwrap();
    assert!(border.ambiguous && border.alternatives.len() == 1);
}

#[test]
fn a_delta_replaces_adds_and_takes_away() {
    let base = town();
    let change = [
        (
            "rows.csv",
            [
                COLUMNS.to_owned(),
                // Rebuilt farther east, renamed, with one room.
                building(A, 113.9016, 22.501, 1, "新楼"),
                unit(A, 1, 1, "新楼", "1层大堂"),
                building("4403050010010200009", 113.9065, 22.502, 9, "4栋"),
            ]
            .join("\n"),
        ),
        ("gone.csv", format!("removed_code,source\n{C},synthetic\n")),
        (
            "workgrids.csv",
            "kind,workgrid,name,gridcode,source\npolice,P09,新派出所,44030500100102,synthetic\n".to_owned(),
        ),
    ];
    let (bytes, report) = delta(&base, &change);
    assert_eq!((report.refused_count(), report.buildings, report.removed), (0, 2, 1), "{report}");
    let head = DeltaHead::read(&bytes).unwrap();
    assert_eq!((head.from_version.as_str(), head.removed.as_slice()), (base.version(), &[C.to_owned()][..]));
    let new = base.apply(&bytes).unwrap();
    assert_eq!(new.version(), head.to_version);
    assert_ne!(new.version(), base.version());
    assert_eq!((new.stats().buildings, new.stats().units, base.stats().buildings), (3, 3, 3));

    let code = |base: &AddressBase, latitude, longitude| {
        base.resolve(&at(latitude, longitude), NOW).unwrap().best.code.as_str()[..19].to_owned()
    };
    assert_eq!(code(&new, 22.50115, 113.9018), A);
    assert!(code(&new, 22.50115, 113.9012).ends_with("*****"), "its old ground is free");
    assert_eq!(code(&base, 22.50115, 113.9012), A, "the old base goes on as it was");
    assert!(code(&new, 22.50115, 113.9052).ends_with("*****"), "C is gone");
    assert_eq!(code(&new, 22.50215, 113.9067), "4403050010010200009");
    assert_eq!(new.entity(&prefix(C)), None);
    assert!(new.entity(&prefix(&format!("{A}000001"))).unwrap().text.ends_with("新楼1层大堂"));
    assert_eq!(new.entity(&prefix(&format!("{A}000002"))), None);
    assert!(new.names(&prefix(A)).is_empty(), "a delta names a building whole");
    assert_eq!(new.search("翠竹苑新楼", 1)[0].code.as_ref().unwrap().as_str(), A);
    assert!(new.search("试验大厦", 3).iter().all(|hit| hit.code.as_ref().is_none_or(|code| code.as_str() != A)));
    // Police is replaced as a whole, fire stays; the new building stands in a grid of the old layer.
    assert!(new.responsible_for("44030500100101").iter().all(|unit| unit.kind == "fire"));
    let responsible = new.resolve(&at(22.50215, 113.9067), NOW).unwrap().responsible;
    assert_eq!(responsible.iter().map(|unit| unit.code.as_str()).collect::<Vec<_>>(), ["F01", "F02", "P09"]);
    let nearest = new.nearest_building(&at(22.50115, 113.9053), 300.0, NOW).unwrap();
    assert_eq!(&nearest.0.as_str()[..19], "4403050010010200009");

    // A second one on top of the first.
    let again = [("gone.csv", format!("removed_code,source\n{A},synthetic\n"))];
    let last = new.apply(&delta(&new, &again).0).unwrap();
    assert_eq!((last.entity(&prefix(A)), last.stats().buildings), (None, 2));
}

#[test]
fn what_covers_a_point_follows_a_delta_and_prefers_the_smaller_building() {
    let base = town();
    let (inside, outside) = (at(22.50115, 113.9012), at(22.503, 113.9012));
    let building = |base: &AddressBase, point: &GroundPoint| {
        base.surroundings(point, 0.0, NOW).building.map(|(code, metres)| (code.to_string(), metres))
    };
    let grid = |point: &GroundPoint| base.surroundings(point, 0.0, NOW).grid.map(|code| code.to_string());
    let nearest = |reach_m: f64| base.surroundings(&outside, reach_m, NOW).building;
    assert_eq!(building(&base, &inside), Some((format!("{A}******"), 0.0)));
    assert_eq!(building(&base, &outside), None);
    assert_eq!(grid(&inside).unwrap(), "44030500100101***********");
    assert_eq!(grid(&at(22.6, 113.9)), None);
    let (code, metres) = nearest(500.0).unwrap();
    assert!(code.to_string().starts_with(A) && (metres - 188.3).abs() < 0.5, "{code} {metres}");
    assert_eq!(nearest(100.0), None);
    // A kiosk inside A, 11 m by 11 m.
    let kiosk = "4403050010010100077";
    let ring =
        "\"POLYGON((113.90115 22.5011,113.90125 22.5011,113.90125 22.5012,113.90115 22.5012,113.90115 22.5011))\"";
    let row =
        format!("{kiosk}000000,{kiosk},广东省,深圳市,南山区,试街道,甲社区,长青路,1号,,亭,亭子,,,,synthetic,{ring}");
    let new = base.apply(&delta(&base, &[("rows.csv", format!("{COLUMNS}\n{row}"))]).0).unwrap();
    assert_eq!(building(&new, &inside), Some((format!("{kiosk}******"), 0.0)));
    let gone = [("gone.csv", format!("removed_code,source\n{A},synthetic\n{kiosk},synthetic\n"))];
    assert_eq!(building(&new.apply(&delta(&new, &gone).0).unwrap(), &inside), None);
}

#[test]
fn a_building_whose_address_has_ended_is_no_place_any_more() {
    let rows = [
        COLUMNS.to_owned(),
        building_until(A, 113.901, 22.501, 1, "1栋", "2026-05-31"),
        building(B, 113.9025, 22.501, 3, "2栋"),
    ];
    let tables = [("rows.csv", rows.join("\n")), ("grids.csv", GRIDS.to_owned())];
    let (bytes, _) = build(BaseBuilder::new(options()), &tables).unwrap();
    let base = AddressBase::from_bytes(bytes).unwrap();
    // The last day of the address, and the one after it, where the standard holds.
    let [last, after]: [Timestamp; 2] =
        ["2026-05-31T23:59:59+08:00", "2026-06-01T00:00:00+08:00"].map(|moment| moment.parse().unwrap());
    let inside = at(22.50115, 113.9012);
    let best = |moment: Timestamp| base.resolve(&inside, moment).unwrap();
    assert_eq!(&best(last).best.code.as_str()[..19], A);
    let outdoors = best(after);
    assert_eq!((outdoors.level, outdoors.best.confidence), (AddressLevel::Grid, 1.0));
    assert_eq!(outdoors.plate, None, "its door plate is gone too, the next is out of reach");
    let nearest = |moment: Timestamp| base.nearest_building(&inside, 300.0, moment).unwrap().0.to_string();
    assert!(nearest(last).starts_with(A) && nearest(after).starts_with(B));
    assert_eq!(base.surroundings(&inside, 0.0, after).building, None);
    // Its code still says what it was, and when it ended.
    let entity = base.entity(&prefix(A)).unwrap();
    assert_eq!(entity.ended_on(last), None);
    assert_eq!(entity.ended_on(after).unwrap().to_string(), "2026-05-31");
    assert_eq!(base.entity(&prefix(B)).unwrap().ended_on(after), None);
}

#[test]
fn a_delta_that_does_not_fit_is_refused_whole() {
    let base = town();
    let change = [("gone.csv", format!("removed_code,source\n{C},synthetic\n"))];
    let (bytes, _) = delta(&base, &change);
    let next = base.apply(&bytes).unwrap();
    assert!(matches!(next.apply(&bytes), Err(DeltaError::OtherBase { .. })));
    let message = next.apply(&bytes).unwrap_err().to_string();
    assert!(message.contains("the delta is for base version") && message.contains(next.version()), "{message}");
    assert!(matches!(base.apply(b"VEDETADR"), Err(DeltaError::Magic)));
    for at in 8..bytes.len() {
        let mut altered = bytes.clone();
        altered[at] ^= 0x10;
        // Padding between sections belongs to no checksum.
        if let Ok(taken) = base.apply(&altered) {
            assert_eq!(taken.version(), next.version(), "byte {at}");
        }
    }
    for length in 0..bytes.len() {
        assert!(base.apply(&bytes[..length]).is_err(), "{length}");
    }
}

#[test]
fn bad_rows_of_every_table_are_refused_with_their_rule() {
    let bad = [
        ("code,kind,text,source\n4403050010010199999,common,x,synthetic", Reason::UnknownCode, "not in the base"),
        ("code,kind,text,source\n4403050010010100001,nick,x,synthetic", Reason::BadValue, "full, administrative"),
        ("code,kind,text,source\n4403050010010100001,short,,synthetic", Reason::BadValue, "a name has a text"),
        ("code,kind,text,valid_to,source\n440305001,short,x,30.6.2015,synthetic", Reason::BadValue, "2018-01-05"),
        (
            "former_code,code,changed,source\n44030500100177,4403050010010100001,,synthetic",
            Reason::CodeMeaning,
            "one level",
        ),
        (
            "former_code,code,changed,source\n4403050010010177777,4403050010010188888,,synthetic",
            Reason::UnknownCode,
            "not in the base",
        ),
        (
            "former_code,code,changed,source\n44030500100101T0117,4403050010010100001,,synthetic",
            Reason::CodeMeaning,
            "no longer in use",
        ),
        ("road,source,wkt\n长青路,synthetic,POINT(113.9 22.5)", Reason::BadGeometry, "a line"),
        ("road,source,wkt\n,synthetic,\"LINESTRING(113.9 22.5,113.91 22.5)\"", Reason::BadValue, "a name"),
        (
            "kind,workgrid,name,gridcode,source\npolice,P1,x,44030500100155,synthetic",
            Reason::UnknownCode,
            "not in the base",
        ),
        ("kind,workgrid,name,gridcode,source\npolice,P1,x,4403,synthetic", Reason::CodeLength, "14 digits"),
        ("kind,workgrid,name,gridcode,source\n,P1,x,44030500100101,synthetic", Reason::BadValue, "1 to 64 characters"),
        ("removed_code,source\n4403050010010100001,synthetic", Reason::CodeMeaning, "only a delta"),
    ];
    for (text, reason, rule) in bad {
        let mut all = tables();
        all.push(("bad.csv", text.to_owned()));
        let (_, report) = build(BaseBuilder::new(options()), &all).unwrap();
        let refused: Vec<_> = report.refused.iter().collect();
        assert_eq!(refused.len(), 1, "{text}: {report}");
        assert_eq!((refused[0].file.as_str(), refused[0].line, refused[0].reason), ("bad.csv", 2, reason), "{text}");
        assert!(refused[0].rule.contains(rule), "{text}: {}", refused[0]);
    }
}
