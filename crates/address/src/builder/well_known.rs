//! Places as well-known text, with or without the SRID of EWKT.

use geo::Geometry;
use wkt::TryFromWkt;

/// Deepest nesting of parentheses; a multipolygon in a collection has four.
const DEEPEST: usize = 16;
/// Characters of the parser's message that are kept.
const MESSAGE: usize = 200;

/// A geometry, and the SRID that the text declares.
///
/// # Errors
/// Why it cannot be read.
pub(super) fn read(text: &str) -> Result<(Option<u32>, Geometry<f64>), String> {
    let (srid, body) = split_srid(text)?;
    let mut depth = 0_usize;
    for byte in body.bytes() {
        depth = match byte {
            b'(' => depth + 1,
            b')' => depth.saturating_sub(1),
            _ => depth,
        };
        if depth > DEEPEST {
            return Err(format!("it is nested more than {DEEPEST} deep"));
        }
    }
    if body.len() >= 18 && body.len() % 2 == 0 && body.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(
            "it is well-known binary in hexadecimal; export the place as text (in PostGIS: ST_AsText)".to_owned()
        );
    }
    let geometry = Geometry::<f64>::try_from_wkt_str(body)
        .map_err(|error| format!("it is not valid well-known text: {}", shortened(&error.to_string())))?;
    Ok((srid, geometry))
}

fn shortened(message: &str) -> String {
    message.chars().take(MESSAGE).collect()
}

fn split_srid(text: &str) -> Result<(Option<u32>, &str), String> {
    let is_ewkt = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("srid"));
    if !is_ewkt {
        return Ok((None, text));
    }
    let split = text[4..].trim_start().strip_prefix('=').and_then(|rest| rest.split_once(';'));
    let parsed = split.and_then(|(srid, body)| Some((srid.trim().parse::<u32>().ok()?, body)));
    let (srid, body) = parsed.ok_or("an SRID is written as `SRID=4326;` before the geometry")?;
    // 0 is PostGIS's "unknown".
    Ok(((srid != 0).then_some(srid), body.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ewkt_tells_its_srid() {
        let srid = |text: &str| read(text).map(|(srid, _)| srid);
        assert_eq!(srid("POINT(1 2)"), Ok(None));
        assert_eq!(srid("SRID=4326;POINT(1 2)"), Ok(Some(4326)));
        assert_eq!(srid("srid = 4490 ; point (1 2)"), Ok(Some(4490)));
        assert_eq!(srid("SRID=0;POINT(1 2)"), Ok(None));
        assert!(srid("SRID=4326 POINT(1 2)").unwrap_err().contains("SRID=4326;"));
        assert!(srid("SRID=x;POINT(1 2)").unwrap_err().contains("SRID=4326;"));
        assert!(srid("0101000020E6100000000000000000F03F").unwrap_err().contains("ST_AsText"));
    }

    #[test]
    fn nesting_is_limited() {
        for (open, close) in [("(", ")"), ("GEOMETRYCOLLECTION(", ")"), ("POLYGON((", "))")] {
            let text = format!("{}POINT(1 2){}", open.repeat(20_000), close.repeat(20_000));
            assert!(read(&text).unwrap_err().contains("deep"));
        }
        assert!(read("GEOMETRYCOLLECTION(MULTIPOLYGON(((0 0, 1 0, 1 1, 0 0))))").is_ok());
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_taken(text in "(SRID=[0-9]{0,5};)?(POINT|POLYGON|MULTIPOLYGON|GEOMETRYCOLLECTION|LINESTRING)?( Z| M| ZM| EMPTY)?[(), 0-9.eE-]{0,40}|\\PC{0,40}") {
            let _ = read(&text);
        }
    }
}
