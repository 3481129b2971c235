use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A lazily boxed value: the default costs one pointer; it is allocated on first mutation. Most cameras are empty most of
/// the time. It is stored as the value itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct LazyBox<T>(Option<Box<T>>);

impl<T: Default + PartialEq> LazyBox<T> {
    /// None while it is the default.
    pub(crate) fn get(&self) -> Option<&T> {
        self.0.as_deref()
    }

    /// Allocates the value when it is the default.
    pub(crate) fn get_mut(&mut self) -> &mut T {
        self.0.get_or_insert_default()
    }

    /// The value if it is allocated.
    pub(crate) fn allocated(&mut self) -> Option<&mut T> {
        self.0.as_deref_mut()
    }

    /// Resets it to the default and frees its memory.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }

    /// Frees the memory of a value that is the default.
    pub(crate) fn shrink(&mut self) {
        if self.get().is_some_and(|value| *value == T::default()) {
            self.clear();
        }
    }
}

impl<T: Default + PartialEq> PartialEq for LazyBox<T> {
    fn eq(&self, other: &Self) -> bool {
        match (self.get(), other.get()) {
            (Some(one), Some(other)) => one == other,
            (Some(one), None) | (None, Some(one)) => *one == T::default(),
            (None, None) => true,
        }
    }
}

impl<T: Default + Serialize> Serialize for LazyBox<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Some(value) => value.serialize(serializer),
            None => T::default().serialize(serializer),
        }
    }
}

impl<'de, T: Default + PartialEq + Deserialize<'de>> Deserialize<'de> for LazyBox<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut value = Self(Some(Box::deserialize(deserializer)?));
        value.shrink();
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_stored_as_the_value_and_frees_the_default() {
        let mut value: LazyBox<Vec<u8>> = LazyBox::default();
        assert_eq!(serde_json::to_string(&value).unwrap(), "[]");
        value.get_mut().push(7);
        assert_eq!(serde_json::to_string(&value).unwrap(), "[7]");
        assert_eq!(serde_json::from_str::<LazyBox<Vec<u8>>>("[7]").unwrap(), value);
        value.get_mut().clear();
        assert_eq!(value, LazyBox::default());
        value.shrink();
        assert!(value.get().is_none());
        assert!(serde_json::from_str::<LazyBox<Vec<u8>>>("[]").unwrap().get().is_none());
    }
}
