//! The operating system's random generator, and no other.

use crate::RandomUnavailable;

/// Fills `buffer` from the operating system's generator.
///
/// # Errors
/// [`RandomUnavailable`] when the system gives no random bytes; `buffer` must then not be used.
pub fn fill_random(buffer: &mut [u8]) -> Result<(), RandomUnavailable> {
    #[cfg(test)]
    draws::DRAWS.with(|draws| draws.set(draws.get() + 1));
    getrandom::fill(buffer).map_err(|_| RandomUnavailable)
}

#[cfg(test)]
mod draws {
    extern crate std;

    use core::cell::Cell;

    use crate::suite::SCHEDULES;
    use crate::{ApiToken, EncryptionContext, Kek, VaultId, VaultKeyPurpose, open_token, seal_token};

    std::thread_local! {
        pub(super) static DRAWS: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn a_seal_draws_once_and_an_open_never_and_a_keks_schedule_is_kept() {
        let kek = Kek::generate().unwrap();
        let context =
            EncryptionContext::for_vault_key(VaultId::from_bytes([1; 16]), VaultKeyPurpose::AuditMac);
        let token = ApiToken::new("an-example-token".into()).unwrap();
        let counted = || (DRAWS.take(), SCHEDULES.take());
        counted();
        let envelope = seal_token(&kek, &context, &token).unwrap();
        // The one schedule is that of the DEK.
        assert_eq!(counted(), (1, 1));
        open_token(&kek, &context, &envelope).unwrap();
        assert_eq!(counted(), (0, 1));
    }
}
