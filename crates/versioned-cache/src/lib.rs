//! Versioned cache-aside.
