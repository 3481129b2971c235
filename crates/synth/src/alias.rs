//! Alternative names of areas, buildings and rooms: `names.csv`.

use crate::dice::Dice;
use crate::division::Division;
use crate::error::SynthError;
use crate::names::stem;
use crate::place_name::Place;
use crate::settle::Building;
use crate::table::{SOURCE, Table};

/// The header line.
pub(crate) const HEADER: &str = "code,kind,text,valid_from,valid_to,source\n";

/// The day on which former names ended.
const RENAMED: [&str; 4] = ["2016-12-31", "2018-06-30", "2019-12-31", "2021-08-31"];

/// The table of names.
#[derive(Debug)]
pub(crate) struct Aliases {
    pub(crate) table: Table,
}

impl Aliases {
    fn add(&mut self, code: &str, kind: &str, text: &str, valid_to: &str) -> Result<(), SynthError> {
        self.table.records(format!("{code},{kind},{text},,{valid_to},{SOURCE}\n").as_bytes(), 1)
    }

    /// Names of districts, streets, communities and a few grids.
    pub(crate) fn areas(&mut self, division: &Division, dice: &mut Dice) -> Result<(), SynthError> {
        for district in &division.districts {
            let short = district.name.trim_end_matches('区').trim_end_matches('新');
            self.add(&district.code, "short", short, "")?;
            if district.former.is_some() && !district.name.ends_with("新区") {
                self.add(&district.code, "former", &format!("{short}新区"), RENAMED[0])?;
            }
        }
        for street in &division.streets {
            let short = street.name.trim_end_matches("街道");
            self.add(&street.code, "short", short, "")?;
            self.add(&street.code, "common", &format!("{short}街道办"), "")?;
            if dice.chance(350) {
                self.add(&street.code, "former", &format!("{short}镇"), "2004-12-31")?;
            }
        }
        for community in &division.communities {
            let short = community.name.trim_end_matches("社区");
            self.add(&community.code, "short", short, "")?;
            if dice.chance(300) {
                self.add(&community.code, "common", &format!("{short}居委会"), "")?;
            }
            if dice.chance(100) {
                let old = format!("{}村委会", stem(dice));
                self.add(&community.code, "former", &old, dice.pick(&RENAMED))?;
            }
            for (number, grid) in (1..).zip(&division.grids[community.grids.clone()]) {
                if dice.chance(50) {
                    self.add(&grid.code, "common", &format!("{}第{number}网格", community.name), "")?;
                }
            }
        }
        Ok(())
    }

    /// Names of a building; `geographic` is its address without the province.
    pub(crate) fn building(
        &mut self,
        building: &Building,
        place: &Place,
        geographic: &str,
        crossing: &str,
        dice: &mut Dice,
    ) -> Result<(), SynthError> {
        let code = &building.code[..19];
        let label = &building.label;
        if place.name.is_empty() {
            // A building with a name of its own.
            self.add(code, "common", label, "")?;
            if dice.chance(100) {
                self.add(code, "former", &format!("{}大厦", stem(dice)), dice.pick(&RENAMED))?;
            }
        } else {
            if place.short {
                self.add(code, "short", &format!("{}{label}", place.stem), "")?;
            }
            if let Some(common) = &place.common {
                self.add(code, "common", &format!("{common}{label}"), "")?;
            }
            if let Some(former) = &place.former {
                self.add(code, "former", &format!("{former}{label}"), RENAMED[2])?;
            }
        }
        if dice.chance(15) {
            self.add(code, "alternative", &format!("{crossing}{}{label}", place.name), "")?;
        }
        if dice.chance(5) {
            self.add(code, "geographic", geographic, "")?;
        }
        Ok(())
    }

    /// A shop's name.
    pub(crate) fn shop(&mut self, code: &str, dice: &mut Dice) -> Result<(), SynthError> {
        const KINDS: [&str; 8] = ["便利店", "药店", "餐厅", "理发店", "水果店", "五金店", "书店", "茶馆"];
        self.add(code, "alternative", &format!("{}{}", stem(dice), dice.pick(&KINDS)), "")
    }
}
