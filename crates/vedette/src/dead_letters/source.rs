use std::fmt;
use std::str::FromStr;

use vedette_wire::DeadLetter;

/// Original position of a dead-lettered record; its name on the command line and the key of its dead letter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Source {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// Offset.
    pub offset: u64,
}

impl Source {
    pub(crate) fn of(letter: &DeadLetter) -> Self {
        Self { topic: letter.topic.clone(), partition: letter.partition, offset: letter.offset }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.topic, self.partition, self.offset)
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.split('/');
        let whole = (parts.next(), parts.next(), parts.next(), parts.next());
        if let (Some(topic), Some(partition), Some(offset), None) = whole
            && let (Ok(partition), Ok(offset)) = (partition.parse(), offset.parse())
            && !topic.is_empty()
        {
            return Ok(Self { topic: topic.to_owned(), partition, offset });
        }
        Err(format!(
            "`{text}` is not a valid position; write TOPIC/PARTITION/OFFSET, as `vedette dead-letters list` does"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_reads_back() {
        let source: Source = "video/3/1234".parse().unwrap();
        assert_eq!((source.topic.as_str(), source.partition, source.offset), ("video", 3, 1234));
        assert_eq!(source.to_string(), "video/3/1234");
        for wrong in ["video", "video/3", "video/3/x", "/3/4", "video/3/4/5", "video/-1/4"] {
            assert!(wrong.parse::<Source>().unwrap_err().contains("TOPIC/PARTITION/OFFSET"), "{wrong}");
        }
    }
}
