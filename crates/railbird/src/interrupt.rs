//! Ctrl-C, and the signal by which service managers end a program. Start at [`watch`].
//!
//! The first asks: whoever holds the flag stops at the next good place, ends what it started and leaves what is finished. The second ends
//! the program at once.

use std::{
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use tokio::{
    runtime::Builder,
    signal::unix::{SignalKind, signal},
};

/// Exit code of a program that was ended by Ctrl-C, as shells have it.
const ENDED_BY_CTRL_C: i32 = 130;

static INTERRUPTED: LazyLock<Arc<AtomicBool>> = LazyLock::new(|| {
    let flag = Arc::new(AtomicBool::new(false));
    let raised = Arc::clone(&flag);
    // Without the thread a signal ends the program, as it does by default.
    let _ = thread::Builder::new().name("interrupt".to_owned()).spawn(move || wait(&raised));
    flag
});

/// A flag that becomes true when the program is asked to end. From the first call on, asking does not end it by itself.
pub(crate) fn watch() -> Arc<AtomicBool> {
    Arc::clone(&INTERRUPTED)
}

fn wait(raised: &AtomicBool) {
    let Ok(runtime) = Builder::new_current_thread().enable_io().build() else { return };
    runtime.block_on(async {
        let kinds = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
        let (Ok(mut interrupted), Ok(mut terminated)) = kinds else { return };
        for again in [false, true] {
            tokio::select! {
                _ = interrupted.recv() => {}
                _ = terminated.recv() => {}
            }
            raised.store(true, Ordering::Relaxed);
            if again {
                #[expect(clippy::exit, reason = "who asks a second time does not want to wait for anything")]
                std::process::exit(ENDED_BY_CTRL_C);
            }
        }
    });
}
