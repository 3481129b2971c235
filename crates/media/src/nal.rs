//! Splits an Annex B byte stream into NAL units, and classifies an access unit's first picture.

use vedette_core::Codec;

/// The NAL units of `data` without their start codes; bytes before the first start code are skipped.
pub(crate) fn nal_units(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = find_start(data).map(|(_, after)| &data[after..]);
    std::iter::from_fn(move || {
        let now = rest?;
        match find_start(now) {
            Some((end, after)) => {
                rest = Some(&now[after..]);
                Some(&now[..end])
            }
            None => {
                rest = None;
                Some(now)
            }
        }
    })
    .filter(|nal| !nal.is_empty())
}

/// Begin (including leading zeros) and end of a start code.
fn find_start(data: &[u8]) -> Option<(usize, usize)> {
    let mut from = 0;
    loop {
        let one = from + data.get(from..)?.iter().position(|byte| *byte == 1)?;
        if one >= 2 && data[one - 1] == 0 && data[one - 2] == 0 {
            let zeros = data[..one].iter().rev().take_while(|byte| **byte == 0).count();
            return Some((one - zeros, one + 1));
        }
        from = one + 1;
    }
}

/// The role of an access unit in decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnitKind {
    /// A picture at which decoding can start.
    Key,
    /// A picture that needs earlier ones.
    Delta,
    /// No picture at all (parameter sets alone, broken bytes).
    None,
}

/// Inspects the first coded slice of an access unit (H.264 NAL type 5 is IDR; H.265 types 16 to 21 are intra random access
/// points). A frame of intra slices that is not IDR is a delta here: later frames may refer to earlier ones than it.
pub(crate) fn unit_kind(codec: Codec, data: &[u8]) -> UnitKind {
    match codec {
        Codec::Jpeg => {
            if data.starts_with(&[0xff, 0xd8]) {
                UnitKind::Key
            } else {
                UnitKind::None
            }
        }
        Codec::H264 => nal_units(data)
            .find_map(|nal| match nal[0] & 0x1f {
                5 => Some(UnitKind::Key),
                1..=4 => Some(UnitKind::Delta),
                _ => None,
            })
            .unwrap_or(UnitKind::None),
        Codec::H265 => nal_units(data)
            .find_map(|nal| match (nal[0] >> 1) & 0x3f {
                16..=21 => Some(UnitKind::Key),
                0..=31 => Some(UnitKind::Delta),
                _ => None,
            })
            .unwrap_or(UnitKind::None),
    }
}

/// Whether decoding can start with an access unit.
pub(crate) fn is_key(codec: Codec, data: &[u8]) -> bool {
    !matches!(unit_kind(codec, data), UnitKind::Delta | UnitKind::None)
}

/// Whether an access unit carries the sequence parameter set that a decoder needs to start.
pub(crate) fn has_parameter_sets(codec: Codec, data: &[u8]) -> bool {
    match codec {
        Codec::Jpeg => true,
        Codec::H264 => before_slices(codec, data).any(|nal| nal[0] & 0x1f == 7),
        Codec::H265 => before_slices(codec, data).any(|nal| (nal[0] >> 1) & 0x3f == 33),
    }
}

/// The NAL units before the first coded slice; the data of a large picture is not searched.
pub(crate) fn before_slices(codec: Codec, data: &[u8]) -> impl Iterator<Item = &[u8]> {
    nal_units(data).take_while(move |nal| match codec {
        Codec::H264 => !matches!(nal[0] & 0x1f, 1..=5),
        Codec::H265 => (nal[0] >> 1) & 0x3f > 31,
        Codec::Jpeg => false,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_are_found_behind_short_and_long_start_codes() {
        let data = [9, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68, 2, 3, 0, 0, 1, 0x65, 4];
        let units: Vec<_> = nal_units(&data).collect();
        assert_eq!(units, [&[0x67, 1][..], &[0x68, 2, 3], &[0x65, 4]]);
        assert_eq!(unit_kind(Codec::H264, &data), UnitKind::Key);
        assert!(has_parameter_sets(Codec::H264, &data));
    }

    #[test]
    fn the_first_slice_tells_the_kind() {
        assert_eq!(unit_kind(Codec::H264, &[0, 0, 1, 0x09, 0xf0, 0, 0, 1, 0x41, 9]), UnitKind::Delta);
        assert_eq!(unit_kind(Codec::H264, &[0, 0, 1, 0x67, 9]), UnitKind::None);
        assert_eq!(unit_kind(Codec::H265, &[0, 0, 1, 0x26, 1, 9]), UnitKind::Key);
        assert_eq!(unit_kind(Codec::H265, &[0, 0, 1, 0x02, 1, 9]), UnitKind::Delta);
        assert_eq!(unit_kind(Codec::Jpeg, &[0xff, 0xd8, 0xff]), UnitKind::Key);
        assert_eq!(unit_kind(Codec::Jpeg, &[1, 2]), UnitKind::None);
    }

    proptest! {
        #[test]
        fn joined_units_are_found_again(
            units in prop::collection::vec(prop::collection::vec(2_u8..=255, 1..20), 0..8),
            long in any::<bool>(),
        ) {
            let mut data = Vec::new();
            for unit in &units {
                data.extend_from_slice(if long { &[0, 0, 0, 1] } else { &[0, 0, 1] });
                data.extend_from_slice(unit);
            }
            prop_assert_eq!(nal_units(&data).map(<[u8]>::to_vec).collect::<Vec<_>>(), units);
        }

        #[test]
        fn any_bytes_are_taken(data in prop::collection::vec(0_u8..4, 0..200)) {
            let _ = nal_units(&data).map(<[u8]>::len).sum::<usize>();
            for codec in [Codec::H264, Codec::H265, Codec::Jpeg] {
                let _ = (unit_kind(codec, &data), has_parameter_sets(codec, &data));
            }
        }
    }
}
