//! Programs in Python, as users write them: started, killed, late, wrong. Need python3 with numpy and pyarrow; `RAILBIRD_TEST_PYTHON`
//! names another interpreter.

use std::{env, fs, path::PathBuf};

use super::*;

/// An interpreter that has `modules`; `None`, said aloud, where there is none. With `CI` set its absence fails.
fn python(modules: &str) -> Option<String> {
    let python = env::var("RAILBIRD_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let found = Command::new(&python).args(["-c", &format!("import {modules}")]).output();
    match found {
        Ok(output) if output.status.success() => Some(python),
        _ => {
            assert!(env::var_os("CI").is_none(), "{python} lacks one of {modules}: the check needs them");
            println!("skipped: {python} lacks one of {modules}");
            None
        }
    }
}

fn shipped() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../python").canonicalize().unwrap()
}

/// A host in a folder of its own, beside the shipped client.
fn write_host(folder: &std::path::Path, code: &str) -> String {
    fs::copy(shipped().join("railbird_forecaster.py"), folder.join("railbird_forecaster.py")).unwrap();
    let host = folder.join("host.py");
    fs::write(&host, code).unwrap();
    host.display().to_string()
}

fn rules() -> HostRules {
    HostRules { request_max: 5, backoff: Duration::from_millis(1), ..HostRules::default() }
}

fn start(python: &str, arguments: &[&str], rules: HostRules) -> Result<ForecasterHost, Error> {
    let words = [python].iter().chain(arguments).map(|word| (*word).to_owned()).collect();
    ForecasterHost::start(words, rules, Arc::default())
}

fn series() -> Vec<f64> {
    (0..300).map(|t| 100.0 + (f64::from(t) * 0.21).sin() * 3.0 + f64::from(t * 7 % 11) * 0.1).collect()
}

fn contexts(series: &[f64]) -> Vec<&[f64]> {
    (0..23).map(|at| &series[at..200 + at]).collect()
}

fn bytes(forecasts: &[Forecast]) -> Vec<Vec<u8>> {
    forecasts.iter().map(Forecast::to_bytes).collect()
}

/// Answers with the last value and its noise; dies by its own `kill -9` in the middle of a request, as often as the file says.
const MORTAL: &str = r#"
import os, signal, sys
import numpy as np
from railbird_forecaster import serve, LEVELS

def forecast(contexts, horizon, seed):
    answers = []
    for at, context in enumerate(contexts):
        if at == 2 and len(sys.argv) > 1:
            deaths = int(open(sys.argv[1]).read())
            if deaths > 0:
                open(sys.argv[1], "w").write(str(deaths - 1))
                os.kill(os.getpid(), signal.SIGKILL)
        answers.append(context[-1] + np.std(context) * np.outer(np.arange(1, horizon + 1), np.array(LEVELS) - 0.5))
    print("a library that prints")
    return answers

serve(forecast, model="mortal/1", parameters="a=1")
"#;

#[test]
fn a_host_that_is_killed_amid_a_request_changes_no_byte() {
    let Some(python) = python("numpy, pyarrow") else { return };
    let folder = tempfile::tempdir().unwrap();
    let host = write_host(folder.path(), MORTAL);
    let series = series();
    let undisturbed = start(&python, &[&host], rules()).unwrap();
    assert_eq!(undisturbed.id().to_string(), "mortal/1(a=1)");
    let wanted = undisturbed.predict_batch(&contexts(&series), 2, 3).unwrap();
    assert_eq!((wanted.len(), wanted[0].median(0)), (23, Some(series[199])));
    let deaths = folder.path().join("deaths");
    for count in [1, 3] {
        fs::write(&deaths, count.to_string()).unwrap();
        let mortal = start(&python, &[&host, deaths.to_str().unwrap()], rules()).unwrap();
        let found = mortal.predict_batch(&contexts(&series), 2, 3).unwrap();
        assert!(bytes(&found) == bytes(&wanted), "{count} deaths");
        assert_eq!(fs::read_to_string(&deaths).unwrap(), "0", "it died as often as it was told");
    }
    // More often than patience lasts: said, with what to look at.
    fs::write(&deaths, "99").unwrap();
    let doomed = start(&python, &[&host, deaths.to_str().unwrap()], rules()).unwrap();
    let error = doomed.predict_batch(&contexts(&series), 2, 3).unwrap_err().to_string();
    assert!(error.contains("gave up after 4 attempts") && error.contains("host.py"), "{error}");
}

#[test]
fn a_host_that_is_late_or_not_wanted_any_more_is_killed() {
    let Some(python) = python("numpy, pyarrow") else { return };
    let sleeper = shipped().join("host_sleeping.py").display().to_string();
    let series = series();
    let late = HostRules { request_deadline: Duration::from_millis(300), attempts: 2, ..rules() };
    let host = start(&python, &[&sleeper, "--ms", "600000"], late).unwrap();
    let error = host.predict_batch(&contexts(&series)[..1], 1, 0).unwrap_err().to_string();
    assert!(error.contains("no answer before its deadline; gave up after 2 attempts"), "{error}");

    let cancelled = Arc::new(AtomicBool::new(false));
    let words = vec![python, sleeper, "--ms".to_owned(), "600000".to_owned()];
    let host = ForecasterHost::start(words, rules(), Arc::clone(&cancelled)).unwrap();
    let pid = host.lock().as_ref().unwrap().child.id();
    thread::scope(|scope| {
        let asked = scope.spawn(|| host.predict_batch(&contexts(&series)[..1], 1, 0));
        cancelled.store(true, Ordering::Relaxed);
        let error = asked.join().unwrap().unwrap_err().to_string();
        assert!(error.ends_with("cancelled"), "{error}");
    });
    assert!(!PathBuf::from(format!("/proc/{pid}/cmdline")).exists(), "it is gone, and buried");
}

#[test]
fn what_is_no_host_is_said() {
    let Some(python) = python("numpy, pyarrow") else { return };
    let folder = tempfile::tempdir().unwrap();
    let said = |code: &str| {
        let host = write_host(folder.path(), code);
        let rules = HostRules { attempts: 1, ..rules() };
        let series = series();
        match start(&python, &[&host], rules).and_then(|host| host.predict_batch(&contexts(&series), 1, 0)) {
            Ok(_) => "no error".to_owned(),
            Err(error) => error.to_string(),
        }
    };
    assert!(said("print('Hello, I print where I must not, and go on for a while')").contains("does it print there?"));
    assert!(said("raise SystemExit(3)").contains("gave no answer"));
    let wrong = "from railbird_forecaster import serve\nserve(lambda c, h, s: [None], model='wrong/1')";
    assert!(said(wrong).contains("gave no answer"), "{}", said(wrong));
    let unnamed = "from railbird_forecaster import serve\nserve(lambda c, h, s: [None] * len(c), model='')";
    assert!(said(unnamed).contains("expected a name"), "{}", said(unnamed));
    let missing = start("/nonexistent/python", &[], rules()).err().unwrap().to_string();
    assert!(missing.contains("cannot be started"), "{missing}");
}

#[test]
fn the_host_of_statsforecast_forecasts_as_its_library_does() {
    let Some(python) = python("numpy, pyarrow, statsforecast") else { return };
    let host = shipped().join("host_statsforecast.py").display().to_string();
    let host = start(&python, &[&host, "Theta"], HostRules::default()).unwrap();
    assert!(host.id().to_string().starts_with("statsforecast.Theta/"), "{}", host.id());
    let series = series();
    let asked: Vec<&[f64]> = vec![&series[..100], &series[..2], &series[..300]];
    let theirs = host.predict_batch(&asked, 2, 0).unwrap();
    assert_eq!(theirs[1], Forecast::Unmade(railbird_model::Unmade::Declined));
    let ours = builtin("theta").unwrap().predict_batch(&asked, 2, 0).unwrap();
    for at in [0, 2] {
        let (theirs, ours) = (theirs[at].made().unwrap(), ours[at].made().unwrap());
        let spread = ours.at(0, 0.9).unwrap() - ours.at(0, 0.1).unwrap();
        for step in 0..2 {
            let off = (theirs.median(step).unwrap() - ours.median(step).unwrap()).abs();
            assert!(off < 0.02 * spread, "{at} {step}: {off} of {spread}");
            // Theirs are drawn from 200 paths.
            let off = (theirs.at(step, 0.9).unwrap() - ours.at(step, 0.9).unwrap()).abs();
            assert!(off < 0.25 * spread, "{at} {step}: {off} of {spread}");
        }
    }
}

#[test]
fn the_documented_example_runs_as_it_stands() {
    let Some(python) = python("numpy, pyarrow") else { return };
    let page = fs::read_to_string(shipped().join("../docs/market-forecasters.md")).unwrap();
    let code =
        page.split("```python\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example in Python");
    let folder = tempfile::tempdir().unwrap();
    let host = write_host(folder.path(), code);
    let host = start(&python, &[&host], rules()).unwrap();
    let series = series();
    let forecasts = host.predict_batch(&contexts(&series), 3, 0).unwrap();
    assert!(forecasts.iter().all(|forecast| forecast.made().is_some_and(|made| made.horizon() == 3)));
}

#[test]
fn a_command_line_is_cut_at_spaces_outside_of_quotes() {
    assert_eq!(words("python3 'my host.py' --a=\"b c\" ''").unwrap(), ["python3", "my host.py", "--a=b c", ""]);
    assert!(words("python3 'x").unwrap_err().contains("not closed"));
    assert!(words("  ").unwrap_err().contains("expected a program"));
}

#[test]
fn the_stand_in_of_a_large_model_answers_and_says_what_it_is() {
    let Some(python) = python("numpy, pyarrow") else { return };
    let host = shipped().join("host_kronos_toto.py").display().to_string();
    let series = series();
    for model in ["toto", "kronos"] {
        let host = start(&python, &[&host, model, "--stand-in"], rules()).unwrap();
        assert!(host.id().name().contains(&format!("stand-in for {model}, random weights")), "{}", host.id());
        assert_ne!(host.id().weights(), &[0; 32]);
        let whole = host.predict_batch(&contexts(&series), 2, 1).unwrap();
        assert!(whole.iter().all(|forecast| forecast.made().is_some_and(|made| made.horizon() == 2)));
        let alone = host.predict_batch(&contexts(&series)[7..8], 2, 1).unwrap();
        assert!(bytes(&alone) == bytes(&whole[7..8]), "an answer does not depend on its batch");
    }
}
