//! Spin adapter.
