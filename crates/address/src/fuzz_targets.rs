//! Entry points for fuzzers: any bytes are read or refused, without a panic, a hang or memory beyond what the input's size allows.

use std::sync::OnceLock;

use vedette_core::{AddressCode, AddressPrefix, GroundPoint, Timestamp};
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, IntoBytes};

use crate::file::fuzzing::{HEADER, Header};
use crate::{AddressBase, BaseBuilder, Bounds, BuildError, BuilderOptions, DeltaHead, SourceCrs};

const DEMO: &[u8] = include_bytes!("../../../deploy/demo/address.base");
/// Magic and format of a delta; the length and the checksum of its header follow.
const DELTA_START: usize = 12;

/// A CSV table, built to a base.
pub fn csv(input: &[u8]) {
    build(|builder, crs| builder.add_csv(input, "fuzz.csv", crs));
}

/// A GeoJSON file, built to a base.
pub fn geojson(input: &[u8]) {
    build(|builder, crs| builder.add_geojson(input, "fuzz.geojson", crs));
}

/// Well-known text in a table of roads and in one of grids.
pub fn wkt(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let cell = format!("\"{}\"\n", text.replace('"', "\"\""));
    build(|builder, crs| {
        builder.add_csv(format!("road,wkt\n路,{cell}").as_bytes(), "roads.csv", crs)?;
        builder.add_csv(format!("GRIDCODE,WORKCODE,wkt\n44030500200301,W,{cell}").as_bytes(), "grids.csv", crs)
    });
}

/// The bytes of a base, with its checksums set right; every query is asked.
pub fn base(input: &[u8]) {
    let mut bytes = input.to_vec();
    sign(&mut bytes);
    if let Ok(base) = AddressBase::from_bytes(bytes) {
        ask(&base);
    }
}

/// A delta of the demo's base, with its checksums set right; every query is asked of the result.
pub fn delta(input: &[u8]) {
    static BASE: OnceLock<Option<AddressBase>> = OnceLock::new();
    let mut bytes = input.to_vec();
    sign_delta(&mut bytes);
    let _ = DeltaHead::read(&bytes);
    if let Some(base) = BASE.get_or_init(|| AddressBase::from_bytes(DEMO.to_vec()).ok())
        && let Ok(changed) = base.apply(&bytes)
    {
        ask(&changed);
    }
}

fn build(add: impl FnOnce(&mut BaseBuilder, &SourceCrs) -> Result<(), BuildError>) {
    let mut builder = BaseBuilder::new(BuilderOptions { refused_share_limit: 1.0, ..Default::default() });
    if add(&mut builder, &SourceCrs::wgs84()).is_ok()
        && let Ok((bytes, _)) = builder.finish()
    {
        let base = AddressBase::from_bytes(bytes);
        assert!(base.is_ok(), "what is built is opened: {base:?}");
    }
}

/// Sets the length and all checksums for the current bytes, as far as the sections lie inside.
pub(crate) fn sign(bytes: &mut [u8]) {
    let Ok((mut header, _)) = Header::read_from_prefix(bytes) else { return };
    header.length = U64::new(bytes.len() as u64);
    for entry in &mut header.sections {
        let section = usize::try_from(entry.offset.get()).ok().and_then(|from| {
            let to = from.checked_add(usize::try_from(entry.length.get()).ok()?)?;
            bytes.get(from..to)
        });
        if let Some(section) = section {
            entry.crc = U32::new(crc32fast::hash(section));
        }
    }
    header.crc = U32::ZERO;
    header.crc = U32::new(crc32fast::hash(header.as_bytes()));
    bytes[..HEADER].copy_from_slice(header.as_bytes());
}

fn sign_delta(bytes: &mut [u8]) {
    let Some(length) = bytes.get(DELTA_START..DELTA_START + 4).and_then(|length| length.try_into().ok()) else {
        return;
    };
    let from = DELTA_START + 8;
    let Some(to) = from.checked_add(u32::from_le_bytes(length) as usize).filter(|to| *to <= bytes.len()) else {
        return;
    };
    let crc = crc32fast::hash(&bytes[from..to]);
    bytes[DELTA_START + 4..from].copy_from_slice(&crc.to_le_bytes());
    sign(&mut bytes[to..]);
}

/// Asks every query.
pub(crate) fn ask(base: &AddressBase) {
    const CODES: [&str; 5] =
        ["440305", "440305002003", "44030500200301", "44030500200302T0117", "4403050020030200001000003"];
    let everywhere = Bounds { west: -180.0, south: -90.0, east: 180.0, north: 90.0 };
    for (latitude, longitude, error) in [(22.531, 113.938, 3.0), (22.531_02, 113.938_2, 200.0), (0.0, 0.0, 1e9)] {
        let Ok(point) = GroundPoint::new(latitude, longitude, error) else { continue };
        let at = Timestamp::from_micros(0);
        let _ = (base.locate(&point, at), base.resolve(&point, at), base.nearest_building(&point, 500.0, at));
        let _ = base.surroundings(&point, 500.0, at);
    }
    for code in CODES.iter().filter_map(|code| code.parse::<AddressPrefix>().ok()) {
        let _ = (base.entity(&code), base.names(&code), base.responsible_for_entity(&code));
        let _ = base.former_code(code.as_str());
        let _ = format!("{:*<25}", code.as_str()).parse::<AddressCode>().map(|code| base.stated(&code));
    }
    let _ = (base.footprints(&everywhere, 1000).count(), base.grids(&everywhere, 1000).count());
    let _ = (base.roads(&everywhere, 1000), base.coverage(), base.districts(), base.problems(), base.bounds());
    for text in ["合成东路3号202", "礼堂", "南山区合成街道", "44030500200302T0001"] {
        let _ = base.search(text, 5);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_demo_base_is_read() {
        let mut bytes = DEMO.to_vec();
        sign(&mut bytes);
        assert_eq!(bytes, DEMO);
        base(DEMO);
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..300)) {
            csv(&bytes);
            geojson(&bytes);
            wkt(&bytes);
            base(&[b"VEDETADR\x03\0\0\0", bytes.as_slice()].concat());
            delta(&[b"VEDETDLT\x01\0\0\0", bytes.as_slice()].concat());
        }

        #[test]
        fn altered_bytes_are_taken(changes in proptest::collection::vec((proptest::prelude::any::<proptest::sample::Index>(), proptest::num::u8::ANY), 1..5)) {
            let mut bytes = DEMO.to_vec();
            for (at, value) in changes {
                let at = at.index(bytes.len());
                bytes[at] = value;
            }
            base(&bytes);
        }
    }
}
