use serde::{Deserialize, Serialize};

/// Kind of an alternative name of an entity (SZDB/Z 281-2017 defines several for one place).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NameKind {
    /// Everything from the province to the room.
    Full,
    /// Without road and door plate.
    Administrative,
    /// Without street and community.
    Geographic,
    /// In common use.
    Common,
    /// Abbreviated.
    Short,
    /// Another official one.
    Alternative,
    /// No longer in use.
    Former,
}

impl NameKind {
    /// Every kind, in the order of their numbers in a file.
    pub const ALL: [Self; 7] = [
        Self::Full,
        Self::Administrative,
        Self::Geographic,
        Self::Common,
        Self::Short,
        Self::Alternative,
        Self::Former,
    ];

    /// The word in tables and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::Administrative => "administrative",
            Self::Geographic => "geographic",
            Self::Common => "common",
            Self::Short => "short",
            Self::Alternative => "alternative",
            Self::Former => "former",
        }
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    pub(crate) fn number(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_number(number: u8) -> Self {
        Self::ALL.get(usize::from(number)).copied().unwrap_or(Self::Alternative)
    }
}
