use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A value that is mostly as it began and then takes no more than a pointer: most cameras show nothing most of the time. It is
/// stored as the value itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rarely<T>(Option<Box<T>>);

impl<T: Default + PartialEq> Rarely<T> {
    /// None while it is as it began.
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }

    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }

    /// The value, if it ever changed.
    pub(crate) fn changed(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// Makes it as it began.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }

    /// Gives the memory back if it is as it began.
    pub(crate) fn rest(&mut self) {
        if self.get().is_some_and(|value| *value == T::default()) {
            self.clear();
        }
    }
}

impl<T: Default + PartialEq> PartialEq for Rarely<T> {
    fn eq(&self, other: &Self) -> bool {
        match (self.get(), other.get()) {
            (Some(one), Some(other)) => one == other,
            (Some(one), None) | (None, Some(one)) => *one == T::default(),
            (None, None) => true,
        }
    }
}

impl<T: Default + Serialize> Serialize for Rarely<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(value) => value.serialize(serializer),
            None => T::default().serialize(serializer),
        }
    }
}

impl<'de, T: Default + PartialEq + Deserialize<'de>> Deserialize<'de> for Rarely<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Self(Some(Box::deserialize(deserializer)?));
        value.rest();
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_stored_as_the_value_and_rests_when_it_is_as_it_began() {
        let mut value: Rarely<Vec<u8>> = Rarely::default();
        assert_eq!(serde_json::to_string(&value).unwrap(), "[]");
        value.get_mut().push(7);
        assert_eq!(serde_json::to_string(&value).unwrap(), "[7]");
        assert_eq!(serde_json::from_str::<Rarely<Vec<u8>>>("[7]").unwrap(), value);
        value.get_mut().clear();
        assert_eq!(value, Rarely::default());
        value.rest();
        assert!(value.get().is_none());
        assert!(serde_json::from_str::<Rarely<Vec<u8>>>("[]").unwrap().get().is_none());
    }
}
