//! Machines that this one is not: other kernels, and kernels that were started in another way. Each scenario boots a virtual
//! machine of its own, in a few seconds, runs commands in it as root and as an ordinary user, and asserts what they did:
//!
//! ```ignore
//! #[test]
//! fn numbers_come_back_on_old_and_new_kernels() {
//!     let plugin = plugin("good/types.c", &[]);
//!     for guest in boot(&BOTH, "lsm=landlock,yama", &[&plugin]) {
//!         assert_eq!(guest.user(&format!("lazaret call {} 'u8(x: u8) -> u8' 7", plugin.display())).stdout, "7\n");
//!     }
//! }
//! ```
//!
//! A test may have one guest at a time: it waits for its turn when it boots. The words are for the kernel's command line
//! (kernel-parameters(7)); everything else is changed by commands as root, `umount /proc` for example.

mod apparmor;
mod doctor;
mod guest;
mod initramfs;
mod kernels;
mod machines;
