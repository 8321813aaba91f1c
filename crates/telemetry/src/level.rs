//! Which lines are written: a level for all components, and levels of single ones.

use tracing::metadata::LevelFilter;

/// The value of the variable `log_level`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Levels {
    default: LevelFilter,
    of_components: Vec<(String, LevelFilter)>,
}

/// The text is not a list of levels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidLevels;

impl Levels {
    /// The level of a component.
    pub fn of(&self, component: &str) -> LevelFilter {
        let own = self.of_components.iter().find(|(name, _)| name == component);
        own.map_or(self.default, |(_, level)| *level)
    }
}

impl std::str::FromStr for Levels {
    type Err = InvalidLevels;

    /// From `info`, or from `warn,cache=debug,locks=off`: the level of all components, then those of single ones.
    fn from_str(text: &str) -> Result<Self, InvalidLevels> {
        let mut parts = text.split(',').map(str::trim);
        let default = level(parts.next().unwrap_or_default())?;
        let of_components = parts.map(|part| {
            let (component, name) = part.split_once('=').ok_or(InvalidLevels)?;
            if component.trim().is_empty() {
                return Err(InvalidLevels);
            }
            Ok((component.trim().to_owned(), level(name.trim())?))
        });
        Ok(Self { default, of_components: of_components.collect::<Result<_, _>>()? })
    }
}

fn level(name: &str) -> Result<LevelFilter, InvalidLevels> {
    match name {
        "off" => Ok(LevelFilter::OFF),
        "error" => Ok(LevelFilter::ERROR),
        "warn" => Ok(LevelFilter::WARN),
        "info" => Ok(LevelFilter::INFO),
        "debug" => Ok(LevelFilter::DEBUG),
        _ => Err(InvalidLevels),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn components_have_the_default_or_their_own_level() {
        let levels: Levels = "warn, cache=debug,locks=off".parse().unwrap();
        assert_eq!(levels.of("users"), LevelFilter::WARN);
        assert_eq!(levels.of("cache"), LevelFilter::DEBUG);
        assert_eq!(levels.of("locks"), LevelFilter::OFF);
        for bad in ["", "loud", "INFO", "info,", "info,cache", "info,=debug", "info,cache=", "cache=debug"] {
            assert_eq!(bad.parse::<Levels>(), Err(InvalidLevels), "{bad}");
        }
    }
}
