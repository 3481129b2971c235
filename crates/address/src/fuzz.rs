//! Bases with altered content and matching checksums: a reader must not panic on any of them.

use crate::fuzz_targets::{ask, sign};
use crate::{AddressBase, BaseBuilder, BuilderOptions, SourceCrs};

const DEMO: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy/demo/address/");
const NAMES: &str =
    "code,kind,text,source\n44030500200302T0117,common,礼堂,synthetic\n440305002,short,合街,synthetic\n";
const FORMERS: &str = "former_code,code,changed,source\n44030500200302T0001,44030500200302T0117,2019-01-01,synthetic\n";

fn demo() -> Vec<u8> {
    let mut builder = BaseBuilder::new(BuilderOptions::default());
    let crs = SourceCrs::wgs84();
    let file = |name: &str| std::fs::File::open(format!("{DEMO}{name}")).unwrap();
    for name in ["units.csv", "roads.csv", "workgrids.csv"] {
        builder.add_csv(file(name), name, &crs).unwrap();
    }
    for name in ["buildings.geojson", "grids.geojson"] {
        builder.add_geojson(file(name), name, &crs).unwrap();
    }
    builder.add_csv(NAMES.as_bytes(), "names", &crs).unwrap();
    builder.add_csv(FORMERS.as_bytes(), "formers", &crs).unwrap();
    builder.finish().unwrap().0
}

/// splitmix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

#[test]
fn altered_content_with_right_checksums_is_refused_or_read() {
    let whole = demo();
    ask(&AddressBase::from_bytes(whole.clone()).unwrap());
    // tantivy panics on some damaged postings; those panics are caught, and would only fill the log here.
    std::panic::set_hook(Box::new(|_| {}));
    let rounds = std::env::var("VEDETTE_FUZZ_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(1_500);
    let mut opened = 0;
    for seed in 0..rounds {
        let mut random = Random(seed);
        let mut bytes = whole.clone();
        for _ in 0..1 + random.below(4) {
            let at = 16 + random.below(bytes.len() - 16);
            match random.below(4) {
                0 => bytes[at] = 0xff,
                1 => bytes[at] = 0,
                2 => bytes[at] ^= 1 << random.below(8),
                _ => {
                    // A whole number becomes arbitrary.
                    let at = at & !3;
                    let wild = [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff, 0xffff_fffe][random.below(6)];
                    bytes[at..(at + 4).min(whole.len())]
                        .copy_from_slice(&u32::to_le_bytes(wild)[..(whole.len() - at).min(4)]);
                }
            }
        }
        sign(&mut bytes);
        let asked = std::panic::catch_unwind(|| match AddressBase::from_bytes(bytes) {
            Ok(base) => {
                ask(&base);
                true
            }
            Err(_) => false,
        });
        match asked {
            Ok(was_opened) => opened += u32::from(was_opened),
            Err(panic) => {
                let _ = std::panic::take_hook();
                let what = panic.downcast_ref::<String>().cloned();
                let what = what.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
                panic!("seed {seed}: {}", what.unwrap_or_default());
            }
        }
    }
    let _ = std::panic::take_hook();
    assert!(u64::from(opened) > rounds / 4, "most altered bases are opened, else nothing is tested: {opened}");
}
