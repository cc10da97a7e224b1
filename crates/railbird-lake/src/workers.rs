//! How many tasks run at once. Start at [`Machine::look`] and [`Workers::decide`].

use std::{fs, num::NonZero, path::Path, thread};

/// Part of the free memory that a run may take by itself: the rest is the file cache's and the others'.
const FREE_SHARE: (u64, u64) = (3, 4);
/// Limits from here on are none: a container without one is told a number near 2^63.
const NO_LIMIT_BYTES: u64 = 1 << 60;

/// What a machine, or the container that we are in, has to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Cores that this process may use.
    pub cores: usize,
    /// Memory that is free, bytes; `None` where the platform does not tell.
    pub free_bytes: Option<u64>,
    /// Whether a container's limit, rather than the machine, decides what is free.
    pub is_container: bool,
}

impl Machine {
    /// Looks at this machine.
    pub fn look() -> Self {
        Self::look_below(Path::new("/"), thread::available_parallelism().map_or(1, NonZero::get))
    }

    fn look_below(root: &Path, cores: usize) -> Self {
        let read = |path: &str| fs::read_to_string(root.join(path.trim_start_matches('/'))).ok();
        let machine = read("/proc/meminfo").and_then(|text| kibibytes(&text, "MemAvailable:"));
        let container = read("/proc/self/cgroup").and_then(|text| free_of_groups(&text, &read));
        let is_container = match (machine, container) {
            (Some(machine), Some(container)) => container < machine,
            (None, Some(_)) => true,
            _ => false,
        };
        Self { cores, free_bytes: if is_container { container } else { machine }, is_container }
    }
}

/// A value of `/proc/meminfo`, bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// What the groups that we are in leave free, the tightest of them, bytes; `None` without a limit.
fn free_of_groups(groups: &str, read: &dyn Fn(&str) -> Option<String>) -> Option<u64> {
    let mut free: Option<u64> = None;
    for line in groups.lines() {
        let mut parts = line.splitn(3, ':');
        let (Some(_), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let names = if controllers.is_empty() {
            ("/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file ")
        } else if controllers.split(',').any(|controller| controller == "memory") {
            ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file ")
        } else {
            continue;
        };
        let (top, limit, usage, cache) = names;
        // From our own group up: a limit of any of them holds. In a container the path may be the host's, and only the top is there.
        let mut path = path.trim_end_matches('/');
        loop {
            let folder = format!("{top}{path}");
            let number = |name: &str| read(&format!("{folder}/{name}"))?.trim().parse::<u64>().ok();
            if let (Some(limit), Some(usage)) = (number(limit).filter(|limit| *limit < NO_LIMIT_BYTES), number(usage)) {
                // Cached file pages count as used and go as soon as somebody needs the room.
                let statistics = read(&format!("{folder}/memory.stat")).unwrap_or_default();
                let cached = statistics.lines().find_map(|line| line.strip_prefix(cache)?.trim().parse::<u64>().ok());
                let here = limit.saturating_sub(usage.saturating_sub(cached.unwrap_or(0)));
                free = Some(free.map_or(here, |free| free.min(here)));
            }
            match path.rfind('/') {
                Some(cut) => path = &path[..cut],
                None => break,
            }
        }
    }
    free
}

/// How many tasks run at once, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Workers {
    /// Threads.
    pub count: usize,
    /// What decided it, in words.
    pub why: String,
}

impl Workers {
    /// Memory that the tasks may take together, bytes: what a user bounds it to, else three quarters of what is free; `None` where
    /// nothing bounds it, as with a number of workers that a user insists on.
    pub fn bound_bytes(machine: &Machine, asked: Option<usize>, memory_bytes: Option<u64>) -> Option<u64> {
        let free = || machine.free_bytes.filter(|_| asked.is_none()).map(|free| free / FREE_SHARE.1 * FREE_SHARE.0);
        memory_bytes.or_else(free)
    }

    /// As many as there are cores, tasks, and room in memory for; at least one.
    ///
    /// `asked`: a number that a user insists on, which memory still bounds where `memory_bytes`, a bound of his own, is given too.
    /// `task_bytes`: the most that one task takes. Without a bound it is three quarters of what is free.
    pub fn decide(
        machine: &Machine,
        asked: Option<usize>,
        memory_bytes: Option<u64>,
        task_bytes: u64,
        tasks: usize,
    ) -> Self {
        let bound = Self::bound_bytes(machine, asked, memory_bytes).map(|bytes| {
            let words = match (memory_bytes, machine.free_bytes) {
                (None, Some(free)) => {
                    let whose = if machine.is_container { " in this container" } else { "" };
                    format!("{} free{whose}, of which {} are used", megabytes(free), megabytes(bytes))
                }
                _ => format!("--memory {}", megabytes(bytes)),
            };
            (bytes, words)
        });
        let wanted = asked.unwrap_or(machine.cores).max(1);
        let fit = bound
            .as_ref()
            .map_or(usize::MAX, |(bytes, _)| usize::try_from(bytes / task_bytes.max(1)).unwrap_or(usize::MAX).max(1));
        let count = wanted.min(fit).min(tasks.max(1));
        let mut why = match asked {
            Some(asked) => format!("{asked} asked for"),
            None if machine.cores == 1 => "1 core".to_owned(),
            None => format!("{} cores", machine.cores),
        };
        match &bound {
            Some((_, words)) => {
                why.push_str(&format!("; {words}, at {} a task: room for {fit}", megabytes(task_bytes)))
            }
            None if asked.is_none() => why.push_str("; free memory unknown"),
            None => {}
        }
        why.push_str(&format!("; {tasks} tasks"));
        if count < wanted {
            let what = if fit <= tasks { "memory" } else { "the tasks" };
            why.push_str(&format!(": {what} decide{}", if what == "memory" { "s" } else { "" }));
        }
        Self { count, why }
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{} MB", bytes / 1_000_000)
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    fn machine(files: &[(&str, &str)]) -> Machine {
        let root = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = root.path().join(path.trim_start_matches('/'));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Machine::look_below(root.path(), 8)
    }

    const MEMINFO: (&str, &str) =
        ("/proc/meminfo", "MemTotal:       16000000 kB\nMemFree:  100 kB\nMemAvailable:    8000000 kB\n");

    #[test]
    fn the_tightest_limit_of_machine_and_containers_holds() {
        assert_eq!(machine(&[]).free_bytes, None);
        assert_eq!(machine(&[MEMINFO]).free_bytes, Some(8_192_000_000));
        let second = machine(&[
            MEMINFO,
            ("/proc/self/cgroup", "0::/user/job\n"),
            ("/sys/fs/cgroup/user/job/memory.max", "max\n"),
            ("/sys/fs/cgroup/user/job/memory.current", "1\n"),
            ("/sys/fs/cgroup/user/memory.max", "1000000000\n"),
            ("/sys/fs/cgroup/user/memory.current", "600000000\n"),
            ("/sys/fs/cgroup/user/memory.stat", "anon 5\ninactive_file 100000000\n"),
        ]);
        assert_eq!(second, Machine { cores: 8, free_bytes: Some(500_000_000), is_container: true });
        let first = machine(&[
            MEMINFO,
            ("/proc/self/cgroup", "12:cpu,cpuacct:/x\n4:memory:/docker/abc\n0::/\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "1073741824\n"),
            ("/sys/fs/cgroup/memory/memory.usage_in_bytes", "73741824\n"),
        ]);
        assert_eq!(first, Machine { cores: 8, free_bytes: Some(1_000_000_000), is_container: true });
        let unlimited = machine(&[
            MEMINFO,
            ("/proc/self/cgroup", "4:memory:/\n"),
            ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n"),
            ("/sys/fs/cgroup/memory/memory.usage_in_bytes", "73741824\n"),
        ]);
        assert_eq!(unlimited, machine(&[MEMINFO]));
    }

    #[track_caller]
    fn check(free: Option<u64>, asked: Option<usize>, memory: Option<u64>, tasks: usize, want: Expect) {
        let machine = Machine { cores: 8, free_bytes: free, is_container: free == Some(1_000_000_000) };
        let workers = Workers::decide(&machine, asked, memory, 400_000_000, tasks);
        want.assert_eq(&format!("{}: {}", workers.count, workers.why));
    }

    #[test]
    fn cores_memory_and_tasks_decide_and_say_so() {
        check(
            Some(16_000_000_000),
            None,
            None,
            100,
            expect!["8: 8 cores; 16000 MB free, of which 12000 MB are used, at 400 MB a task: room for 30; 100 tasks"],
        );
        check(
            Some(1_000_000_000),
            None,
            None,
            100,
            expect![
                "1: 8 cores; 1000 MB free in this container, of which 750 MB are used, at 400 MB a task: room for 1; 100 tasks: memory decides"
            ],
        );
        check(
            Some(16_000_000_000),
            None,
            Some(1_000_000_000),
            100,
            expect!["2: 8 cores; --memory 1000 MB, at 400 MB a task: room for 2; 100 tasks: memory decides"],
        );
        check(
            Some(16_000_000_000),
            None,
            None,
            3,
            expect![
                "3: 8 cores; 16000 MB free, of which 12000 MB are used, at 400 MB a task: room for 30; 3 tasks: the tasks decide"
            ],
        );
        check(None, None, None, 100, expect!["8: 8 cores; free memory unknown; 100 tasks"]);
        check(Some(1), Some(4), None, 100, expect!["4: 4 asked for; 100 tasks"]);
        check(
            Some(1),
            Some(4),
            Some(900_000_000),
            100,
            expect!["2: 4 asked for; --memory 900 MB, at 400 MB a task: room for 2; 100 tasks: memory decides"],
        );
        check(
            Some(0),
            None,
            None,
            0,
            expect![
                "1: 8 cores; 0 MB free, of which 0 MB are used, at 400 MB a task: room for 1; 0 tasks: the tasks decide"
            ],
        );
    }
}
