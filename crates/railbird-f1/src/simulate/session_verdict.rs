//! Truth of practice and qualifying from their motion. Start at [`session_truth`].

use super::{
    options::SimulateOptions,
    passages::Timing,
    race::Outcome,
    runs::{FlyingLap, Part, is_flying},
    session::Scene,
    session_feed::Standing,
    truth::{FaultCounts, TrueLap, TruePart, TrueResult, TrueRoad, TrueRoadColumns, Truth},
    verdict::{Judge, ROAD_STEP_S, circuit, ns, round},
};

/// Flying laps by time of their end.
pub(super) fn flying_laps(scene: &Scene, outcome: &Outcome, timing: &Timing, parts: &[Part]) -> Vec<FlyingLap> {
    let mut flying = Vec::new();
    for (car, laps) in timing.laps.iter().enumerate() {
        for lap in laps.iter().filter(|lap| is_flying(&outcome.trajectories[car], &scene.track, lap.lap)) {
            let began = lap.crossed - f64::from(lap.lap_ms) / 1e3;
            if let Some(part) = parts.iter().position(|part| began >= part.start && began <= part.end) {
                flying.push(FlyingLap { car, lap: lap.lap, crossed: lap.crossed, part, ms: lap.lap_ms });
            }
        }
    }
    flying.sort_by(|a, b| a.crossed.total_cmp(&b.crossed).then(a.car.cmp(&b.car)));
    flying
}

/// The truth of practice or qualifying.
pub(super) fn session_truth(
    scene: &Scene,
    options: &SimulateOptions,
    outcome: &Outcome,
    timing: &Timing,
    parts: &[Part],
    flying: &[FlyingLap],
) -> Truth {
    let judge = Judge { scene, outcome, timing, deletions: &[] };
    let orders = orders(outcome, parts, flying);
    let place = |car: usize, at: f64| {
        let known = orders.iter().rev().find(|(from, _)| *from <= at).map_or(&outcome.grid, |(_, order)| order);
        known.iter().position(|other| *other == car).map_or(0, |place| place as u8 + 1)
    };
    let laps = judge.laps().into_iter().map(|lap| {
        let at = lap.crossed_ns as f64 / 1e9;
        let position = place(usize::from(lap.driver), at);
        TrueLap { position, gap_s: 0.0, interval_s: 0.0, published: lap.lap > 1 && !lap.in_pit_lane, ..lap }
    });
    let last = orders.last().map_or(&outcome.grid, |(_, order)| order);
    let result = |(index, car): (usize, &usize)| TrueResult {
        position: index as u8 + 1,
        driver: *car as u8,
        laps: outcome.laps[*car],
        finished_ns: None,
        best_lap_ms: flying.iter().filter(|lap| lap.car == *car).map(|lap| lap.ms).min(),
    };
    Truth {
        format: 1,
        seed: scene.seed,
        kind: scene.kind,
        stamps: options.stamps,
        meeting: scene.meeting.name.to_owned(),
        laps_total: 0,
        origin_utc_ns: scene.origin_ns,
        start_ns: ns(outcome.lights_out),
        chequered_ns: parts.last().map(|part| ns(part.end)),
        end_ns: ns(outcome.end),
        circuit: circuit(scene),
        drivers: judge.drivers().into_iter().map(|driver| super::TrueDriver { grid: 0, ..driver }).collect(),
        parts: parts.iter().map(true_part).collect(),
        laps: laps.collect(),
        pit_visits: judge.visits(),
        retirements: Vec::new(),
        flags: judge.flags(),
        passes: Vec::new(),
        road: road(outcome, &place),
        classification: last.iter().enumerate().map(result).collect(),
        faults: FaultCounts::default(),
    }
}

/// The order by best lap after every flying lap, and from when on, s.
fn orders(outcome: &Outcome, parts: &[Part], flying: &[FlyingLap]) -> Vec<(f64, Vec<usize>)> {
    let mut standing = Standing::new(&outcome.grid);
    let mut part = 0;
    let mut orders = Vec::new();
    for lap in flying {
        while part < lap.part {
            standing.close(&parts[part]);
            part += 1;
        }
        standing.lap(lap.car, lap.ms);
        orders.push((lap.crossed, standing.order.clone()));
    }
    orders
}

fn true_part(part: &Part) -> TruePart {
    let drivers = |cars: &[usize]| cars.iter().map(|car| *car as u8).collect();
    TruePart {
        start_ns: ns(part.start),
        end_ns: ns(part.end),
        drivers: drivers(&part.cars),
        eliminated: drivers(&part.eliminated),
    }
}

fn road(outcome: &Outcome, place: &impl Fn(usize, f64) -> u8) -> TrueRoad {
    let first = (outcome.lights_out / ROAD_STEP_S).ceil() * ROAD_STEP_S;
    let count = ((outcome.end - first) / ROAD_STEP_S) as usize;
    let drivers = outcome.trajectories.iter().enumerate().map(|(car, trajectory)| {
        let mut columns = TrueRoadColumns::default();
        for index in 0..count {
            let time = first + index as f64 * ROAD_STEP_S;
            let motion = trajectory.at(time);
            columns.distance_m.push(round(motion.distance, 1e3));
            columns.offset_m.push(round(motion.offset, 1e2));
            columns.status.push(motion.doing as u8);
            columns.position.push(place(car, time));
            columns.gap_s.push(None);
            columns.interval_s.push(None);
            columns.laps_down.push(0);
        }
        columns
    });
    TrueRoad { first_ns: ns(first), step_ns: ns(ROAD_STEP_S), count, drivers: drivers.collect() }
}
