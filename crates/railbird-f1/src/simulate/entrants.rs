//! Who takes part, and where: all of it invented. Start at [`entrants`].

use super::random::Random;

/// A driver in a team.
#[derive(Debug, Clone)]
pub(super) struct Entrant {
    /// Racing number.
    pub(super) number: u16,
    /// Three-letter code.
    pub(super) code: String,
    /// First name.
    pub(super) first_name: &'static str,
    /// Last name.
    pub(super) last_name: &'static str,
    /// Country, three letters.
    pub(super) country: &'static str,
    /// Index of the team, which is also that of its pit box.
    pub(super) team: usize,
}

/// A team.
pub(super) struct Team {
    /// Name.
    pub(super) name: &'static str,
    /// Six hexadecimal digits, at least 3:1 against both a white and a near-black page.
    pub(super) colour: &'static str,
}

/// The place and the meeting.
pub(super) struct Meeting {
    /// As in `Lakeland Grand Prix`.
    pub(super) name: &'static str,
    /// Full name, in capitals as the source has it.
    pub(super) official_name: &'static str,
    /// City.
    pub(super) location: &'static str,
    /// Short name of the circuit.
    pub(super) circuit: &'static str,
    /// Three-letter code of the country.
    pub(super) country_code: &'static str,
    /// Country.
    pub(super) country: &'static str,
}

/// Most drivers that a simulated session has.
pub(super) const DRIVERS_MAX: usize = 22;

/// The teams, best known car first in no particular order.
pub(super) const TEAMS: [Team; 11] = [
    Team { name: "Aurora Racing", colour: "E4572E" },
    Team { name: "Northwind", colour: "2E86DE" },
    Team { name: "Scuderia Vento", colour: "D7263D" },
    Team { name: "Kestrel Works", colour: "0E9E75" },
    Team { name: "Halcyon", colour: "8E5BD9" },
    Team { name: "Ironbridge", colour: "7C8794" },
    Team { name: "Sakura Motorsport", colour: "E0569B" },
    Team { name: "Blue Ridge", colour: "1C93B8" },
    Team { name: "Pampas GP", colour: "B8860B" },
    Team { name: "Fjord Engineering", colour: "4F8A10" },
    Team { name: "Meridian", colour: "C26A2D" },
];

const MEETINGS: [Meeting; 4] = [
    Meeting {
        name: "Lakeland Grand Prix",
        official_name: "FORMULA 1 RAILBIRD LAKELAND GRAND PRIX",
        location: "Port Alder",
        circuit: "Alder Park",
        country_code: "LKL",
        country: "Lakeland",
    },
    Meeting {
        name: "Ostmark Grand Prix",
        official_name: "FORMULA 1 RAILBIRD OSTMARK GRAND PRIX",
        location: "Weissenfurt",
        circuit: "Weissenfurt",
        country_code: "OST",
        country: "Ostmark",
    },
    Meeting {
        name: "Serrania Grand Prix",
        official_name: "FORMULA 1 RAILBIRD GRAN PREMIO DE SERRANÍA",
        location: "Villa Serena",
        circuit: "Serrania",
        country_code: "SRR",
        country: "Serranía",
    },
    Meeting {
        name: "Kaminari Grand Prix",
        official_name: "FORMULA 1 RAILBIRD KAMINARI GRAND PRIX",
        location: "Kaminari Bay",
        circuit: "Kaminari",
        country_code: "KMN",
        country: "Kaminari",
    },
];

const NAMES: [(&str, &str, &str); DRIVERS_MAX] = [
    ("Tomas", "Varga", "LKL"),
    ("Elin", "Soderlind", "FJD"),
    ("Marco", "Benedusi", "VNT"),
    ("Idris", "Okonjo", "SAV"),
    ("Jonas", "Kettler", "OST"),
    ("Rafael", "Quintero", "SRR"),
    ("Haruki", "Minazawa", "KMN"),
    ("Callum", "Thornby", "NWD"),
    ("Lucie", "Marchand", "GLD"),
    ("Anton", "Reznik", "OST"),
    ("Dario", "Falconi", "VNT"),
    ("Mikkel", "Lindqvist", "FJD"),
    ("Noah", "Everdale", "BRG"),
    ("Santiago", "Oroño", "PMP"),
    ("Wei", "Tanghao", "HLC"),
    ("Bram", "Verhagen", "NWD"),
    ("Oskar", "Ylönen", "FJD"),
    ("Priya", "Ravindran", "MRD"),
    ("Felix", "Castellane", "GLD"),
    ("Joaquin", "Ibarra", "PMP"),
    ("Dylan", "Prewitt", "BRG"),
    ("Ines", "Calderao", "SRR"),
];

/// The meeting of `seed`.
pub(super) fn meeting(seed: u64) -> &'static Meeting {
    &MEETINGS[(seed % MEETINGS.len() as u64) as usize]
}

/// `count` drivers, two a team, with racing numbers drawn from the seed.
pub(super) fn entrants(seed: u64, count: usize) -> Vec<Entrant> {
    let mut random = Random::new(seed, "entrants");
    let mut numbers: Vec<u16> = (1..=99).collect();
    random.shuffle(&mut numbers);
    let mut names: Vec<_> = NAMES.to_vec();
    random.shuffle(&mut names);
    let entrant = |(index, ((first_name, last_name, country), number)): (
        usize,
        ((&'static str, &'static str, &'static str), u16),
    )| Entrant {
        number,
        code: last_name.chars().take(3).map(|letter| plain(letter.to_ascii_uppercase())).collect(),
        first_name,
        last_name,
        country,
        team: index / 2,
    };
    names.into_iter().zip(numbers).take(count.min(DRIVERS_MAX)).enumerate().map(entrant).collect()
}

/// Codes are plain letters.
fn plain(letter: char) -> char {
    match letter {
        'ö' | 'Ö' => 'O',
        'ñ' | 'Ñ' => 'N',
        other => other,
    }
}
