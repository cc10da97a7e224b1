//! Who is fast, who stops when, and what goes wrong: decided before the start. Start at [`line_up`].

use super::{
    car::{Car, Compound, Mode, PlannedStop, Trouble, TroubleKind, Tyres},
    entrants::Entrant,
    motion::Trajectory,
    options::Incidents,
    random::Random,
};

/// Laps of the larger incidents; `None` where the race is too short.
pub(super) struct Schedule {
    /// Lap of the leader from which on the red flag may come.
    pub(super) red_flag: Option<u16>,
    /// Index of the car whose stop brings the safety car out.
    pub(super) safety_car_for: Option<usize>,
}

/// The cars in the order of `entrants`, on the grid in order of pace and luck, with their plans.
pub(super) fn line_up(
    seed: u64,
    entrants: &[Entrant],
    laps: u16,
    incidents: &Incidents,
    length: f64,
) -> (Vec<Car>, Schedule, Vec<usize>) {
    let mut random = Random::new(seed, "plan");
    let mut order: Vec<usize> = (0..12).collect();
    random.shuffle(&mut order);
    let paces: Vec<f64> =
        entrants.iter().map(|entrant| 0.984 - 0.0016 * order[entrant.team] as f64 + 0.0014 * random.normal()).collect();
    let mut grid: Vec<usize> = (0..entrants.len()).collect();
    let luck: Vec<f64> = paces.iter().map(|pace| pace + 0.0016 * random.normal()).collect();
    grid.sort_by(|a, b| luck[*b].total_cmp(&luck[*a]));
    let mut slots = vec![0; entrants.len()];
    for (slot, car) in grid.iter().enumerate() {
        slots[*car] = slot;
    }
    let mut cars: Vec<Car> = entrants
        .iter()
        .enumerate()
        .map(|(index, entrant)| {
            let side = if slots[index].is_multiple_of(2) { 2.6 } else { -2.6 };
            let first = if random.chance(0.6) { Compound::Medium } else { Compound::Soft };
            new_car(entrant.team, paces[index], (-11.0 - 8.0 * slots[index] as f64, side), first, length, &mut random)
        })
        .collect();
    if incidents.pit_stops {
        for car in &mut cars {
            car.stops = planned_stops(laps, car.tyres.compound, &mut random);
        }
    }
    let schedule = plan_troubles(&mut cars, &grid, laps, incidents, &mut random);
    (cars, schedule, grid)
}

/// The safety car: away until it is called.
pub(super) fn safety_car() -> Car {
    let mut random = Random::new(0, "safety car");
    let mut car = new_car(usize::MAX, 1.0, (0.0, 0.0), Compound::Hard, 0.0, &mut random);
    car.mode = Mode::Away;
    car
}

fn new_car(team: usize, pace: f64, slot: (f64, f64), first: Compound, length: f64, random: &mut Random) -> Car {
    Car {
        trajectory: Trajectory::default(),
        team,
        pace,
        launch: random.range(0.80, 1.0),
        reaction: random.range(0.18, 0.42),
        slot,
        mode: Mode::Formation,
        distance: slot.0 - length,
        speed: 0.0,
        offset: slot.1,
        laps: 0,
        form: 1.0 + 0.0012 * random.normal(),
        tyres: Tyres::fit(first, random),
        stops: Vec::new(),
        troubles: Vec::new(),
        attack: None,
        drs_since: None,
        straight: None,
        finished: None,
        out_since: None,
        damage: 0.0,
        program: None,
    }
}

fn planned_stops(laps: u16, first: Compound, random: &mut Random) -> Vec<PlannedStop> {
    let count = match laps {
        0..6 => 0,
        6..35 => 1,
        _ => 1 + usize::from(random.chance(0.55)),
    };
    let mut last = first;
    (0..count)
        .map(|stop| {
            let middle = f64::from(laps) * (stop as f64 + 1.0) / (count as f64 + 1.0);
            let lap =
                (middle + f64::from(laps) * random.range(-0.14, 0.14)).round().clamp(2.0, f64::from(laps - 1)) as u16;
            let compound = match (last, random.chance(0.5)) {
                (Compound::Hard, true) => Compound::Soft,
                (Compound::Hard, false) | (Compound::Soft, true) => Compound::Medium,
                _ => Compound::Hard,
            };
            last = compound;
            PlannedStop { lap, compound, extra: if random.chance(0.08) { random.range(3.0, 9.0) } else { 0.0 } }
        })
        .collect()
}

fn plan_troubles(cars: &mut [Car], grid: &[usize], laps: u16, incidents: &Incidents, random: &mut Random) -> Schedule {
    let lap = |share: f64| ((f64::from(laps) * share).round() as u16).clamp(1, laps.saturating_sub(1).max(1));
    let mut schedule = Schedule { red_flag: None, safety_car_for: None };
    let mut victims: Vec<usize> = grid.iter().copied().skip(2).collect();
    random.shuffle(&mut victims);
    if laps < 4 {
        return schedule;
    }
    if incidents.spin
        && let Some(car) = victims.pop()
    {
        cars[car].troubles.push(Trouble {
            lap: lap(0.16).max(2),
            part: random.range(0.35, 0.6),
            kind: TroubleKind::Spin,
        });
    }
    // The share of the field that may retire is bounded, so that a short grid still finishes.
    for index in 0..incidents.retirements.min(grid.len() / 4) {
        let Some(car) = victims.pop() else { break };
        let (share, kind) = match index {
            0 => (0.56, TroubleKind::Stop),
            1 => (0.42, TroubleKind::Pit),
            _ => (random.range(0.72, 0.92), if index % 2 == 0 { TroubleKind::Stop } else { TroubleKind::Pit }),
        };
        cars[car].troubles.push(Trouble { lap: lap(share).max(2), part: random.range(0.3, 0.7), kind });
        if index == 0 && incidents.safety_car {
            schedule.safety_car_for = Some(car);
        }
    }
    if incidents.red_flag && laps >= 8 {
        schedule.red_flag = Some(lap(0.26).max(2));
    }
    schedule
}
