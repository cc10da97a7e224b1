//! Every column of the features against its definition, row by row, with nothing carried over from the row before.

use std::collections::BTreeSet;

use railbird_book::{
    Bars, Episode, ProfileFold, RelativeVolume, Series, Side, Studied, Study, VECTOR_FEATURES, feature_columns,
    vectors_of_table,
};

use crate::support::{files, made_up, rules};

/// One row of an episode.
struct At<'a> {
    /// Quoted.
    point: f64,
    /// Quoted.
    tick: f64,
    bars: &'a Bars,
    relative: &'a RelativeVolume,
    episode: &'a Episode,
    /// Rows since the episode's first.
    row: usize,
}

impl At<'_> {
    /// The value of the bars' column `name`, `back` rows ago; missing before the episode.
    fn bar(&self, name: &str, row: usize) -> f64 {
        let series = Series::ALL.iter().find(|series| series.column() == name).unwrap_or_else(|| panic!("{name}"));
        self.bars.series(*series).unwrap()[self.episode.first_row + row]
    }

    fn dist(&self, row: usize) -> f64 {
        (self.bar("wmid_eob", row) - self.episode.price) / self.point
    }

    fn origin_side(&self) -> f64 {
        if self.episode.from == Side::Above { 1.0 } else { -1.0 }
    }

    fn sum(&self, value: impl Fn(usize) -> f64) -> f64 {
        (0..=self.row).map(value).sum()
    }

    fn count(&self, is_such: impl Fn(usize) -> bool) -> f64 {
        (0..=self.row).filter(|row| is_such(*row)).count() as f64
    }

    fn least(&self, value: impl Fn(usize) -> f64) -> f64 {
        (0..=self.row).map(value).fold(f64::NAN, f64::min)
    }

    fn most(&self, value: impl Fn(usize) -> f64) -> f64 {
        (0..=self.row).map(value).fold(f64::NAN, f64::max)
    }

    fn first(&self, value: impl Fn(usize) -> f64) -> f64 {
        (0..=self.row).map(value).find(|value| !value.is_nan()).unwrap_or(f64::NAN)
    }

    fn side_flow(&self, side: &str, row: usize) -> f64 {
        ["p1", "p2", "p3", "p5", "p10"].iter().map(|band| self.bar(&format!("flow_net_{side}_{band}_sum"), row)).sum()
    }

    fn flow(&self, toward: bool, row: usize) -> f64 {
        self.side_flow(if (self.origin_side() > 0.0) == toward { "bid" } else { "ask" }, row)
    }

    /// Source of a difference or a sum, one row.
    fn source(&self, name: &str, row: usize) -> f64 {
        match name {
            "dist" => self.dist(row),
            "trade_vol" | "trade_signed" | "trade_buy" | "trade_sell" | "msg_all" | "trade_n" | "msg_add"
            | "msg_cancel" => self.bar(&format!("{name}_sum"), row),
            "flow_bid" => self.side_flow("bid", row),
            "flow_ask" => self.side_flow("ask", row),
            "flow_imb" => self.side_flow("bid", row) - self.side_flow("ask", row),
            _ => match name.strip_prefix("flow_") {
                Some(place) => self.bar(&format!("flow_net_{place}_sum"), row),
                None => self.bar(&format!("{name}_eob"), row),
            },
        }
    }

    fn difference(&self, name: &str, order: u32, window: usize, row: usize) -> f64 {
        if row < window * order as usize {
            return f64::NAN;
        }
        let of = |row| if order == 1 { self.source(name, row) } else { self.difference(name, 1, window, row) };
        (of(row) - of(row - window)) / window as f64
    }

    fn level(&self, what: &str) -> f64 {
        let levels = (0..10).flat_map(|level| ["bid", "ask"].map(|side| (side, level)));
        let shown: Vec<(&str, f64, f64)> = levels
            .map(|(side, level)| {
                let at = |kind: &str| self.bar(&format!("{kind}_{side}_l{level}_eob"), self.row);
                (side, at("px"), at("sz"))
            })
            .filter(|(_, price, _)| !price.is_nan())
            .collect();
        if shown.is_empty() {
            return f64::NAN;
        }
        // In ticks: a level stands on the grid, and so do the prices.
        let over = |price: f64| (price - self.episode.price) / self.tick;
        let point = self.point / self.tick;
        let visible = shown.iter().any(|(_, price, _)| over(*price) > -0.5)
            && shown.iter().any(|(_, price, _)| over(*price) < 0.5);
        if what == "visible" {
            return f64::from(u8::from(visible));
        }
        let size = |fits: &dyn Fn(&str, f64) -> bool| {
            let sum: f64 =
                shown.iter().filter(|(side, price, _)| fits(side, over(*price))).map(|(.., size)| size).sum();
            if visible { sum } else { f64::NAN }
        };
        let at = |over: f64| over.abs() < 0.5;
        let above = size(&|_, over| !at(over) && over > 0.0);
        let below = size(&|_, over| !at(over) && over < 0.0);
        let above_1 = size(&|_, over| !at(over) && over > 0.0 && over < point + 0.4);
        let below_1 = size(&|_, over| !at(over) && over < 0.0 && over > -point - 0.4);
        match what {
            "size_at_bid" => size(&|side, over| at(over) && side == "bid"),
            "size_at_ask" => size(&|side, over| at(over) && side == "ask"),
            "size_at" => size(&|_, over| at(over)),
            "size_above" => above,
            "size_below" => below,
            "size_imb" => (below - above) / (below + above),
            "size_above_p1" => above_1,
            "size_below_p1" => below_1,
            "size_imb_p1" => (below_1 - above_1) / (below_1 + above_1),
            _ => panic!("lvl_{what}"),
        }
    }

    fn velocity(&self, third: usize) -> f64 {
        let (from, to) = (self.row * third / 3, self.row * (third + 1) / 3);
        (self.dist(to).abs() - self.dist(from).abs()) / (to - from) as f64
    }

    fn setup(&self, what: &str) -> f64 {
        let abs = |row: usize| self.dist(row).abs();
        match what {
            "start_dist" => self.first(|row| self.dist(row)),
            "min_dist" => self.least(abs),
            "max_dist" => self.most(abs),
            "dist_range" => self.most(abs) - self.least(abs),
            "approach_bars" => self.count(|row| row > 0 && abs(row) < abs(row - 1)),
            "retreat_bars" => self.count(|row| row > 0 && abs(row) > abs(row - 1)),
            "approach_share" => self.setup("approach_bars") / (self.row + 1) as f64,
            "velocity_early" => self.velocity(0),
            "velocity_mid" => self.velocity(1),
            "velocity_late" => self.velocity(2),
            "velocity_trend" => self.velocity(2) - self.velocity(0),
            "trade_vol" => self.sum(|row| self.bar("trade_vol_sum", row)),
            "trade_signed" => self.sum(|row| self.bar("trade_signed_sum", row)),
            "trade_imb" => self.setup("trade_signed") / self.setup("trade_vol"),
            "wall_max_bid" => self.most(|row| self.bar("wall_z_bid_eob", row)),
            "wall_max_ask" => self.most(|row| self.bar("wall_z_ask_eob", row)),
            "wall_bars_bid" => self.count(|row| !self.bar("wall_near_bid_eob", row).is_nan()),
            "wall_bars_ask" => self.count(|row| !self.bar("wall_near_ask_eob", row).is_nan()),
            "wall_imb" => self.setup("wall_bars_ask") - self.setup("wall_bars_bid"),
            "flow_toward" => self.sum(|row| self.flow(true, row)),
            "flow_away" => self.sum(|row| self.flow(false, row)),
            "flow_imb" => self.sum(|row| self.flow(true, row)) - self.sum(|row| self.flow(false, row)),
            _ => {
                let (name, what) = what.rsplit_once('_').unwrap();
                let of = |row: usize| self.bar(&format!("{name}_eob"), row);
                match what {
                    "start" => self.first(of),
                    "delta" => of(self.row) - self.first(of),
                    "min" => self.least(of),
                    "max" => self.most(of),
                    "range" => self.most(of) - self.least(of),
                    _ => panic!("setup_{name}_{what}"),
                }
            }
        }
    }

    fn feature(&self, name: &str) -> f64 {
        let row = self.row;
        if let Some((series, window)) = name.rsplit_once("_w")
            && let Ok(window) = window.parse()
        {
            let (series, order) = series.rsplit_once("_d").unwrap();
            return self.difference(series, order.parse().unwrap(), window, row);
        }
        for (prefix, rate) in [("sum_", false), ("rate_", true)] {
            if let Some(source) = name.strip_prefix(prefix) {
                let sum = self.sum(|row| self.source(source, row));
                return if rate { sum / (row + 1) as f64 } else { sum };
            }
        }
        if let Some(what) = name.strip_prefix("lvl_") {
            return self.level(what);
        }
        if let Some(what) = name.strip_prefix("setup_") {
            return self.setup(what);
        }
        let toward = -self.origin_side();
        let dist = self.dist(row);
        let side = if dist.is_nan() { f64::NAN } else { f64::from(i8::from(dist > 0.0) - i8::from(dist < 0.0)) };
        match name {
            "dist" => dist,
            "dist_abs" => dist.abs(),
            "side" => side,
            "from_side" => self.origin_side(),
            "alignment" => side * self.origin_side(),
            "polarity" => match self.episode.level.rsplit_once('_') {
                Some((_, "high")) => 1.0,
                Some((_, "low")) => -1.0,
                _ => 0.0,
            },
            "bars" => (row + 1) as f64,
            "toward_imb_1" => toward * self.bar("imb_1_eob", row),
            "toward_imb_10" => toward * self.bar("imb_10_eob", row),
            "toward_ofi_1" => toward * self.bar("ofi_1_sum", row),
            "toward_ofi_10" => toward * self.bar("ofi_10_sum", row),
            "toward_signed" => toward * self.bar("trade_signed_sum", row),
            "flow_toward" => self.flow(true, row),
            "flow_away" => self.flow(false, row),
            "flow_toward_imb" => self.flow(true, row) - self.flow(false, row),
            "rvol_bar" => self.relative.bar[self.episode.first_row + row],
            "rvol_bucket" => self.relative.bucket[self.episode.first_row + row],
            "rvol_session" => self.relative.session[self.episode.first_row + row],
            _ => panic!("no definition of {name}"),
        }
    }
}

#[test]
fn every_column_is_its_definition() {
    let files = files(&made_up(5, 31));
    let mut study = Study::new(rules());
    let mut profiles = ProfileFold::new(rules().calendar);
    let mut compared = Compared::default();
    for bars in &files {
        let studied = study.apply(bars).unwrap();
        let relative = profiles.apply(bars).unwrap().relative;
        compare(bars, &studied, &relative, 1.0, 0.25, &mut compared);
    }
    assert!(compared.values > 20_000, "{} values", compared.values);
    assert_eq!(compared.present.len(), feature_columns().len(), "a column that is always missing shows nothing");
}

/// What was compared.
#[derive(Default)]
pub(crate) struct Compared {
    pub(crate) values: usize,
    /// Columns that had a value in some row.
    pub(crate) present: BTreeSet<&'static str>,
}

/// Compares the features of a file's episodes with their definitions.
pub(crate) fn compare(
    bars: &Bars,
    studied: &Studied,
    relative: &RelativeVolume,
    point: f64,
    tick: f64,
    compared: &mut Compared,
) {
    let mut first = 0;
    for episode in &studied.episodes.episodes {
        let rows = episode.trigger_row + 1 - episode.first_row;
        // Every 23rd row from the last, which is the trigger.
        for row in (0..rows).rev().step_by(23) {
            let at = At { point, tick, bars, relative, episode, row };
            for column in feature_columns() {
                let found = studied.features.column(&column.name).unwrap()[first + row];
                let want = at.feature(&column.name);
                let want = if want.is_infinite() { f64::NAN } else { want };
                let close = (found - want).abs() <= 1e-9 * found.abs().max(want.abs()).max(1.0);
                assert!(
                    close || found.is_nan() && want.is_nan(),
                    "{} {row}: {} is {found}, expected {want}",
                    episode.id,
                    column.name
                );
                compared.values += 1;
                if !found.is_nan() {
                    compared.present.insert(column.name.as_str());
                }
            }
        }
        first += rows;
    }
    assert_eq!(studied.features.rows(), first);
}

#[test]
fn columns_are_listed_once() {
    let names: BTreeSet<_> = feature_columns().iter().map(|column| &column.name).collect();
    assert_eq!(names.len(), feature_columns().len());
    let old: Vec<_> = feature_columns().iter().filter_map(|column| column.old_name.as_ref()).collect();
    assert_eq!(old.iter().collect::<BTreeSet<_>>().len(), old.len());
    assert_eq!(feature_columns().iter().filter(|column| column.family == "difference").count(), 11 * 4 * 2);
    assert!(feature_columns().iter().all(|column| !column.definition.is_empty() && !column.unit.is_empty()));
    let vector: BTreeSet<_> = VECTOR_FEATURES.iter().collect();
    assert_eq!(vector.len(), VECTOR_FEATURES.len());
    assert!(VECTOR_FEATURES.iter().all(|feature| names.contains(&(*feature).to_owned())));
}

#[test]
fn vectors_are_the_rows_of_the_triggers() {
    let files = files(&made_up(3, 31));
    let mut study = Study::new(rules());
    for bars in &files {
        let studied = study.apply(bars).unwrap();
        let episodes = &studied.episodes.episodes;
        let from_table = vectors_of_table(&studied.features.table(), episodes).unwrap();
        assert_eq!(from_table.len(), episodes.len());
        let mut row = 0;
        for (at, episode) in episodes.iter().enumerate() {
            row += episode.trigger_row + 1 - episode.first_row;
            let (direct, table) = (&studied.vectors[at], &from_table[at]);
            assert_eq!((&direct.episode, direct.known_at), (&episode.id, episode.known_at));
            for (dimension, name) in VECTOR_FEATURES.iter().enumerate() {
                let want = studied.features.column(name).unwrap()[row - 1].to_bits();
                assert_eq!(
                    (direct.values[dimension].to_bits(), table.values[dimension].is_nan()),
                    (want, f64::from_bits(want).is_nan())
                );
            }
        }
        let read = railbird_book::SetupVector::read(&railbird_book::SetupVector::table(&studied.vectors)).unwrap();
        assert_eq!(format!("{read:?}"), format!("{:?}", studied.vectors));
    }
}
