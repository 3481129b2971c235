//! Rooms of a building: rooms per floor, entrances, and texts.

use crate::dice::Dice;
use crate::land::LandUse;
use crate::table::push_number;

/// Most floors of a building.
const MOST_FLOORS: u32 = 55;

/// Numbering scheme of a building's rooms.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rooms {
    count: u32,
    entrances: u32,
    on_floor: u32,
    shops: bool,
}

/// A room's floor and whether it is a shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) floor: u32,
    pub(crate) shop: bool,
}

impl Rooms {
    pub(crate) fn new(count: u32, land: LandUse, width_m: f64, dice: &mut Dice) -> Self {
        let (low, high) = match land {
            LandUse::Village => (1, 4),
            LandUse::Houses => (1, 2),
            LandUse::Estate => (3, 8),
            LandUse::Industry => (1, 6),
            LandUse::Commerce => (4, 12),
            LandUse::Green => (1, 2),
        };
        let slab = land == LandUse::Estate && width_m > 28.0 && dice.chance(450);
        let (entrances, wished) = if slab { (dice.between(2, 4), 2) } else { (1, dice.between(low, high)) };
        let on_floor = wished.max(count.div_ceil(entrances * MOST_FLOORS)).max(1);
        let shops = !matches!(land, LandUse::Industry | LandUse::Green) && dice.chance(200);
        Self { count, entrances, on_floor, shops }
    }

    /// Writes the own part of the text of a room, counted from 0: `12层1203房`, `2单元8层801房`, `1层商铺03号`.
    pub(crate) fn text(&self, index: u32, out: &mut Vec<u8>) -> Room {
        let each = self.count.div_ceil(self.entrances).max(1);
        let (entrance, within) = (index / each, index % each);
        let (floor, door) = (within / self.on_floor + 1, within % self.on_floor + 1);
        let shop = self.shops && floor == 1;
        if self.entrances > 1 {
            push_number(out, u64::from(entrance + 1));
            out.extend_from_slice("单元".as_bytes());
        }
        push_number(out, u64::from(floor));
        out.extend_from_slice(if shop { "层商铺" } else { "层" }.as_bytes());
        if !shop {
            push_number(out, u64::from(floor));
        }
        if door < 10 {
            out.push(b'0');
        }
        push_number(out, u64::from(door));
        out.extend_from_slice(if shop { "号" } else { "房" }.as_bytes());
        Room { floor, shop }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(rooms: Rooms, index: u32) -> String {
        let mut out = Vec::new();
        rooms.text(index, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn texts_are_those_of_published_tables() {
        let tower = Rooms { count: 100, entrances: 1, on_floor: 4, shops: false };
        assert_eq!(text(tower, 46), "12层1203房");
        let slab = Rooms { count: 40, entrances: 2, on_floor: 2, shops: false };
        assert_eq!(text(slab, 34), "2单元8层801房");
        let shops = Rooms { count: 40, entrances: 1, on_floor: 4, shops: true };
        assert_eq!((text(shops, 2), text(shops, 4)), ("1层商铺03号".to_owned(), "2层201房".to_owned()));
    }

    #[test]
    fn no_text_is_given_twice_in_a_building() {
        for (entrances, on_floor, count) in [(1, 3, 100), (3, 2, 50), (4, 2, 7), (1, 120, 900)] {
            let rooms = Rooms { count, entrances, on_floor, shops: false };
            let texts: std::collections::HashSet<String> = (0..count).map(|index| text(rooms, index)).collect();
            assert_eq!(texts.len(), count as usize);
        }
    }
}
