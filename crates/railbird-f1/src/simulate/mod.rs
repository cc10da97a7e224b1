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
mod runs;
mod samples;
mod session;
mod session_feed;
mod session_verdict;
mod statistics;
mod steer;
#[cfg(test)]
mod tests;
mod text;
mod timing_feed;
mod timing_states;
mod track;
mod truth;
mod verdict;
mod writer;

pub use options::{FaultOptions, Incidents, SessionKind, SimulateOptions, Stamps};
pub use statistics::{
    SampleStatistics, Spread, Statistics, StreamStatistics, TimingStatistics, statistics, statistics_table,
};
pub use truth::{
    FaultCounts, TrueCircuit, TrueDriver, TrueFlag, TrueLap, TruePart, TruePass, TruePitVisit, TrueResult,
    TrueRetirement, TrueRoad, TrueRoadColumns, Truth,
};

use self::{
    passages::Timing,
    race::{Outcome, What},
    records::Records,
    session::Scene,
    session_feed::SessionFeed,
    timing_feed::TimingFeed,
    track::Track,
};

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
        track: circuit(&options),
        entrants: entrants::entrants(options.seed, options.drivers),
        laps: options.laps,
        stamps: options.stamps,
        // A Sunday in May 2027, 12:56 UTC and a little, and as many weeks later as the seed says.
        origin_ns: (1_810_472_202 + (options.seed % 30) as i64 * 604_800) * 1_000_000_000 + 785_000_000,
    };
    match options.session {
        SessionKind::Race => simulate_race(&scene, &options),
        SessionKind::Qualifying | SessionKind::Practice => simulate_parts(&scene, &options),
    }
}

fn simulate_race(scene: &Scene, options: &SimulateOptions) -> SimulatedArchive {
    let outcome = race::run(scene.seed, &scene.track, &scene.entrants, scene.laps, &options.incidents);
    let finished: Vec<bool> = (0..scene.entrants.len())
        .map(|car| outcome.happenings.iter().any(|happening| happening.what == What::Finished(car)))
        .collect();
    let timing = Timing::new(&scene.track, &outcome.trajectories, &outcome.laps, &finished, outcome.lights_out);
    let mut records = Records::default();
    let deletions = messages::write(scene, &outcome, &timing, &[], &mut records);
    let corrected = faults::corrected_laps(scene.seed, options.faults.corrected, &timing);
    let counts = FaultCounts { asked: options.faults, corrected: corrected.len() as u32, ..FaultCounts::default() };
    TimingFeed::new(scene, &outcome, &timing, corrected).write(&mut records);
    let truth = verdict::race_truth(scene, options, &outcome, &timing, &deletions);
    archive(scene, options, &outcome, records, Truth { faults: counts, ..truth })
}

fn simulate_parts(scene: &Scene, options: &SimulateOptions) -> SimulatedArchive {
    let (outcome, parts) = runs::run_parts(scene.seed, &scene.track, &scene.entrants, options.laps, options.session);
    let all = vec![true; scene.entrants.len()];
    let timing = Timing::new(&scene.track, &outcome.trajectories, &outcome.laps, &all, 0.0);
    let flying = session_verdict::flying_laps(scene, &outcome, &timing, &parts);
    let mut records = Records::default();
    messages::write(scene, &outcome, &timing, &parts, &mut records);
    let feed = TimingFeed::new(scene, &outcome, &timing, Vec::new());
    SessionFeed::new(feed, &outcome, &parts, &flying).write(&mut records);
    let truth = session_verdict::session_truth(scene, options, &outcome, &timing, &parts, &flying);
    let counts = FaultCounts { asked: options.faults, ..FaultCounts::default() };
    archive(scene, options, &outcome, records, Truth { faults: counts, ..truth })
}

/// Records and samples of `outcome`, spoiled as asked, as files.
fn archive(
    scene: &Scene,
    options: &SimulateOptions,
    outcome: &Outcome,
    mut records: Records,
    mut truth: Truth,
) -> SimulatedArchive {
    messages::write_clock(scene, outcome.lights_out, outcome.end, &mut records);
    records.sort();
    let mut samples = samples::sample(scene, &outcome.trajectories, outcome.end);
    faults::spoil_samples(scene.seed, &options.faults, &mut samples, &mut truth.faults);
    let mut lines = writer::lines(records, &samples);
    faults::spoil_lines(scene.seed, &options.faults, &mut lines, &mut truth.faults);
    let files =
        lines.into_iter().map(|(stream, lines)| (format!("{stream}.jsonStream"), writer::file(&lines))).collect();
    SimulatedArchive { files, truth }
}

/// The circuit of the seed. Away from a race all boxes lie behind the line: see [`runs`].
fn circuit(options: &SimulateOptions) -> Track {
    let mut track = Track::generate(options.seed);
    if options.session != SessionKind::Race {
        (track.pit.first_box, track.pit.box_spacing) = (14.0, 17.0);
    }
    track
}
