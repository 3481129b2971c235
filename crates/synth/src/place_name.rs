//! Names of villages, estates, parks and single buildings, and of the buildings in them.

use crate::dice::Dice;
use crate::land::LandUse;
use crate::names::{Names, numeral, stem};

/// Numbering scheme of the buildings of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Count {
    /// 3栋
    Block,
    /// 3号楼
    House,
    /// C座
    Letter,
    /// C栋
    LetterBlock,
    /// 3号
    Number,
    /// 厂房3栋
    Works,
    /// 管理房3栋
    Lodge,
    /// 2巷5号
    Lane,
    /// 二巷5号
    LaneNumeral,
    /// 二坊5栋
    Quarter,
    /// Each building has its own name.
    Named,
}

/// An entry of the `village` column (小区/村): a village, an estate, a park.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    /// Empty if each building has its own name.
    pub(crate) name: String,
    /// The name without its kind.
    pub(crate) stem: String,
    /// Its common name.
    pub(crate) common: Option<String>,
    /// Its former name.
    pub(crate) former: Option<String>,
    /// Whether the stem alone is in use.
    pub(crate) short: bool,
    count: Count,
    next: u32,
    lanes: u32,
    lane: (u32, u32),
}

fn kinds(land: LandUse) -> &'static [&'static str] {
    match land {
        LandUse::Village => &["村", "新村", "老村", "旧村", "围村", "东村", "西村"],
        LandUse::Houses => &["新村", "里", "坊", "小区", "山庄", "别墅"],
        LandUse::Estate => &[
            "花园",
            "苑",
            "小区",
            "名苑",
            "家园",
            "华庭",
            "雅居",
            "豪庭",
            "新城",
            "公寓",
            "花园二期",
            "花园一期",
            "府",
        ],
        LandUse::Industry => &["工业园", "工业区", "科技园", "产业园", "创新园", "第一工业区", "第二工业区"],
        LandUse::Commerce => &["广场", "中心", "国际中心", "商业城"],
        LandUse::Green => &["公园", "水库", "林场", "郊野公园", "农场"],
    }
}

fn counts(land: LandUse) -> &'static [Count] {
    match land {
        LandUse::Village => &[Count::Lane, Count::Lane, Count::LaneNumeral, Count::Quarter],
        LandUse::Houses => &[Count::Number, Count::Number, Count::Block],
        LandUse::Estate => &[Count::Block, Count::Block, Count::Block, Count::House, Count::Letter, Count::LetterBlock],
        LandUse::Industry => &[Count::Block, Count::Works, Count::LetterBlock],
        LandUse::Commerce => &[Count::Letter, Count::Block, Count::Named, Count::Named],
        LandUse::Green => &[Count::Lodge],
    }
}

impl Place {
    /// A new one; a village may have its community's name.
    pub(crate) fn new(land: LandUse, community: &str, names: &mut Names, dice: &mut Dice) -> Self {
        let count = dice.pick(counts(land));
        let own = match land {
            LandUse::Village | LandUse::Houses if dice.chance(300) => community.to_owned(),
            _ => stem(dice),
        };
        let make = |dice: &mut Dice| {
            let start = if dice.chance(800) { own.clone() } else { stem(dice) };
            format!("{start}{}", dice.pick(kinds(land)))
        };
        let name = if count == Count::Named { String::new() } else { names.seldom_twice(dice, make) };
        let kind = kinds(land).iter().filter(|kind| name.ends_with(**kind)).max_by_key(|kind| kind.len());
        let stem_text = kind.and_then(|kind| name.strip_suffix(kind)).unwrap_or_default().to_owned();
        let other = |dice: &mut Dice, start: &str| {
            let name = format!("{start}{}", dice.pick(kinds(land)));
            Some(names.unique(dice, |_| name.clone()))
        };
        let (mut common, mut former) = (None, None);
        if !name.is_empty() {
            let mut other = other;
            if dice.chance(120) {
                common = other(dice, &stem_text);
            }
            if dice.chance(60) {
                let start = stem(dice);
                former = other(dice, &start);
            }
        }
        let short = !name.is_empty() && dice.chance(350);
        Self { name, stem: stem_text, common, former, short, count, next: 0, lanes: 0, lane: (u32::MAX, 0) }
    }

    /// Whether one door plate serves all its buildings.
    pub(crate) fn shares_plate(&self, land: LandUse) -> bool {
        !self.name.is_empty() && !matches!(land, LandUse::Village | LandUse::Houses)
    }

    /// A new grid of the place: its lanes continue those of the previous one.
    pub(crate) fn begin_grid(&mut self) {
        self.lane.0 = u32::MAX;
    }

    /// The next building's part of the text; `row` is its row on the grid.
    pub(crate) fn label(&mut self, row: u32, names: &mut Names, dice: &mut Dice) -> String {
        self.next += 1;
        let n = self.next;
        // A lane serves two rows.
        if self.lane.0 != row / 2 {
            self.lane = (row / 2, 0);
            self.lanes += 1;
        }
        self.lane.1 += 1;
        let (lane, door) = (self.lanes, self.lane.1);
        let letter = |kind: &str| match n {
            1..=26 => format!("{}{kind}", char::from(b'A' + (n - 1) as u8)),
            _ => format!("{n}{kind}"),
        };
        match self.count {
            Count::Block => format!("{n}栋"),
            Count::House => format!("{n}号楼"),
            Count::Letter => letter("座"),
            Count::LetterBlock => letter("栋"),
            Count::Number => format!("{n}号"),
            Count::Works if n.is_multiple_of(5) => format!("宿舍{n}栋"),
            Count::Works => format!("厂房{n}栋"),
            Count::Lodge => format!("管理房{n}栋"),
            Count::Lane => format!("{lane}巷{door}号"),
            Count::LaneNumeral => format!("{}巷{door}号", numeral(lane)),
            Count::Quarter => format!("{}坊{door}栋", numeral(lane)),
            Count::Named => {
                const KINDS: [&str; 8] = ["大厦", "大厦", "大厦", "商务楼", "酒店", "楼", "科技大厦", "商业大厦"];
                names.unique(dice, |dice| format!("{}{}", stem(dice), dice.pick(&KINDS)))
            }
        }
    }
}
