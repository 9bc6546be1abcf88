//! Which lines of a policy permit an act.

use std::path::Path;

use lazaret_policy::{Allowance, Arch, Origin, Policy, syscall_number};

use super::acts::Act;

/// The lines that, together, permit the act. `None` where it is not known what permits it, or something of that is not
/// granted: what gets its way then was not stopped.
pub(super) fn that_permit(act: &Act, policy: &Policy, directory: &Path) -> Option<Vec<Origin>> {
    let target = directory.join("file").display().to_string();
    let grants = act.permitted_by?.split(',').map(|grant| {
        let (key, value) = grant.trim().split_once(' ')?;
        let value = if value == "TARGET" { &target } else { value };
        granted(policy, key, value)
    });
    let lines: Option<Vec<Origin>> = grants.collect();
    lines.filter(|lines| !lines.is_empty())
}

fn granted(policy: &Policy, key: &str, value: &str) -> Option<Origin> {
    if key == "syscalls.allow" {
        let advice = policy.syscall_advice(syscall_number(Arch::NATIVE, value)?, Arch::NATIVE, None);
        return (advice.granted != Allowance::No).then_some(advice.origin);
    }
    let covers = |what: &str| {
        let beneath = value.strip_prefix(what.trim_end_matches('/'));
        key.starts_with("files.") && beneath.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            || what == value
    };
    // Who may write a path may read it as well, unless the policy says otherwise, which the words of the grant show.
    let gives = |given: &str| given == key || key == "files.read" && given == "files.write";
    let line = policy.explain().grants.into_iter().find(|line| gives(&line.key) && covers(&line.what))?;
    line.lines.into_iter().next()
}
