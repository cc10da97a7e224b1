//! Sessions that never were: an archive in the format of the real ones, and its exact truth. Start at [`simulate`].
//!
//! The motion of every car is analytic: distance is a piecewise quadratic of time, so that a crossing, a gap or a place
//! at any moment has an exact value, and truth is read from it and never from what the feed says. From the same motion
//! the feed is written: samples on two clocks, timing records that are late, split and out of step, as the real ones are.
//!
//! Invariant: nothing in this module uses anything of the crate outside it. A simulator that shared code with the
//! decoders would agree with their mistakes.

mod car;
mod director;
mod entrants;
mod faults;
mod lane;
mod machine;
mod messages;
mod motion;
mod options;
mod passages;
mod plan;
mod race;
mod random;
mod records;
mod samples;
mod session;
mod statistics;
mod steer;
#[cfg(test)]
mod tests;
mod text;
mod timing_feed;
mod track;
mod truth;
mod verdict;
mod writer;

pub use options::{FaultOptions, Incidents, SessionKind, SimulateOptions, Stamps};
pub use statistics::{
    SampleStatistics, Spread, Statistics, StreamStatistics, TimingStatistics, statistics, statistics_table,
};
pub use truth::{
    FaultCounts, TrueCircuit, TrueDriver, TrueFlag, TrueLap, TruePass, TruePitVisit, TrueResult, TrueRetirement,
    TrueRoad, TrueRoadColumns, Truth,
};

use self::{passages::Timing, race::What, records::Records, session::Scene, track::Track};

/// A simulated archive.
#[derive(Debug, Clone, PartialEq)]
pub struct SimulatedArchive {
    /// Files in the archive's folder: name and bytes.
    pub files: Vec<(String, Vec<u8>)>,
    /// What really happened.
    pub truth: Truth,
}

/// The archive of a session. Same options, same bytes. A few hundred milliseconds for the default race.
pub fn simulate(options: &SimulateOptions) -> SimulatedArchive {
    let options = SimulateOptions {
        drivers: options.drivers.clamp(2, entrants::DRIVERS_MAX),
        laps: options.laps.clamp(1, 99),
        ..options.clone()
    };
    let scene = Scene {
        seed: options.seed,
        kind: options.session,
        meeting: entrants::meeting(options.seed),
        track: Track::generate(options.seed),
        entrants: entrants::entrants(options.seed, options.drivers),
        laps: options.laps,
        stamps: options.stamps,
        // A Sunday in May 2027, 12:56 UTC and a little, and as many weeks later as the seed says.
        origin_ns: (1_810_472_202 + (options.seed % 30) as i64 * 604_800) * 1_000_000_000 + 785_000_000,
    };
    let outcome = race::run(scene.seed, &scene.track, &scene.entrants, scene.laps, &options.incidents);
    let finished: Vec<bool> = (0..scene.entrants.len())
        .map(|car| outcome.happenings.iter().any(|happening| happening.what == What::Finished(car)))
        .collect();
    let timing = Timing::new(&scene.track, &outcome.trajectories, &outcome.laps, &finished, outcome.lights_out);
    let mut records = Records::default();
    let deletions = messages::write_race(&scene, &outcome, &timing, &mut records);
    messages::write_clock(&scene, outcome.lights_out, outcome.end, &mut records);
    let corrected = faults::corrected_laps(scene.seed, options.faults.corrected, &timing);
    let mut counts = FaultCounts { asked: options.faults, corrected: corrected.len() as u32, ..FaultCounts::default() };
    timing_feed::TimingFeed::new(&scene, &outcome, &timing, corrected).write(&mut records);
    records.sort();
    let mut samples = samples::sample(&scene, &outcome.trajectories, outcome.end);
    faults::spoil_samples(scene.seed, &options.faults, &mut samples, &mut counts);
    let mut lines = writer::lines(records, &samples);
    faults::spoil_lines(scene.seed, &options.faults, &mut lines, &mut counts);
    let truth = Truth { faults: counts, ..verdict::race_truth(&scene, &options, &outcome, &timing, &deletions) };
    let files =
        lines.into_iter().map(|(stream, lines)| (format!("{stream}.jsonStream"), writer::file(&lines))).collect();
    SimulatedArchive { files, truth }
}
