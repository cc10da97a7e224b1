//! What a series of returns was worth. Start at [`Metrics::of`].
//!
//! One definition each, printed by [`DEFINITIONS`]. Nothing is risk-free here: ratios are of the plain returns.

use serde::Serialize;

/// How each figure is computed, a line each.
pub const DEFINITIONS: &str = "\
total return: product of (1 + r) less 1
annualised return: (1 + total) to the power (periods a year / periods) less 1; -1 where all was lost
volatility: standard deviation of r (n - 1) times the root of periods a year
Sharpe: mean of r over its standard deviation (n - 1), times the root of periods a year; nothing is risk-free
Sortino: mean of r over the root of the mean of min(r, 0) squared (n), times the root of periods a year
drawdown: fall of equity from its highest so far, the start included; its length is the most periods spent below a high
Calmar: annualised return over the largest drawdown
hit rate: share of periods with a position whose return was above 0
turnover: notional traded over equity, a period; exposure: mean of |weight| held in a period
deflated Sharpe: probability that the Sharpe exceeds the best expected of as many worthless trials (Bailey and Lopez de Prado 2014)";

/// One period of an account.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Period {
    /// Return, costs included.
    pub gain: f64,
    /// Share of equity that was held, signed; 0 is flat.
    pub weight: f64,
    /// Notional bought and sold, over equity.
    pub traded: f64,
}

/// Figures of a series of returns. `None` where the figure is not defined: no spread, no loss, no position.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Metrics {
    /// Periods.
    pub periods: usize,
    /// Total return.
    pub total: f64,
    /// Annualised return.
    pub annualised: f64,
    /// Annualised volatility.
    pub volatility: Option<f64>,
    /// Annualised Sharpe ratio.
    pub sharpe: Option<f64>,
    /// Annualised Sortino ratio.
    pub sortino: Option<f64>,
    /// Largest drawdown, 0 to 1.
    pub drawdown_max: f64,
    /// Most periods in a row below an earlier high.
    pub drawdown_periods_max: usize,
    /// Annualised return over the largest drawdown.
    pub calmar: Option<f64>,
    /// Share of held periods that gained.
    pub hit_rate: Option<f64>,
    /// Notional traded over equity, a period.
    pub turnover: f64,
    /// Mean of the absolute weight.
    pub exposure: f64,
    /// Mean return a period.
    pub mean: f64,
    /// Skewness of the returns; 0 without spread.
    pub skewness: f64,
    /// Kurtosis of the returns, 3 for a normal distribution; 3 without spread.
    pub kurtosis: f64,
}

impl Metrics {
    /// Figures of `periods`, oldest first. Without periods all are 0 or missing.
    pub fn of(periods: &[Period], periods_a_year: f64) -> Self {
        let count = periods.len();
        let n = (count as f64).max(1.0);
        let (mut equity, mut high, mut drawdown_max) = (1.0_f64, 1.0_f64, 0.0_f64);
        let (mut below, mut drawdown_periods_max) = (0, 0);
        let (mut sum, mut traded, mut exposure, mut downside) = (0.0, 0.0, 0.0, 0.0);
        let (mut held, mut gained) = (0_usize, 0_usize);
        for period in periods {
            equity *= 1.0 + period.gain;
            if equity >= high {
                high = equity;
                below = 0;
            } else {
                below += 1;
                drawdown_periods_max = drawdown_periods_max.max(below);
                drawdown_max = drawdown_max.max(1.0 - equity / high);
            }
            sum += period.gain;
            traded += period.traded;
            exposure += period.weight.abs();
            downside += period.gain.min(0.0).powi(2);
            if period.weight != 0.0 {
                held += 1;
                gained += usize::from(period.gain > 0.0);
            }
        }
        let mean = sum / n;
        let [second, third, fourth] = periods.iter().fold([0.0; 3], |[second, third, fourth], period| {
            let off = period.gain - mean;
            let square = off * off;
            [second + square, third + square * off, fourth + square * square]
        });
        let deviation = (second / (n - 1.0).max(1.0)).sqrt();
        let has_spread = count > 1 && deviation > 0.0;
        let year = periods_a_year.sqrt();
        let annualised = if equity > 0.0 { equity.powf(periods_a_year / n) - 1.0 } else { -1.0 };
        let variance = second / n;
        Self {
            periods: count,
            total: equity - 1.0,
            annualised,
            volatility: (count > 1).then_some(deviation * year),
            sharpe: has_spread.then(|| mean / deviation * year),
            sortino: (downside > 0.0).then(|| mean / (downside / n).sqrt() * year),
            drawdown_max,
            drawdown_periods_max,
            calmar: (drawdown_max > 0.0).then(|| annualised / drawdown_max),
            hit_rate: (held > 0).then(|| gained as f64 / held as f64),
            turnover: traded / n,
            exposure: exposure / n,
            mean,
            skewness: if has_spread { third / n / variance.powf(1.5) } else { 0.0 },
            kurtosis: if has_spread { fourth / n / variance.powi(2) } else { 3.0 },
        }
    }

    /// Probability that the true Sharpe ratio is above what the best of `trials` worthless ones would show, whose Sharpe
    /// ratios a period have the variance `variance`. `None` where the Sharpe ratio is, or with less than two periods.
    ///
    /// Bailey and López de Prado, "The Deflated Sharpe Ratio" (2014). With one trial this is the probabilistic Sharpe ratio
    /// against 0.
    pub fn deflated_sharpe(&self, periods_a_year: f64, trials: usize, variance: f64) -> Option<f64> {
        let sharpe = self.sharpe? / periods_a_year.sqrt();
        if self.periods < 2 {
            return None;
        }
        let benchmark = expected_best(trials, variance);
        let spread = 1.0 - self.skewness * sharpe + (self.kurtosis - 1.0) / 4.0 * sharpe * sharpe;
        (spread > 0.0).then(|| normal((sharpe - benchmark) * ((self.periods - 1) as f64 / spread).sqrt()))
    }
}

/// The Sharpe ratio that the best of so many worthless trials is expected to show.
fn expected_best(trials: usize, variance: f64) -> f64 {
    const EULER: f64 = 0.577_215_664_901_532_9;
    if trials < 2 || variance.is_nan() || variance <= 0.0 {
        return 0.0;
    }
    let count = trials as f64;
    let first = normal_inverse(1.0 - 1.0 / count);
    let second = normal_inverse(1.0 - 1.0 / (count * std::f64::consts::E));
    variance.sqrt() * ((1.0 - EULER) * first + EULER * second)
}

/// Standard normal distribution function, to about 1e-15 (Marsaglia 2004: the Taylor series at 0; beyond ±8 it is 0 or 1).
fn normal(x: f64) -> f64 {
    if x.is_nan() {
        return f64::NAN;
    }
    if x.abs() > 8.0 {
        return if x > 0.0 { 1.0 } else { 0.0 };
    }
    let (mut sum, mut term, mut k) = (x, x, 1.0);
    loop {
        k += 2.0;
        term *= x * x / k;
        let next = sum + term;
        if next == sum {
            break;
        }
        sum = next;
    }
    0.5 + sum * (-0.5 * x * x).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

/// Inverse of [`normal`] by bisection: 0 < `p` < 1.
fn normal_inverse(p: f64) -> f64 {
    let (mut low, mut high) = (-8.0, 8.0);
    for _ in 0..64 {
        let middle = (low + high) / 2.0;
        if normal(middle) < p { low = middle } else { high = middle }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, want: f64) {
        assert!((found - want).abs() < 1e-12, "{found} {want}");
    }

    fn periods(gains: &[f64]) -> Vec<Period> {
        gains.iter().map(|&gain| Period { gain, weight: 1.0, traded: 2.0 }).collect()
    }

    #[test]
    fn figures_of_four_days_by_hand() {
        let metrics = Metrics::of(&periods(&[0.1, -0.2, 0.05, 0.0]), 252.0);
        near(metrics.total, 1.1 * 0.8 * 1.05 - 1.0);
        near(metrics.annualised, (1.1_f64 * 0.8 * 1.05).powf(63.0) - 1.0);
        near(metrics.drawdown_max, 0.2);
        assert_eq!(metrics.drawdown_periods_max, 3);
        near(metrics.mean, -0.0125);
        // Squares about the mean: 0.1125², 0.1875², 0.0625², 0.0125².
        let deviation = ((0.012_656_25_f64 + 0.035_156_25 + 0.003_906_25 + 0.000_156_25) / 3.0).sqrt();
        near(metrics.volatility.unwrap(), deviation * 252.0_f64.sqrt());
        near(metrics.sharpe.unwrap(), -0.0125 / deviation * 252.0_f64.sqrt());
        near(metrics.sortino.unwrap(), -0.0125 / (0.04_f64 / 4.0).sqrt() * 252.0_f64.sqrt());
        near(metrics.calmar.unwrap(), metrics.annualised / 0.2);
        assert_eq!((metrics.hit_rate, metrics.turnover, metrics.exposure), (Some(0.5), 2.0, 1.0));
    }

    #[test]
    fn nothing_is_made_up_where_a_figure_is_not_defined() {
        let flat = Metrics::of(&[Period::default(); 3], 252.0);
        assert_eq!((flat.sharpe, flat.sortino, flat.calmar, flat.hit_rate), (None, None, None, None));
        assert_eq!(flat.deflated_sharpe(252.0, 10, 0.1), None);
        assert_eq!(Metrics::of(&[], 252.0).total, 0.0);
        assert_eq!(Metrics::of(&periods(&[-1.0, 0.5]), 252.0).annualised, -1.0);
    }

    #[test]
    fn the_normal_distribution_is_that_of_tables() {
        near(normal(0.0), 0.5);
        near(normal(1.959_963_984_540_054), 0.975);
        near(normal(-3.0), 0.001_349_898_031_630_094_5);
        near(normal_inverse(0.975), 1.959_963_984_540_054);
        assert_eq!((normal(40.0), normal(-40.0)), (1.0, 0.0));
    }

    #[test]
    fn the_deflated_sharpe_ratio_of_the_paper() {
        // Bailey and López de Prado 2014, section "A numerical example": annualised Sharpe 2.5 over 5 years of 250 days,
        // 100 trials whose annualised variance is 1/2, skewness -3, kurtosis 10: SR0 = 0.1132, DSR = 0.9004.
        let year = 250.0_f64;
        let metrics = Metrics {
            periods: 1250,
            sharpe: Some(2.5),
            skewness: -3.0,
            kurtosis: 10.0,
            ..Metrics::of(&periods(&[0.1, 0.0]), year)
        };
        assert!((expected_best(100, 0.5 / year) - 0.1132).abs() < 1e-4);
        assert!((metrics.deflated_sharpe(year, 100, 0.5 / year).unwrap() - 0.9004).abs() < 1e-4);
    }
}
