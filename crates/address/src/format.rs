//! The file: `VEDETADR`, format version (u32, little endian), length of the content (u64), its blake3 hash (32 bytes),
//! content (postcard). The hash is the base's version: equal content, equal version.

use crate::content::Content;

const MAGIC: &[u8; 8] = b"VEDETADR";
/// Raised with every change that an older reader would misread.
const FORMAT: u32 = 1;
const HEADER: usize = 8 + 4 + 8 + 32;

/// Why a base cannot be opened.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum OpenError {
    #[error("cannot read the address base `{path}`: {source}")]
    Io { path: std::path::PathBuf, source: std::io::Error },
    #[error("this is no address base (it does not begin with `VEDETADR`); build one from the city's files first")]
    Magic,
    #[error(
        "the address base has format {found}, this program reads format {wanted}; build it again with this program"
    )]
    Format { found: u32, wanted: u32 },
    #[error("the address base has {found} bytes of content instead of {wanted}; copy it again, it was cut or extended")]
    Length { found: u64, wanted: u64 },
    #[error("the address base was altered: its content does not match its hash; copy or build it again")]
    Hash,
    #[error("the address base cannot be read although its hash is right ({0}); build it again with this program")]
    Content(String),
}

pub(crate) fn write(content: &Content) -> Result<Vec<u8>, postcard::Error> {
    let body = postcard::to_stdvec(content)?;
    let mut bytes = Vec::with_capacity(HEADER + body.len());
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&(body.len() as u64).to_le_bytes());
    bytes.extend_from_slice(blake3::hash(&body).as_bytes());
    bytes.extend_from_slice(&body);
    Ok(bytes)
}

/// The content and its version.
pub(crate) fn read(bytes: &[u8]) -> Result<(Content, String), OpenError> {
    let rest = bytes.strip_prefix(MAGIC.as_slice()).ok_or(OpenError::Magic)?;
    let cut = OpenError::Length { found: 0, wanted: HEADER as u64 };
    let Some((format, rest)) = rest.split_first_chunk::<4>() else { return Err(cut) };
    let found = u32::from_le_bytes(*format);
    if found != FORMAT {
        return Err(OpenError::Format { found, wanted: FORMAT });
    }
    let Some((length, rest)) = rest.split_first_chunk::<8>() else { return Err(cut) };
    let Some((hash, body)) = rest.split_first_chunk::<32>() else { return Err(cut) };
    let wanted = u64::from_le_bytes(*length);
    if wanted != body.len() as u64 {
        return Err(OpenError::Length { found: body.len() as u64, wanted });
    }
    if blake3::hash(body) != *hash {
        return Err(OpenError::Hash);
    }
    let content = postcard::from_bytes(body).map_err(|error| OpenError::Content(error.to_string()))?;
    let version = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((content, version))
}
