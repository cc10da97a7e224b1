//! Bars from comma-separated text. Columns are known by their names, in any case.

use railbird_timeline::Ts;

use super::{Bars, LoadOptions, Quotes, Table, bars::DAY_NS};
use crate::Error;

/// Names of the column of times.
const TIMES: &[&str] = &["timestamp", "time", "date", "datetime", "date_time", "open_time", "open time", "ts"];

/// Columns by the role that they have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Roles {
    pub(crate) time: usize,
    /// Open, high, low, close: one column, or a bid and an ask of which the middle is taken.
    pub(crate) prices: [Price; 4],
    pub(crate) volume: Option<usize>,
    pub(crate) quotes: Option<(usize, usize)>,
    pub(crate) split_ratio: Option<usize>,
    pub(crate) dividend: Option<usize>,
    pub(crate) ignored: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Price {
    Column(usize),
    Middle(usize, usize),
}

impl Default for Price {
    fn default() -> Self {
        Self::Column(0)
    }
}

impl Roles {
    /// Finds the columns among `names`.
    pub(crate) fn find(file: &str, names: &[String]) -> Result<Self, Error> {
        let lower: Vec<String> =
            names.iter().map(|name| name.trim().trim_start_matches('\u{feff}').to_ascii_lowercase()).collect();
        let find = |wanted: &str| lower.iter().position(|name| name == wanted);
        let missing = |what: &str| Error::Table {
            place: file.to_owned(),
            problem: format!("no column {what}; found {}", names.join(", ")),
            advice: "expected a time (timestamp, time, date, datetime, open_time), open, high, low, close",
        };
        let time = TIMES.iter().find_map(|name| find(name)).ok_or_else(|| missing("of times"))?;
        let mut roles = Self { time, ..Self::default() };
        let mut used = vec![time];
        for (price, name) in roles.prices.iter_mut().zip(["open", "high", "low", "close"]) {
            let sides = [find(&format!("bid_{name}")), find(&format!("ask_{name}"))];
            *price = match (find(name), sides) {
                (Some(column), _) => Price::Column(column),
                (None, [Some(bid), Some(ask)]) => Price::Middle(bid, ask),
                _ => return Err(missing(name)),
            };
            match *price {
                Price::Column(column) => used.push(column),
                Price::Middle(bid, ask) => used.extend([bid, ask]),
            }
        }
        roles.volume = find("volume");
        roles.quotes = find("bid_close").zip(find("ask_close"));
        roles.split_ratio = find("split_ratio");
        roles.dividend = find("ex_dividend").or_else(|| find("dividend")).or_else(|| find("dividends"));
        used.extend(roles.volume);
        used.extend(roles.quotes.into_iter().flat_map(|(bid, ask)| [bid, ask]));
        used.extend(roles.split_ratio);
        used.extend(roles.dividend);
        roles.ignored =
            (0..names.len()).filter(|at| !used.contains(at)).map(|at| names[at].trim().to_owned()).collect();
        Ok(roles)
    }
}

/// Reads a header and rows.
pub(super) fn read(file: &str, bytes: &[u8], options: &LoadOptions) -> Result<Table, Error> {
    let mut reader = ::csv::ReaderBuilder::new().flexible(false).from_reader(bytes);
    let refused = |line: u64, problem: String, advice: &'static str| Error::Table {
        place: format!("{file}, line {line}"),
        problem,
        advice,
    };
    let header = reader.byte_headers().map_err(|error| refused(1, error.to_string(), "expected text in UTF-8"))?;
    let names: Vec<String> = header.iter().map(|name| String::from_utf8_lossy(name).into_owned()).collect();
    let roles = Roles::find(file, &names)?;
    let mut rows = Rows::new(file, &roles, bytes.len() / 48);
    let mut record = ::csv::ByteRecord::new();
    loop {
        let more = reader.read_byte_record(&mut record);
        let line = record.position().map_or(0, ::csv::Position::line);
        match more {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                let line = error.position().map_or(line, ::csv::Position::line);
                let problem = match error.kind() {
                    ::csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
                        format!("{len} fields, not {expected_len}")
                    }
                    _ => error.to_string(),
                };
                return Err(refused(line, problem, "expected as many fields as the header has"));
            }
        }
        let number = |column: usize| -> Result<f64, Error> {
            let cell = record.get(column).unwrap_or_default().trim_ascii();
            parse_number(cell).ok_or_else(|| {
                let shown = String::from_utf8_lossy(cell).chars().take(40).collect::<String>();
                refused(line, format!("{}: expected a number, found {shown:?}", names[column]), "correct the row")
            })
        };
        let cell = record.get(roles.time).unwrap_or_default().trim_ascii();
        let time = parse_time(cell).ok_or_else(|| {
            let shown = String::from_utf8_lossy(cell).chars().take(40).collect::<String>();
            let advice = "expected a date, an instant, or seconds, ms, us or ns since 1970";
            refused(line, format!("{}: no time: {shown:?}", names[roles.time]), advice)
        })?;
        let mut row = Row { time, ..Row::default() };
        for (price, into) in roles.prices.iter().zip(&mut row.prices) {
            *into = match *price {
                Price::Column(column) => number(column)?,
                Price::Middle(bid, ask) => (number(bid)? + number(ask)?) / 2.0,
            };
        }
        row.volume = roles.volume.map(number).transpose()?.unwrap_or(f64::NAN);
        row.quotes = roles.quotes.map(|(bid, ask)| Ok((number(bid)?, number(ask)?))).transpose()?;
        row.split_ratio = roles.split_ratio.map(number).transpose()?;
        row.dividend = roles.dividend.map(number).transpose()?;
        rows.push(&row, &format_args!("line {line}"), options)?;
    }
    Ok(rows.finish())
}

/// One row before it is checked. Prices: open, high, low, close; NaN where the cell is empty.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Row {
    pub(super) time: Ts,
    pub(super) prices: [f64; 4],
    pub(super) volume: f64,
    pub(super) quotes: Option<(f64, f64)>,
    pub(super) split_ratio: Option<f64>,
    pub(super) dividend: Option<f64>,
}

/// Rows that were found good.
pub(super) struct Rows<'f> {
    file: &'f str,
    table: Table,
}

impl<'f> Rows<'f> {
    pub(super) fn new(file: &'f str, roles: &Roles, expected: usize) -> Self {
        let column = || Vec::with_capacity(expected);
        let bars = Bars {
            time: Vec::with_capacity(expected),
            open: column(),
            high: column(),
            low: column(),
            close: column(),
            volume: column(),
            quotes: roles.quotes.map(|_| Quotes::default()),
        };
        Self { file, table: Table { bars, ignored_columns: roles.ignored.clone(), ..Table::default() } }
    }

    /// Keeps a row, drops it and counts it, or refuses the file.
    pub(super) fn push(&mut self, row: &Row, at: &dyn std::fmt::Display, options: &LoadOptions) -> Result<(), Error> {
        let refused = |problem: String, advice: &'static str| {
            Err(Error::Table { place: format!("{}, {at}", self.file), problem, advice })
        };
        let table = &mut self.table;
        if let Some(&last) = table.bars.time.last()
            && row.time <= last
        {
            let relation = if row.time == last { "the same time as" } else { "earlier than" };
            return refused(
                format!("{} is {relation} the row before, {last}", row.time),
                "times must ascend and be unique; sort the file and drop repeats",
            );
        }
        let [open, high, low, close] = row.prices;
        if row.prices.iter().any(|price| !price.is_finite()) {
            table.rows_without_prices += 1;
            table.first_dropped.get_or_insert_with(|| format!("{}, {at}", self.file));
            return Ok(());
        }
        let crossed = row.quotes.is_some_and(|(bid, ask)| bid > ask);
        let inside = low > 0.0 && low <= open.min(close) && high >= open.max(close);
        let sound = row.split_ratio.is_none_or(|ratio| ratio.is_nan() || (ratio > 0.0 && ratio.is_finite()));
        if !inside || crossed || !sound || row.volume < 0.0 {
            if options.drop_bad_bars {
                table.bad_bars += 1;
                table.first_dropped.get_or_insert_with(|| format!("{}, {at}", self.file));
                return Ok(());
            }
            let problem = if crossed {
                "the bid is above the ask".to_owned()
            } else if !sound {
                format!("split_ratio {:?} is not above 0", row.split_ratio.unwrap_or(f64::NAN))
            } else if row.volume < 0.0 {
                format!("volume {} is below 0", row.volume)
            } else {
                format!("open {open}, high {high}, low {low}, close {close} are out of bounds")
            };
            return refused(
                problem,
                "expected 0 < low <= open, close <= high, bid <= ask; correct the row or drop such rows with --drop-bad-bars",
            );
        }
        table.bars.time.push(row.time);
        table.bars.open.push(open);
        table.bars.high.push(high);
        table.bars.low.push(low);
        table.bars.close.push(close);
        table.bars.volume.push(row.volume);
        if let (Some(quotes), Some((bid, ask))) = (&mut table.bars.quotes, row.quotes) {
            quotes.bid_close.push(bid);
            quotes.ask_close.push(ask);
        }
        let or = |value: f64, nothing: f64| if value.is_nan() { nothing } else { value };
        table.split_ratio.extend(row.split_ratio.map(|ratio| or(ratio, 1.0)));
        table.dividend.extend(row.dividend.map(|dividend| or(dividend, 0.0)));
        Ok(())
    }

    pub(super) fn finish(self) -> Table {
        self.table
    }
}

/// NaN for the ways in which an empty cell is written.
fn parse_number(cell: &[u8]) -> Option<f64> {
    if cell.is_empty()
        || [&b"nan"[..], b"null", b"na", b"n/a", b"none", b"-"].iter().any(|word| cell.eq_ignore_ascii_case(word))
    {
        return Some(f64::NAN);
    }
    std::str::from_utf8(cell).ok()?.parse().ok()
}

/// `YYYY-MM-DD`, an instant of RFC 3339 (seconds may be left out), `YYYYMMDD` with or without ` HH:MM`, or a count
/// since 1970 whose size tells its unit.
fn parse_time(cell: &[u8]) -> Option<Ts> {
    let mut buffer = [0_u8; 40];
    let digits = cell.iter().all(u8::is_ascii_digit);
    if digits && cell.len() != 8 {
        return count_ts(std::str::from_utf8(cell).ok()?.parse().ok()?);
    }
    let mut len = 0;
    let mut put = |part: &[u8]| {
        let room = buffer.get_mut(len..len + part.len())?;
        room.copy_from_slice(part);
        len += part.len();
        Some(())
    };
    let rest = if cell.len() >= 8 && cell[..8].iter().all(u8::is_ascii_digit) {
        put(&cell[..4])?;
        put(b"-")?;
        put(&cell[4..6])?;
        put(b"-")?;
        put(&cell[6..8])?;
        &cell[8..]
    } else {
        put(cell.get(..10)?)?;
        &cell[10..]
    };
    match rest.len() {
        0 => put(b"T00:00:00Z")?,
        // `T16:30`, seconds left out.
        6 => {
            put(rest)?;
            put(b":00Z")?;
        }
        _ => put(rest)?,
    }
    Ts::parse(&buffer[..len]).ok()
}

/// An instant from a count since 1970: seconds, ms, us or ns by its size.
pub(super) fn count_ts(count: i64) -> Option<Ts> {
    let unit = match count.unsigned_abs() {
        0..=99_999_999_999 => 1_000_000_000,
        100_000_000_000..=99_999_999_999_999 => 1_000_000,
        100_000_000_000_000..=99_999_999_999_999_999 => 1_000,
        _ => 1,
    };
    count.checked_mul(unit).map(Ts)
}

/// A time in a number of days, for tables whose column is of dates.
pub(super) fn day_ts(days: i32) -> Ts {
    Ts(i64::from(days).saturating_mul(DAY_NS))
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(text: &str, want: Expect) {
        want.assert_eq(&match read("A.csv", text.as_bytes(), &LoadOptions::default()) {
            Ok(table) => {
                let bars = &table.bars;
                let rows = (0..bars.len()).map(|at| {
                    let [open, high, low, close] = [bars.open[at], bars.high[at], bars.low[at], bars.close[at]];
                    format!("{} {open} {high} {low} {close} {}\n", bars.time[at], bars.volume[at])
                });
                let dropped = format!("dropped {}, kept out {:?}", table.rows_without_prices, table.ignored_columns);
                rows.collect::<String>() + &dropped
            }
            Err(error) => error.to_string(),
        });
    }

    #[test]
    fn columns_are_known_by_name_in_any_case_and_others_kept_out() {
        check(
            "\u{feff}Date,HIGH,Open,Low, Close ,Adj Close,Volume\n2024-01-02,3,2,1,2.5,9,100\n20240103 09:30,3,2,1,2.5,9,\n",
            expect![[r#"
                2024-01-02T00:00:00Z 2 3 1 2.5 100
                2024-01-03T09:30:00Z 2 3 1 2.5 NaN
                dropped 0, kept out ["Adj Close"]"#]],
        );
    }

    #[test]
    fn times_come_in_many_forms() {
        for (text, want) in [
            ("2024-01-02", "2024-01-02T00:00:00Z"),
            ("20240102", "2024-01-02T00:00:00Z"),
            ("2024-01-02T09:30", "2024-01-02T09:30:00Z"),
            ("2024-01-02 09:30:15", "2024-01-02T09:30:15Z"),
            ("2024-01-02 09:30:15+00:00", "2024-01-02T09:30:15Z"),
            ("1704153600", "2024-01-02T00:00:00Z"),
            ("1704153600000", "2024-01-02T00:00:00Z"),
            ("1704153600000000", "2024-01-02T00:00:00Z"),
            ("1704153600000000000", "2024-01-02T00:00:00Z"),
        ] {
            assert_eq!(parse_time(text.as_bytes()).map(|ts| ts.to_string()).as_deref(), Some(want), "{text}");
        }
        for text in ["", "2024", "yesterday", "2024-13-01", "2024-01-02T09:3x"] {
            let found = parse_time(text.as_bytes());
            assert!(found.is_none() || text == "2024", "{text} {found:?}");
        }
    }

    #[test]
    fn the_middle_is_taken_where_only_bid_and_ask_are_there() {
        check(
            "time,bid_open,bid_high,bid_low,bid_close,ask_open,ask_high,ask_low,ask_close\n2024-01-02,1,3,1,2,2,4,2,3\n",
            expect![[r#"
                2024-01-02T00:00:00Z 1.5 3.5 1.5 2.5 NaN
                dropped 0, kept out []"#]],
        );
    }

    #[test]
    fn refusals_name_file_line_and_cure() {
        let head = "date,open,high,low,close\n2024-01-02,2,3,1,2\n";
        check(
            &format!("{head}2024-01-02,2,3,1,2\n"),
            expect![
                "A.csv, line 3: 2024-01-02T00:00:00Z is the same time as the row before, 2024-01-02T00:00:00Z; times must ascend and be unique; sort the file and drop repeats"
            ],
        );
        check(
            &format!("{head}2024-01-03,2,1,1,2\n"),
            expect![
                "A.csv, line 3: open 2, high 1, low 1, close 2 are out of bounds; expected 0 < low <= open, close <= high, bid <= ask; correct the row or drop such rows with --drop-bad-bars"
            ],
        );
        check(
            &format!("{head}2024-01-03,2,x,1,2\n"),
            expect![[r#"A.csv, line 3: high: expected a number, found "x"; correct the row"#]],
        );
        check(
            &format!("{head}2024-01-03,2,2\n"),
            expect!["A.csv, line 3: 3 fields, not 5; expected as many fields as the header has"],
        );
        check(
            "a,b\n",
            expect![
                "A.csv: no column of times; found a, b; expected a time (timestamp, time, date, datetime, open_time), open, high, low, close"
            ],
        );
        check(
            &format!("{head}2024-01-03,,,,\n2024-01-04,null,nan,NA,2\n"),
            expect![[r#"
                2024-01-02T00:00:00Z 2 3 1 2 NaN
                dropped 2, kept out []"#]],
        );
    }
}
