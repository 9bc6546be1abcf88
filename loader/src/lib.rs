//! The loader.
#![forbid(unsafe_code)]
