//! Names of channels.

/// The name of a channel for application messages: 1 to 64 letters, digits, and `_`, `.`, `:`, `-`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Channel(String);

/// A text that cannot name a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must have 1 to {MAX} letters, digits or characters of _ . : -")]
pub struct InvalidChannel;

const MAX: usize = 64;

impl Channel {
    /// The channel of this name.
    ///
    /// # Errors
    /// [`InvalidChannel`].
    pub fn new(name: impl Into<String>) -> Result<Self, InvalidChannel> {
        let name = name.into();
        let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte);
        if (1..=MAX).contains(&name.len()) && name.bytes().all(is_allowed) {
            Ok(Self(name))
        } else {
            Err(InvalidChannel)
        }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// The channel in Redis.
    pub fn key(&self) -> String {
        format!("tumbler:channel:{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        for good in ["a", "orders.eu:new_1-2", &"x".repeat(64)] {
            assert_eq!(Channel::new(good).unwrap().key(), format!("tumbler:channel:{good}"));
        }
        for bad in ["", " ", "a b", "a/b", "ä", "a*", "a\n", &"x".repeat(65)] {
            assert_eq!(Channel::new(bad), Err(InvalidChannel), "{bad:?}");
        }
    }
}
