//! The nine functions of Jones's table, on the bounds that he used. Start at [`CLASSIC`].

/// A function whose minimum is known.
#[derive(Debug, Clone, Copy)]
pub struct Classic {
    /// Its name.
    pub name: &'static str,
    /// Bounds of each coordinate.
    pub bounds: &'static [(f64, f64)],
    /// Its minimum, to the five digits that the table's counts are for.
    pub minimum: f64,
    /// Evaluations of DIRECT until within 0.01 % of the minimum: Jones, Perttunen, Stuckman (1993), table 1.
    pub direct: u64,
    /// Evaluations of DIRECT-L: Gablonsky, Kelley (2001).
    pub direct_l: u64,
    /// The function.
    pub function: fn(&[f64]) -> f64,
}

impl Classic {
    /// A value below this is within 0.01 % of the minimum (absolutely, where that is 0).
    pub fn target(&self) -> f64 {
        self.minimum + 1e-4 * if self.minimum == 0.0 { 1.0 } else { self.minimum.abs() }
    }
}

const SHEKEL: &[(f64, f64)] = &[(0.0, 10.0); 4];
const UNIT: &[(f64, f64)] = &[(0.0, 1.0); 6];

/// The table.
pub const CLASSIC: [Classic; 9] = [
    Classic {
        name: "Shekel 5",
        bounds: SHEKEL,
        minimum: -10.153,
        direct: 155,
        direct_l: 147,
        function: |x| shekel(x, 5),
    },
    Classic {
        name: "Shekel 7",
        bounds: SHEKEL,
        minimum: -10.403,
        direct: 145,
        direct_l: 141,
        function: |x| shekel(x, 7),
    },
    Classic {
        name: "Shekel 10",
        bounds: SHEKEL,
        minimum: -10.536,
        direct: 145,
        direct_l: 139,
        function: |x| shekel(x, 10),
    },
    Classic {
        name: "Hartman 3",
        bounds: UNIT.split_at(3).0,
        minimum: -3.8628,
        direct: 199,
        direct_l: 111,
        function: hartman_3,
    },
    Classic { name: "Hartman 6", bounds: UNIT, minimum: -3.3224, direct: 571, direct_l: 295, function: hartman_6 },
    Classic {
        name: "Branin",
        bounds: &[(-5.0, 10.0), (0.0, 15.0)],
        minimum: 0.39789,
        direct: 195,
        direct_l: 159,
        function: branin,
    },
    Classic {
        name: "Goldstein–Price",
        bounds: &[(-2.0, 2.0); 2],
        minimum: 3.0,
        direct: 191,
        direct_l: 115,
        function: goldstein_price,
    },
    Classic {
        name: "six-hump camel",
        bounds: &[(-3.0, 3.0), (-2.0, 2.0)],
        minimum: -1.0316,
        direct: 285,
        direct_l: 191,
        function: camel,
    },
    Classic {
        name: "Shubert",
        bounds: &[(-10.0, 10.0); 2],
        minimum: -186.73,
        direct: 2967,
        direct_l: 2043,
        function: shubert,
    },
];

fn shekel(x: &[f64], terms: usize) -> f64 {
    const A: [[f64; 4]; 10] = [
        [4.0, 4.0, 4.0, 4.0],
        [1.0, 1.0, 1.0, 1.0],
        [8.0, 8.0, 8.0, 8.0],
        [6.0, 6.0, 6.0, 6.0],
        [3.0, 7.0, 3.0, 7.0],
        [2.0, 9.0, 2.0, 9.0],
        [5.0, 5.0, 3.0, 3.0],
        [8.0, 1.0, 8.0, 1.0],
        [6.0, 2.0, 6.0, 2.0],
        [7.0, 3.6, 7.0, 3.6],
    ];
    const C: [f64; 10] = [0.1, 0.2, 0.2, 0.4, 0.4, 0.6, 0.3, 0.7, 0.5, 0.5];
    let term = |(a, c): (&[f64; 4], &f64)| 1.0 / (squared_distance(x, a) + c);
    -A.iter().zip(&C).take(terms).map(term).sum::<f64>()
}

fn squared_distance(x: &[f64], a: &[f64]) -> f64 {
    x.iter().zip(a).map(|(x, a)| (x - a) * (x - a)).sum()
}

const HARTMAN: [f64; 4] = [1.0, 1.2, 3.0, 3.2];

fn hartman_3(x: &[f64]) -> f64 {
    const A: [[f64; 3]; 4] = [[3.0, 10.0, 30.0], [0.1, 10.0, 35.0], [3.0, 10.0, 30.0], [0.1, 10.0, 35.0]];
    const P: [[f64; 3]; 4] =
        [[0.3689, 0.1170, 0.2673], [0.4699, 0.4387, 0.7470], [0.1091, 0.8732, 0.5547], [0.03815, 0.5743, 0.8828]];
    hartman(x, &A, &P)
}

fn hartman_6(x: &[f64]) -> f64 {
    const A: [[f64; 6]; 4] = [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ];
    const P: [[f64; 6]; 4] = [
        [0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886],
        [0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991],
        [0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650],
        [0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381],
    ];
    hartman(x, &A, &P)
}

fn hartman<const N: usize>(x: &[f64], a: &[[f64; N]; 4], p: &[[f64; N]; 4]) -> f64 {
    let term = |((a, p), c): ((&[f64; N], &[f64; N]), &f64)| {
        let exponent: f64 = a.iter().zip(p).zip(x).map(|((a, p), x)| a * (x - p) * (x - p)).sum();
        c * (-exponent).exp()
    };
    -a.iter().zip(p).zip(&HARTMAN).map(term).sum::<f64>()
}

fn branin(x: &[f64]) -> f64 {
    use std::f64::consts::PI;
    let (x, y) = (x[0], x[1]);
    let bow = y - 5.1 / (4.0 * PI * PI) * x * x + 5.0 / PI * x - 6.0;
    bow * bow + 10.0 * (1.0 - 1.0 / (8.0 * PI)) * x.cos() + 10.0
}

fn goldstein_price(x: &[f64]) -> f64 {
    let (x, y) = (x[0], x[1]);
    let first = (x + y + 1.0).powi(2) * (19.0 - 14.0 * x + 3.0 * x * x - 14.0 * y + 6.0 * x * y + 3.0 * y * y);
    let second =
        (2.0 * x - 3.0 * y).powi(2) * (18.0 - 32.0 * x + 12.0 * x * x + 48.0 * y - 36.0 * x * y + 27.0 * y * y);
    (1.0 + first) * (30.0 + second)
}

fn camel(x: &[f64]) -> f64 {
    let (x, y) = (x[0], x[1]);
    (4.0 - 2.1 * x * x + x.powi(4) / 3.0) * x * x + x * y + (-4.0 + 4.0 * y * y) * y * y
}

fn shubert(x: &[f64]) -> f64 {
    let sum = |x: f64| (1..=5).map(|i| f64::from(i) * (f64::from(i + 1) * x + f64::from(i)).cos()).sum::<f64>();
    sum(x[0]) * sum(x[1])
}
