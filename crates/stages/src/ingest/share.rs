use std::str::FromStr;

use serde::Deserialize;
use vedette_bus::partition_of;
use vedette_core::CameraId;

/// One of several equal shards of the cameras, so that several machines can pull them without coordination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Share {
    number: u32,
    of: u32,
}

/// The text is not a shard.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no share; write NUMBER/OF, as in 1/1 for all cameras or 2/3 for the second of three shares")]
pub struct NoShare(String);

impl Default for Share {
    fn default() -> Self {
        Self { number: 1, of: 1 }
    }
}

impl Share {
    /// Shard `number`, from 1, of `of`; none when there is no such shard.
    #[must_use]
    pub fn new(number: u32, of: u32) -> Option<Self> {
        (1..=of).contains(&number).then_some(Self { number, of })
    }

    /// Its number, from 1.
    #[must_use]
    pub fn number(self) -> u32 {
        self.number
    }

    /// The number of shards.
    #[must_use]
    pub fn of(self) -> u32 {
        self.of
    }

    /// Whether it is the first shard.
    #[must_use]
    pub fn is_first(self) -> bool {
        self.number == 1
    }

    /// Whether `camera` belongs to this shard; each camera belongs to exactly one of a number of shards.
    #[must_use]
    pub fn holds(self, camera: &CameraId) -> bool {
        partition_of(camera.as_str().as_bytes(), self.of) == self.number - 1
    }
}

impl FromStr for Share {
    type Err = NoShare;

    fn from_str(text: &str) -> Result<Self, NoShare> {
        let parts = text.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) => Self::new(number, of).ok_or_else(|| NoShare(text.to_owned())),
            None => Err(NoShare(text.to_owned())),
        }
    }
}

impl TryFrom<String> for Share {
    type Error = NoShare;
    fn try_from(text: String) -> Result<Self, NoShare> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_camera_belongs_to_one_share() {
        let shares: Vec<Share> = (1..=3).map(|number| format!("{number}/3").parse().unwrap()).collect();
        for number in 0..200 {
            let camera = CameraId::new(&format!("camera-{number}")).unwrap();
            assert_eq!(shares.iter().filter(|share| share.holds(&camera)).count(), 1);
        }
        for wrong in ["0/3", "4/3", "1", "a/b", "1/0", ""] {
            assert!(wrong.parse::<Share>().is_err(), "{wrong}");
        }
    }
}
