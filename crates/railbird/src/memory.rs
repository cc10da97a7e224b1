//! How much memory the process has held.

/// Largest resident set so far, bytes; `None` where the platform does not tell.
///
/// `VmHWM` rather than `getrusage`, whose figure a child inherits from the process that started it.
pub(crate) fn peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix("kB")?;
    kibibytes.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #[test]
    fn holds_at_least_what_was_touched() {
        let touched = std::hint::black_box(vec![1_u8; 32 << 20]);
        let peak = super::peak_bytes().expect("Linux tells");
        assert!(peak >= touched.len() as u64, "{peak} bytes");
    }
}
