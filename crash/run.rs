//! Kill after kill.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use tokenkeep_testkit::ThrowawayPostgres;

use crate::examine::{Finished, Read, examine};
use crate::ledger::{Figures, Ledger};
use crate::line::Line;
use crate::options::Options;
use crate::place::{Kind, Place};
use crate::random::Random;

/// Kills of one database; then a new one, so that its making is killed too.
const ERA: u32 = 25;

/// Between the lives of the process, on the vault's clock: longer than any lease.
const LIFE: Duration = Duration::from_secs(240);

/// How long the process may take to open the vault, and between two lines.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn run(options: &Options) -> Result<(), String> {
    let interrupted = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&interrupted);
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            flag.store(true, Ordering::SeqCst);
        }
    });
    for kind in &options.stores {
        let begin = Instant::now();
        println!("{}: {} kills, --seed {}", kind.name(), options.kills, options.seed);
        let mut run = Run::new(*kind, options.seed)?;
        while run.kills < options.kills && !interrupted.load(Ordering::SeqCst) {
            let mut era = Era::new(&run, options.seed)?;
            let until = options.kills.min(run.kills + ERA);
            while run.kills < until && !interrupted.load(Ordering::SeqCst) {
                if let Err(error) = run.kill(&mut era).await {
                    let folder = era.keep();
                    return Err(format!(
                        "{}, kill {} of --seed {}: {error}\nWhat is left lies in {folder}",
                        kind.name(),
                        run.kills,
                        options.seed
                    ));
                }
                run.tell(options.kills, begin, false);
            }
        }
        run.tell(options.kills, begin, true);
        if run.kills < options.kills {
            return Err("interrupted".into());
        }
        run.was_worth_it()?;
    }
    Ok(())
}

/// A store's kills.
struct Run {
    server: Option<ThrowawayPostgres>,
    random: Random,
    kills: u32,
    server_kills: u32,
    figures: Figures,
    finished: Finished,
    told: Instant,
}

/// A database's kills.
struct Era {
    folder: tempfile::TempDir,
    place: Place,
    ledger: Ledger,
    read: Read,
}

impl Era {
    fn new(run: &Run, seed: u64) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|error| format!("no folder: {error}"))?;
        let url = match &run.server {
            None => None,
            Some(server) => {
                let name = server.fresh_database().map_err(|error| format!("no database: {error}"))?;
                Some(server.url(&name))
            }
        };
        let place = Place { folder: folder.path().to_owned(), url, ahead: Duration::ZERO, seed };
        place.prepare()?;
        Ok(Self { folder, place, ledger: Ledger::new(), read: Read::new() })
    }

    fn keep(self) -> String {
        self.folder.keep().display().to_string()
    }
}

impl Run {
    fn new(kind: Kind, seed: u64) -> Result<Self, String> {
        let server = match kind {
            Kind::Sqlite => None,
            Kind::Postgres => {
                let server = ThrowawayPostgres::builder().fsync(true).start();
                Some(server.map_err(|error| format!("no PostgreSQL: {error}"))?)
            }
        };
        Ok(Self {
            server,
            random: Random::new(seed),
            kills: 0,
            server_kills: 0,
            figures: Figures::default(),
            finished: Finished::default(),
            told: Instant::now(),
        })
    }

    /// One life of the process, its end, and what it left.
    async fn kill(&mut self, era: &mut Era) -> Result<(), String> {
        self.kills += 1;
        era.place.ahead += LIFE / 2;
        era.place.seed = self.random.next();
        let mut process = Process::start(&era.place)?;
        self.live(&mut process)?;
        let lines = process.kill()?;
        era.ledger.read(&lines, &mut self.figures)?;
        era.place.ahead += LIFE / 2;
        let Era { place, ledger, read, .. } = era;
        let looked = examine(place, ledger, read, &mut self.figures, &mut self.finished).await;
        looked.map_err(|error| format!("{error}\nIts last words:\n{}", last_words(&lines)))
    }

    /// Waits for the point at which to kill it.
    fn live(&mut self, process: &mut Process) -> Result<(), String> {
        let random = &mut self.random;
        // While it opens the vault, or makes it.
        if random.once_in(10) {
            thread::sleep(Duration::from_millis(random.below(150)));
            return Ok(());
        }
        process.until(|line| *line == Line::Ready)?;
        if let Some(server) = self.server.as_ref().filter(|_| random.once_in(5)) {
            self.server_kills += 1;
            thread::sleep(Duration::from_millis(random.below(400)));
            server.kill().map_err(|error| format!("the server was not killed: {error}"))?;
            let with_it = random.once_in(2);
            if with_it {
                process.child.kill().map_err(|error| error.to_string())?;
            }
            server.start_again().map_err(|error| format!("the server did not start again: {error}"))?;
            if !with_it {
                // It must find back by itself.
                process.drain();
                process.until(|line| matches!(line, Line::Done(_)))?;
                thread::sleep(Duration::from_millis(random.below(100)));
            }
            return Ok(());
        }
        if random.once_in(2) {
            thread::sleep(Duration::from_millis(random.below(300)));
            return Ok(());
        }
        // Right behind a line: before or after a change.
        for _ in 0..random.below(120) {
            process.until(|_| true)?;
        }
        thread::sleep(Duration::from_micros(random.below(3000)));
        Ok(())
    }

    fn tell(&mut self, of: u32, begin: Instant, at_the_end: bool) {
        if !at_the_end && self.told.elapsed() < Duration::from_secs(10) {
            return;
        }
        self.told = Instant::now();
        let Figures { done, used, failed, made, not_made, in_the_applications } = self.figures;
        let shared = match &self.server {
            Some(_) => format!(" ({in_the_applications} with a row of the application's)"),
            None => String::new(),
        };
        let servers = match self.server_kills {
            0 => String::new(),
            kills => format!(" ({kills} of the server)"),
        };
        println!(
            "{:>5} of {of} kills{servers}, {:>4} s: {done} changes{shared} and {used} uses acknowledged, {made} of {} under way \
             were made, {} disconnects finished, {failed} errors that passed",
            self.kills,
            begin.elapsed().as_secs(),
            made + not_made,
            self.finished.disconnects,
        );
    }

    /// Kills that met nothing would prove nothing.
    fn was_worth_it(&self) -> Result<(), String> {
        let Figures { done, made, not_made, in_the_applications, .. } = self.figures;
        let met = done > 0 && made + not_made > 0 && (self.server.is_none() || in_the_applications > 0);
        let all = made > 0 && not_made > 0 && self.finished.disconnects > 0;
        if met && (all || self.kills < 100) { Ok(()) } else { Err("the kills met nothing".into()) }
    }
}

/// The process, and what it told so far.
struct Process {
    child: Child,
    lines: Receiver<String>,
    told: Vec<String>,
}

impl Process {
    fn start(place: &Place) -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut command = Command::new(program);
        command.args(place.arguments()).stdin(Stdio::piped()).stdout(Stdio::piped());
        // A group of its own: an interrupt at the terminal is not for it.
        let mut child = command.process_group(0).spawn().map_err(|error| error.to_string())?;
        let output = child.stdout.take().ok_or("it has no output")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        Ok(Self { child, lines, told: Vec::new() })
    }

    /// Waits for such a line.
    fn until(&mut self, wanted: impl Fn(&Line) -> bool) -> Result<(), String> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            match self.lines.recv_timeout(Duration::from_secs(1)) {
                Ok(text) => {
                    let found = Line::parse(&text).is_some_and(|line| wanted(&line));
                    self.told.push(text);
                    if found {
                        return Ok(());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Err("the process ended by itself".into()),
            }
        }
        Err(format!("for a minute the process did not do what it should; it told:\n{}", self.told.join("\n")))
    }

    fn drain(&mut self) {
        self.told.extend(self.lines.try_iter());
    }

    /// Kills it, and gives all that it told.
    fn kill(mut self) -> Result<Vec<Line>, String> {
        self.child.kill().map_err(|error| error.to_string())?;
        let status = self.child.wait().map_err(|error| error.to_string())?;
        // The pipe outlives it: what it wrote is read to the end.
        self.told.extend(self.lines.iter());
        if status.signal() != Some(9) {
            return Err(format!("the process ended by itself: {status}"));
        }
        let lines = self.told.iter().map(|text| Line::parse(text).ok_or(format!("not a line: {text:?}")));
        lines.collect()
    }
}

fn last_words(lines: &[Line]) -> String {
    let last = lines.iter().rev().take(24).map(|line| format!("  {line:?}"));
    last.collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>().join("\n")
}
