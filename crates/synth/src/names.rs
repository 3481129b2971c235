//! Names composed from single syllables: they come from no list of real places, any likeness is chance.

use std::collections::HashSet;

use crate::dice::Dice;

const HEADS: [char; 104] = [
    '翠', '梅', '莲', '荷', '松', '柏', '桂', '兰', '菊', '竹', '榕', '枫', '杏', '桃', '李', '樟', '银', '金', '玉',
    '珠', '宝', '瑞', '祥', '福', '禄', '寿', '康', '宁', '安', '平', '和', '顺', '永', '恒', '长', '久', '盛', '兴',
    '隆', '昌', '荣', '华', '富', '丰', '裕', '泰', '鸿', '鹏', '鹤', '凤', '龙', '麒', '云', '霞', '虹', '月', '星',
    '日', '晨', '曦', '朝', '晓', '春', '夏', '秋', '景', '清', '秀', '碧', '青', '蓝', '紫', '红', '丹', '白', '黄',
    '东', '西', '南', '北', '上', '下', '大', '小', '新', '老', '高', '石', '沙', '水', '山', '江', '湖', '海', '溪',
    '泉', '岭', '坪', '文', '明', '德', '仁', '学', '锦',
];
const TAILS: [char; 104] = [
    '竹', '林', '园', '湖', '山', '岭', '坑', '岗', '坪', '田', '塘', '围', '沙', '洲', '湾', '港', '浦', '滩', '溪',
    '河', '泉', '井', '桥', '头', '尾', '背', '角', '口', '门', '楼', '屋', '寮', '村', '堂', '亭', '台', '阁', '苑',
    '庭', '府', '城', '关', '里', '坊', '景', '光', '辉', '明', '阳', '月', '星', '云', '霞', '风', '华', '芳', '香',
    '馨', '秀', '丽', '雅', '和', '安', '宁', '康', '福', '寿', '吉', '祥', '瑞', '兴', '盛', '隆', '昌', '荣', '富',
    '丰', '裕', '泰', '达', '通', '顺', '利', '源', '润', '泽', '海', '洋', '江', '波', '涛', '帆', '鹏', '凤', '龙',
    '鹤', '翔', '飞', '腾', '峰', '石', '岩', '松', '柏',
];
const MIDDLES: [char; 16] =
    ['家', '子', '龙', '石', '水', '山', '马', '牛', '新', '大', '小', '上', '下', '塘', '背', '仔'];

/// Names in use, and new ones. The set is only queried, never iterated: its order does not matter.
#[derive(Debug, Default)]
pub(crate) struct Names {
    used: HashSet<String>,
}

/// A pair of syllables, sometimes three.
pub(crate) fn stem(dice: &mut Dice) -> String {
    let mut text = String::with_capacity(9);
    let head = dice.pick(&HEADS);
    text.push(head);
    if dice.chance(160) {
        text.push(dice.pick(&MIDDLES));
    }
    let mut tail = dice.pick(&TAILS);
    while tail == head {
        tail = dice.pick(&TAILS);
    }
    text.push(tail);
    text
}

impl Names {
    /// The first unused name of `make`. After many collisions another syllable makes it unique.
    pub(crate) fn unique(&mut self, dice: &mut Dice, make: impl Fn(&mut Dice) -> String) -> String {
        for _ in 0..12 {
            let name = make(dice);
            if self.used.insert(name.clone()) {
                return name;
            }
        }
        loop {
            let name = format!("{}{}", dice.pick(&HEADS), make(dice));
            if self.used.insert(name.clone()) {
                return name;
            }
        }
    }

    /// A new name, which is occasionally in use already, as in real cities.
    pub(crate) fn seldom_twice(&mut self, dice: &mut Dice, make: impl Fn(&mut Dice) -> String) -> String {
        let name = make(dice);
        if dice.chance(60) || self.used.insert(name.clone()) {
            return name;
        }
        self.unique(dice, make)
    }
}

/// Class of a road, from widest to narrowest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RoadClass {
    Boulevard,
    Main,
    Local,
    Lane,
}

impl RoadClass {
    /// Metres from its centre line to the plots.
    pub(crate) fn half_width_m(self) -> f64 {
        match self {
            Self::Boulevard => 18.0,
            Self::Main => 11.0,
            Self::Local => 6.0,
            Self::Lane => 3.5,
        }
    }
}

/// A road's name; `kin` is the stem of an intersecting road, which it may share: 翠竹路, 翠竹北路, 翠竹三巷.
pub(crate) fn road(dice: &mut Dice, class: RoadClass, own: &str, kin: Option<&str>) -> String {
    const SIDES: [&str; 5] = ["东", "西", "南", "北", "中"];
    const ORDINALS: [&str; 8] = ["一", "二", "三", "四", "五", "六", "七", "八"];
    let base = kin.filter(|_| dice.chance(300)).unwrap_or(own);
    let kind = match class {
        RoadClass::Boulevard => "大道",
        RoadClass::Main => dice.pick(&["路", "路", "路", "大道"]),
        RoadClass::Local => dice.pick(&["路", "路", "街"]),
        RoadClass::Lane => dice.pick(&["路", "街", "街", "巷", "巷"]),
    };
    let part = match (kind, base == own) {
        ("大道", true) => "",
        ("大道", false) => dice.pick(&SIDES),
        ("路", true) => dice.pick(&["", "", "", "东", "南", "北", "一"]),
        ("路", false) => dice.pick(&SIDES),
        (_, true) => dice.pick(&["", "", "一", "二", "东", "南"]),
        _ => dice.pick(&ORDINALS),
    };
    format!("{base}{part}{kind}")
}

/// A number from 1 in Chinese numerals, as used for lanes: 一, 十, 十二, 三十.
pub(crate) fn numeral(n: u32) -> String {
    const DIGITS: [&str; 10] = ["", "一", "二", "三", "四", "五", "六", "七", "八", "九"];
    match n {
        1..=9 => DIGITS[n as usize].to_owned(),
        10..=19 => format!("十{}", DIGITS[(n % 10) as usize]),
        20..=99 => format!("{}十{}", DIGITS[(n / 10) as usize], DIGITS[(n % 10) as usize]),
        _ => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Stream;

    #[test]
    fn thousands_of_names_are_new() {
        let mut names = Names::default();
        let mut dice = Dice::new(1, Stream::Cuts, 0);
        let mut seen = HashSet::new();
        for _ in 0..30_000 {
            let own = stem(&mut dice);
            let name = names.unique(&mut dice, |dice| road(dice, RoadClass::Lane, &own, None));
            assert!((3..=7).contains(&name.chars().count()), "{name}");
            assert!(seen.insert(name));
        }
    }

    #[test]
    fn syllables_are_listed_once() {
        assert_eq!(HEADS.iter().collect::<HashSet<_>>().len(), HEADS.len());
        assert_eq!(TAILS.iter().collect::<HashSet<_>>().len(), TAILS.len());
    }

    #[test]
    fn numerals_read_as_people_write_them() {
        assert_eq!([1, 10, 12, 20, 35].map(numeral), ["一", "十", "十二", "二十", "三十五"]);
    }
}
