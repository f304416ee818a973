//! An epoch's KEK in memory of its own, which is not swapped out and is wiped.

use std::fmt;
use std::mem;

use tokenkeep_core::{Error, ErrorKind, Kek, KekId};
use zeroize::Zeroizing;

/// Pages of this size or less are nobody else's, so that unlocking one never unlocks another key.
const ALIGNMENT: usize = 16 * 1024;

/// The KEK lies in it whole: its bytes and the schedules that were made of them.
#[repr(align(16384))]
struct Page(Option<Kek>);

/// A KEK in pages that are locked into memory for as long as it lives.
///
/// The KEK is put together on the stack and moved here, and a move may leave a copy behind there; wrapping and unwrapping a DEK
/// leaves round keys in registers. That is not locked, and not wiped.
pub(crate) struct LockedKek {
    page: Box<Page>,
    lock: Option<region::LockGuard>,
}

impl LockedKek {
    /// Puts the KEK into locked memory; `unlocked` allows that it is not locked where the system refuses.
    pub(crate) fn new(id: KekId, bytes: &Zeroizing<[u8; Kek::LEN]>, unlocked: bool) -> Result<Self, Error> {
        let page = Box::new(Page(None));
        // Locked while it is empty: what is written to it is never swapped out.
        let lock = match region::lock(&raw const *page, size_of::<Kek>().max(1)) {
            Ok(lock) => Some(lock),
            Err(_) if unlocked => None,
            Err(error) => {
                return Err(Error::new(ErrorKind::KeysUnusable)
                    .because(
                        "an epoch's key can't be locked into memory; raise the limit (ulimit -l, LimitMEMLOCK=), or allow_unlocked_memory",
                    )
                    .with_source(error));
            }
        };
        let mut locked = Self { page, lock };
        locked.page.0 = Some(Kek::from_bytes(id, bytes));
        Ok(locked)
    }

    pub(crate) fn kek(&self) -> Result<&Kek, Error> {
        self.page.0.as_ref().ok_or_else(|| ErrorKind::Internal.into())
    }

    #[cfg(test)]
    pub(crate) fn is_locked(&self) -> bool {
        self.lock.is_some()
    }
}

impl Drop for LockedKek {
    fn drop(&mut self) {
        // Wiped in its place first, unlocked then, freed last.
        self.page.0 = None;
        if let Some(lock) = self.lock.take()
            && region::page::size() > ALIGNMENT
        {
            // Another key may lie in the same page: it stays locked.
            mem::forget(lock);
        }
    }
}

impl fmt::Debug for LockedKek {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockedKek").field("locked", &self.lock.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// What the kernel says is locked of this process, in KiB.
    fn locked_kib() -> u64 {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find(|line| line.starts_with("VmLck:")).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_counts_the_pages_and_forgets_them() {
        let id = KekId::from_slice(b"an-epoch").unwrap();
        let before = locked_kib();
        let keks: Vec<_> =
            (0..4).map(|_| LockedKek::new(id, &Zeroizing::new([7; 32]), false).unwrap()).collect();
        assert!(keks.iter().all(LockedKek::is_locked));
        let page = region::page::size() as u64 / 1024;
        assert!(locked_kib() >= before + 4 * page, "{before} KiB before, {} KiB then", locked_kib());
        for kek in &keks {
            assert_eq!((&raw const *kek.page).addr() % ALIGNMENT, 0);
            assert_eq!(kek.kek().unwrap().expose_secret(), &[7; 32]);
        }
        drop(keks);
        assert_eq!(locked_kib(), before);
    }
}
