//! Whether a cell gets its AppArmor profile, and what to do where the machine does not have it as the policy says.

use super::Variables;
use super::report::Lack;
use crate::front::document::Layer;
use crate::front::kernel::{KernelSupport, ProfileState};
use crate::front::policy::Policy;
use crate::plan::Apparmor;

impl Policy {
    pub(super) fn plan_apparmor(&self, kernel: &KernelSupport, variables: &Variables) -> Option<Apparmor> {
        let enters = self.asks_for(Layer::Apparmor) && kernel.profile == ProfileState::Enforced;
        enters.then(|| Apparmor { profile: self.profile_name(variables), stacked: false, trial: false })
    }

    /// What there is instead of the enforced profile, and how to get it.
    pub(super) fn profile_missing(&self, kernel: &KernelSupport, variables: &Variables) -> Option<(String, String)> {
        self.lack_of_profile(kernel.profile, variables).map(|Lack { found, help }| (found, help))
    }

    /// What there is instead of this policy's profile, where it stands so.
    #[must_use]
    pub fn lack_of_profile(&self, state: ProfileState, variables: &Variables) -> Option<Lack> {
        let name = self.profile_name(variables);
        let file = format!("/etc/apparmor.d/{name}");
        // The policy's own text is the last but for what caps it; a person knows which file that is.
        let bundle = variables.bundle.as_ref().filter(|_| name != self.profile_name(&Variables::default()));
        let bundle =
            bundle.map(|path| format!(" --bundle {}", quoted(&path.display().to_string()))).unwrap_or_default();
        let make = format!("`lazaret apparmor {}{bundle} --into /etc/apparmor.d`", quoted(self.main_source()));
        lack_of_profile(state, &name, &file, &make)
    }
}

/// What there is instead of an enforced profile that lies in `file`, and how to get it; `make` says how the file comes there.
#[must_use]
pub fn lack_of_profile(state: ProfileState, name: &str, file: &str, make: &str) -> Option<Lack> {
    let load = format!("`apparmor_parser -r {file}`");
    let (found, help) = match state {
        ProfileState::Enforced => return None,
        ProfileState::Off => (
            "the kernel runs without AppArmor".to_owned(),
            "boot with `apparmor=1 security=apparmor` on the kernel command line, or where it has `lsm=` with `apparmor` \
             in that list; the kernel needs CONFIG_SECURITY_APPARMOR"
                .to_owned(),
        ),
        ProfileState::Unseen => (
            "whether AppArmor has the profile cannot be seen".to_owned(),
            "mount securityfs at /sys/kernel/security and procfs at /proc; a host with a profile of its own needs \
             `flags=(attach_disconnected)` and `include <abstractions/lazaret-host>` in it"
                .to_owned(),
        ),
        ProfileState::Overruled => (
            "the kernel itself is told to enforce no profile".to_owned(),
            "take `apparmor.mode=` from the kernel command line, and `printf enforce > /sys/module/apparmor/parameters/mode`"
                .to_owned(),
        ),
        ProfileState::Missing => (
            format!("AppArmor has no profile `{name}`"),
            format!("{make}, then {load}; at every boot the init system loads what lies in /etc/apparmor.d"),
        ),
        ProfileState::Lenient => (
            format!("AppArmor does not enforce the profile `{name}`"),
            format!(
                "{load}; where the file itself says `complain`, `aa-enforce {file}`; and where there is /etc/default/apparmor, as \
                 on Void Linux, set `APPARMOR=enforce` in it, or profiles are loaded in complain mode again"
            ),
        ),
        ProfileState::Different => (
            format!(
                "the profile `{name}` that AppArmor has is not the one that this policy means: it is older, was changed, or is of \
                 another policy with the same name"
            ),
            format!("{make}, then {load}"),
        ),
        ProfileState::Unfit => (
            "a runner is executed from memory, which has no path that the profile could grant".to_owned(),
            "list `apparmor` as optional for plugins that need a runner".to_owned(),
        ),
        ProfileState::Uncompared => (
            format!("nothing here can say what the profile `{name}` that AppArmor has permits"),
            "install apparmor_parser, and let the host execute it: in a profile of its own with `include \
             <abstractions/lazaret-host>`"
                .to_owned(),
        ),
    };
    Some(Lack { found, help })
}

/// A word for a shell.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/:._-+=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}
