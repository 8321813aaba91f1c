//! The options of `cargo xtask bench`.

/// How to measure.
#[derive(clap::Args)]
pub struct Options {
    /// How often each row is measured; the report shows the median
    #[arg(long, default_value_t = 3)]
    pub rounds: usize,
    /// How long each measurement takes, in seconds
    #[arg(long, default_value_t = 10)]
    pub seconds: u64,
    /// The number of keep-alive connections
    #[arg(long, default_value_t = 32)]
    pub connections: usize,
    /// Measure only these tables, print them, and do not write bench/results.md
    #[arg(long, value_enum, value_delimiter = ',')]
    pub only: Vec<Table>,
}

/// A table of the report.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Table {
    Requests,
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
}
