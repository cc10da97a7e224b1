//! Which vertices are near a place: squares of the plane, each with its vertices.

/// Side of a square, 1/10 m.
const SIDE: f64 = 600.0;
/// Most squares a side; larger planes get larger squares.
const SQUARES_MAX: usize = 128;

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Index {
    left: f64,
    bottom: f64,
    side: f64,
    columns: usize,
    rows: usize,
    /// `starts[square]..starts[square + 1]` are its vertices.
    starts: Vec<u32>,
    vertices: Vec<u32>,
}

impl Index {
    pub(super) fn new(places: impl ExactSizeIterator<Item = (f64, f64)> + Clone) -> Self {
        let bounds = places.clone().fold([f64::MAX, f64::MAX, f64::MIN, f64::MIN], |[l, b, r, t], (x, y)| {
            [l.min(x), b.min(y), r.max(x), t.max(y)]
        });
        let [left, bottom, right, top] = bounds;
        let side = SIDE.max((right - left).max(top - bottom) / (SQUARES_MAX - 1) as f64);
        let columns = ((right - left) / side) as usize + 1;
        let rows = ((top - bottom) / side) as usize + 1;
        let mut index =
            Self { left, bottom, side, columns, rows, starts: vec![0; columns * rows + 1], vertices: Vec::new() };
        for (x, y) in places.clone() {
            let (column, row) = index.square(x, y);
            index.starts[row * columns + column + 1] += 1;
        }
        for square in 1..index.starts.len() {
            index.starts[square] += index.starts[square - 1];
        }
        index.vertices = vec![0; places.len()];
        let mut fill = index.starts.clone();
        for (vertex, (x, y)) in places.enumerate() {
            let (column, row) = index.square(x, y);
            let slot = &mut fill[row * columns + column];
            index.vertices[*slot as usize] = vertex as u32;
            *slot += 1;
        }
        index
    }

    /// Visits the vertices of the square of `(x, y)`, or of the nearest ring of squares that has any, and of the ring
    /// around: every vertex that is nearer than a side, and some more.
    pub(super) fn near(&self, x: f64, y: f64, mut visit: impl FnMut(usize)) {
        let centre = self.square(x, y);
        let mut last = usize::MAX;
        for ring in 0..=self.columns.max(self.rows) {
            let mut found = false;
            for row in centre.1.saturating_sub(ring)..=(centre.1 + ring).min(self.rows - 1) {
                for column in centre.0.saturating_sub(ring)..=(centre.0 + ring).min(self.columns - 1) {
                    if column.abs_diff(centre.0).max(row.abs_diff(centre.1)) < ring {
                        continue;
                    }
                    let square = row * self.columns + column;
                    let range = self.starts[square] as usize..self.starts[square + 1] as usize;
                    found |= !range.is_empty();
                    self.vertices[range].iter().for_each(|vertex| visit(*vertex as usize));
                }
            }
            if found {
                last = last.min(ring + 1);
            }
            if ring >= last {
                return;
            }
        }
    }

    fn square(&self, x: f64, y: f64) -> (usize, usize) {
        // Conversion saturates, so a place outside counts to the nearest square.
        let column = ((x - self.left) / self.side) as usize;
        let row = ((y - self.bottom) / self.side) as usize;
        (column.min(self.columns - 1), row.min(self.rows - 1))
    }
}
