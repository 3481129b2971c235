use super::Sighting;

/// Height of a cell in ten-millionths of a degree: 55 m, more than the largest distance of two alerts of one event. So all
/// candidates for an alert are in its cell or in one of the eight around it.
const HEIGHT_E7: i64 = 5_000;
const FULL_CIRCLE: i64 = 3_600_000_000;
/// More than the columns of the widest row.
const COLUMNS: i64 = 1 << 20;
const MINUTE_US: i64 = 60_000_000;

/// Alerts of one kind in one cell in one minute. Where there are more than `MOST`, correlation would be ambiguous, and
/// none of them is joined: that bounds the work per alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Crowd {
    /// Number of the cell.
    pub cell: i64,
    /// First microsecond of the minute, since the Unix epoch.
    pub from_us: i64,
    /// Its last microsecond.
    pub until_us: i64,
}

impl Crowd {
    /// Most alerts that are not a crowd.
    pub const MOST: usize = 100;

    /// The cell and minute that an alert is in.
    #[must_use]
    pub fn of(it: &Sighting) -> Self {
        let from_us = it.raised_us.div_euclid(MINUTE_US).saturating_mul(MINUTE_US);
        Self { cell: cell(it), from_us, until_us: from_us.saturating_add(MINUTE_US - 1) }
    }
}

/// The cell of a place.
fn cell(it: &Sighting) -> i64 {
    let row = row(it);
    number(row, column(it, row))
}

/// The cell of a place and those around it.
#[must_use]
pub fn cells_around(it: &Sighting) -> [i64; 9] {
    let middle = row(it);
    let mut cells = [0; 9];
    for (index, cell) in (0_i64..).zip(&mut cells) {
        let row = middle + index / 3 - 1;
        let column = column(it, row) + index % 3 - 1;
        *cell = number(row, column.rem_euclid(columns(row)));
    }
    cells
}

const fn row(it: &Sighting) -> i64 {
    it.latitude_e7.div_euclid(HEIGHT_E7)
}

/// Cells are about as wide as high, so rows nearer to a pole have fewer.
fn columns(row: i64) -> i64 {
    let latitude = ((row * HEIGHT_E7 + HEIGHT_E7 / 2) as f64 * 1e-7).to_radians();
    ((FULL_CIRCLE as f64 * latitude.cos() / HEIGHT_E7 as f64) as i64).max(1)
}

fn column(it: &Sighting, row: i64) -> i64 {
    it.longitude_e7.rem_euclid(FULL_CIRCLE) * columns(row) / FULL_CIRCLE
}

const fn number(row: i64, column: i64) -> i64 {
    row * COLUMNS + column
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use vedette_core::{AlertId, RuleKind};

    fn at(latitude: f64, longitude: f64) -> Sighting {
        Sighting {
            id: AlertId(1),
            camera: "a".into(),
            kind: RuleKind::named("presence"),
            rule: "r".into(),
            classes: 1,
            started_us: 0,
            raised_us: 0,
            until_us: 0,
            latitude_e7: (latitude * 1e7) as i64,
            longitude_e7: (longitude * 1e7) as i64,
            error_mm: 0,
        }
    }

    proptest! {
        /// 48 m is the largest distance at which alerts are joined.
        #[test]
        fn what_is_near_lies_in_a_neighbouring_cell(
            latitude in -85.0..85.0_f64, longitude in -180.0..180.0_f64, bearing in 0.0..std::f64::consts::TAU,
        ) {
            let metre = 1.0 / 111_195.0;
            let (north, east) = (48.0 * bearing.sin() * metre, 48.0 * bearing.cos() * metre / latitude.to_radians().cos());
            let other = at(latitude + north, longitude + east);
            prop_assert!(cells_around(&at(latitude, longitude)).contains(&cell(&other)));
        }

        #[test]
        fn a_minute_holds_its_alerts(raised_us in any::<i64>()) {
            let crowd = Crowd::of(&Sighting { raised_us, ..at(22.0, 113.0) });
            prop_assert!((crowd.from_us..=crowd.until_us).contains(&raised_us));
        }
    }
}
