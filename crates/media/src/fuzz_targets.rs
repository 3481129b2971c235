//! Entry points for fuzzing: what reads bytes from the network before the decoder does. Any bytes are taken.

use bytes::Bytes;
use vedette_core::{Codec, Timestamp};

use crate::fields::Fields;
use crate::frame_numbers::FrameNumbers;
use crate::nal::{first_slice, has_parameter_sets, nal_units, unit_kind};
use crate::parameter_sets::ParameterSets;
use crate::sps::{declared_size, pixel_aspect};

/// Reads `data` as an access unit of each codec: its NAL units, its kind, its headers, its parameter sets, its frame numbers.
pub fn elementary_stream(data: &[u8]) {
    let total: usize = nal_units(data).map(<[u8]>::len).sum();
    assert!(total <= data.len());
    for codec in [Codec::H264, Codec::H265, Codec::Jpeg] {
        let kind = unit_kind(codec, data);
        let _ = (has_parameter_sets(codec, data), declared_size(codec, data), pixel_aspect(codec, data));
        let mut sets = ParameterSets::default();
        sets.learn(codec, data);
        let whole = sets.complete(codec, Bytes::copy_from_slice(data));
        assert!(whole.ends_with(&data[data.len() - data.len().min(1)..]));
        assert_eq!(unit_kind(codec, &whole), kind);
        if let Some(slice) = first_slice(codec, data) {
            let alone = Bytes::from([&[0, 0, 0, 1], slice].concat());
            let whole = sets.complete(codec, alone.clone());
            assert!(whole.ends_with(&alone));
            assert_eq!(unit_kind(codec, &whole), unit_kind(codec, &alone));
            fields(codec, &[whole, alone, Bytes::copy_from_slice(data)]);
        }
        if let Some(mut numbers) = FrameNumbers::from(codec, &whole) {
            assert_eq!(unit_kind(codec, &numbers.apply(&whole)), kind);
        }
    }
}

/// No byte is lost where fields are joined.
fn fields(codec: Codec, units: &[Bytes]) {
    let mut fields = Fields::default();
    let mut joined: Vec<u8> = Vec::new();
    for unit in units {
        for (unit, _) in fields.push(codec, unit.clone(), Timestamp::default()) {
            joined.extend_from_slice(&unit);
        }
    }
    joined.extend(fields.take().into_iter().flat_map(|(unit, _)| unit));
    assert_eq!(joined, units.concat());
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// NAL units with headers that occur, of bytes that occur in headers.
    fn stream() -> impl Strategy<Value = Vec<u8>> {
        let header = prop::sample::select(vec![0x06, 0x09, 0x41, 0x65, 0x67, 0x68, 0x40, 0x42, 0x44, 0x26, 0x2a, 0x4e]);
        let body = prop::collection::vec(prop_oneof![Just(0_u8), Just(0xff), Just(3), any::<u8>()], 0..60);
        let nal = (any::<bool>(), header, body).prop_map(|(long, header, body)| {
            let start: &[u8] = if long { &[0, 0, 0, 1] } else { &[0, 0, 1] };
            [start, &[header], &body].concat()
        });
        prop::collection::vec(nal, 0..6).prop_map(|nals| nals.concat())
    }

    proptest! {
        #[test]
        fn any_bytes_are_taken(data in prop_oneof![stream(), prop::collection::vec(any::<u8>(), 0..300)]) {
            elementary_stream(&data);
        }
    }
}
