use std::path::Path;

use crate::error::SynthError;
use crate::plan::CityPlan;
use crate::table::{Table, Written};

/// Raised with every change of the bytes of a plan.
const LAYOUT: u32 = 1;

/// Beginning of the file.
const BEGINS: &str = "This city is invented.";
const NAME: &str = "README.txt";
const BUILDINGS: [&str; 3] = ["buildings.csv", "buildings.geojson", "buildings.parquet"];

/// Creates the folder, or checks that its contents are a synthetic city, which may be replaced.
pub(crate) fn claim(folder: &Path) -> Result<(), SynthError> {
    let failed = |source| SynthError::Write { path: folder.to_owned(), source };
    std::fs::create_dir_all(folder).map_err(failed)?;
    if std::fs::read_dir(folder).map_err(failed)?.next().is_none() {
        return Ok(());
    }
    if !std::fs::read_to_string(folder.join(NAME)).is_ok_and(|text| text.starts_with(BEGINS)) {
        return Err(SynthError::Occupied { folder: folder.to_owned() });
    }
    // The other tables are overwritten; buildings in another format would remain beside the new ones.
    for name in BUILDINGS {
        match std::fs::remove_file(folder.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
    }
    Ok(())
}

/// Writes the README, which says that the data are synthetic.
pub(crate) fn write(plan: &CityPlan, folder: &Path) -> Result<Written, SynthError> {
    let CityPlan { seed, buildings, units, districts, streets, communities, grids, width_m, height_m, .. } = plan;
    let version = env!("CARGO_PKG_VERSION");
    let flaws = if plan.flaws { "left in on purpose" } else { "none" };
    let text = format!(
        "\
{BEGINS} Nothing in these files is a real address, building, road or unit; every record says
source=synthetic. The districts have Shenzhen's names and places, and all else was made by a program. Do not mix these
records with real ones.

Written by vedette address synth {version}, layout {LAYOUT}. The same plan gives the same bytes on every machine:

  seed         {seed}
  buildings    {buildings}
  units        {units}
  districts    {districts}
  streets      {streets}
  communities  {communities}
  grids        {grids}
  metres       {width_m} x {height_m}
  flaws        {flaws}

buildings.*       address rows of buildings (room 000000) with footprints
units.csv         address rows of units
grids.geojson     basic grids; they tile the city
roads.geojson     roads, along the edges of grids
names.csv         other names of areas, buildings and shops
former_codes.csv  codes that were changed
workgrids.csv     who answers for which basic grids

Coordinates are WGS 84, longitude first.

What to know when reading them:
- Where an area got a new code, its older buildings keep the old one: positions 1-14 of their code are then a former code
  of their grid (`former_code` in grids.geojson, and in former_codes.csv).
- Whole streets of new districts keep codes of the district that they were part of. The text of a row is today's.
"
    );
    Table::create(folder, NAME, &text)?.finish()
}
