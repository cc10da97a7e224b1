//! Import and store: what goes in comes out, whatever the threads, and bad input is counted or refused.

mod common;

use common::{
    AUSTRALIA, AZERBAIJAN, ERRORS, MEXICO, SPAIN, assert_same_logs, cut, cuts, files, imported, known, recorded,
    simulated,
};
use railbird_f1::simulate::{FaultOptions, SimulateOptions};
use railbird_f1::{
    FRAME_RATES, Frames, Import, ImportError, Input, InputFile, decode_chunk, import, open, read_manifest,
};
use railbird_timeline::ManualClock;

fn small() -> SimulateOptions {
    SimulateOptions { drivers: 6, laps: 3, ..SimulateOptions::default() }
}

fn faulty() -> SimulateOptions {
    SimulateOptions { faults: FaultOptions::all(), ..small() }
}

#[test]
fn what_is_stored_opens_to_what_was_imported() {
    let import = imported(&simulated(&faulty()).0);
    let manifest = read_manifest(files(&import)["manifest.json"]).expect("own manifest");
    assert_eq!(manifest, import.manifest);
    let session = open(&manifest, &files(&import)).expect("own session");
    assert_eq!(session.columns, import.session.columns);
    assert_eq!(session.drivers, import.session.drivers);
    assert_eq!(session.origin, import.session.origin);
    assert_same_logs(&session.logs, &import.session.logs, "after opening");
    let lines =
        [&session, &import.session].map(|session| session.centreline.as_ref().map(|(at, line)| (*at, line.length_m())));
    assert_eq!(lines[0], lines[1]);
}

#[test]
fn one_thread_or_two_give_the_same_bytes() {
    let (input, _) = simulated(&faulty());
    let [one, two] = [1, 2].map(|threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
        pool.install(|| imported(&input))
    });
    assert_eq!(one.files, two.files);
}

#[test]
fn the_order_of_the_files_does_not_matter_and_other_bytes_are_another_version() {
    let (mut input, _) = simulated(&small());
    let first = imported(&input).manifest;
    input.files.reverse();
    assert_eq!(imported(&input).manifest.version, first.version);
    input.files.iter_mut().find(|file| file.name.starts_with("Weather")).expect("weather").bytes.extend(b"x\r\n");
    let changed = imported(&input).manifest;
    assert_eq!(changed.id, first.id);
    assert_ne!(changed.version, first.version);
}

#[test]
fn a_flipped_bit_anywhere_in_a_stored_file_is_refused() {
    let import = imported(&simulated(&small()).0);
    let manifest = &import.manifest;
    for name in ["chunks.pack", "events.json.gz", "gaps.json.gz"] {
        let mut stored = files(&import);
        let mut bytes = stored[name].to_vec();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        stored.insert(name, &bytes);
        let error = open(manifest, &stored).expect_err("a damaged file").to_string();
        assert!(error.starts_with(name) && error.contains("import"), "{error}");
        stored.remove(name);
        assert!(open(manifest, &stored).is_err());
    }
    let mut text = files(&import)["manifest.json"].to_vec();
    let at = text.len() / 2;
    text[at] = if text[at] == b'1' { b'2' } else { b'1' };
    assert!(read_manifest(&text).is_err());
}

#[test]
fn what_is_nothing_is_refused_with_its_name() {
    let refuse = |files: Vec<InputFile>| {
        let input = Input { name: "there/is nothing".to_owned(), files };
        import(&input, &ManualClock::default()).expect_err("nothing").to_string()
    };
    let file = |name: &str, bytes: &[u8]| vec![InputFile { name: name.to_owned(), bytes: bytes.to_vec() }];
    assert!(refuse(Vec::new()).starts_with("there/is nothing: no stream found"));
    assert!(refuse(file("TimingData.jsonStream", b"")).contains("the input is empty"));
    let error = refuse(file("TimingData.jsonStream", b"00:00:01.000{\r\n"));
    assert!(error.contains("bad_json at TimingData.jsonStream: record 1"), "{error}");
    let error = refuse(file("TrackStatus.jsonStream", b"00:00:01.000{\"Status\":\"1\"}\r\n"));
    assert!(error.contains("no driver"), "{error}");
    assert!(matches!(
        import(&Input { name: "x".into(), files: file("x.txt", b"words\n") }, &ManualClock::default()),
        Err(ImportError::NoRecord { .. })
    ));
}

/// Law 1 over the whole of the field: decoding, every fold, every log.
#[track_caller]
fn check_prefix(whole: &Import, input: &Input) {
    let end = (whole.manifest.end_s * 1000.0) as u64;
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for _ in 0..cuts() {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = ((random >> 33) % end) as i64;
        let Ok(part) = import(&cut(input, at), &ManualClock::default()) else { continue };
        let what = format!("cut at {at} ms");
        assert_same_logs(&part.session.logs, &known(&whole.session.logs, at), &what);
        let geometry = whole.manifest.geometry.as_ref().filter(|line| line.known_at_s * 1000.0 <= at as f64);
        assert_eq!(part.manifest.geometry.as_ref(), geometry, "{what}");
    }
}

#[test]
fn prefix_law_of_simulated_races() {
    for seed in [1, 2] {
        let options = SimulateOptions { seed, drivers: 8, laps: 6, ..SimulateOptions::default() };
        let (input, _) = simulated(&options);
        check_prefix(&imported(&input), &input);
    }
}

#[test]
fn prefix_law_of_recorded_sessions() {
    for path in [AZERBAIJAN, SPAIN, AUSTRALIA] {
        let Some(input) = recorded(path) else { return };
        check_prefix(&imported(&input), &input);
    }
}

#[test]
fn the_australian_race_is_whole() {
    let Some(input) = recorded(AUSTRALIA) else { return };
    let import = imported(&input);
    let manifest = &import.manifest;
    assert_eq!((manifest.counts.car_samples, manifest.counts.position_samples), (459_620, 470_020));
    assert_eq!(manifest.rejected, Default::default());
    assert_eq!(manifest.counts.laps, 927);
    assert_eq!(manifest.origin_utc, "2025-03-16T03:07:22.785Z");
    let pack = files(&import)["chunks.pack"];
    println!("pack: {} bytes", pack.len());
    assert!(pack.len() <= 2_200_000, "{}", pack.len());
    let mut counts = [0, 0];
    for index in manifest.chunks.iter().filter(|index| index.bytes > 0) {
        let bytes = &pack[index.offset as usize..(index.offset + index.bytes) as usize];
        let mut plain = Vec::new();
        std::io::Read::read_to_end(&mut flate2::read::GzDecoder::new(bytes), &mut plain).expect("gzip");
        let chunk = decode_chunk(&plain).expect("own chunk");
        counts[0] += chunk.car.iter().map(|(_, columns)| columns.len()).sum::<usize>();
        counts[1] += chunk.position.iter().map(|(_, columns)| columns.len()).sum::<usize>();
    }
    assert_eq!(counts, [459_620, 470_020]);
    let frames = Frames::new(&manifest.version, std::sync::Arc::new(import.session));
    assert!(FRAME_RATES.contains(&25));
    assert_eq!(frames.count(25), 154_173);
}

#[test]
fn the_raw_recording_imports_and_malformed_lines_are_counted() {
    let Some(input) = recorded(MEXICO) else { return };
    let mexico = imported(&input).manifest;
    println!("raw recording: {:?} {:?}", mexico.counts, mexico.rejected);
    assert_eq!(mexico.drivers.len(), 20);
    assert!(mexico.counts.car_samples > 70_000 && mexico.counts.position_samples > 70_000);
    let Some(input) = recorded(ERRORS) else { return };
    let errors = imported(&input);
    println!("malformed lines: {:?}", errors.manifest.rejected);
    assert_eq!(errors.manifest.counts.records, 51);
    assert!(errors.rejected.total() >= 25, "{:?}", errors.manifest.rejected);
}
