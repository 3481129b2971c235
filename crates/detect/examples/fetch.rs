//! Fetches models or the runtime into the cache, for tests and benches:
//! `cargo run -p vedette-detect --example fetch -- onnxruntime nanodet-g`.

use std::error::Error;

use vedette_detect::{ModelStore, TerminalProgress, default_cache_dir};

fn main() -> Result<(), Box<dyn Error>> {
    let cache = default_cache_dir().ok_or("set VEDETTE_CACHE to the folder of the cache")?;
    let store = ModelStore::new(cache);
    for name in std::env::args().skip(1) {
        println!("{}", store.fetch(&name, &TerminalProgress::new(&name))?.display());
    }
    Ok(())
}
