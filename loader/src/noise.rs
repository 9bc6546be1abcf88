//! For tests that damage bytes: positions and values that look random and are the same in every run (xorshift64), so that
//! a failure comes back.

pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() >> 16).expect("64 bits") % limit.max(1)
    }
}
