//! File systems of the tests' own: small ones, and read-only ones.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Something mounted in a folder that vanishes.
pub(crate) struct Mount {
    folder: TempDir,
}

impl Mount {
    /// An empty file system of so many KiB, for this user, or for PostgreSQL's.
    pub(crate) fn small(kib: u32, for_postgres: bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let user = match (output("id", &["-u"]).as_str(), for_postgres) {
            // The server of a test that root runs is nobody's.
            ("0", true) => "nobody".to_owned(),
            (user, _) => user.to_owned(),
        };
        let (user, group) = (output("id", &["-u", &user]), output("id", &["-g", &user]));
        let options = format!("size={kib}k,mode=700,uid={user},gid={group}");
        mount(&["-t", "tmpfs", "-o", &options, "tokenkeep"], folder.path());
        Self { folder }
    }

    /// The same files as under `of`, without a way to write to them.
    pub(crate) fn read_only(of: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        mount(&["--bind", &of.display().to_string()], folder.path());
        let mount = Self { folder };
        self::mount(&["-o", "remount,ro,bind"], mount.path());
        mount
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Fills it to the last byte, until the ballast is dropped.
    pub(crate) fn fill(&self) -> Ballast {
        // Root, for whom nothing is reserved on a tmpfs.
        let path = self.path().join("ballast");
        let mut file = fs::File::create(&path).unwrap();
        for size in [1 << 16, 1 << 12, 1] {
            while file.write_all(&vec![1; size]).is_ok() {}
        }
        Ballast(path)
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        // Lazily: whoever still has a file open in it is about to end.
        let _ = privileged("umount").arg("-l").arg(self.path()).status();
    }
}

/// What takes up the room.
pub(crate) struct Ballast(PathBuf);

impl Drop for Ballast {
    fn drop(&mut self) {
        fs::remove_file(&self.0).unwrap();
    }
}

fn privileged(program: &str) -> Command {
    if output("id", &["-u"]) == "0" {
        return Command::new(program);
    }
    let mut command = Command::new("sudo");
    command.arg("-n").arg(program);
    command
}

fn mount(arguments: &[&str], at: &Path) {
    let done = privileged("mount").args(arguments).arg(at).output();
    let done = done.expect("`mount` starts, by `sudo -n` for those who are not root");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(
        done.status.success(),
        "this test mounts a file system of its own, for which it must be root or sudo: {said}"
    );
}

fn output(program: &str, arguments: &[&str]) -> String {
    String::from_utf8(Command::new(program).args(arguments).output().unwrap().stdout)
        .unwrap()
        .trim()
        .to_owned()
}
