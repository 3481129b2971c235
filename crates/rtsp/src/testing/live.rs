use std::fmt::Debug;

/// Pictures that are taken while they are sent, instead of those of a script.
pub trait Live: Debug + Send + Sync {
    /// The next picture; none where the connection ends. It is called when the picture is due, and may take as long as an encoder does.
    fn take(&self) -> Option<Taken>;
}

/// A picture that was just taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Taken {
    /// The access unit in Annex B format, or the JPEG file.
    pub unit: Vec<u8>,
    /// Its RTP time.
    pub time: u32,
    /// The time in NTP format of a sender report before it, if one comes.
    pub report: Option<u64>,
}
