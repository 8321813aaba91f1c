//! Private Redis and PostgreSQL servers.
