//! A frame is filled without allocating once one has been filled before. A program of its own, since it counts what the whole
//! program allocates.

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use common::{imported, simulated};
use railbird_f1::simulate::SimulateOptions;
use railbird_f1::{Frame, Frames};

/// The system's allocator, and how often it was asked for memory.
struct Counting;

static ASKED: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[expect(
    unsafe_code,
    reason = "an allocator can be counted by no safe means; every call goes to the system's as it came"
)]
// SAFETY: each method passes its arguments on to the system's allocator, whose contract is the same.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as the caller promised.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        ASKED.fetch_add(1, Ordering::Relaxed);
        // SAFETY: as the caller promised.
        unsafe { System.realloc(pointer, layout, bytes) }
    }
}

#[test]
fn a_frame_is_filled_without_allocating() {
    let import = imported(&simulated(&SimulateOptions { drivers: 20, laps: 3, ..SimulateOptions::default() }).0);
    let frames = Frames::new(&import.manifest.version, Arc::new(import.session));
    let count = frames.count(25);
    let mut frame = Frame::default();
    frames.fill(25, 0, &mut frame);
    let before = ASKED.load(Ordering::Relaxed);
    let mut cars = 0;
    for n in 0..count {
        frames.fill(25, n, &mut frame);
        cars += frame.cars.len() as u64;
    }
    // Scattered moments too.
    for n in 0..1_000 {
        frames.fill(50, n * 7_919 % frames.count(50), &mut frame);
    }
    let asked = ASKED.load(Ordering::Relaxed) - before;
    assert_eq!(cars, 20 * count);
    assert_eq!(asked, 0, "{asked} allocations in {count} frames");
    // The count counts.
    drop(std::hint::black_box(vec![0_u8; 4096]));
    assert!(ASKED.load(Ordering::Relaxed) > before);
}
