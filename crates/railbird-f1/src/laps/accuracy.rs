//! Which laps are fit for comparing, by FastF1's rules.

use super::lap::Lap;

/// By how much times of one lap may disagree, ms.
const TOLERANCE_MS: i64 = 3;

/// Marks the accurate ones among the laps of one driver, oldest first.
pub(super) fn mark(laps: &mut [Lap]) {
    for index in 0..laps.len() {
        let (before, rest) = laps.split_at_mut(index);
        let lap = &mut rest[0];
        let plain = lap.pit_in_ms.is_none()
            && lap.pit_out_ms.is_none()
            && !lap.generated
            && matches!(lap.track_status.as_str(), "1" | "2" | "12" | "21");
        let sums =
            lap.lap_time_ms.zip(lap.sector_sum_ms()).is_some_and(|(time, sum)| (time - sum).abs() <= TOLERANCE_MS);
        let previous = before.last();
        // The first lap after a safety car has timing of its own kind.
        let after_safety_car = previous.is_some_and(|previous| previous.track_status == "4");
        let follows = match (previous.and_then(|previous| previous.time_ms), lap.time_ms, lap.lap_time_ms) {
            (Some(from), Some(to), Some(time)) => (to - from - time).abs() <= TOLERANCE_MS,
            _ => true,
        };
        lap.accurate = plain && sums && !after_safety_car && follows;
    }
}
