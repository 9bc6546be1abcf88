//! Sizes and durations as policies write them: a whole number and a unit, never a bare number whose unit one has to
//! know.

use std::time::Duration;

const SIZES: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];
const TIMES: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000)];

/// Reads `256 MiB`.
pub(crate) fn size(text: &str) -> Option<u64> {
    quantity(text, &SIZES)
}

/// Reads `500 ms`, in milliseconds.
pub(crate) fn milliseconds(text: &str) -> Option<u64> {
    quantity(text, &TIMES)
}

fn quantity(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    if number.len() > 1 && number.starts_with('0') {
        return None;
    }
    let unit = unit.strip_prefix(' ').unwrap_or(unit);
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

/// Prints a size in the largest unit that keeps it whole.
pub(crate) fn show_size(bytes: u64) -> String {
    show(bytes, &SIZES)
}

/// Prints a duration in the largest unit that keeps it whole.
pub(crate) fn show_milliseconds(milliseconds: u64) -> String {
    show(milliseconds, &TIMES)
}

fn show(value: u64, units: &[(&str, u64)]) -> String {
    let whole = units.iter().rev().find(|(_, factor)| value >= *factor && value.is_multiple_of(*factor));
    let (name, factor) = whole.unwrap_or(&units[0]);
    format!("{} {name}", value / factor)
}

/// Milliseconds as the standard library's type.
pub(crate) const fn duration(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back() {
        for bytes in [0, 1, 1023, 1024, 1536, 256 << 20, 64 << 30, u64::MAX] {
            assert_eq!(size(&show_size(bytes)), Some(bytes));
        }
        for time in [0, 1, 999, 1000, 1500, 60_000, 7_200_000] {
            assert_eq!(milliseconds(&show_milliseconds(time)), Some(time));
        }
    }

    #[test]
    fn a_number_without_a_unit_or_above_64_bits_is_refused() {
        for text in ["", "1", "MiB", "1 MB", "1  MiB", "-1 B", "1.5 GiB", "01 B", "99999999999999999999 B", "1 MiB "] {
            assert_eq!(size(text), None, "{text}");
        }
        assert_eq!(size("18446744073709551615 GiB"), None);
        assert_eq!(milliseconds("2 S"), None);
    }
}
