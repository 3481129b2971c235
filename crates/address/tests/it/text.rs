//! The search by text on a small city of invented names.

use proptest::prelude::*;
use vedette_address::text::{
    Entities, Entity, EntityKind, Hit, IndexBuilder, IndexError, OtherName, OwnedBytes, TextIndex,
};

const VILLAGES: [&str; 10] =
    ["翠竹花园", "翠竹新村", "莲塘大厦", "丰田村", "丰田东村", "海安小区", "鹏盛坊", "龙苑", "水景华庭", "百合山庄"];
const ROADS: [&str; 5] = ["翠竹路", "翠竹北路", "兴寿一路", "江顺街", "凤凰大道"];
const COMMUNITIES: [&str; 2] = ["丰香社区", "泉源社区"];

/// A building, as its texts.
struct House {
    community: &'static str,
    road: &'static str,
    road_num: String,
    village: &'static str,
    building: String,
    others: Vec<String>,
    shop: Option<u32>,
}

/// Houses first, then the district, the communities and the roads.
struct City(Vec<House>);

const UNITS: [&str; 5] = ["1单元1层101房", "1单元8层801房", "2单元8层801房", "2单元8层802房", "1层商铺03号"];

impl City {
    fn new() -> Self {
        let mut houses = Vec::new();
        for (place, village) in VILLAGES.into_iter().enumerate() {
            for number in 1..=12 {
                let others = match (place, number) {
                    (2, 1) => vec!["莲塘中心".to_owned()],
                    (3, 2) => vec!["瑞丰餐厅".to_owned()],
                    _ => Vec::new(),
                };
                houses.push(House {
                    community: COMMUNITIES[place % 2],
                    road: ROADS[place % 5],
                    road_num: format!("{}号", 100 * (place + 1) + number),
                    village,
                    building: if place == 3 {
                        format!("{}巷{}号", number / 4 + 1, number % 4 + 1)
                    } else {
                        format!("{number}栋")
                    },
                    others,
                    shop: (place == 3).then_some(4),
                });
            }
        }
        Self(houses)
    }

    fn count(&self) -> u32 {
        (self.0.len() + 1 + COMMUNITIES.len() + ROADS.len()) as u32
    }

    fn index(&self) -> Vec<u8> {
        let mut builder = IndexBuilder::new(0).unwrap();
        (0..self.count()).for_each(|id| builder.add(id, &self.entity(id).unwrap()).unwrap());
        builder.finish().unwrap()
    }

    fn search(&self, index: &TextIndex, text: &str) -> Vec<Hit> {
        index.search(text, 10, self)
    }

    fn id(&self, village: &str, building: &str) -> u32 {
        self.0.iter().position(|house| house.village == village && house.building == building).unwrap() as u32
    }

    fn text(&self, id: u32) -> String {
        let house = &self.0[id as usize];
        format!(
            "广东省深圳市宝安区松辉街道{}{}{}{}{}",
            house.community, house.road, house.road_num, house.village, house.building
        )
    }
}

impl Entities for City {
    fn entity(&self, id: u32) -> Option<Entity<'_>> {
        let area =
            Entity {
                province: "广东省", city: "深圳市", district: "宝安区", ..Entity::nameless(EntityKind::District)
            };
        let houses = self.0.len();
        Some(match id as usize {
            id if id < houses => {
                let house = &self.0[id];
                Entity {
                    kind: EntityKind::Building,
                    street: "松辉街道",
                    community: house.community,
                    road: house.road,
                    road_num: &house.road_num,
                    village: house.village,
                    building: &house.building,
                    others: house.others.iter().map(|text| OtherName { text, unit: house.shop }).collect(),
                    ..area
                }
            }
            id if id == houses => area,
            id if id <= houses + COMMUNITIES.len() => {
                let community = COMMUNITIES[id - houses - 1];
                Entity { kind: EntityKind::Community, street: "松辉街道", community, ..area }
            }
            id => Entity { kind: EntityKind::Road, road: ROADS.get(id - houses - 1 - COMMUNITIES.len())?, ..area },
        })
    }

    fn units(&self, _id: u32, visit: &mut dyn FnMut(u32, &str)) {
        UNITS.iter().zip(0..).for_each(|(own_part, unit)| visit(unit, own_part));
    }
}

fn open(blob: Vec<u8>) -> Result<TextIndex, IndexError> {
    TextIndex::open(OwnedBytes::new(blob))
}

#[test]
fn every_full_text_finds_its_building_with_a_whole_score() {
    let city = City::new();
    let index = open(city.index()).unwrap();
    assert_eq!(index.entities(), city.count());
    for id in 0..city.0.len() as u32 {
        let hits = city.search(&index, &city.text(id));
        assert_eq!((hits[0].id, hits[0].unit, hits[0].score), (id, None, 1.0), "{}", city.text(id));
    }
}

#[test]
fn forms_aliases_and_typing_errors_find_the_building() {
    let city = City::new();
    let index = open(city.index()).unwrap();
    let (garden, lane) = (city.id("翠竹花园", "3栋"), city.id("丰田村", "2巷3号"));
    for (text, id, unit) in [
        ("翠竹花园3栋", garden, None),
        ("深圳市翠竹花園三幢", garden, None),
        ("宝安区 翠竹花园，３号楼", garden, None),
        ("翠竹路103号", garden, None),
        ("丰香社区翠竺花园3栋", garden, None),
        ("丰香社区翠花园3栋2单元801", garden, Some(2)),
        ("翠竹花园3座8楼802室", garden, Some(3)),
        ("丰田村二巷3号", lane, None),
        ("泉源社区丰田村2巷3号商铺3号", lane, Some(4)),
        ("莲塘中心", city.id("莲塘大厦", "1栋"), None),
        ("瑞丰餐厅", city.id("丰田村", "1巷3号"), Some(4)),
    ] {
        let hits = city.search(&index, text);
        assert_eq!(hits.first().map(|hit| (hit.id, hit.unit)), Some((id, unit)), "{text} {hits:?}");
    }
}

#[test]
fn areas_and_roads_are_found_as_such() {
    let city = City::new();
    let index = open(city.index()).unwrap();
    let houses = city.0.len() as u32;
    for (text, id) in [
        ("深圳市宝安区", houses),
        ("宝安区泉源社区", houses + 2),
        ("宝安区翠竹北路", houses + 4),
        ("翠竹路", houses + 3),
    ] {
        assert_eq!(city.search(&index, text).first().map(|hit| hit.id), Some(id), "{text}");
    }
}

#[test]
fn a_room_of_several_entrances_gives_each_of_them() {
    let city = City::new();
    let index = open(city.index()).unwrap();
    let hits = city.search(&index, "翠竹花园3栋801");
    assert_eq!(hits[..2].iter().map(|hit| hit.unit).collect::<Vec<_>>(), [Some(1), Some(2)]);
    assert_eq!(hits[0].score, hits[1].score);
}

#[test]
fn a_number_that_is_not_there_is_never_a_whole_match() {
    let city = City::new();
    let index = open(city.index()).unwrap();
    for text in ["翠竹花园33栋", "翠竹路1103号", "丰田村2巷9号"] {
        assert!(city.search(&index, text).iter().all(|hit| hit.score < 0.9), "{text}");
    }
    let without_unit = city.search(&index, "翠竹花园3栋999房");
    assert!(without_unit[0].unit.is_none() && without_unit[0].score < 0.9, "{without_unit:?}");
}

#[test]
fn what_names_nothing_here_has_no_match() {
    let city = City::new();
    let index = open(city.index()).unwrap();
    for text in [
        "",
        "   ",
        "北京市海淀区中关村大街1号",
        "上海市静安区南京西路1266号恒隆广场",
        "啊啊啊啊",
        "hello world",
        "1234567",
    ] {
        assert_eq!(city.search(&index, text), [], "{text}");
    }
}

#[test]
fn equal_entities_give_equal_bytes_and_ids_must_rise() {
    let city = City::new();
    assert_eq!(city.index(), city.index());
    let mut builder = IndexBuilder::new(0).unwrap();
    let entity = city.entity(0).unwrap();
    builder.add(5, &entity).unwrap();
    assert!(matches!(builder.add(5, &entity), Err(IndexError::Order { id: 5, last: 5 })));
}

#[test]
fn an_empty_index_answers() {
    let index = open(IndexBuilder::new(0).unwrap().finish().unwrap()).unwrap();
    assert_eq!(City::new().search(&index, "翠竹花园3栋"), []);
}

#[test]
fn a_cut_or_extended_index_is_refused() {
    let blob = City::new().index();
    for len in (0..blob.len()).step_by(97) {
        assert!(open(blob[..len].to_vec()).is_err(), "{len} of {} bytes", blob.len());
    }
    let mut longer = blob;
    longer.push(0);
    assert!(matches!(open(longer), Err(IndexError::Layout(_))));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn any_text_has_an_answer_in_order(text in "\\PC{0,60}|[翠竹花园丰田村路号栋层房单元一二十0-9A-F #，]{0,40}") {
        let city = City::new();
        let index = open(small_index()).unwrap();
        let hits = city.search(&index, &text);
        prop_assert!(hits.windows(2).all(|pair| (-pair[0].score, pair[0].id, pair[0].unit) <= (-pair[1].score, pair[1].id, pair[1].unit)));
        prop_assert!(hits.iter().all(|hit| hit.score > 0.0 && hit.score <= 1.0));
        prop_assert_eq!(hits, city.search(&index, &text));
    }

    #[test]
    fn an_altered_index_is_refused_or_answers(at in any::<prop::sample::Index>(), value: u8) {
        let city = City::new();
        let mut blob = small_index();
        let at = at.index(blob.len());
        blob[at] = value;
        if let Ok(index) = open(blob) {
            city.search(&index, "丰香社区翠竹花园3栋2单元801");
        }
    }
}

/// Made once: the properties are about reading.
fn small_index() -> Vec<u8> {
    static BLOB: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    BLOB.get_or_init(|| City::new().index()).clone()
}
