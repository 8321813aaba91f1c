//! Values of a closed list that have a name in the tables, in query strings and in responses.

/// A value that has a name.
pub trait Named: Copy + PartialEq + 'static {
    /// All values with their texts.
    const ALL: &'static [(&'static str, Self)];

    /// The value of `text`.
    fn of(text: &str) -> Option<Self> {
        Self::ALL.iter().find(|(name, _)| *name == text).map(|(_, value)| *value)
    }

    /// The text of this value.
    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(_, value)| *value == self).map_or("", |(name, _)| name)
    }

    /// The rule for texts in requests.
    ///
    /// # Errors
    /// The detail: what it must be.
    fn parse(text: &str) -> Result<Self, String> {
        Self::of(text).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(name, _)| *name).collect();
            format!("must be one of {}", names.join(", "))
        })
    }
}
