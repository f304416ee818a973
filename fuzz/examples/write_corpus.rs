//! Writes the seeds of the corpus: `cargo run --no-default-features --example write_corpus`, in this folder.

use std::{fs, io};

use tokenkeep_fuzz::{corpus_folder, seeds};

fn main() -> io::Result<()> {
    for seed in seeds() {
        let folder = corpus_folder(seed.target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{}", seed.name)), &seed.bytes)?;
    }
    Ok(())
}
