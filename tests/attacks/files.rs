//! Files: what is read, written or left behind.

use super::Alone::{Maybe, Never, Works};
use super::Stop::{Does, Errno, ErrnoEither, Limit, Refused, RefusedEither};
use super::errno::{EACCES, EMFILE, ENOSYS, EPERM, EXDEV};
use super::{
    Act, By, LINK, NODE, NOTHING_BUT_THE_PATH, POLL, READ, READ_ELSEWHERE, TRUNCATE_ELSEWHERE, WRITE, WRITE_ELSEWHERE,
    WRITE_LITTLE, act, try_all,
};

pub(super) fn acts() -> Vec<Act> {
    vec![
        act("opens_a_file_not_granted", "F01 T01", Refused("openat"), Works)
            .at_load()
            .under(READ, Errno(By::Landlock, EACCES)),
        act("creates_a_file", "F01 F05", Refused("openat"), Works)
            .under(WRITE_ELSEWHERE, Errno(By::Landlock, EACCES))
            .under(WRITE, Does)
            .under(READ, Refused("openat"))
            .at_load(),
        act("reads_the_target", "F01", Refused("openat"), Works)
            .at_load()
            .under(READ_ELSEWHERE, Errno(By::Landlock, EACCES))
            .under(READ, Does)
            .under(NOTHING_BUT_THE_PATH, Refused("openat")),
        act("creates_a_file_the_old_way", "F01", RefusedEither("creat", "openat"), Works)
            .under(WRITE_ELSEWHERE, Errno(By::Landlock, EACCES))
            .under(WRITE, Does),
        act("opens_a_file_by_the_old_call", "F01", RefusedEither("open", "openat"), Works)
            .at_load()
            .under(READ, Errno(By::Landlock, EACCES)),
        act("opens_a_file_by_a_struct", "F01", Errno(By::Seccomp, ENOSYS), Works)
            .at_load()
            .under(READ, Errno(By::Seccomp, ENOSYS)),
        act("opens_a_path_without_rights", "F01", Refused("openat"), Works)
            .under(READ, Refused("openat"))
            .under(WRITE, Refused("openat")),
        act("lists_the_root", "F01", Refused("openat"), Works).at_load().under(READ, Errno(By::Landlock, EACCES)),
        act("climbs_out_of_an_inherited_directory", "F01", Refused("openat"), Works)
            .at_load()
            .under(READ, Errno(By::Landlock, EACCES)),
        act("climbs_out_of_a_granted_directory", "F01", Refused("openat"), Works)
            .at_load()
            .under(READ, Errno(By::Landlock, EACCES)),
        act("names_a_file_by_handle", "F01", Refused("name_to_handle_at"), Works),
        act(
            "opens_a_file_by_handle",
            "F01",
            Refused("open_by_handle_at"),
            Maybe("needs CAP_DAC_READ_SEARCH outside of namespaces"),
        ),
        act("makes_a_file_without_a_name", "F05", Refused("openat"), Works).under(WRITE, Errno(By::Landlock, EACCES)),
        act("looks_whether_a_file_exists", "F02", Refused("faccessat"), Works).at_load(),
        act("looks_by_the_newer_call", "F02", Errno(By::Seccomp, ENOSYS), Works).at_load(),
        act("asks_for_the_size_of_a_file", "F02", Errno(By::Seccomp, EACCES), Works).at_load(),
        act("asks_for_everything_about_a_file", "F02", Errno(By::Seccomp, ENOSYS), Works).at_load(),
        act("reads_a_link", "F02", Refused("readlinkat"), Works).at_load(),
        act("asks_for_the_file_system", "F02", Refused("statfs"), Works).if_permitted(&["statfs"], Does),
        act("watches_a_directory", "F02", Refused("inotify_init1"), Works)
            .if_permitted(&["inotify_init1", "inotify_add_watch"], Does),
        act("watches_the_file_system", "F02", Refused("fanotify_init"), Works).if_permitted(&["fanotify_init"], Does),
        act("changes_its_directory", "F02", Refused("chdir"), Works),
        act("changes_the_mode_of_a_file", "F03 F07", Refused("fchmodat"), Works).under(WRITE, Refused("fchmodat")),
        act("changes_the_mode_of_an_open_file", "F03 F07", Refused("openat"), Works).under(WRITE, Refused("fchmod")),
        act("changes_the_owner_of_a_file", "F03", Refused("fchownat"), Works).under(WRITE, Refused("fchownat")),
        act("changes_the_times_of_a_file", "F03", Refused("utimensat"), Works).under(WRITE, Refused("utimensat")),
        act("labels_a_file", "F03 F07", Refused("setxattr"), Works).under(WRITE, Refused("setxattr")),
        act("truncates_a_file", "F04", Refused("truncate"), Works)
            .under(WRITE, Refused("truncate"))
            .under(TRUNCATE_ELSEWHERE, Errno(By::Landlock, EACCES)),
        act("fills_a_file", "F05", Refused("openat"), Never("it fills a disk")).under(WRITE_LITTLE, Limit),
        act("makes_a_huge_file", "F05", Refused("openat"), Maybe("a file system may have limits"))
            .under(WRITE_LITTLE, Limit),
        act("reserves_the_disk", "F05", Refused("openat"), Maybe("a file system may have limits"))
            .under(WRITE_LITTLE, Limit)
            .under(WRITE, Does),
        act("links_to_a_file_outside", "F06", Refused("symlinkat"), Works)
            .under(WRITE, Refused("symlinkat"))
            .under(LINK, Errno(By::Landlock, EACCES)),
        act("gives_a_file_a_second_name", "F06", Refused("linkat"), Works).under(WRITE, Refused("linkat")),
        act("makes_a_pipe_with_a_name", "F06", Refused("mknodat"), Works)
            .under(WRITE, Refused("mknodat"))
            .under(NODE, Errno(By::Landlock, EACCES)),
        act("makes_a_device", "F06", Refused("mknodat"), Maybe("needs CAP_MKNOD outside of namespaces"))
            .under(WRITE, Refused("mknodat"))
            .under(NODE, ErrnoEither(By::Landlock, EACCES, EPERM)),
        act("exchanges_files", "F06", Refused("renameat2"), Works)
            .under(WRITE_ELSEWHERE, Errno(By::Landlock, EACCES))
            .under(WRITE, Does),
        act("moves_a_file_out", "F06", Refused("renameat2"), Works)
            .under(WRITE, ErrnoEither(By::Landlock, EACCES, EXDEV)),
        act("makes_a_setuid_file", "F07", Refused("openat"), Works).under(WRITE, Refused("openat")),
        act("names_a_file_with_an_escape", "F08", Refused("openat"), Works),
        act("nests_directories", "F08", Refused("mkdirat"), Works).under(WRITE, Does),
        act("exhausts_its_descriptors", "F09", Refused("eventfd2"), Maybe("the limit of descriptors is the machine's"))
            .under(POLL, Errno(By::Limits, EMFILE)),
        act("opens_pipes_without_end", "F09", Refused("pipe2"), Maybe("the limit of descriptors is the machine's"))
            .under(POLL, Errno(By::Limits, EMFILE)),
        act("locks_a_file", "F10", Refused("openat"), Works).at_load().under(READ, Refused("flock")),
        act("leases_a_file", "F10", Refused("openat"), Maybe("some file systems have no leases"))
            .at_load()
            .under(READ, Refused("fcntl"))
            .under(WRITE, Refused("fcntl")),
        act("executes_from_a_granted_directory", "K08 F07", Refused("openat"), Works)
            .at_load()
            .under(READ, Refused("mmap")),
    ]
}

#[test]
fn acts_on_files_are_stopped() {
    try_all(&acts());
}
