//! The streams that frame a session: who and where, flags, race control, weather. Start at [`write()`].

use super::{
    options::SessionKind,
    passages::{Timing, whole_ms},
    race::{Outcome, What},
    random::Random,
    records::{Records, stream},
    runs::Part,
    session::Scene,
    text::{Object, array, date_time, lap_time, stamp},
    timing_states::driver_list,
};

/// A lap whose time race control took away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Deletion {
    /// Which car.
    pub(super) car: usize,
    /// Which lap.
    pub(super) lap: u16,
    /// Corner at which it left the track.
    pub(super) corner: u8,
}

/// Every framing record of a session, and the laps that race control deletes.
pub(super) fn write(
    scene: &Scene,
    outcome: &Outcome,
    timing: &Timing,
    parts: &[Part],
    records: &mut Records,
) -> Vec<Deletion> {
    let mut random = Random::new(scene.seed, "messages");
    write_session(scene, &outcome.grid, outcome.end, &mut random, records);
    let mut control = Control { scene, timing, messages: Vec::new() };
    let late = |random: &mut Random| random.range(40.0, 900.0) as i64;
    let status =
        |code: u8, message: &str| Object::new().text("Status", &code.to_string()).text("Message", message).done();
    let session = |status: &str, began: &str| Object::new().text("Status", status).text("Started", began).done();
    records.push(stream::TRACK_STATUS, 0, status(1, "AllClear"));
    records.push(stream::SESSION_STATUS, 6_890, session("Inactive", "Inactive"));
    let race = scene.kind == SessionKind::Race;
    for part in parts.iter().rev().skip(1) {
        records.push(stream::SESSION_STATUS, whole_ms(part.closed), session("Inactive", "Finished"));
    }
    if race {
        control.say(12.0, Object::new().text("Category", "Drs").text("Status", "DISABLED"), "DRS DISABLED");
    }
    control.say(15.0, Object::new().text("Category", "Other"), "RISK OF RAIN FOR F1 SESSION IS 40%");
    for happening in &outcome.happenings {
        let at = whole_ms(happening.at);
        let flag = |flag: &str| Object::new().text("Category", "Flag").text("Flag", flag).text("Scope", "Track");
        let drs = |status: &str| Object::new().text("Category", "Drs").text("Status", status);
        let safety_car = |status: &str| {
            Object::new().text("Category", "SafetyCar").text("Status", status).text("Mode", "SAFETY CAR")
        };
        let other = || Object::new().text("Category", "Other");
        let seconds = happening.at + random.range(0.05, 0.9);
        match happening.what {
            What::LightsOut => {
                records.push(stream::SESSION_STATUS, at, session("Started", "Started"));
                control.say(seconds, flag("GREEN"), "GREEN LIGHT - PIT EXIT OPEN");
            }
            What::Yellow(car) => {
                records.push(stream::TRACK_STATUS, at + late(&mut random), status(2, "Yellow"));
                let sector = control.marshal_sector(outcome.trajectories[car].at(happening.at).distance);
                let what = Object::new()
                    .text("Category", "Flag")
                    .text("Flag", "DOUBLE YELLOW")
                    .text("Scope", "Sector")
                    .raw("Sector", sector);
                control.say(seconds, what, &format!("DOUBLE YELLOW IN TRACK SECTOR {sector}"));
                let clear = Object::new()
                    .text("Category", "Flag")
                    .text("Flag", "CLEAR")
                    .text("Scope", "Sector")
                    .raw("Sector", sector);
                control.say(seconds + 21.0, clear, &format!("CLEAR IN TRACK SECTOR {sector}"));
            }
            What::Clear => {
                records.push(stream::TRACK_STATUS, at + late(&mut random), status(1, "AllClear"));
                control.say(seconds, flag("CLEAR"), "TRACK CLEAR");
            }
            What::SafetyCar => {
                records.push(stream::TRACK_STATUS, at + late(&mut random), status(4, "SCDeployed"));
                control.say(seconds, safety_car("DEPLOYED"), "SAFETY CAR DEPLOYED");
            }
            What::SafetyCarIn => control.say(seconds, safety_car("IN THIS LAP"), "SAFETY CAR IN THIS LAP"),
            What::Red => {
                records.push(stream::TRACK_STATUS, at + late(&mut random), status(5, "Red"));
                records.push(stream::SESSION_STATUS, at + late(&mut random), session("Aborted", "Started"));
                control.say(seconds, flag("RED"), "RED FLAG");
            }
            What::Resume => {
                records.push(stream::TRACK_STATUS, at + late(&mut random), status(4, "SCDeployed"));
                records.push(stream::SESSION_STATUS, at + late(&mut random), session("Started", "Started"));
                control.say(seconds, other(), "ROLLING START PROCEDURE WILL BE USED");
            }
            What::DrsOn => control.say(seconds, drs("ENABLED"), "DRS ENABLED"),
            What::DrsOff => control.say(seconds, drs("DISABLED"), "DRS DISABLED"),
            What::Stopped(car) => {
                let corner = control.corner(outcome.trajectories[car].at(happening.at).distance);
                let what = Object::new().text("Category", "CarEvent").text("RacingNumber", &scene.number(car));
                let text = format!("CAR {} STOPPED AT TURN {corner}", control.name(car));
                control.say(seconds + 4.0, what, &text);
            }
            What::Blue(car) => {
                let what = Object::new()
                    .text("Category", "Flag")
                    .text("Flag", "BLUE")
                    .text("Scope", "Driver")
                    .text("RacingNumber", &scene.number(car));
                let local = date_time(scene.utc(happening.at) + 2 * 3_600_000_000_000);
                control.say(
                    seconds,
                    what,
                    &format!("WAVED BLUE FLAG FOR CAR {} TIMED AT {}", control.name(car), &local[11..]),
                );
            }
            What::Chequered => {
                records.push(stream::SESSION_STATUS, at + late(&mut random), session("Finished", "Finished"));
                control.say(seconds, flag("CHEQUERED"), "CHEQUERED FLAG");
            }
            What::Recovered(_) | What::Retired(_) | What::Finished(_) => {}
        }
    }
    let deletions = if race { control.delete_laps(&mut random) } else { Vec::new() };
    if race {
        control.punish();
    }
    records.push(stream::SESSION_STATUS, whole_ms(outcome.end) - 12_000, session("Finalised", "Finished"));
    records.push(stream::SESSION_STATUS, whole_ms(outcome.end) - 3_000, session("Ends", "Finished"));
    control.write(records);
    deletions
}

/// Streams that do not depend on what happens.
pub(super) fn write_session(
    scene: &Scene,
    first_order: &[usize],
    end: f64,
    random: &mut Random,
    records: &mut Records,
) {
    records.push(stream::SESSION_INFO, 0, session_info(scene));
    records.push(stream::DRIVER_LIST, 4_180, driver_list(&scene.entrants, first_order, scene));
    let mut beat = 1.4;
    while beat < end {
        let utc = scene.utc(beat - 0.03);
        let heartbeat = Object::new().text("Utc", &super::text::utc(utc)).done();
        records.push(stream::HEARTBEAT, whole_ms(beat), heartbeat);
        beat += 15.0 + random.range(-0.01, 0.02);
    }
    let (mut air, mut ground, mut wind, mut humidity) = (24.0, 38.0, 140.0, 46.0);
    let mut at = 21.0;
    while at < end {
        air += random.range(-0.12, 0.12);
        ground += random.range(-0.3, 0.28);
        wind += random.range(-25.0, 25.0);
        humidity += random.range(-0.6, 0.6);
        // A drizzle in the second half: it cools the ground, and slicks stay on.
        let drizzle = (0.58..0.70).contains(&(at / end));
        if drizzle {
            (ground, humidity) = (ground - 0.5, humidity + 0.9);
        }
        let weather = Object::new()
            .text("AirTemp", &format!("{air:.1}"))
            .text("Humidity", &format!("{humidity:.1}"))
            .text("Pressure", &format!("{:.1}", 1009.0 + random.range(-0.2, 0.2)))
            .text("Rainfall", if drizzle { "1" } else { "0" })
            .text("TrackTemp", &format!("{ground:.1}"))
            .text("WindDirection", &format!("{}", (wind as i64).rem_euclid(360)))
            .text("WindSpeed", &format!("{:.1}", random.range(0.4, 3.4)));
        records.push(stream::WEATHER, whole_ms(at), weather.done());
        at += 60.0 + random.range(-0.03, 0.05);
    }
}

fn session_info(scene: &Scene) -> String {
    let meeting = scene.meeting;
    let date = date_time(scene.origin_ns + 2 * 3_600_000_000_000);
    let (day, year) = (&date[..10], &date[..4]);
    let name = match scene.kind {
        SessionKind::Race => "Race",
        SessionKind::Qualifying => "Qualifying",
        SessionKind::Practice => "Practice 1",
    };
    let kind = name.split(' ').next().unwrap_or(name);
    let file = |text: &str| text.replace(' ', "_");
    let about = Object::new()
        .raw("Key", 9_000 + scene.seed % 900)
        .text("Name", meeting.name)
        .text("OfficialName", &format!("{} {year}", meeting.official_name))
        .text("Location", meeting.location)
        .raw("Number", 1 + scene.seed % 24)
        .object(
            "Country",
            Object::new().raw("Key", 900).text("Code", meeting.country_code).text("Name", meeting.country),
        )
        .object("Circuit", Object::new().raw("Key", 900 + scene.seed % 90).text("ShortName", meeting.circuit));
    Object::new()
        .object("Meeting", about)
        .object("ArchiveStatus", Object::new().text("Status", "Generating"))
        .raw("Key", 90_000 + scene.seed % 9_000)
        .text("Type", kind)
        .text("Name", name)
        .text("StartDate", &format!("{day}T15:00:00"))
        .text("EndDate", &format!("{day}T17:00:00"))
        .text("GmtOffset", "02:00:00")
        .text("Path", &format!("{year}/{day}_{}/{day}_{}/", file(meeting.name), file(name)))
        .done()
}

/// Messages of race control, numbered when they are written.
struct Control<'a> {
    scene: &'a Scene,
    timing: &'a Timing,
    messages: Vec<(f64, Object, String)>,
}

impl Control<'_> {
    fn say(&mut self, at: f64, what: Object, message: &str) {
        self.messages.push((at, what, message.to_owned()));
    }

    fn name(&self, car: usize) -> String {
        format!("{} ({})", self.scene.number(car), self.scene.entrants[car].code)
    }

    fn marshal_sector(&self, distance: f64) -> usize {
        let loops = &self.scene.track.loops;
        loops.iter().position(|end| *end > self.scene.track.wrap(distance)).unwrap_or(0) + 1
    }

    fn corner(&self, distance: f64) -> u8 {
        let here = self.scene.track.wrap(distance);
        let behind = |apex: f64| self.scene.track.wrap(here - apex);
        let nearest = self.scene.track.corners.iter().min_by(|a, b| behind(a.apex).total_cmp(&behind(b.apex)));
        nearest.map_or(1, |corner| corner.number)
    }

    /// Takes a few lap times away for track limits, some seconds to a minute after the lap.
    fn delete_laps(&mut self, random: &mut Random) -> Vec<Deletion> {
        let timed: Vec<(usize, super::passages::TimedLap)> = self
            .timing
            .laps
            .iter()
            .enumerate()
            .flat_map(|(car, laps)| laps.iter().filter(|lap| lap.lap > 1).map(move |lap| (car, *lap)))
            .collect();
        let mut deletions: Vec<Deletion> = Vec::new();
        for _ in 0..timed.len() / 90 {
            let (car, lap) = timed[random.index(timed.len())];
            let corner = &self.scene.track.corners[random.index(self.scene.track.corners.len().max(1))];
            let deletion = Deletion { car, lap: lap.lap, corner: corner.number };
            if deletions.iter().any(|known| (known.car, known.lap) == (car, lap.lap)) {
                continue;
            }
            let at = lap.crossed - f64::from(lap.lap_ms) / 1e3 * random.range(0.2, 0.8);
            let local = date_time(self.scene.utc(at) + 2 * 3_600_000_000_000);
            let text = format!(
                "CAR {} TIME {} DELETED - TRACK LIMITS AT TURN {} LAP {} {}",
                self.name(car),
                lap_time(lap.lap_ms),
                corner.number,
                lap.lap,
                &local[11..]
            );
            self.say(lap.crossed + random.range(8.0, 60.0), Object::new().text("Category", "Other"), &text);
            deletions.push(deletion);
        }
        deletions
    }

    /// Punishes up to three cars for what they did in an early lap: one serves it, one has yet to at the flag, of one it is
    /// taken back.
    fn punish(&mut self) {
        const RULINGS: [(&str, &str, Option<&str>); 3] = [
            ("5 SECOND TIME PENALTY", "SPEEDING IN THE PIT LANE", Some("PENALTY SERVED")),
            ("10 SECOND TIME PENALTY", "CAUSING A COLLISION", None),
            ("5 SECOND TIME PENALTY", "LEAVING THE TRACK AND GAINING AN ADVANTAGE", Some("PENALTY RESCINDED")),
        ];
        let cars = self.timing.laps.len();
        for (index, (words, reason, then)) in RULINGS.into_iter().enumerate().take(cars) {
            let car = (self.scene.seed as usize % cars + index * (cars / 3).max(1)) % cars;
            let laps: Vec<f64> = self.timing.laps[car].iter().map(|lap| lap.crossed).collect();
            let (Some(given), Some(last)) = (laps.get(laps.len() / 3), laps.last()) else { continue };
            let told = format!("{words} FOR CAR {} - {reason}", self.name(car));
            let other = || Object::new().text("Category", "Other");
            self.say(given + 31.0, other(), &format!("FIA STEWARDS: {told}"));
            if let Some(then) = then.filter(|_| *last > given + 60.0) {
                let between = (given + 31.0 + last) / 2.0;
                self.say(between, other(), &format!("FIA STEWARDS: {then} - {told}"));
            }
        }
    }

    fn write(mut self, records: &mut Records) {
        self.messages.sort_by(|a, b| a.0.total_cmp(&b.0));
        let leaders = self.timing.lap_leaders();
        for (index, (at, what, message)) in self.messages.into_iter().enumerate() {
            let done = leaders.iter().filter(|(_, crossed)| *crossed <= at).count() as u16;
            let utc = date_time(self.scene.utc(at));
            let entry = Object::new()
                .text("Utc", &utc)
                .when(self.scene.kind == SessionKind::Race, |entry| entry.raw("Lap", (done + 1).min(self.scene.laps)))
                .with(what)
                .text("Message", &message);
            let body = match index {
                0 => Object::new().raw("Messages", array([entry.done()])),
                _ => Object::new().object("Messages", Object::new().object(&index.to_string(), entry)),
            };
            records.push(stream::RACE_CONTROL, whole_ms(at), body.done());
        }
    }
}

/// `Remaining` of the session clock: counting down from two hours from `start` s on.
pub(super) fn write_clock(scene: &Scene, start: f64, end: f64, records: &mut Records) {
    let clock = |at: f64, remaining: f64, running: bool| {
        let remaining = stamp(whole_ms(remaining));
        Object::new()
            .text("Utc", &super::text::utc(scene.utc(at)))
            .text("Remaining", &remaining[..8])
            .raw("Extrapolating", running)
            .done()
    };
    let whole = 7_200.0;
    records.push(stream::CLOCK, 3_000, clock(3.0, whole, false));
    records.push(stream::CLOCK, whole_ms(start), clock(start, whole, true));
    records.push(stream::CLOCK, whole_ms(end) - 4_000, clock(end - 4.0, (whole - (end - start)).max(0.0), false));
}
