//! Counts what reading looks at, in tests: a table of twice the size must not cost four times as much, and a clock on a busy
//! machine cannot tell. Without tests it is nothing.

#[cfg(test)]
thread_local! {
    static TAKEN: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

/// Says that so many entries, or bytes of a string, were looked at.
pub(super) fn take(count: usize) {
    #[cfg(test)]
    TAKEN.with(|taken| taken.set(taken.get().saturating_add(super::bytes::len(count))));
    #[cfg(not(test))]
    let _ = count;
}

/// How many steps something takes.
#[cfg(test)]
pub(super) fn of(work: impl FnOnce()) -> u64 {
    let before = TAKEN.get();
    work();
    TAKEN.get() - before
}
