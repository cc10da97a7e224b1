//! The columns of the bars, listed once. Start at [`columns`].
//!
//! The list is data: the fold fills cells by the places in [`place`], the writer takes names and types from here, and the
//! page `docs/book-columns.md` is printed from it.

use std::sync::LazyLock;

use serde::Serialize;

/// Number of columns of the bars.
pub const COLUMN_COUNT: usize = 292;

/// Upper edges of the bands, in points, inclusive.
pub const BAND_EDGES: [i64; 5] = [1, 2, 3, 5, 10];

/// Levels of the book that the columns know.
pub(crate) const LEVELS: usize = 10;

/// Sides of the book, in the order of the columns.
pub(crate) const SIDES: [&str; 2] = ["bid", "ask"];

/// Unit of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub enum Unit {
    /// Text.
    #[serde(rename = "text")]
    Text,
    /// Unix nanoseconds, UTC.
    #[serde(rename = "ns")]
    Nanoseconds,
    /// Quoted price.
    #[serde(rename = "price")]
    Price,
    /// Points of the instrument.
    #[serde(rename = "pt")]
    Points,
    /// Shares, contracts or coins.
    #[serde(rename = "size")]
    Size,
    /// A count, whole.
    #[serde(rename = "n")]
    Count,
    /// No unit.
    #[serde(rename = "1")]
    One,
}

/// Family of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Family {
    /// What names a bar.
    Key,
    /// Mid, weighted mid, spread.
    Price,
    /// Imbalance of the best level and of all.
    Imbalance,
    /// Size of each side.
    Depth,
    /// Size by distance from the weighted mid.
    Band,
    /// How good the bar's input was.
    Quality,
    /// Distances between levels.
    Gap,
    /// Each level.
    Level,
    /// Levels much larger than the others.
    Wall,
    /// What was added and cancelled.
    Flow,
    /// What was traded, by side and band.
    Exec,
    /// Order-flow imbalance.
    Ofi,
    /// Trades.
    Trade,
    /// Rows by action.
    Message,
}

/// One column of the bars.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its unit.
    pub unit: Unit,
    /// Its family.
    pub family: Family,
    /// What it is.
    pub definition: String,
    /// Name of the nearest column in the pipeline that this field replaces; the definitions differ.
    pub old_name: Option<String>,
    /// Levels of the book that a source must have, else the column is missing.
    #[serde(skip)]
    pub(crate) levels: u8,
}

impl Unit {
    /// The unit as it stands in tables.
    pub fn text(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Nanoseconds => "ns",
            Self::Price => "price",
            Self::Points => "pt",
            Self::Size => "size",
            Self::Count => "n",
            Self::One => "1",
        }
    }
}

impl Family {
    /// All families, in the order of the page.
    pub const ALL: [Self; 14] = [
        Self::Key,
        Self::Price,
        Self::Imbalance,
        Self::Depth,
        Self::Band,
        Self::Quality,
        Self::Gap,
        Self::Level,
        Self::Wall,
        Self::Flow,
        Self::Exec,
        Self::Ofi,
        Self::Trade,
        Self::Message,
    ];

    /// The family as it stands in tables.
    pub fn text(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Price => "price",
            Self::Imbalance => "imbalance",
            Self::Depth => "depth",
            Self::Band => "band",
            Self::Quality => "quality",
            Self::Gap => "gap",
            Self::Level => "level",
            Self::Wall => "wall",
            Self::Flow => "flow",
            Self::Exec => "exec",
            Self::Ofi => "ofi",
            Self::Trade => "trade",
            Self::Message => "message",
        }
    }
}

/// Places of the columns in the list. A side is 0 (bid) or 1 (ask), a band 0..5, a level 0..10.
pub(crate) mod place {
    use super::LEVELS;

    /// Functions with a mean over time and a value at the end: `_twa` here, `_eob` at the next place.
    pub(crate) const MID: usize = 4;
    pub(crate) const COVER: usize = 68;
    pub(crate) const FILL_N: usize = 251;
    pub(crate) const REST_N: usize = 252;
    pub(crate) const EXEC: usize = 253;
    pub(crate) const EXEC_REST: usize = 263;
    pub(crate) const OFI: usize = 264;
    pub(crate) const TRADE: usize = 267;
    pub(crate) const MESSAGE: usize = 278;
    pub(crate) const QUALITY: usize = 286;

    /// Largest gap of a side; the mean is at the next place.
    pub(crate) const fn gap(side: usize) -> usize {
        69 + 2 * side
    }

    /// What is told of a level: 0 price, 1 size, 2 count, 3 share of size, 4 share of count.
    pub(crate) const fn level(side: usize, what: usize, level: usize) -> usize {
        73 + 5 * LEVELS * side + LEVELS * what + level
    }

    /// z; level, distance and near level follow.
    pub(crate) const fn wall(side: usize) -> usize {
        173 + 4 * side
    }

    /// Added; removed, net, relative, and the counts of A, C, M follow.
    pub(crate) const fn flow(side: usize, band: usize) -> usize {
        181 + 35 * side + 7 * band
    }
}

/// The columns, in order.
pub fn columns() -> &'static [Column] {
    static COLUMNS: LazyLock<Vec<Column>> = LazyLock::new(list);
    &COLUMNS
}

/// Place of a column, by its name.
pub fn column_index(name: &str) -> Option<usize> {
    columns().iter().position(|column| column.name == name)
}

/// The page `docs/book-columns.md`.
pub fn columns_page() -> String {
    let mut counts = Vec::new();
    for family in Family::ALL {
        let count = columns().iter().filter(|column| column.family == family).count();
        counts.push(format!("{} {count}", family.text()));
    }
    let mut page = format!(
        "{}\n\nFamilies: {}.\n\n| column | unit | family | old name | definition |\n|---|---|---|---|---|\n",
        PAGE_HEAD.trim_end(),
        counts.join(", ")
    );
    for Column { name, unit, family, definition, old_name, .. } in columns() {
        let old = old_name.as_ref().map(|old| format!("`{old}`")).unwrap_or_default();
        page.push_str(&format!("| `{name}` | {} | {} | {old} | {definition} |\n", unit.text(), family.text()));
    }
    page
}

/// What the page says before its table.
const PAGE_HEAD: &str = "\
# Columns of the bars

Printed by `railbird book columns --markdown`; a test holds it to the list in the code.

Suffixes: `_twa` mean over the time in which the value is known; `_eob` value at the last event end before the bar's end;
`_sum` over the bar's rows, for order-flow imbalance and counts of event ends over its event ends; none: a ratio or price
of the bar, or a key. `bid` and `ask` are the sides of the book, below and above the weighted mid. `p1 p2 p3 p5 p10`: band
by its upper edge in points, inclusive; bands do not overlap. `l0` to `l9`: level, 0 is the best. `imb_m`, `ofi_m`: over the
first m levels. a0, b0: best ask and bid; qa0, qb0: their sizes.

Units: `n` counts (64-bit integers); `ns` Unix nanoseconds, UTC; `price` quoted price; `pt` points of the instrument; `size`
shares, contracts or coins; `1` no unit. All but counts, keys and times are 64-bit floats. Missing is null.

`old name`: the nearest column of the pipeline that this field replaces. The definitions differ: it dropped the last part of
every mean over time, put rows of side N on the ask, counted fills as cancels, and left crossed books out.
";

/// Columns while they are listed.
struct List(Vec<Column>);

impl List {
    fn add(&mut self, name: &str, unit: Unit, family: Family, levels: u8, definition: &str, old: Option<&str>) {
        let (name, definition) = (name.to_owned(), definition.to_owned());
        let old_name = old.map(|old| format!("bar5s_{old}"));
        self.0.push(Column { name, unit, family, definition, old_name, levels });
    }

    /// A function of the book: its mean over time and its value at the end.
    fn state(&mut self, name: &str, unit: Unit, family: Family, levels: u8, what: &str, old: Option<&str>) {
        for (suffix, when) in
            [("twa", "mean over the known time of the bar"), ("eob", "at the last event end before the bar's end")]
        {
            let old = old.map(|old| format!("{old}_{suffix}"));
            self.add(&format!("{name}_{suffix}"), unit, family, levels, &format!("{what}; {when}"), old.as_deref());
        }
    }
}

fn list() -> Vec<Column> {
    let mut list = List(Vec::with_capacity(COLUMN_COUNT));
    keys(&mut list);
    states(&mut list);
    bands(&mut list);
    list.add(
        "cover",
        Unit::One,
        Family::Quality,
        1,
        "share of the bar's time in which the state is known and has both sides",
        None,
    );
    gaps(&mut list);
    levels(&mut list);
    walls(&mut list);
    flow(&mut list);
    exec(&mut list);
    ofi(&mut list);
    trades(&mut list);
    messages(&mut list);
    quality(&mut list);
    debug_assert_eq!(list.0.len(), COLUMN_COUNT);
    list.0
}

fn keys(list: &mut List) {
    let key = Family::Key;
    list.add("symbol", Unit::Text, key, 0, "instrument", None);
    list.add("bar_start", Unit::Nanoseconds, key, 0, "start of the bar, included", None);
    list.add("bar_end", Unit::Nanoseconds, key, 0, "end of the bar, excluded", None);
    let known = "the later of bar_end and the latest ts_recv of a row in this or an earlier bar";
    list.add("known_at", Unit::Nanoseconds, key, 0, known, None);
}

fn states(list: &mut List) {
    let price = Family::Price;
    list.state("mid", Unit::Price, price, 1, "(a0 + b0) / 2", None);
    list.state("wmid", Unit::Price, price, 1, "weighted mid (a0 * qb0 + b0 * qa0) / (qa0 + qb0)", None);
    list.state("spread", Unit::Points, price, 1, "(a0 - b0) / point", Some("state_spread_pts"));
    let imbalance = Family::Imbalance;
    list.state("imb_1", Unit::One, imbalance, 1, "(qb0 - qa0) / (qb0 + qa0)", Some("state_obi0"));
    let all = "(depth_bid - depth_ask) / (depth_bid + depth_ask)";
    list.state("imb_10", Unit::One, imbalance, 10, all, Some("state_obi10"));
    for side in SIDES {
        let what = format!("size of the {side} levels shown, at most ten");
        let old = format!("depth_{side}10_qty");
        list.state(&format!("depth_{side}"), Unit::Size, Family::Depth, 10, &what, Some(&old));
    }
}

/// Names of the bands in the pipeline that this field replaces.
const OLD_BANDS: [&str; 5] = ["p0_1", "p1_2", "p2_3", "p3_5", "p5_10"];

/// Where a side lies from the weighted mid.
const WHERE: [&str; 2] = ["below", "above"];

fn bands(list: &mut List) {
    let band = Family::Band;
    for (at, edge) in BAND_EDGES.into_iter().enumerate() {
        let old = OLD_BANDS[at];
        let how_far = match at.checked_sub(1) {
            None => format!("at most {edge} pt"),
            Some(before) => format!("more than {} and at most {edge} pt", BAND_EDGES[before]),
        };
        for (side, lies) in SIDES.into_iter().zip(WHERE) {
            let what = format!("{side} size {how_far} {lies} the weighted mid");
            let old = format!("depth_{lies}_{old}_qty");
            list.state(&format!("band_{side}_p{edge}"), Unit::Size, band, 10, &what, Some(&old));
        }
        for (side, lies) in SIDES.into_iter().zip(WHERE) {
            let what = format!("band_{side}_p{edge} / depth_{side}");
            let old = format!("depth_{lies}_{old}_frac");
            list.state(&format!("band_frac_{side}_p{edge}"), Unit::One, band, 10, &what, Some(&old));
        }
        let (bid, ask) = (format!("band_bid_p{edge}"), format!("band_ask_p{edge}"));
        let what = format!("({bid} - {ask}) / ({bid} + {ask})");
        list.state(&format!("band_imb_p{edge}"), Unit::One, band, 10, &what, Some(&format!("state_cdi_{old}")));
    }
}

fn gaps(list: &mut List) {
    for side in SIDES {
        for (kind, word) in [("max", "largest"), ("mean", "mean")] {
            let what = format!("{word} distance between neighbouring {side} levels");
            let old = format!("ladder_{side}_gap_{kind}_pts_eob");
            list.add(&format!("gap_{kind}_{side}_eob"), Unit::Points, Family::Gap, 10, &what, Some(&old));
        }
    }
}

fn levels(list: &mut List) {
    let whole = "orders of the ten levels of the side";
    for side in SIDES {
        for (short, unit, what, old, all) in [
            ("px", Unit::Price, "price".to_owned(), None, false),
            ("sz", Unit::Size, "size".to_owned(), Some("sz"), false),
            ("ct", Unit::Count, "number of orders".to_owned(), Some("ct"), false),
            ("szf", Unit::One, "size / depth of the side".to_owned(), Some("sz_frac"), true),
            ("ctf", Unit::One, format!("number of orders / {whole}"), Some("ct_frac"), true),
        ] {
            for level in 0..LEVELS {
                let name = format!("{short}_{side}_l{level}_eob");
                let old = old.map(|old| format!("shape_{side}_{old}_l{level:02}_eob"));
                let needs = if all { 10 } else { level as u8 + 1 };
                let what = format!("{what} at {side} level {level}");
                list.add(&name, unit, Family::Level, needs, &what, old.as_deref());
            }
        }
    }
}

fn walls(list: &mut List) {
    let wall = Family::Wall;
    for side in SIDES {
        let z = format!("largest z of ln(1 + size / lot) over the {side} levels present");
        let old = |what: &str| format!("wall_{side}_{what}_eob");
        list.add(&format!("wall_z_{side}_eob"), Unit::One, wall, 10, &z, Some(&old("maxz")));
        let (name, old_name) = (format!("wall_level_{side}_eob"), old("maxz_levelidx"));
        list.add(&name, Unit::One, wall, 10, "its level, 0 = best; the nearest of equals", Some(&old_name));
        let (name, old_name) = (format!("wall_near_{side}_eob"), old("nearest_strong_dist_pts"));
        let what = "distance to the weighted mid of the nearest level with z >= 2";
        list.add(&name, Unit::Points, wall, 10, what, Some(&old_name));
        let (name, old_name) = (format!("wall_near_level_{side}_eob"), old("nearest_strong_levelidx"));
        list.add(&name, Unit::One, wall, 10, "that level", Some(&old_name));
    }
}

fn flow(list: &mut List) {
    let flow = Family::Flow;
    for side in SIDES {
        for (edge, band) in BAND_EDGES.into_iter().zip(OLD_BANDS) {
            let at = format!("{side}_p{edge}");
            let place = format!("{side} side, band {edge}");
            let old = |what: &str| format!("flow_{what}_{side}_{band}_sum");
            let mut add = |name: String, unit: Unit, what: String, old: String| {
                list.add(&name, unit, flow, 10, &what, Some(&old));
            };
            let what = format!("queue increases at A, C, M rows, {place}");
            add(format!("flow_add_{at}_sum"), Unit::Size, what, old("add_vol"));
            let what = format!("queue decreases at A, C, M rows, without fills, {place}");
            add(format!("flow_rem_{at}_sum"), Unit::Size, what, old("rem_vol"));
            let what = format!("flow_add_{at}_sum - flow_rem_{at}_sum");
            add(format!("flow_net_{at}_sum"), Unit::Size, what, old("net_vol"));
            let what = format!("flow_net_{at}_sum / band_{at}_twa");
            add(format!("flow_rel_{at}"), Unit::One, what, old("net_volnorm"));
            for (word, letter) in [("add", 'A'), ("cancel", 'C'), ("modify", 'M')] {
                let what = format!("{letter} rows that are flow, {place}");
                add(format!("flow_{word}_n_{at}_sum"), Unit::Count, what, old(&format!("cnt_{word}")));
            }
        }
    }
    let fills = "C rows that are the book change of the T row before them: not flow";
    list.add("flow_fill_n_sum", Unit::Count, flow, 0, fills, None);
    let rest = "A, C, M rows without side, band, or known book before them: not flow";
    list.add("flow_rest_n_sum", Unit::Count, flow, 10, rest, None);
}

fn exec(list: &mut List) {
    let exec = Family::Exec;
    for (side, who, aggressor) in [("bid", "sellers", 'A'), ("ask", "buyers", 'B')] {
        for edge in BAND_EDGES {
            let what = format!("volume that {who} took from the {side} (T rows, side {aggressor}), band {edge}");
            list.add(&format!("exec_{side}_p{edge}_sum"), Unit::Size, exec, 1, &what, None);
        }
    }
    let rest = "traded volume without side or band: trade_vol_sum minus all exec_*";
    list.add("exec_rest_sum", Unit::Size, exec, 1, rest, None);
}

fn ofi(list: &mut List) {
    for levels in [1, 5, 10] {
        let last = levels - 1;
        let what = format!("order-flow imbalance summed over levels 0..{last} and over the event ends of the bar");
        list.add(&format!("ofi_{levels}_sum"), Unit::Size, Family::Ofi, levels, &what, None);
    }
}

fn trades(list: &mut List) {
    for (name, unit, what, old) in [
        ("n_sum", Unit::Count, "T rows", Some("trade_cnt_sum")),
        ("vol_sum", Unit::Size, "traded volume", Some("trade_vol_sum")),
        ("buy_sum", Unit::Size, "volume with a buyer as aggressor (side B)", Some("trade_aggbuy_vol_sum")),
        ("sell_sum", Unit::Size, "volume with a seller as aggressor (side A)", Some("trade_aggsell_vol_sum")),
        ("unk_sum", Unit::Size, "volume of unknown aggressor (side N)", None),
        ("signed_sum", Unit::Size, "trade_buy_sum - trade_sell_sum", Some("trade_signed_vol_sum")),
        ("vwap", Unit::Price, "sum of price * size / sum of size over T rows; null without trades", None),
        ("open", Unit::Price, "first traded price in file order; null without trades", None),
        ("high", Unit::Price, "highest traded price in file order; null without trades", None),
        ("low", Unit::Price, "lowest traded price in file order; null without trades", None),
        ("close", Unit::Price, "last traded price in file order; null without trades", None),
    ] {
        list.add(&format!("trade_{name}"), unit, Family::Trade, 0, what, old);
    }
}

fn messages(list: &mut List) {
    for (name, what, old) in [
        ("all", "all rows", Some("msg")),
        ("clear", "R rows", Some("clear")),
        ("add", "A rows", Some("add")),
        ("cancel", "C rows", Some("cancel")),
        ("modify", "M rows", Some("modify")),
        ("trade", "T rows", Some("trade")),
        ("other", "rows with any other action", None),
        ("snapshot", "rows with F_SNAPSHOT, in no other count but all", None),
    ] {
        let old = old.map(|old| format!("meta_{old}_cnt_sum"));
        list.add(&format!("msg_{name}_sum"), Unit::Count, Family::Message, 0, what, old.as_deref());
    }
}

fn quality(list: &mut List) {
    for (name, what, levels) in [
        ("events", "event ends", 0),
        ("crossed", "event ends with b0 > a0", 1),
        ("locked", "event ends with b0 = a0", 1),
        ("bad_book", "rows with F_MAYBE_BAD_BOOK", 0),
        ("bad_ts", "rows with F_BAD_TS_RECV", 0),
        ("late", "rows whose time was before an earlier row's", 0),
    ] {
        list.add(&format!("{name}_n_sum"), Unit::Count, Family::Quality, levels, what, None);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_column_has_its_own_name_and_its_place() {
        let names: HashSet<&str> = columns().iter().map(|column| column.name.as_str()).collect();
        assert_eq!((columns().len(), names.len()), (COLUMN_COUNT, COLUMN_COUNT));
        let at = |name: &str| column_index(name).unwrap_or_else(|| panic!("{name}"));
        assert_eq!(at("mid_twa"), place::MID);
        assert_eq!(at("cover"), place::COVER);
        assert_eq!(place::MID + 2 * 32, place::COVER);
        assert_eq!((at("gap_max_bid_eob"), at("gap_max_ask_eob")), (place::gap(0), place::gap(1)));
        assert_eq!((at("px_bid_l0_eob"), at("ctf_ask_l9_eob")), (place::level(0, 0, 0), place::level(1, 4, 9)));
        assert_eq!((at("wall_z_bid_eob"), at("wall_z_ask_eob")), (place::wall(0), place::wall(1)));
        assert_eq!((at("flow_add_bid_p1_sum"), at("flow_add_ask_p10_sum")), (place::flow(0, 0), place::flow(1, 4)));
        assert_eq!((at("flow_fill_n_sum"), at("flow_rest_n_sum")), (place::FILL_N, place::REST_N));
        assert_eq!((at("exec_bid_p1_sum"), at("exec_rest_sum")), (place::EXEC, place::EXEC_REST));
        assert_eq!((at("ofi_1_sum"), at("trade_n_sum")), (place::OFI, place::TRADE));
        assert_eq!((at("msg_all_sum"), at("events_n_sum")), (place::MESSAGE, place::QUALITY));
    }

    #[test]
    fn the_page_of_the_columns_is_current() {
        expect_test::expect_file!["../../../docs/book-columns.md"].assert_eq(&columns_page());
    }
}
