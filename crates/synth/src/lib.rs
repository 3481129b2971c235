//! A synthetic city, to test an address base with.
//!
//! *In:* a plan: how many districts, streets, communities, grids, buildings and units, and a seed. *Out:* a folder of tables as
//! published by cities (address rows with footprints, units, grids, roads, names, former codes, working grids), every record marked
//! `source=synthetic`; the same plan gives the same bytes on every machine. *Must not know:* the address base, how it is built or
//! searched, clocks, real addresses. Files are written by [`write`] only.
//!
//! A rectangle is cut into areas by count and space (`cut`), bent so that no line is straight (`plane`), and filled grid by grid
//! with plots (`block`), shapes (`footprint`) and addresses (`settle`).

mod alias;
mod block;
mod city;
mod cut;
mod dice;
mod division;
mod error;
mod footprint;
mod land;
mod mesh;
mod names;
mod place_name;
mod plan;
mod plane;
mod readme;
mod settle;
mod share_out;
mod table;
mod unit;
mod units;
mod work_grid;

pub use city::{Summary, write};
pub use error::SynthError;
pub use plan::{CityPlan, Format};
pub use table::Written;
