//! What a frame costs: 20 cars, six channels, 25 frames a second over one race.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use railbird_timeline::{Grid, Placements, as_of};

/// About 3.8 samples a second with the jitter of the real clocks.
fn clock(rows: usize) -> Vec<i64> {
    let mut at = 0i64;
    (0..rows as i64)
        .map(|row| {
            at += 240_000_000 + (row * 7919 % 37) * 1_000_000;
            at
        })
        .collect()
}

fn resample(criterion: &mut Criterion) {
    let times = clock(23_000);
    let grid = Grid { start: 0, period_ns: 40_000_000, steps: 154_173 };
    let channels: Vec<Vec<f64>> =
        (0..6).map(|c| (0..times.len()).map(|i| ((i * (c + 3)) % 330) as f64).collect()).collect();
    let gears: Vec<u8> = (0..times.len()).map(|i| (i % 9) as u8).collect();

    let mut group = criterion.benchmark_group("resample");
    group.throughput(Throughput::Elements(grid.steps as u64));
    let mut placements = Placements::default();
    group.bench_function("walk, a frame and car", |bencher| {
        bencher.iter(|| placements.place(black_box(&times), grid.iter()));
    });
    let mut out = vec![];
    group.bench_function("linear channel, a frame and car", |bencher| {
        bencher.iter(|| placements.linear(black_box(&channels[0]), &mut out));
    });
    let mut held = vec![];
    group.bench_function("held channel, a frame and car", |bencher| {
        bencher.iter(|| placements.held(black_box(&gears), 0, &mut held));
    });
    group.bench_function("walk, six linear, one held, a frame and car", |bencher| {
        bencher.iter(|| {
            placements.place(black_box(&times), grid.iter());
            for channel in &channels {
                placements.linear(channel, &mut out);
            }
            placements.held(&gears, 0, &mut held);
        });
    });
    group.bench_function("binary search a step and channel, for comparison", |bencher| {
        bencher.iter(|| grid.iter().filter_map(|step| as_of(black_box(&times), step)).sum::<usize>());
    });
    group.finish();
}

criterion_group!(benches, resample);
criterion_main!(benches);
