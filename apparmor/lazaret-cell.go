# AppArmor profile of the cells of the policy `go`, made by `lazaret apparmor`. A load compares what the
# kernel has with what the policy says: change the policy, and make this file anew.

abi <abi/3.0>,

profile lazaret-cell.go {
  # Every cell: its standard descriptors, and being looked at and ended from outside.
  /dev/null rw,
  ptrace (readby),
  signal (receive),

  # builtin:go:37 `syscalls.allow`
  signal (send) peer=lazaret-cell.go,
  signal (send) peer={**//&,}lazaret-cell.go{//&**,},
}
