//! The columns of the features, listed once. Start at [`feature_columns`].

use std::sync::LazyLock;

/// A column of the features' table, or of another that follows the bars, beside its keys.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct FeatureColumn {
    /// Name.
    pub name: String,
    /// `1` no unit, `pt` points, `pt/bar`, `size`, `n` counts; differences carry their series' unit a bar or bar².
    pub unit: String,
    /// What it belongs to.
    pub family: &'static str,
    /// What it is; a row's values read the episode's bars from its first to the row's own.
    pub definition: String,
    /// Name of the column that the older system had for it; the value may be defined better here.
    pub old_name: Option<String>,
}

/// Windows of the differences, bars.
pub(crate) const WINDOWS: [usize; 4] = [3, 12, 36, 72];

/// Every column of the features, in order.
pub fn feature_columns() -> &'static [FeatureColumn] {
    static COLUMNS: LazyLock<Vec<FeatureColumn>> = LazyLock::new(|| {
        let mut list = List(Vec::new());
        approach(&mut list);
        differences(&mut list);
        sums(&mut list);
        level_sizes(&mut list);
        aligned(&mut list);
        setup(&mut list);
        relative_volume(&mut list);
        list.0
    });
    &COLUMNS
}

struct List(Vec<FeatureColumn>);

impl List {
    fn add(&mut self, family: &'static str, name: &str, unit: &str, definition: &str, old: &str) {
        self.0.push(FeatureColumn {
            name: name.to_owned(),
            unit: unit.to_owned(),
            family,
            definition: definition.to_owned(),
            old_name: (!old.is_empty()).then(|| old.to_owned()),
        });
    }
}

fn approach(list: &mut List) {
    let mut add = |name, unit, definition, old| list.add("approach", name, unit, definition, old);
    add("dist", "pt", "(wmid_eob - level) / point", "bar5s_approach_dist_to_level_pts_eob");
    add("dist_abs", "pt", "|dist|", "bar5s_approach_abs_dist_to_level_pts_eob");
    add("side", "1", "1 above the level, -1 below, 0 on it", "bar5s_approach_side_of_level_eob");
    add("from_side", "1", "1 where price came from above, -1 from below", "approach_direction");
    add(
        "alignment",
        "1",
        "side * from_side: 1 still where price came from, -1 beyond the level",
        "bar5s_approach_alignment_eob",
    );
    add("polarity", "1", "1 for a high, -1 for a low, 0 for other levels", "bar5s_approach_level_polarity");
    add("bars", "n", "bars since the episode's first, both included", "bars_elapsed");
}

fn differences(list: &mut List) {
    const SERIES: [(&str, &str, &str, &str); 11] = [
        ("dist", "pt", "dist", "dist"),
        ("imb_1", "1", "imb_1_eob", "obi0"),
        ("imb_10", "1", "imb_10_eob", "obi10"),
        ("band_imb_p1", "1", "band_imb_p1_eob", "cdi01"),
        ("band_imb_p2", "1", "band_imb_p2_eob", "cdi12"),
        ("depth_bid", "size", "depth_bid_eob", "dbid10"),
        ("depth_ask", "size", "depth_ask_eob", "dask10"),
        ("band_bid_p1", "size", "band_bid_p1_eob", "dbelow01"),
        ("band_ask_p1", "size", "band_ask_p1_eob", "dabove01"),
        ("wall_z_bid", "1", "wall_z_bid_eob", "wbidz"),
        ("wall_z_ask", "1", "wall_z_ask_eob", "waskz"),
    ];
    for (name, unit, source, old) in SERIES {
        for window in WINDOWS {
            let first = format!("{name}_d1_w{window}");
            list.add(
                "difference",
                &first,
                &format!("{unit}/bar"),
                &format!("({source}[i] - {source}[i - {window}]) / {window}; missing in the first {window} bars"),
                &format!("bar5s_deriv_{old}_d1_w{window}"),
            );
            list.add(
                "difference",
                &format!("{name}_d2_w{window}"),
                &format!("{unit}/bar2"),
                &format!("({first}[i] - {first}[i - {window}]) / {window}; missing in the first {} bars", 2 * window),
                &format!("bar5s_deriv_{old}_d2_w{window}"),
            );
        }
    }
}

/// Names of the running sums, their units, sources and older names; the last three add others up.
const SUMS: [(&str, &str, &str, &str); 21] = [
    ("trade_vol", "size", "trade_vol_sum", "trade_vol"),
    ("trade_signed", "size", "trade_signed_sum", "signed_trade_vol"),
    ("trade_buy", "size", "trade_buy_sum", "aggbuy_vol"),
    ("trade_sell", "size", "trade_sell_sum", "aggsell_vol"),
    ("msg_all", "n", "msg_all_sum", "msg_cnt"),
    ("trade_n", "n", "trade_n_sum", "trade_cnt"),
    ("msg_add", "n", "msg_add_sum", "add_cnt"),
    ("msg_cancel", "n", "msg_cancel_sum", "cancel_cnt"),
    ("flow_bid_p1", "size", "flow_net_bid_p1_sum", "flow_net_bid_p0_1"),
    ("flow_bid_p2", "size", "flow_net_bid_p2_sum", "flow_net_bid_p1_2"),
    ("flow_bid_p3", "size", "flow_net_bid_p3_sum", "flow_net_bid_p2_3"),
    ("flow_bid_p5", "size", "flow_net_bid_p5_sum", "flow_net_bid_p3_5"),
    ("flow_bid_p10", "size", "flow_net_bid_p10_sum", "flow_net_bid_p5_10"),
    ("flow_ask_p1", "size", "flow_net_ask_p1_sum", "flow_net_ask_p0_1"),
    ("flow_ask_p2", "size", "flow_net_ask_p2_sum", "flow_net_ask_p1_2"),
    ("flow_ask_p3", "size", "flow_net_ask_p3_sum", "flow_net_ask_p2_3"),
    ("flow_ask_p5", "size", "flow_net_ask_p5_sum", "flow_net_ask_p3_5"),
    ("flow_ask_p10", "size", "flow_net_ask_p10_sum", "flow_net_ask_p5_10"),
    ("flow_bid", "size", "the five flow_net_bid_*_sum", "flow_net_bid"),
    ("flow_ask", "size", "the five flow_net_ask_*_sum", "flow_net_ask"),
    ("flow_imb", "size", "the five flow_net_bid_*_sum less the five flow_net_ask_*_sum", "flow_imbal"),
];

fn sums(list: &mut List) {
    for (name, unit, source, old) in SUMS {
        let definition = format!("sum of {source} since the episode's first bar");
        list.add("sum", &format!("sum_{name}"), unit, &definition, &format!("bar5s_cumul_{old}"));
        let rate_old = format!("bar5s_cumul_{old}_rate");
        let old = if ["signed_trade_vol", "flow_imbal"].contains(&old) { &rate_old } else { "" };
        list.add("sum", &format!("rate_{name}"), &format!("{unit}/bar"), &format!("sum_{name} / bars"), old);
    }
}

fn level_sizes(list: &mut List) {
    let mut add = |name, unit, definition, old| list.add("level", name, unit, definition, old);
    add(
        "lvl_visible",
        "1",
        "1 where the level lies between the lowest and the highest price shown, else 0; missing without a book; where it is not 1, all lvl_* are missing",
        "bar5s_lvl_level_is_visible",
    );
    add("lvl_size_at_bid", "size", "bid size shown at the level, within half a tick", "");
    add("lvl_size_at_ask", "size", "ask size shown at the level, within half a tick", "");
    add("lvl_size_at", "size", "lvl_size_at_bid + lvl_size_at_ask", "bar5s_lvl_total_size_at_level_eob");
    add("lvl_size_above", "size", "size of both sides shown above the level", "bar5s_lvl_depth_above_qty_eob");
    add("lvl_size_below", "size", "size of both sides shown below the level", "bar5s_lvl_depth_below_qty_eob");
    add(
        "lvl_size_imb",
        "1",
        "(lvl_size_below - lvl_size_above) / (lvl_size_below + lvl_size_above)",
        "bar5s_lvl_depth_imbal_eob",
    );
    add("lvl_size_above_p1", "size", "size of both sides shown above the level and at most 1 pt from it", "");
    add("lvl_size_below_p1", "size", "size of both sides shown below the level and at most 1 pt from it", "");
    add(
        "lvl_size_imb_p1",
        "1",
        "(lvl_size_below_p1 - lvl_size_above_p1) / (lvl_size_below_p1 + lvl_size_above_p1)",
        "bar5s_lvl_cdi_p0_1_eob",
    );
}

fn aligned(list: &mut List) {
    let mut add = |name, unit, definition, old| list.add("aligned", name, unit, definition, old);
    add("toward_imb_1", "1", "imb_1_eob * -from_side: above 0 the book leans the way to the level", "");
    add("toward_imb_10", "1", "imb_10_eob * -from_side", "");
    add("toward_ofi_1", "size", "ofi_1_sum * -from_side", "");
    add("toward_ofi_10", "size", "ofi_10_sum * -from_side", "");
    add("toward_signed", "size", "trade_signed_sum * -from_side: above 0 trades push to the level", "");
    add(
        "flow_toward",
        "size",
        "net flow of the side that faces the level, all bands: bid where price came from above, else ask",
        "bar5s_lvl_flow_toward_net_sum",
    );
    add("flow_away", "size", "net flow of the other side, all bands", "bar5s_lvl_flow_away_net_sum");
    add("flow_toward_imb", "size", "flow_toward - flow_away", "bar5s_lvl_flow_toward_away_imbal_sum");
}

fn setup(list: &mut List) {
    let mut add = |name: &str, unit, definition: &str, old: &str| list.add("setup", name, unit, definition, old);
    add("setup_start_dist", "pt", "dist of the first bar that has one", "bar5s_setup_start_dist_pts");
    add("setup_min_dist", "pt", "least dist_abs so far", "bar5s_setup_min_dist_pts");
    add("setup_max_dist", "pt", "greatest dist_abs so far", "bar5s_setup_max_dist_pts");
    add("setup_dist_range", "pt", "setup_max_dist - setup_min_dist", "bar5s_setup_dist_range_pts");
    add("setup_approach_bars", "n", "bars whose dist_abs is below the bar's before", "bar5s_setup_approach_bars");
    add("setup_retreat_bars", "n", "bars whose dist_abs is above the bar's before", "bar5s_setup_retreat_bars");
    add("setup_approach_share", "1", "setup_approach_bars / bars", "bar5s_setup_approach_ratio");
    let thirds = "third of the steps so far: change of dist_abs over it / its steps; the m = bars - 1 steps are parted at m/3 and 2m/3, rounded down; below 0 price nears";
    add("setup_velocity_early", "pt/bar", &format!("first {thirds}"), "bar5s_setup_early_velocity");
    add("setup_velocity_mid", "pt/bar", &format!("second {thirds}"), "bar5s_setup_mid_velocity");
    add("setup_velocity_late", "pt/bar", &format!("last {thirds}"), "bar5s_setup_late_velocity");
    add("setup_velocity_trend", "pt/bar", "setup_velocity_late - setup_velocity_early", "bar5s_setup_velocity_trend");
    for (name, old) in [("imb_1", "obi0"), ("imb_10", "obi10")] {
        let mut add = |what: &str, definition: String, old_what: &str| {
            let old = if old_what.is_empty() { String::new() } else { format!("bar5s_setup_{old}_{old_what}") };
            add(&format!("setup_{name}_{what}"), "1", &definition, &old);
        };
        add("start", format!("{name}_eob of the first bar that has one"), "start");
        add("delta", format!("{name}_eob - setup_{name}_start"), "delta");
        add("min", format!("least {name}_eob so far"), "min");
        add("max", format!("greatest {name}_eob so far"), "max");
        add("range", format!("setup_{name}_max - setup_{name}_min"), "");
    }
    add("setup_trade_vol", "size", "sum_trade_vol", "bar5s_setup_total_trade_vol");
    add("setup_trade_signed", "size", "sum_trade_signed", "bar5s_setup_total_signed_vol");
    add("setup_trade_imb", "1", "sum_trade_signed / sum_trade_vol", "bar5s_setup_trade_imbal_pct");
    add("setup_wall_max_bid", "1", "greatest wall_z_bid_eob so far", "bar5s_setup_bid_wall_max_z");
    add("setup_wall_max_ask", "1", "greatest wall_z_ask_eob so far", "bar5s_setup_ask_wall_max_z");
    add("setup_wall_bars_bid", "n", "bars with a bid wall, z >= 2", "bar5s_setup_bid_wall_bars");
    add("setup_wall_bars_ask", "n", "bars with an ask wall, z >= 2", "bar5s_setup_ask_wall_bars");
    add("setup_wall_imb", "n", "setup_wall_bars_ask - setup_wall_bars_bid", "bar5s_setup_wall_imbal");
    add("setup_flow_toward", "size", "sum of flow_toward so far", "");
    add("setup_flow_away", "size", "sum of flow_away so far", "");
    add("setup_flow_imb", "size", "setup_flow_toward - setup_flow_away", "bar5s_setup_flow_imbal_total");
}

fn relative_volume(list: &mut List) {
    let mut add = |name, definition, old| list.add("relative_volume", name, "1", definition, old);
    add(
        "rvol_bar",
        "volume of the bar a second / volume a second of its bucket in the profile of the seven sessions before",
        "rvol_trade_vol_ratio",
    );
    add("rvol_bucket", "volume since the bucket began / that part of the profile", "");
    add("rvol_session", "volume since the open / profile until the bar's end", "");
}
