//! What two grants of one kind have in common.

use crate::front::document::{GrantedPath, Port, Root};
use crate::front::rules::{Digest, Needed};

/// A value of an allow list.
pub(crate) trait Meet: Clone + PartialEq {
    /// What two grants have in common.
    fn meet(&self, other: &Self) -> Option<Self>;
    fn show(&self) -> String;
}

impl Meet for GrantedPath {
    fn meet(&self, other: &Self) -> Option<Self> {
        let (outer, inner) = if self.contains(other) {
            (self, other)
        } else if other.contains(self) {
            (other, self)
        } else {
            return None;
        };
        // Whoever is granted everything is granted what any link leads to.
        let everything = outer.root == Root::Absolute && outer.rest.is_empty();
        let followed =
            if everything || outer.root != inner.root { inner.followed } else { outer.followed.min(inner.followed) };
        Some(Self { followed, ..inner.clone() })
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Meet for Port {
    fn meet(&self, other: &Self) -> Option<Self> {
        (self == other).then_some(*self)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Meet for Needed {
    fn meet(&self, other: &Self) -> Option<Self> {
        if self.soname != other.soname {
            return None;
        }
        match (self.digest, other.digest) {
            (Some(one), Some(two)) if one != two => None,
            (one, two) => Some(Self { soname: self.soname.clone(), digest: one.or(two) }),
        }
    }

    fn show(&self) -> String {
        match self.digest {
            Some(digest) => format!("{} ({digest})", self.soname),
            None => self.soname.clone(),
        }
    }
}

impl Meet for String {
    fn meet(&self, other: &Self) -> Option<Self> {
        (self == other).then(|| self.clone())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Meet for Digest {
    fn meet(&self, other: &Self) -> Option<Self> {
        (self == other).then_some(*self)
    }

    fn show(&self) -> String {
        self.to_string()
    }
}
