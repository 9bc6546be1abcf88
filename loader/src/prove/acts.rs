//! The acts that are part of this program: one for each file of `loader/attacks`.

use super::part::Part;

/// Something that a hostile plugin tries.
#[derive(Debug)]
pub struct Act {
    /// Name of its file.
    pub name: &'static str,
    /// What it attacks.
    pub group: &'static str,
    /// What it tries, and what that would mean.
    pub sentence: &'static str,
    /// How the host calls it.
    pub(super) signature: &'static str,
    /// Under which parts alone it may run; `None` for all.
    alone: Option<&'static str>,
    /// What getting its way looks like, besides 0.
    pub(super) succeeds_with: Option<&'static str>,
    /// A result that is no success.
    pub(super) fails_with: Option<&'static str>,
    /// The part that keeps what it does from everybody else.
    pub(super) contained_by: Option<&'static str>,
    /// A file that it leaves.
    pub(super) leaves: Option<&'static str>,
    /// What permits it.
    pub(super) permitted_by: Option<&'static str>,
    /// Why every policy permits it.
    pub(super) harmless: Option<&'static str>,
    /// Which of the shared objects it is in.
    pub(super) object: usize,
}

/// Every act, by group and name.
#[must_use]
pub fn acts() -> &'static [Act] {
    ACTS
}

// `ACTS`, and the `OBJECTS` that they are in: one for most, which is not run by being mapped, and one for each of the others.
include!(concat!(env!("OUT_DIR"), "/acts.rs"));

impl Act {
    /// Whether it may run with nothing but this part. `apart`: whether the cell then has another user than its host, or
    /// cannot name it.
    pub(super) fn may_run_with(&self, part: Part, apart: bool) -> bool {
        match self.alone {
            // What is aimed at the host would hit it where both are one user and no layer is between them.
            None => self.group != "host" || apart,
            Some(words) => words.split_whitespace().any(|word| word == part.name() || word == "apart" && apart),
        }
    }
}

impl Act {
    /// The shared object that it is in.
    pub(super) fn object(&self) -> &'static [u8] {
        OBJECTS.get(self.object).copied().unwrap_or_default()
    }

    /// Whether nobody else notices that it got its way in a cell with these parts.
    pub(super) fn is_contained(&self, parts: impl Iterator<Item = Part>) -> Option<Part> {
        let contains = |part: &Part| self.contained_by == Some(part.name());
        let mut parts = parts;
        parts.find(contains)
    }

    /// Whether limits are what keeps it from harming the machine.
    pub(super) fn fills_something(&self) -> bool {
        self.alone == Some(Part::Limits.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_told_apart_and_sentences_are_there() {
        let names: BTreeSet<&str> = ACTS.iter().map(|act| act.name).collect();
        assert_eq!(names.len(), ACTS.len());
        for act in ACTS {
            assert!(act.sentence.len() > 10 && !act.sentence.contains("*/"), "{}: {}", act.name, act.sentence);
        }
    }

    #[test]
    fn what_is_said_about_acts_is_understood() {
        for act in ACTS {
            let words = act.alone.unwrap_or_default().split_whitespace();
            for word in words {
                let known = Part::ALL.iter().any(|part| part.name() == word);
                assert!(known || matches!(word, "never" | "apart"), "{}: {word}", act.name);
            }
        }
    }

    #[test]
    fn what_would_fill_the_machine_never_runs_without_limits() {
        for name in ["fills_memory", "starts_many_threads"] {
            let act = ACTS.iter().find(|act| act.name == name).expect("an act");
            assert!(!act.may_run_with(Part::Process, true) && !act.may_run_with(Part::Seccomp, true), "{name}");
            assert!(act.may_run_with(Part::Limits, true), "{name}");
        }
    }

    #[test]
    fn what_is_aimed_at_the_host_runs_apart_from_it_or_under_every_layer() {
        let act = ACTS.iter().find(|act| act.name == "signals_the_host").expect("an act");
        assert!(act.may_run_with(Part::Process, true) && !act.may_run_with(Part::Process, false));
    }
}
