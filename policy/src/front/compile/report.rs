//! What a load is told about the layers: enforced, absent, missing.

use std::fmt;

use serde::Serialize;

use crate::front::document::Layer;
use crate::front::rules::Origin;

/// One layer in a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerStatus {
    /// Which.
    pub layer: Layer,
    /// Whether the load depends on it.
    pub demand: Demand,
    /// Whether it is enforced.
    pub state: State,
    /// The line that asks for it.
    pub origin: Origin,
}

/// Whether a load depends on a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demand {
    /// Without it the load is refused.
    Required,
    /// Without it the load goes on, and the report says so.
    Optional,
}

/// Whether a layer is enforced.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is.
    Enforced {
        /// At which level, or how.
        detail: String,
        /// What of it is not enforced here, and why.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        lacking: Vec<String>,
    },
    /// It is not.
    Absent {
        /// Why.
        why: String,
    },
}

/// A grant that is not in the plan, because its variable has no value here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Dropped {
    /// The grant as written.
    pub what: String,
    /// Why it is not granted.
    pub why: String,
    /// The line that grants it.
    pub origin: Origin,
}

/// What there is instead of something that a policy may ask for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Lack {
    /// What there is instead.
    pub found: String,
    /// How to get it.
    pub help: String,
}

/// This machine lacks what the policy requires.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Missing {
    /// Each missing layer.
    pub layers: Vec<MissingLayer>,
}

/// One missing layer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct MissingLayer {
    /// Which.
    pub layer: Layer,
    /// What is required, as in `landlock>=4`.
    pub required: String,
    /// The line that requires it, or grants what needs it.
    pub origin: Origin,
    /// What there is instead.
    pub found: String,
    /// How to get it.
    pub help: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this machine lacks what the policy requires: ")?;
        for (at, layer) in self.layers.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(f, "{comma}`{}` ({})", layer.required, layer.found)?;
        }
        Ok(())
    }
}

impl std::error::Error for Missing {}
