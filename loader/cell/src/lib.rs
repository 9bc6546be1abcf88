//! All that a cell ever does.
