//! Crafted code in the sample, whose one function `transform` begins with its text.

use super::super::read;
use super::super::sample::{FILESZ, LOAD_CODE, MEMSZ, SPARE, Sample, TEXT};
use super::x86::MAX_RUN;
use super::*;
use crate::noise::Noise;

/// What is found in a file whose code begins with `code`; the rest of the page is `int3` or nothing that aarch64 knows.
fn search(arch: Arch, code: &[u8]) -> DirectSyscalls {
    let mut built = Sample::of(arch).build();
    built.put(TEXT as usize, code);
    let object = read(&built.bytes, arch).expect("the sample has one reading");
    direct_syscalls(&built.bytes, &object)
}

fn x86(code: &[u8]) -> DirectSyscalls {
    search(Arch::X86_64, code)
}

fn words(code: &[u32]) -> DirectSyscalls {
    search(Arch::Aarch64, &code.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>())
}

#[test]
fn a_syscall_is_found_with_its_function_its_number_and_its_name() {
    // nop; mov eax, 59; xor edx, edx; syscall
    let found = x86(&[0x90, 0xb8, 59, 0, 0, 0, 0x31, 0xd2, 0x0f, 0x05]);
    assert_eq!((found.instructions, found.bytes, found.searched), (1, 0, 0x1000));
    let [place] = found.places.as_slice() else { panic!("{found:?}") };
    assert_eq!((place.kind, place.address, place.offset), (Kind::Syscall, TEXT + 8, TEXT + 8));
    assert_eq!(place.symbol, Some(("transform".to_owned(), 8)));
    assert_eq!((place.number, place.name), (Some(59), Some("execve")));
}

#[test]
fn every_way_to_load_a_number_is_read_and_none_is_made_up() {
    let number = |code: &[u8]| x86(code).places.first().map(|place| place.number);
    // xor eax, eax; mov rax, 231 (sign-extended); mov rax, 1 (64 bits)
    assert_eq!(number(&[0x31, 0xc0, 0x0f, 0x05]), Some(Some(0)));
    assert_eq!(number(&[0x48, 0xc7, 0xc0, 231, 0, 0, 0, 0x0f, 0x05]), Some(Some(231)));
    assert_eq!(number(&[0x48, 0xb8, 1, 0, 0, 0, 0, 0, 0, 0, 0x0f, 0x05]), Some(Some(1)));
    // mov eax, 59, and then: mov rax, rdi; call; a second syscall, whose number is the result of the first
    let after = |more: &[u8]| number(&[&[0xb8, 59, 0, 0, 0][..], more, &[0x0f, 0x05]].concat());
    assert_eq!(after(&[0x48, 0x89, 0xf8]), Some(None));
    assert_eq!(after(&[0xe8, 0, 0, 0, 0]), Some(None));
    assert_eq!(after(&[0x90; 40]), Some(Some(59)));
    assert_eq!(after(&[0x90; 100]), Some(None));
    let twice = x86(&[0xb8, 59, 0, 0, 0, 0x0f, 0x05, 0x0f, 0x05]);
    assert_eq!(twice.places.iter().map(|place| place.number).collect::<Vec<_>>(), [Some(59), None]);
}

/// Pages are mapped whole, so what stands in the file behind a segment can be executed with it.
#[test]
fn what_shares_a_page_with_code_is_searched() {
    for (arch, code) in [(Arch::X86_64, &[0x0f, 0x05][..]), (Arch::Aarch64, &0xd400_0001_u32.to_le_bytes())] {
        let at = |place: u64| {
            let mut built = Sample::of(arch).build();
            built.set_segment(LOAD_CODE, FILESZ, 0x800);
            built.set_segment(LOAD_CODE, MEMSZ, 0x800);
            built.put((TEXT + place) as usize, code);
            let object = read(&built.bytes, arch).expect("the sample has one reading");
            let found = direct_syscalls(&built.bytes, &object);
            (found.instructions, found.bytes, found.places.first().map(|place| place.address))
        };
        assert_eq!(at(0x900), (0, 1, Some(TEXT + 0x900)));
        assert_eq!(at(0xffc), (0, 1, Some(TEXT + 0xffc)));
        let last = 0x800 - code.len() as u64;
        assert_eq!(at(last).0 + at(last).1, 1, "once, though it stands at the end");
        if arch == Arch::X86_64 {
            assert_eq!(at(0x7ff), (0, 1, Some(TEXT + 0x7ff)));
        }
    }
}

#[test]
fn calls_of_32_bit_programs_are_found_and_not_named_by_the_wrong_table() {
    // mov eax, 11; int 0x80; mov eax, 11; sysenter
    let found = x86(&[0xb8, 11, 0, 0, 0, 0xcd, 0x80, 0xb8, 11, 0, 0, 0, 0x0f, 0x34]);
    let kinds: Vec<_> =
        found.places.iter().map(|place| (place.kind, place.instruction, place.number, place.name)).collect();
    assert_eq!(kinds, [(Kind::Int80, true, Some(11), None), (Kind::Sysenter, true, Some(11), None)]);
}

#[test]
fn bytes_in_an_operand_or_across_two_instructions_are_the_weaker_sort() {
    // mov eax, 0x0000050f; mov ebx, 0x80cd; lea eax, [rbx+0x0f], add eax, imm: 0f | 05
    for code in [&[0xb8, 0x0f, 0x05, 0, 0][..], &[0xbb, 0xcd, 0x80, 0, 0], &[0x8d, 0x43, 0x0f, 0x05, 1, 2, 3, 4]] {
        let found = x86(code);
        assert_eq!((found.instructions, found.bytes), (0, 1), "{code:x?}");
        assert!(found.places.iter().all(|place| !place.instruction && place.number.is_none()));
    }
    // A prefix belongs to the instruction: rex.w syscall.
    assert_eq!(x86(&[0x48, 0x0f, 0x05]).instructions, 1);
    // int 0x81 and a find in the last two bytes of the page.
    assert_eq!(x86(&[0xcd, 0x81]), x86(&[]));
    let mut page = vec![0x90; 0x1000];
    page[0xffe..].copy_from_slice(&[0x0f, 0x05]);
    assert_eq!(x86(&page).instructions, 1);
    page[0xffe..].copy_from_slice(&[0x90, 0x0f]);
    assert_eq!((x86(&page).instructions, x86(&page).bytes), (0, 0));
}

#[test]
fn an_svc_is_found_with_its_number_where_words_are_aligned() {
    // mov w8, #221; mov x0, #0; svc #0
    let found = words(&[0x5280_1ba8, 0xd280_0000, 0xd400_0001]);
    let [place] = found.places.as_slice() else { panic!("{found:?}") };
    assert_eq!((place.kind, place.address, place.number, place.name), (Kind::Svc, TEXT + 8, Some(221), Some("execve")));
    // mov x8, #64; svc #5: the kernel ignores the operand. Then hvc and brk, which are none.
    let found = words(&[0xd280_0808, 0xd400_00a1, 0xd400_0002, 0xd420_0000]);
    assert_eq!((found.instructions, found.places[0].name), (1, Some("write")));
    assert_eq!(search(Arch::Aarch64, &[0, 0, 1, 0, 0, 0xd4, 0, 0]).instructions, 0);
}

#[test]
fn a_policy_refuses_instructions_and_warns_of_bytes_and_the_default_says_both() {
    let both = x86(&[0x0f, 0x05, 0xb8, 0x0f, 0x05, 0, 0]);
    let origin = |line| Origin { source: "p.toml".into(), line, key: "elf.direct-syscalls".into() };
    let judged = |line| {
        let findings = both.judged(Some(&origin(line)));
        findings.into_iter().map(|finding| (finding.code, finding.severity)).collect::<Vec<_>>()
    };
    let codes = (Code::DirectSyscall, Code::DirectSyscallBytes);
    assert_eq!(judged(3), [(codes.0, Severity::Refuse), (codes.1, Severity::Warn)]);
    assert_eq!(judged(0), [(codes.0, Severity::Warn), (codes.1, Severity::Note)]);
    assert_eq!(both.judged(None), []);
    assert_eq!(x86(&[0x90]).judged(Some(&origin(3))), []);
}

/// Counted and not timed: bytes are decoded once, whatever is found in them and wherever the file says functions begin.
#[test]
fn hostile_code_is_decoded_once_and_described_in_bounded_room() {
    const SIZE: usize = 1 << 20;
    let mut random = Noise(7);
    let noise: Vec<u8> = (0..SIZE).map(|_| [0x0f, 0x05, 0x34, 0xcd, 0x80, 0x66, 0xb8][random.below(7)]).collect();
    let far = [vec![0x90; SIZE - 2], vec![0x0f, 0x05]].concat();
    for (code, most) in [([0x0f, 0x05].repeat(SIZE / 2), SIZE), (noise, SIZE), (far, MAX_RUN + 2)] {
        for aliases in [1, 3] {
            let mut sample = Sample::new();
            sample.sections = false;
            let mut built = sample.build();
            let at = built.bytes.len().next_multiple_of(0x1000);
            built.bytes.resize(at, 0);
            built.bytes.extend(&code);
            // The last of them maps the same bytes again; what is mapped twice is searched once.
            built.segment(SPARE, 1, 5, at as u64, SIZE as u64, SIZE as u64);
            if aliases > 1 {
                built.segment(SPARE + 1, 1, 5, at as u64, SIZE as u64, SIZE as u64);
                built.set_segment(SPARE + 1, super::super::sample::VADDR, (at + 2 * SIZE) as u64);
            }
            let object = read(&built.bytes, Arch::X86_64).expect("the sample has one reading");
            let found = direct_syscalls(&built.bytes, &object);
            assert_eq!(found.searched, (SIZE + 0x1000) as u64);
            assert!(found.instructions + found.bytes >= 1 && found.places.len() <= 2 * MAX_PLACES);
            assert!(found.decoded <= most as u64, "{} of {most}", found.decoded);
        }
    }
}

#[test]
fn a_table_of_functions_that_lies_or_ends_early_costs_nothing_and_stops_nothing() {
    let mut random = Noise(0x51_7cc1_b727_220a);
    for _ in 0..2000 {
        let mut built = Sample::new().build();
        let code: Vec<u8> = (0..0x1000).map(|_| [0x0f, 0x05, 0x34, 0xcd, 0x80, 0x66][random.below(6)]).collect();
        built.put(TEXT as usize, &code);
        // The note is made the unwind table: a head, a wild count and wild pairs behind it.
        let at = built.table("note") as u64;
        let size = built.tables["note"].1;
        let table: Vec<u8> = [1, 0x1b, 0x03, 0x3b].into_iter().chain((4..size).map(|_| random.next() as u8)).collect();
        built.put(at as usize, &table);
        built.segment(super::super::sample::NOTE, PT_GNU_EH_FRAME, 4, at, size, size);
        let object = read(&built.bytes, Arch::X86_64).expect("the sample has one reading");
        let found = direct_syscalls(&built.bytes, &object);
        assert!(found.instructions + found.bytes > 100);
        // At each function that lies inside an instruction, that one again.
        assert!(found.decoded <= 0x1000 + 15 * (size / 8 + 3), "{}", found.decoded);
    }
}
