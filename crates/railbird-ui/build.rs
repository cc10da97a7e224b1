//! Builds the web pages with npm and writes the table that `src/lib.rs` includes.
//!
//! The sources under `web/` are copied to `<target>/ui/work`, npm runs there, and the pages are kept in
//! `<target>/ui/<content hash>`: as long as the sources stay the same, no build of any profile runs npm again. Nothing
//! is ever written into the source tree. Without Node, or when npm fails, the table holds one page that says so.

use std::{
    collections::BTreeSet,
    env,
    error::Error,
    fmt::Write as _,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use flate2::{Compression, write::GzEncoder};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Folders of `web/` that pages are not made of: the tests, and what npm would leave there by hand.
const NOT_IN_PAGES: [&str; 2] = ["test", "e2e"];
/// Addresses that `index.html` answers beside its own.
const FIELD_PAGES: [&str; 5] = ["/f1/{session}", "/book", "/book/{day}", "/market", "/market/{run}"];
const NEVER_COPIED: [&str; 2] = ["node_modules", "dist"];

fn main() -> Result<()> {
    for variable in ["RAILBIRD_TARGET", "CARGO_TARGET_DIR", "CI", "PATH"] {
        println!("cargo::rerun-if-env-changed={variable}");
    }
    for path in ["build.rs", "fallback", "web"] {
        println!("cargo::rerun-if-changed={path}");
    }
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let pages = match build(&root.join("web"), &target_folder(&out).join("ui")) {
        Ok(pages) => pages,
        Err(error) if env::var("CI").is_ok_and(|value| value == "true") => {
            return Err(format!("web pages: {error}").into());
        }
        Err(error) => {
            let reason = error.to_string().replace('\n', " ");
            println!("cargo::warning=web pages: {reason}; building with one page that says how to get the real ones");
            root.join("fallback")
        }
    };
    write_table(&pages, &out)
}

/// The folder of all build output: named by the environment, or found above `out`, which cargo places at
/// `<target>/[<triple>/]<profile>/build/…/out`.
fn target_folder(out: &Path) -> PathBuf {
    let mut named = ["RAILBIRD_TARGET", "CARGO_TARGET_DIR"].iter().filter_map(env::var_os).map(PathBuf::from);
    if let Some(folder) = named.find(|folder| folder.is_absolute()) {
        return folder;
    }
    let triple = env::var_os("TARGET").unwrap_or_default();
    let build = out.ancestors().find(|folder| folder.file_name().is_some_and(|name| name == "build"));
    let above = build.and_then(Path::parent).and_then(Path::parent);
    match above {
        Some(folder) if folder.file_name() == Some(&triple) => folder.parent().unwrap_or(folder).to_path_buf(),
        Some(folder) => folder.to_path_buf(),
        None => out.to_path_buf(),
    }
}

/// Makes the pages of `web` and returns their folder.
fn build(web: &Path, ui: &Path) -> Result<PathBuf> {
    let mut files = BTreeSet::new();
    list(web, Path::new(""), &mut files)?;
    let pages = ui.join(hash_of_sources(web, &files)?);
    fs::create_dir_all(ui)?;
    // Two builds (of two profiles, say) may run at once: one makes the pages, the other waits and finds them.
    let lock = File::create(ui.join(".lock"))?;
    lock.lock()?;
    let work = ui.join("work");
    let ready = node_is_there().and_then(|()| {
        copy(web, &work, &files)?;
        install(&work)
    });
    if pages.join("index.html").exists() {
        if let Err(error) = ready {
            println!("cargo::warning=web pages: built earlier and used again, but their checks cannot run: {error}");
        }
        return Ok(pages);
    }
    ready?;
    let aside = ui.join(".aside");
    let aside_text = aside.to_str().ok_or("target folder: its path is not UTF-8")?;
    npm(&work, &["run", "build", "--", "--outDir", aside_text, "--emptyOutDir", "--logLevel", "warn"])?;
    if pages.exists() {
        fs::remove_dir_all(&pages)?;
    }
    fs::rename(&aside, &pages)?;
    Ok(pages)
}

fn node_is_there() -> Result<()> {
    let output = Command::new("node").arg("--version").output().map_err(|error| format!("node not found ({error})"))?;
    let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    let mut numbers = version.trim_start_matches('v').split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor) = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if (major, minor) < (20, 19) {
        return Err(format!("node {version} is too old, 20.19 or later is needed").into());
    }
    Command::new("npm").arg("--version").output().map_err(|error| format!("npm not found ({error})"))?;
    Ok(())
}

/// `npm ci`, once a lock file.
fn install(work: &Path) -> Result<()> {
    let lock = fs::read(work.join("package-lock.json"))?;
    let want = blake3::hash(&lock).to_hex().to_string();
    let mark = work.join("node_modules/.railbird-lock");
    if fs::read_to_string(&mark).is_ok_and(|have| have == want) {
        return Ok(());
    }
    npm(work, &["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"])?;
    fs::write(mark, want)?;
    Ok(())
}

fn npm(work: &Path, arguments: &[&str]) -> Result<()> {
    let output = Command::new("npm").args(arguments).current_dir(work).output()?;
    if output.status.success() {
        return Ok(());
    }
    let mut said = String::from_utf8_lossy(&output.stderr).into_owned();
    said.push_str(&String::from_utf8_lossy(&output.stdout));
    let tail: Vec<&str> = said.lines().filter(|line| !line.trim().is_empty()).rev().take(12).collect();
    let tail: Vec<&str> = tail.into_iter().rev().collect();
    Err(format!("npm {} failed: {}", arguments.join(" "), tail.join(" / ")).into())
}

/// Paths of all files below `root/below`, relative to `root`.
fn list(root: &Path, below: &Path, files: &mut BTreeSet<PathBuf>) -> Result<()> {
    for entry in fs::read_dir(root.join(below))? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        if !entry.file_type()?.is_dir() {
            files.insert(path);
        } else if !NEVER_COPIED.iter().any(|name| entry.file_name() == *name) {
            list(root, &path, files)?;
        }
    }
    Ok(())
}

fn hash_of_sources(web: &Path, files: &BTreeSet<PathBuf>) -> Result<String> {
    let mut hasher = blake3::Hasher::new();
    for path in files.iter().filter(|path| !NOT_IN_PAGES.iter().any(|folder| path.starts_with(folder))) {
        let bytes = fs::read(web.join(path))?;
        for part in [path.to_string_lossy().as_bytes(), &bytes] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part);
        }
    }
    Ok(hasher.finalize().to_hex()[..20].to_owned())
}

/// Makes `work` hold the same sources as `web`: writes what differs, removes what is gone.
fn copy(web: &Path, work: &Path, files: &BTreeSet<PathBuf>) -> Result<()> {
    fs::create_dir_all(work)?;
    let mut there = BTreeSet::new();
    list(work, Path::new(""), &mut there)?;
    for gone in there.difference(files) {
        fs::remove_file(work.join(gone))?;
    }
    for path in files {
        let bytes = fs::read(web.join(path))?;
        let to = work.join(path);
        if fs::read(&to).is_ok_and(|have| have == bytes) {
            continue;
        }
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(to, bytes)?;
    }
    Ok(())
}

/// Writes `pages.rs` and the compressed files beside it.
fn write_table(pages: &Path, out: &Path) -> Result<()> {
    let mut files = BTreeSet::new();
    list(pages, Path::new(""), &mut files)?;
    let mut table = String::from("&[\n");
    for (number, path) in files.iter().enumerate() {
        let file = pages.join(path);
        let bytes = fs::read(&file)?;
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(&bytes)?;
        let compressed = out.join(format!("{number}.gz"));
        fs::write(&compressed, encoder.finish()?)?;
        let url = format!("/{}", path.to_string_lossy().replace('\\', "/"));
        // One document answers every page's address; the script in it looks at the address.
        let also: &[&str] = if url == "/index.html" { &FIELD_PAGES } else { &[] };
        for url in std::iter::once(url).chain(also.iter().map(|path| (*path).to_owned())) {
            writeln!(
                table,
                "Page {{ path: {url:?}, media_type: {:?}, etag: {:?}, gzip: include_bytes!({compressed:?}), \
                 identity: include_bytes!({file:?}), immutable: {} }},",
                media_type(path),
                &blake3::hash(&bytes).to_hex()[..20],
                url.starts_with("/assets/"),
            )?;
        }
    }
    table.push(']');
    fs::write(out.join("pages.rs"), table)?;
    Ok(())
}

fn media_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("json" | "webmanifest") => "application/json",
        _ => "application/octet-stream",
    }
}
