//! Sequence parameter sets of H.265.

use vedette_core::{Codec, FrameSize, PixelAspect};

use super::{Sps, aspect_ratio};
use crate::bits::Bits;
use crate::nal::nal_type;

/// Most reference picture sets, pictures in one of them, and long-term pictures that a set may declare.
const MOST_SETS: u32 = 64;
const MOST_PICTURES: u32 = 16;
const MOST_LONG_TERM: u32 = 32;

/// Sequence parameter set of ITU-T H.265, 7.3.2.2, for the base layer.
pub(super) fn h265_sps(codec: Codec, nal: &[u8]) -> Option<Sps> {
    if codec != Codec::H265 || nal_type(codec, nal) != 33 {
        return None;
    }
    let mut bits = Bits::new(nal.get(2..)?);
    bits.skip(4)?;
    let sub_layers = bits.take(3)?;
    bits.skip(1)?;
    // profile_tier_level: 88 bits of general profile, 8 of level, then both for each sub-layer.
    bits.skip(96)?;
    let mut present = Vec::new();
    for _ in 0..sub_layers {
        present.push((bits.take(1)? == 1, bits.take(1)? == 1));
    }
    if sub_layers > 0 {
        bits.skip(2 * (8 - sub_layers))?;
    }
    for (profile, level) in present {
        bits.skip(if profile { 88 } else { 0 } + if level { 8 } else { 0 })?;
    }
    let id = bits.exp_golomb()?;
    if bits.exp_golomb()? == 3 {
        bits.skip(1)?;
    }
    let size = FrameSize { width: bits.exp_golomb()?, height: bits.exp_golomb()? };
    // What follows is not needed for decoding, and may be missing.
    let pixel_aspect = pixel_aspect(&mut bits, sub_layers);
    Some(Sps { id, size, pixel_aspect, slices: None })
}

/// The rest of a set up to `aspect_ratio_info` of its VUI (E.2.1).
fn pixel_aspect(bits: &mut Bits<'_>, sub_layers: u32) -> Option<PixelAspect> {
    if bits.take(1)? == 1 {
        skip_numbers(bits, 4)?;
    }
    skip_numbers(bits, 2)?;
    let order_bits = bits.exp_golomb()?.checked_add(4).filter(|bits| *bits <= 16)?;
    let layers = if bits.take(1)? == 1 { sub_layers + 1 } else { 1 };
    skip_numbers(bits, 3 * layers + 6)?;
    if bits.take(1)? == 1 && bits.take(1)? == 1 {
        skip_scaling_lists(bits)?;
    }
    bits.skip(2)?;
    if bits.take(1)? == 1 {
        bits.skip(8)?;
        skip_numbers(bits, 2)?;
        bits.skip(1)?;
    }
    skip_short_term_sets(bits)?;
    if bits.take(1)? == 1 {
        let pictures = bits.exp_golomb()?.min(MOST_LONG_TERM);
        bits.skip(pictures * (order_bits + 1))?;
    }
    bits.skip(2)?;
    let told = bits.take(1)? == 1 && bits.take(1)? == 1;
    if told { aspect_ratio(bits) } else { None }
}

fn skip_numbers(bits: &mut Bits<'_>, count: u32) -> Option<()> {
    for _ in 0..count {
        bits.exp_golomb()?;
    }
    Some(())
}

/// 7.3.4.
fn skip_scaling_lists(bits: &mut Bits<'_>) -> Option<()> {
    for size in 0..4 {
        for _ in 0..if size == 3 { 2 } else { 6 } {
            let coded = bits.take(1)? == 1;
            let coefficients = if size == 0 { 16 } else { 64 } + u32::from(size > 1);
            skip_numbers(bits, if coded { coefficients } else { 1 })?;
        }
    }
    Some(())
}

/// 7.3.7, for each of the sets.
fn skip_short_term_sets(bits: &mut Bits<'_>) -> Option<()> {
    let mut pictures = 0;
    for index in 0..bits.exp_golomb()?.min(MOST_SETS) {
        if index > 0 && bits.take(1)? == 1 {
            // Predicted from the set before.
            bits.skip(1)?;
            bits.exp_golomb()?;
            let candidates = pictures + 1;
            pictures = 0;
            for _ in 0..candidates {
                let used = bits.take(1)? == 1;
                pictures += u32::from(used || bits.take(1)? == 1);
            }
        } else {
            pictures = bits.exp_golomb()?.min(MOST_PICTURES) + bits.exp_golomb()?.min(MOST_PICTURES);
            for _ in 0..pictures {
                bits.exp_golomb()?;
                bits.skip(1)?;
            }
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `ue(v)`
    fn number(value: u32) -> String {
        let binary = format!("{:b}", value + 1);
        "0".repeat(binary.len() - 1) + &binary
    }

    fn numbers(values: &[u32]) -> String {
        values.iter().map(|value| number(*value)).collect()
    }

    fn nal(bits: &str) -> Vec<u8> {
        let mut nal = vec![0x42, 1];
        for byte in bits.replace(' ', "").as_bytes().chunks(8) {
            let text = format!("{:0<8}", std::str::from_utf8(byte).unwrap());
            let byte = u8::from_str_radix(&text, 2).unwrap();
            if byte <= 3 && nal.ends_with(&[0, 0]) {
                nal.push(3);
            }
            nal.push(byte);
        }
        nal
    }

    #[test]
    fn the_shape_of_a_pixel_is_read_behind_everything_that_may_precede_it() {
        let profile = "01".repeat(44) + "01011101";
        let start = |layers: u32| {
            // A sub-layer has neither profile nor level of its own.
            let layers =
                format!("{layers:03b} 1 {profile} {}", if layers > 0 { "00".repeat(8) } else { String::new() });
            format!("0000 {layers} {}", numbers(&[3, 1, 704, 288]))
        };
        let lists: String = (0..4)
            .flat_map(|size| (0..if size == 3 { 2 } else { 6 }).map(move |list| (size, list)))
            .map(|(size, list)| match (size, list) {
                (_, 1) => format!("0 {}", number(1)),
                (0, _) => format!("1 {}", numbers(&[2; 16])),
                (1, _) => format!("1 {}", numbers(&[2; 64])),
                _ => format!("1 {}", numbers(&[2; 65])),
            })
            .collect();
        let simple_sets = format!("{} {} {}", number(1), numbers(&[2, 1]), format!("{} 1", number(0)).repeat(3));
        // Two pictures before and one behind; three of these and their reference, one by its difference alone; one picture before.
        let predicted = format!(
            "{} {} {} 1 0 {} 1 01 00 1 0 {} {} 1",
            number(3),
            numbers(&[2, 1]),
            format!("{} 1", number(0)).repeat(3),
            number(0),
            numbers(&[1, 0]),
            number(0),
        );
        let none = number(0);
        for (name, layers, border, ordering, lists, pulse, sets, long_term) in [
            ("plain", 0, "0".to_owned(), numbers(&[1; 3]), "0".to_owned(), "0", &none, "0".to_owned()),
            ("sets", 0, "0".to_owned(), numbers(&[1; 3]), "10".to_owned(), "0", &simple_sets, "0".to_owned()),
            (
                "all",
                2,
                format!("1 {}", numbers(&[0, 2, 0, 4])),
                numbers(&[1; 9]),
                format!("11 {lists}"),
                "1 01110111 1 1 0",
                &predicted,
                format!("1 {} 10000001 1", number(1)),
            ),
        ] {
            let text = format!(
                "{} {border} {} 1 {ordering} {} {lists} 11 {pulse} {sets} {long_term} 11 1 1 11111111 0000000000000001 0000000000000010 1",
                start(layers),
                // Depths, and 8 bits of the picture's order.
                numbers(&[0, 0, 4]),
                numbers(&[0, 3, 0, 3, 1, 1]),
            );
            let read = h265_sps(Codec::H265, &nal(&text)).unwrap();
            let size = FrameSize { width: 704, height: 288 };
            assert_eq!((read.id, read.size, read.pixel_aspect), (3, size, Some(PixelAspect::new(1, 2))), "{name}");
        }
    }
}
