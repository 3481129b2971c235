//! Size of a city, and its validation.

use crate::error::SynthError;

/// Least area per building in square metres, including streets and green.
const ROOM_M2: u64 = 2_400;
/// Most units per building on average.
const UNITS_EACH: u64 = 2_000;

/// Format of the buildings' table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// `buildings.csv`, footprints as well-known text.
    #[default]
    Csv,
    /// `buildings.geojson`, a FeatureCollection.
    GeoJson,
    /// `buildings.parquet`, GeoParquet 1.1 with footprints as WKB. Another version of the Parquet library may give other
    /// bytes.
    Parquet,
}

/// A city's size and seed. The same plan gives the same bytes on every machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CityPlan {
    /// Seed of all random numbers.
    pub seed: u64,
    /// Buildings, each with a footprint.
    pub buildings: u32,
    /// Units (rooms) in all buildings together.
    pub units: u32,
    /// Districts.
    pub districts: u32,
    /// Streets (街道).
    pub streets: u32,
    /// Communities (社区).
    pub communities: u32,
    /// Basic grids.
    pub grids: u32,
    /// West to east in metres.
    pub width_m: u32,
    /// South to north in metres.
    pub height_m: u32,
    /// Leave holes and overlaps in the working grids, as test data for reports of these.
    pub flaws: bool,
    /// Format of the buildings' table.
    pub format: Format,
}

impl Default for CityPlan {
    /// Shenzhen's size.
    fn default() -> Self {
        Self {
            seed: 1,
            buildings: 600_000,
            units: 11_000_000,
            districts: 10,
            streets: 74,
            communities: 700,
            grids: 20_000,
            width_m: 80_000,
            height_m: 35_000,
            flaws: false,
            format: Format::Csv,
        }
    }
}

impl CityPlan {
    /// A city of the given number of buildings with the default's proportions and density. Districts and streets grow more slowly,
    /// so that small cities have some of each.
    #[must_use]
    pub fn scaled(buildings: u32) -> Self {
        let whole = Self::default();
        let part = |of: u32| {
            let exact = u64::from(of) * u64::from(buildings) / u64::from(whole.buildings);
            u32::try_from(exact).unwrap_or(u32::MAX).max(1)
        };
        // A square root is rounded alike everywhere.
        let side = (f64::from(buildings) / f64::from(whole.buildings)).sqrt();
        let along = |of: u32| (f64::from(of) * side).ceil() as u32;
        let grids = part(whole.grids).max(1);
        let communities = part(whole.communities).max(along(whole.districts)).min(grids);
        let streets = part(whole.streets).max(along(whole.districts)).min(communities);
        let districts = along(whole.districts).clamp(1, streets);
        Self {
            buildings,
            units: part(whole.units),
            districts,
            streets,
            communities,
            grids,
            // Small cities are given more area: their edges are a larger fraction.
            width_m: along(whole.width_m) + 200,
            height_m: along(whole.height_m) + 200,
            ..whole
        }
    }

    /// Checks every number.
    ///
    /// # Errors
    /// [`SynthError::Plan`] names every impossible number, the rule it breaks and the remedy.
    pub fn check(&self) -> Result<(), SynthError> {
        let mut wrong = Vec::new();
        let mut rule = |good: bool, text: String| {
            if !good {
                wrong.push(text);
            }
        };
        let at_least = |name: &str, value: u32, of: &str, other: u32| {
            (
                value >= other,
                format!("{name} = {value}: each of the {other} {of} has at least one; give {other} or more"),
            )
        };
        rule(self.buildings >= 1, "buildings = 0: a city has at least one".to_owned());
        rule(self.districts >= 1, "districts = 0: a city has at least one".to_owned());
        rule(
            self.districts <= 60,
            format!("districts = {}: their codes are 440303 to 440362; give 60 at most", self.districts),
        );
        for (good, text) in [
            at_least("streets", self.streets, "districts", self.districts),
            at_least("communities", self.communities, "streets", self.streets),
            at_least("grids", self.grids, "communities", self.communities),
        ] {
            rule(good, text);
        }
        let most = |name: &str, value: u32, each: u64, of: &str, other: u32| {
            let limit = each * u64::from(other);
            (
                other == 0 || u64::from(value) <= limit,
                format!(
                    "{name} = {value}: a code counts {each} at most in each of the {other} {of}; give {limit} at most"
                ),
            )
        };
        // Streets are numbered to 899 in a district's code, and two districts' streets may share one.
        for (good, text) in [
            most("streets", self.streets, 100, "districts", self.districts),
            most("communities", self.communities, 400, "streets", self.streets),
            most("grids", self.grids, 99, "communities", self.communities),
            most("units", self.units, UNITS_EACH, "buildings", self.buildings),
        ] {
            rule(good, text);
        }
        let area = u64::from(self.width_m) * u64::from(self.height_m);
        let need = u64::from(self.buildings) * ROOM_M2 + u64::from(self.grids) * 10_000;
        rule(
            area >= need,
            format!(
                "width_m = {}, height_m = {}: {} buildings in {} grids need {need} square metres and have {area}; make the city larger or give it fewer",
                self.width_m, self.height_m, self.buildings, self.grids
            ),
        );
        let long = self.width_m.max(self.height_m);
        let short = self.width_m.min(self.height_m);
        rule(
            long <= 300_000 && short >= 100 && short.saturating_mul(4) >= long,
            format!(
                "width_m = {}, height_m = {}: a city is 100 m to 300 km on each side and at most four times as long as wide",
                self.width_m, self.height_m
            ),
        );
        if wrong.is_empty() { Ok(()) } else { Err(SynthError::Plan { wrong }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_and_its_parts_are_possible() {
        assert!(CityPlan::default().check().is_ok());
        assert_eq!(CityPlan::scaled(600_000).grids, CityPlan::default().grids);
        for buildings in [1, 2, 7, 30, 100, 1_000, 20_000, 599_999, 1_200_000] {
            let plan = CityPlan::scaled(buildings);
            assert!(plan.check().is_ok(), "{buildings}: {:?}", plan.check());
        }
    }

    #[test]
    fn nothing_follows_from_a_count_of_none() {
        let error = CityPlan { districts: 0, ..CityPlan::default() }.check().unwrap_err().to_string();
        assert_eq!(error, "impossible city: districts = 0: a city has at least one");
    }

    #[test]
    fn every_impossible_number_is_named() {
        let plan = CityPlan { districts: 0, grids: 70_000, width_m: 10, units: u32::MAX, ..CityPlan::default() };
        let error = plan.check().unwrap_err().to_string();
        for name in ["districts = 0", "grids = 70000", "width_m = 10", "units = 4294967295"] {
            assert!(error.contains(name), "{name} in {error}");
        }
    }
}
