//! Buildings on a grid, and the area that they need.

use crate::dice::Dice;

/// Land use of a grid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LandUse {
    /// Urban village (城中村): small houses with gaps of one to three metres.
    Village,
    /// Houses of few floors with yards.
    Houses,
    /// Estate (小区): towers and slabs in green.
    Estate,
    /// Industrial park.
    Industry,
    /// Offices, shops, hotels.
    Commerce,
    /// Hills, parks, water: hardly any buildings.
    Green,
}

pub(crate) const USES: [LandUse; 6] =
    [LandUse::Village, LandUse::Houses, LandUse::Estate, LandUse::Industry, LandUse::Commerce, LandUse::Green];

/// Grids of each use per 100, by the kind of district.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    Core,
    Outer,
    Edge,
}

impl Profile {
    pub(crate) fn weights(self) -> [u32; 6] {
        match self {
            Self::Core => [18, 6, 42, 8, 20, 6],
            Self::Outer => [32, 16, 19, 22, 4, 7],
            Self::Edge => [24, 28, 11, 17, 3, 17],
        }
    }
}

/// Size of a plot in metres: the building and the gaps after it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plot {
    pub(crate) width: (f64, f64),
    pub(crate) depth: (f64, f64),
    pub(crate) gap: (f64, f64),
    /// Between rows; in an urban village every other gap is a lane.
    pub(crate) row_gap: (f64, f64),
    pub(crate) lane: (f64, f64),
}

impl LandUse {
    pub(crate) fn plot(self) -> Plot {
        let plot = |width, depth, gap, row_gap, lane| Plot { width, depth, gap, row_gap, lane };
        match self {
            Self::Village => plot((8.0, 15.0), (8.0, 15.0), (1.0, 3.0), (1.0, 3.0), (2.5, 5.0)),
            Self::Houses => plot((9.0, 15.0), (8.0, 13.0), (6.0, 18.0), (7.0, 12.0), (9.0, 16.0)),
            Self::Estate => plot((22.0, 36.0), (16.0, 26.0), (14.0, 28.0), (18.0, 28.0), (20.0, 30.0)),
            Self::Industry => plot((40.0, 90.0), (26.0, 58.0), (10.0, 20.0), (12.0, 20.0), (12.0, 20.0)),
            Self::Commerce => plot((24.0, 60.0), (22.0, 48.0), (10.0, 20.0), (12.0, 22.0), (12.0, 22.0)),
            Self::Green => plot((6.0, 14.0), (6.0, 12.0), (40.0, 120.0), (40.0, 120.0), (40.0, 120.0)),
        }
    }

    /// Average area of a building's plot in square metres, gaps included.
    pub(crate) fn plot_m2(self) -> f64 {
        let plot = self.plot();
        let middle = |(low, high): (f64, f64)| (low + high) / 2.0;
        let rows = (middle(plot.row_gap) + middle(plot.lane)) / 2.0;
        (middle(plot.width) + middle(plot.gap)) * (middle(plot.depth) + rows)
    }

    /// Buildings on an ordinary grid.
    pub(crate) fn usual_buildings(self) -> u32 {
        match self {
            Self::Village => 60,
            Self::Houses => 36,
            Self::Estate => 14,
            Self::Industry => 12,
            Self::Commerce => 15,
            Self::Green => 2,
        }
    }

    /// Rooms of one building before they are scaled to the city's total: floors times rooms per floor.
    pub(crate) fn rooms(self, dice: &mut Dice) -> u32 {
        match self {
            Self::Village => dice.between(4, 8) * dice.between(1, 3),
            Self::Houses => dice.between(1, 4) * dice.between(1, 2),
            Self::Estate => dice.between(7, 32) * dice.between(3, 7),
            Self::Industry => dice.between(1, 6) * dice.between(1, 4),
            Self::Commerce => dice.between(3, 24) * dice.between(2, 8),
            Self::Green => dice.between(0, 2),
        }
    }
}
