//! The policies that Lazaret ships, one per job, known to every other policy as `builtin:NAME`.

use std::sync::LazyLock;

use crate::front::text::Source;

/// Prefix of references to shipped policies.
pub(crate) const PREFIX: &str = "builtin:";

const TEXTS: [(&str, &str); 4] = [
    ("compute", include_str!("../../../profiles/compute.toml")),
    ("file-reader", include_str!("../../../profiles/file-reader.toml")),
    ("go", include_str!("../../../profiles/go.toml")),
    ("network-client", include_str!("../../../profiles/network-client.toml")),
];

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    TEXTS.iter().map(|(name, text)| Source { name: format!("{PREFIX}{name}"), text: (*text).to_owned() }).collect()
});

/// The shipped policy of that name, without the `builtin:` in front.
#[must_use]
pub fn builtin(name: &str) -> Option<&'static Source> {
    let at = TEXTS.iter().position(|(known, _)| *known == name)?;
    SOURCES.get(at)
}

/// Names of the shipped policies, in order.
pub fn builtin_names() -> impl Iterator<Item = &'static str> {
    TEXTS.iter().map(|(name, _)| *name)
}
