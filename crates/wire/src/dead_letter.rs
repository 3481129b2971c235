use bytes::Bytes;
use prost::Message;

use crate::error::parse;
use crate::{WireError, pb};

/// Why a record was dead-lettered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadLetterReason {
    /// Not protobuf, or not the topic's message.
    Unparsable,
    /// Parsed, but a value breaks a rule.
    Invalid,
    /// Corrupt or truncated video.
    Undecodable,
    /// The registry does not know the camera.
    UnknownCamera,
    /// Processing it panicked.
    Panic,
}

impl DeadLetterReason {
    /// Every reason.
    pub const ALL: [Self; 5] = [Self::Unparsable, Self::Invalid, Self::Undecodable, Self::UnknownCamera, Self::Panic];

    /// The name used in metrics, logs and commands.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unparsable => "unparsable",
            Self::Invalid => "invalid",
            Self::Undecodable => "undecodable",
            Self::UnknownCamera => "unknown_camera",
            Self::Panic => "panic",
        }
    }
}

impl From<&WireError> for DeadLetterReason {
    fn from(error: &WireError) -> Self {
        match error {
            WireError::Unparsable { .. } => Self::Unparsable,
            WireError::Invalid { .. } => Self::Invalid,
        }
    }
}

/// A dead-lettered record, with its position and the reason: whole, or a reference to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: u32,
    /// Its offset.
    pub offset: u64,
    /// Its key.
    pub key: Bytes,
    /// Its value; none when it had none.
    pub value: Option<Bytes>,
    /// Its headers.
    pub headers: Vec<(String, Bytes)>,
    /// Its timestamp in milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
    /// The stage that dead-lettered it.
    pub stage: String,
    /// The reason.
    pub reason: DeadLetterReason,
    /// The reason, for people.
    pub detail: String,
    /// Present when the content was not kept: value and headers are then absent.
    pub left_out: Option<LeftOut>,
}

/// What a dead letter without content stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeftOut {
    /// Size of the record's value in bytes.
    pub bytes: u64,
    /// Unusable records of the same key since its previous dead letter, this one included.
    pub records: u64,
}

/// The value of a record on `dead-letters`.
#[must_use]
pub fn encode_dead_letter(letter: &DeadLetter) -> Bytes {
    use pb::dead_letter::{self, Header, Reason};
    let reason = match letter.reason {
        DeadLetterReason::Unparsable => Reason::Unparsable,
        DeadLetterReason::Invalid => Reason::Invalid,
        DeadLetterReason::Undecodable => Reason::Undecodable,
        DeadLetterReason::UnknownCamera => Reason::UnknownCamera,
        DeadLetterReason::Panic => Reason::Panic,
    };
    let headers = letter.headers.iter().map(|(name, value)| Header { name: name.clone(), value: value.clone() });
    pb::DeadLetter {
        topic: letter.topic.clone(),
        partition: letter.partition,
        offset: letter.offset,
        key: letter.key.clone(),
        value: letter.value.clone(),
        headers: headers.collect(),
        timestamp_ms: letter.timestamp_ms,
        stage: letter.stage.clone(),
        reason: reason.into(),
        detail: letter.detail.clone(),
        left_out: letter.left_out.map(|LeftOut { bytes, records }| dead_letter::LeftOut { bytes, records }),
    }
    .encode_to_vec()
    .into()
}

/// Reads the value of a record on `dead-letters`.
///
/// # Errors
/// When the bytes are not such a message.
pub fn decode_dead_letter(bytes: Bytes) -> Result<DeadLetter, WireError> {
    use pb::dead_letter::Reason;
    let message: pb::DeadLetter = parse("DeadLetter", bytes)?;
    let reason = match message.reason() {
        Reason::Unparsable => DeadLetterReason::Unparsable,
        Reason::Invalid => DeadLetterReason::Invalid,
        Reason::Undecodable => DeadLetterReason::Undecodable,
        Reason::UnknownCamera => DeadLetterReason::UnknownCamera,
        Reason::Panic => DeadLetterReason::Panic,
        Reason::Unspecified => {
            return Err(WireError::invalid("reason", format!("{} is not a valid reason", message.reason)));
        }
    };
    Ok(DeadLetter {
        topic: message.topic,
        partition: message.partition,
        offset: message.offset,
        key: message.key,
        value: message.value,
        headers: message.headers.into_iter().map(|header| (header.name, header.value)).collect(),
        timestamp_ms: message.timestamp_ms,
        stage: message.stage,
        reason,
        detail: message.detail,
        left_out: message.left_out.map(|left| LeftOut { bytes: left.bytes, records: left.records }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_letter_keeps_the_whole_record() {
        let letter = DeadLetter {
            topic: "video".into(),
            partition: 3,
            offset: 4,
            key: Bytes::from_static(b"gate"),
            value: Some(Bytes::from_static(&[0xff, 0])),
            headers: vec![("ce_id".into(), Bytes::from_static(b"x"))],
            timestamp_ms: 5,
            stage: "detect".into(),
            reason: DeadLetterReason::Undecodable,
            detail: "no key frame".into(),
            left_out: None,
        };
        assert_eq!(decode_dead_letter(encode_dead_letter(&letter)).unwrap(), letter);
        for value in [None, Some(Bytes::new())] {
            let letter = DeadLetter { value, ..letter.clone() };
            assert_eq!(decode_dead_letter(encode_dead_letter(&letter)).unwrap(), letter);
        }
        let left_out = Some(LeftOut { bytes: 0, records: 7 });
        let reference = DeadLetter { value: None, headers: Vec::new(), left_out, ..letter };
        assert_eq!(decode_dead_letter(encode_dead_letter(&reference)).unwrap(), reference);
    }
}
