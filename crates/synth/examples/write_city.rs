//! Writes a city of the given number of buildings: `cargo run --release -p vedette-synth --example write_city -- 20000 city`.

use std::path::PathBuf;

use vedette_synth::{CityPlan, write};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let buildings: u32 = arguments.next().ok_or("how many buildings?")?.parse()?;
    let folder = PathBuf::from(arguments.next().ok_or("which folder?")?);
    let mut tenth = 0;
    let summary = write(&CityPlan::scaled(buildings), &folder, |done, of| {
        if done * 10 / of > tenth {
            tenth = done * 10 / of;
            eprintln!("{done} of {of} buildings");
        }
    })?;
    println!("{summary:#?}");
    Ok(())
}
