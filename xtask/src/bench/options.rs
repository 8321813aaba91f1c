//! The options of `cargo xtask bench`.

/// How to measure.
#[derive(clap::Args)]
pub struct Options {
    /// How often each row is measured; the report shows the median and its spread. Nine rounds are the fewest whose
    /// spread leaves out the best and the worst one
    #[arg(long, default_value_t = 9, value_parser = positive)]
    pub rounds: u64,
    /// How long each measurement takes, in seconds
    #[arg(long, default_value_t = 2, value_parser = positive)]
    pub seconds: u64,
    /// The number of keep-alive connections
    #[arg(long, default_value_t = 32)]
    pub connections: usize,
    /// Measure only these tables
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Table>,
    /// Build this commit, too, and measure it in the same rounds: tables `requests` and `starts`
    #[arg(long, value_name = "COMMIT")]
    pub baseline: Option<String>,
    /// How the host is built: `quick` as for `cargo xtask up`
    #[arg(long, default_value = "release")]
    pub profile: String,
    /// Put the measured tables into bench/results.md; its other tables stay as they are
    #[arg(long)]
    pub write: bool,
}

fn positive(text: &str) -> Result<u64, String> {
    text.parse().ok().filter(|number| *number > 0).ok_or_else(|| "expected a whole number above 0".to_owned())
}

/// A table of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Table {
    Requests,
    Starts,
    Sellers,
    Locks,
    Operations,
    Values,
    Events,
    Invalidation,
    Attacks,
    Overload,
}

impl Options {
    /// Whether to measure `table`.
    pub fn include(&self, table: Table) -> bool {
        self.only.is_empty() || self.only.contains(&table)
    }

    /// How long all rounds take together, in seconds: for a row that is measured once.
    pub fn seconds_in_all(&self) -> u64 {
        self.rounds * self.seconds
    }
}

#[cfg(test)]
impl Options {
    /// So many rounds of one second, all tables.
    pub fn for_tests(rounds: u64) -> Self {
        Self {
            rounds,
            seconds: 1,
            connections: 1,
            only: Vec::new(),
            baseline: None,
            profile: "release".into(),
            write: false,
        }
    }
}
