//! What is wrong with a feed, put in on purpose and counted. Start at [`spoil_samples`] and [`spoil_lines`].
//!
//! Invariant: no moment carries two faults, so that every count can be checked on its own. Faults never touch the race.

use std::collections::HashSet;

use super::{
    options::FaultOptions,
    passages::{TimedLap, Timing},
    random::Random,
    records::stream,
    samples::{Batch, CarValues, Moment, PlaceValues, Samples},
    truth::FaultCounts,
    writer::Line,
};

/// Racing numbers that nobody has: the source uses them for cars that are not in the race.
const STRANGERS: [u16; 3] = [241, 242, 243];

/// Spoils samples before they are packed.
pub(super) fn spoil_samples(seed: u64, asked: &FaultOptions, samples: &mut Samples, counts: &mut FaultCounts) {
    let mut random = Random::new(seed, "sample faults");
    counts.car_samples = size(&samples.cars);
    counts.position_samples = size(&samples.places);
    if asked.noise > 0 {
        add_noise(f64::from(asked.noise), samples, &mut random);
    }
    for _ in 0..asked.zero_spells {
        counts.zeroed += zero_spell(&mut samples.places, &mut random);
    }
    for index in 0..asked.missing {
        let lost = if index % 2 == 0 {
            remove(&mut samples.cars, &mut random).inspect(|lost| counts.missing_car_samples += *lost)
        } else {
            remove(&mut samples.places, &mut random).inspect(|lost| counts.missing_position_samples += *lost)
        };
        counts.missing += u32::from(lost.is_some());
    }
    let (mut cars, mut places) = (Spoiler::new(&mut samples.cars), Spoiler::new(&mut samples.places));
    for index in 0..asked.unknown_numbers {
        let number = STRANGERS[index as usize % STRANGERS.len()];
        let done = if index % 2 == 0 {
            cars.spoil(&mut random, |moment, _| {
                moment.cars.push((number, CarValues { channels: [0; 6], extra: false }))
            })
        } else {
            places.spoil(&mut random, |moment, _| {
                moment.cars.push((number, PlaceValues { xyz: [0; 3], on_track: false }))
            })
        };
        counts.unknown_numbers += u32::from(done);
    }
    for _ in 0..asked.unknown_channels {
        counts.unknown_channels += u32::from(cars.spoil(&mut random, |moment, random| {
            let car = random.index(moment.cars.len());
            moment.cars[car].1.extra = true;
        }));
    }
    for index in 0..asked.out_of_range {
        let done = if index % 2 == 0 {
            cars.spoil(&mut random, |moment, random| {
                let car = random.index(moment.cars.len());
                let (channel, value) = [(0, 99_999), (1, 1_500), (1, -4), (2, 42), (3, 900)][random.index(5)];
                moment.cars[car].1.channels[channel] = value;
            })
        } else {
            places.spoil(&mut random, |moment, random| {
                let car = random.index(moment.cars.len());
                moment.cars[car].1.xyz[random.index(3)] = [9_000_000_000, -9_000_000_000][random.index(2)];
            })
        };
        counts.out_of_range += u32::from(done);
    }
    for index in 0..asked.backward {
        let back = 30_000_000 + random.index(900) as i64 * 1_000_000;
        let done = if index % 2 == 0 { cars.shift(&mut random, back) } else { places.shift(&mut random, back) };
        counts.backward += u32::from(done);
    }
    for index in 0..asked.equal {
        let done = if index % 2 == 0 { cars.shift(&mut random, 0) } else { places.shift(&mut random, 0) };
        counts.equal += u32::from(done);
    }
    for index in 0..asked.split {
        let done = if index % 2 == 0 { cars.split(&mut random) } else { places.split(&mut random) };
        counts.split += u32::from(done);
    }
}

/// Spoils the lines of the files.
pub(super) fn spoil_lines(
    seed: u64,
    asked: &FaultOptions,
    files: &mut [(&'static str, Vec<Line>)],
    counts: &mut FaultCounts,
) {
    let mut random = Random::new(seed, "line faults");
    let sampled = |files: &[(&'static str, Vec<Line>)], index: u32| {
        let name = if index.is_multiple_of(2) { stream::CAR_DATA } else { stream::POSITION };
        files.iter().position(|(stream, lines)| *stream == name && lines.len() > 8)
    };
    for index in 0..asked.swapped {
        // Only samples: what the timing says in the wrong order would be another race.
        let Some(file) = sampled(files, index) else { break };
        let lines = &mut files[file].1;
        let at = 2 + random.index(lines.len() - 4);
        lines.swap(at, at + 1);
        counts.swapped += 1;
    }
    for index in 0..asked.duplicate {
        let Some(file) = sampled(files, index) else { break };
        let lines = &mut files[file].1;
        let at = 2 + random.index(lines.len() - 4);
        let line = lines[at].clone();
        lines.insert(at, line);
        counts.duplicate += 1;
    }
    for _ in 0..asked.undecodable {
        let file = random.index(files.len());
        let packed = files[file].0.ends_with(".z");
        let lines = &mut files[file].1;
        let at = 1 + random.index(lines.len());
        let stamp_ms = lines[at - 1].stamp_ms;
        let (stamped, body) = match random.index(5) {
            0 => (false, "not a record".to_owned()),
            1 => (true, "\"****\"".to_owned()),
            2 if packed => (true, "\"vZfLTltBDIbfZQ==\"".to_owned()),
            3 => (true, String::new()),
            _ => (true, "{\"Lines\":{\"1\":{\"Posi".to_owned()),
        };
        lines.insert(at, Line { stamp_ms, stamped, body, whole: true });
        counts.undecodable += 1;
    }
    let truncated = [stream::POSITION, stream::CAR_DATA, stream::TIMING_DATA, stream::WEATHER];
    for name in truncated.into_iter().take(asked.truncated as usize) {
        let Some(last) = files.iter_mut().find(|(stream, _)| *stream == name).and_then(|(_, lines)| lines.last_mut())
        else {
            continue;
        };
        let keep = last.body.len() / 2;
        last.body.truncate(keep);
        last.whole = false;
        counts.truncated += 1;
    }
}

/// Laps whose time is first sent wrong: car and lap, each once.
pub(super) fn corrected_laps(seed: u64, count: u32, timing: &Timing) -> Vec<(usize, u16)> {
    let mut random = Random::new(seed, "corrected laps");
    let timed = |(car, laps): (usize, &Vec<TimedLap>)| {
        laps.iter().filter(|lap| lap.lap > 1).map(|lap| (car, lap.lap)).collect::<Vec<_>>()
    };
    let mut laps: Vec<(usize, u16)> = timing.laps.iter().enumerate().flat_map(timed).collect();
    random.shuffle(&mut laps);
    laps.truncate(count as usize);
    laps
}

fn size<V>(batches: &[Batch<V>]) -> u64 {
    batches.iter().flat_map(|batch| &batch.moments).map(|moment| moment.cars.len() as u64).sum()
}

fn add_noise(deviation: f64, samples: &mut Samples, random: &mut Random) {
    for moment in samples.cars.iter_mut().flat_map(|batch| &mut batch.moments) {
        for (_, values) in &mut moment.cars {
            let speed = &mut values.channels[1];
            if *speed > 10 {
                *speed += (deviation / 10.0 * random.normal()).round() as i64;
            }
        }
    }
    for moment in samples.places.iter_mut().flat_map(|batch| &mut batch.moments) {
        for (_, values) in moment.cars.iter_mut().filter(|(_, values)| values.xyz != [0; 3]) {
            for axis in &mut values.xyz {
                *axis += (deviation * random.normal()).round() as i64;
            }
        }
    }
}

/// Zeroes the place of one car for some seconds; returns how many samples.
fn zero_spell(batches: &mut [Batch<PlaceValues>], random: &mut Random) -> u32 {
    let Some(cars) = batches.first().and_then(|batch| batch.moments.first()).map(|moment| moment.cars.len()) else {
        return 0;
    };
    let (car, from, count) = (random.index(cars), random.index(batches.len()), 2 + random.index(6));
    let mut zeroed = 0;
    for moment in batches.iter_mut().skip(from).take(count).flat_map(|batch| &mut batch.moments) {
        let place = &mut moment.cars[car].1.xyz;
        zeroed += u32::from(*place != [0; 3]);
        *place = [0; 3];
    }
    zeroed
}

/// Takes a record away, neither of the first nor the last; returns how many samples went with it.
fn remove<V>(batches: &mut Vec<Batch<V>>, random: &mut Random) -> Option<u32> {
    if batches.len() < 8 {
        return None;
    }
    let at = 2 + random.index(batches.len() - 4);
    Some(batches.remove(at).moments.iter().map(|moment| moment.cars.len() as u32).sum())
}

/// Spoils moments of a stream, none twice.
struct Spoiler<'a, V> {
    batches: &'a mut Vec<Batch<V>>,
    spoiled: HashSet<i64>,
}

impl<'a, V: Copy> Spoiler<'a, V> {
    fn new(batches: &'a mut Vec<Batch<V>>) -> Self {
        Self { batches, spoiled: HashSet::new() }
    }

    /// A moment that has no fault yet and neighbours that have none, inside its record; gives up after a while.
    fn choose(&mut self, random: &mut Random) -> Option<(usize, usize)> {
        for _ in 0..60 {
            let batch = random.index(self.batches.len());
            let moments = &self.batches[batch].moments;
            if moments.len() < 3 {
                continue;
            }
            let at = 1 + random.index(moments.len() - 2);
            let around = [at - 1, at, at + 1].map(|index| moments[index].utc_ns);
            if around.iter().all(|utc_ns| !self.spoiled.contains(utc_ns)) {
                self.spoiled.extend(around);
                return Some((batch, at));
            }
        }
        None
    }

    fn spoil(&mut self, random: &mut Random, change: impl FnOnce(&mut Moment<V>, &mut Random)) -> bool {
        let Some((batch, at)) = self.choose(random) else { return false };
        change(&mut self.batches[batch].moments[at], random);
        true
    }

    /// Stamps a moment `back` ns before the one that precedes it.
    fn shift(&mut self, random: &mut Random, back: i64) -> bool {
        let Some((batch, at)) = self.choose(random) else { return false };
        let moments = &mut self.batches[batch].moments;
        moments[at].utc_ns = moments[at - 1].utc_ns - back;
        self.spoiled.insert(moments[at].utc_ns);
        true
    }

    /// Puts the second half of a moment's cars into a record of its own, with what follows.
    fn split(&mut self, random: &mut Random) -> bool {
        let Some((batch, at)) = self.choose(random) else { return false };
        let stamp_ms = self.batches[batch].stamp_ms;
        let moments = &mut self.batches[batch].moments;
        let mut rest = moments.split_off(at + 1);
        let whole = &mut moments[at];
        let half = whole.cars.split_off(whole.cars.len() / 2);
        rest.insert(0, Moment { utc_ns: whole.utc_ns, cars: half });
        self.batches.insert(batch + 1, Batch { stamp_ms, moments: rest });
        true
    }
}
