//! Bars to columns, and columns to row groups. Start at [`Groups::add`].
//!
//! Invariant: what waits in memory is one page of cells a column, and the pages of the group that is open.

use std::io::Write;

use bytes::Bytes;
use parquet::{
    data_type::{ByteArray, ByteArrayType, Int64Type},
    errors::ParquetError,
    file::writer::{SerializedFileWriter, SerializedRowGroupWriter},
    schema::types::ColumnDescPtr,
};

use super::{
    KEYS, Tagged,
    pages::{Encoder, Kind, Pages},
};
use crate::columns::{Unit, columns};

/// Bars of a row group: what is told of a column costs some hundred bytes a group.
const GROUP_BARS: usize = 1 << 16;

/// Bars of a page: 64 KB of one column, 20 MB of all before compression.
const PAGE_BARS: usize = 8192;

/// Cells that lie on one cache line: columns are gathered so many at a time.
const LINE_CELLS: usize = 8;

/// Row groups as they fill.
pub(super) struct Groups {
    /// Places of the columns after the keys, ascending.
    wanted: Vec<usize>,
    encoder: Encoder,
    /// Instruments and times of the group's bars.
    instruments: Vec<u32>,
    times: [Vec<i64>; KEYS - 1],
    /// Cells of the page that is open, column by column, [`PAGE_BARS`] each.
    cells: Vec<u64>,
    /// Bars of that page.
    bars: usize,
    columns: Vec<Pages>,
    descriptors: Vec<ColumnDescPtr>,
}

fn kind(place: usize) -> Kind {
    match columns()[place].unit {
        Unit::Count => Kind::Whole,
        _ => Kind::Float,
    }
}

impl Groups {
    /// `wanted`: places of the columns, the keys first. `level`: of compression.
    pub(super) fn new(wanted: &[usize], level: i32, descriptors: &[ColumnDescPtr]) -> Result<Self, ParquetError> {
        let wanted = wanted[KEYS..].to_vec();
        Ok(Self {
            encoder: Encoder::new(level)?,
            instruments: Vec::new(),
            times: Default::default(),
            cells: vec![0; wanted.len() * PAGE_BARS],
            bars: 0,
            columns: wanted.iter().map(|place| Pages::new(kind(*place))).collect(),
            wanted,
            descriptors: descriptors.to_vec(),
        })
    }

    /// Adds bars of one instrument.
    pub(super) fn add<W: Write + Send>(
        &mut self,
        mut bars: &[Tagged],
        symbols: &[String],
        writer: &mut SerializedFileWriter<W>,
    ) -> Result<(), ParquetError> {
        while !bars.is_empty() {
            let (now, later) = bars.split_at(bars.len().min(PAGE_BARS - self.bars));
            self.gather(now);
            bars = later;
            if self.bars == PAGE_BARS {
                self.end_page()?;
                if self.instruments.len() >= GROUP_BARS {
                    self.end_group(symbols, writer)?;
                }
            }
        }
        Ok(())
    }

    /// Ends the last group.
    pub(super) fn finish<W: Write + Send>(
        &mut self,
        symbols: &[String],
        writer: &mut SerializedFileWriter<W>,
    ) -> Result<(), ParquetError> {
        if self.bars > 0 {
            self.end_page()?;
        }
        if self.instruments.is_empty() { Ok(()) } else { self.end_group(symbols, writer) }
    }

    fn gather(&mut self, bars: &[Tagged]) {
        for (instrument, cells) in bars {
            self.instruments.push(*instrument);
            for (times, cell) in self.times.iter_mut().zip(&cells[1..]) {
                times.push(*cell as i64);
            }
        }
        let page = self.bars..self.bars + bars.len();
        let mut at = 0;
        while at < self.wanted.len() {
            let line = self.wanted[at] / LINE_CELLS;
            let n = self.wanted[at..].iter().take_while(|place| **place / LINE_CELLS == line).count();
            let columns = &mut self.cells[at * PAGE_BARS..(at + n) * PAGE_BARS];
            let from = line * LINE_CELLS;
            if n == LINE_CELLS {
                let mut columns = columns.chunks_exact_mut(PAGE_BARS).map(|column| &mut column[page.clone()]);
                let mut columns: [&mut [u64]; LINE_CELLS] =
                    std::array::from_fn(|_| columns.next().expect("as many columns as cells of a line"));
                for (row, (_, bar)) in bars.iter().enumerate() {
                    for (column, cell) in columns.iter_mut().zip(&bar[from..from + LINE_CELLS]) {
                        column[row] = *cell;
                    }
                }
            } else {
                for (column, place) in columns.chunks_exact_mut(PAGE_BARS).zip(&self.wanted[at..]) {
                    for (cell, (_, bar)) in column[page.clone()].iter_mut().zip(bars) {
                        *cell = bar[*place];
                    }
                }
            }
            at += n;
        }
        self.bars = page.end;
    }

    fn end_page(&mut self) -> Result<(), ParquetError> {
        for (pages, cells) in self.columns.iter_mut().zip(self.cells.chunks_exact(PAGE_BARS)) {
            self.encoder.page(pages, &cells[..self.bars])?;
        }
        self.bars = 0;
        Ok(())
    }

    fn end_group<W: Write + Send>(
        &mut self,
        symbols: &[String],
        writer: &mut SerializedFileWriter<W>,
    ) -> Result<(), ParquetError> {
        let mut group = writer.next_row_group()?;
        self.keys(symbols, &mut group)?;
        for (at, place) in self.wanted.iter().enumerate() {
            let pages = std::mem::replace(&mut self.columns[at], Pages::new(kind(*place)));
            let (bytes, close) = self.encoder.end(pages, &self.descriptors[KEYS + at])?;
            group.append_column(&Bytes::from(bytes), close)?;
        }
        group.close()?;
        self.instruments.clear();
        self.times.iter_mut().for_each(Vec::clear);
        Ok(())
    }

    /// The keys, with their statistics: readers prune by them.
    fn keys<W: Write + Send>(
        &self,
        symbols: &[String],
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<(), ParquetError> {
        let too_few = || ParquetError::General("the schema has fewer columns than keys".to_owned());
        let names: Vec<ByteArray> = symbols.iter().map(|symbol| ByteArray::from(symbol.as_str())).collect();
        let of = |instrument: &u32| names.get(*instrument as usize).cloned().unwrap_or_else(|| ByteArray::from(""));
        let instruments: Vec<ByteArray> = self.instruments.iter().map(of).collect();
        let mut column = group.next_column()?.ok_or_else(too_few)?;
        column.typed::<ByteArrayType>().write_batch(&instruments, None, None)?;
        column.close()?;
        for times in &self.times {
            let mut column = group.next_column()?.ok_or_else(too_few)?;
            column.typed::<Int64Type>().write_batch(times, None, None)?;
            column.close()?;
        }
        Ok(())
    }
}
