//! Threads on which scripts run: apart from those that deliver, with a stack that no value is too deep
//! for, and under a budget of CPU time.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use rhai::{Dynamic, Engine};
use rustix::time::{ClockId, clock_gettime};
use tidings_core::change::Change;
use tidings_core::format::Rendered;
use tidings_core::limits;
use tokio::sync::oneshot;

use crate::{Input, Output, Script, TransformError, language, run};

/// The CPU time is looked at after this many steps; a single step is short, for values are bounded.
const STEPS_BETWEEN_LOOKS: u64 = 16;

/// Runs scripts. Clones share the threads, which begin with the first script and end with the last
/// clone.
#[derive(Clone, Debug, Default)]
pub struct Sandbox {
    jobs: Arc<OnceLock<Sender<Job>>>,
}

struct Job {
    script: Script,
    input: Input,
    answer: oneshot::Sender<Result<Output, TransformError>>,
}

impl Sandbox {
    /// Runs a script.
    ///
    /// # Errors
    /// When it fails, uses up a limit, or makes what cannot be sent.
    pub async fn run(&self, script: &Script, input: Input) -> Result<Output, TransformError> {
        let (answer, answered) = oneshot::channel();
        let job = Job { script: script.clone(), input, answer };
        let stopped =
            || TransformError::new("the sandbox stopped; this is a bug, please report it");
        self.jobs.get_or_init(start).send(job).map_err(|_| stopped())?;
        answered.await.map_err(|_| stopped())?
    }
}

impl Sandbox {
    /// Lets a script change what a format rendered; answers that and the headers to add, names in lower case.
    ///
    /// # Errors
    /// As [`Sandbox::run`].
    pub async fn reshape(
        &self,
        script: &Script,
        mut rendered: Rendered,
        changes: &[Arc<Change>],
    ) -> Result<(Rendered, Vec<(String, String)>), TransformError> {
        let input = Input { changes: changes.to_vec(), body: rendered.body.clone() };
        let output = self.run(script, input).await?;
        rendered.body = output.body.unwrap_or(rendered.body);
        Ok((rendered, output.headers))
    }
}

fn start() -> Sender<Job> {
    let (sender, receiver) = channel();
    let receiver = Arc::new(Mutex::new(receiver));
    for _ in 0..limits::TRANSFORM_THREADS {
        let receiver = Arc::clone(&receiver);
        let thread = std::thread::Builder::new()
            .name("transform".into())
            .stack_size(limits::TRANSFORM_STACK_BYTES);
        // Without a thread every script answers that the sandbox stopped.
        drop(thread.spawn(move || work(&receiver)));
    }
    sender
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    let until = Arc::new(AtomicU64::new(0));
    let engine = timed(Arc::clone(&until));
    loop {
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        until.store(cpu_ns() + limits::TRANSFORM_CPU_MS * 1_000_000, Ordering::Relaxed);
        let run = AssertUnwindSafe(|| run::run(&engine, &job.script, &job.input));
        let result = std::panic::catch_unwind(run).unwrap_or_else(|_| {
            Err(TransformError::new("tidings failed to run it; this is a bug, please report it"))
        });
        // Nobody waits any more: the delivery was given up.
        drop(job.answer.send(result));
    }
}

/// An engine that stops when its thread has used CPU time up to `until`.
fn timed(until: Arc<AtomicU64>) -> Engine {
    let mut engine = language::engine();
    engine.on_progress(move |steps| {
        let is_over = steps % STEPS_BETWEEN_LOOKS == 0 && cpu_ns() > until.load(Ordering::Relaxed);
        is_over.then_some(Dynamic::UNIT)
    });
    engine
}

/// CPU time that this thread has used, ns.
fn cpu_ns() -> u64 {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    u64::try_from(time.tv_sec).unwrap_or(0) * 1_000_000_000
        + u64::try_from(time.tv_nsec).unwrap_or(0)
}
