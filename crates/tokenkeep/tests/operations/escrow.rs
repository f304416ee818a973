//! The keyring's file is lost, and an escrow copy brings it back.

use std::fs::{self, File};

use tokenkeep::{ErrorKind, KeyringError, KeyringOptions, LocalKeyring, Passphrase};

use crate::site::Site;

fn passphrase() -> Passphrase {
    Passphrase::new("what the operators agreed on".to_owned()).unwrap()
}

/// Its file is lost while the site runs: the running instance saves the keys. With a keyring that is locked, and one that is not.
#[tokio::test]
async fn a_running_instance_saves_the_keys() {
    for lock in [None, Some("what the unit's credential has")] {
        let lock = || lock.map(|lock| Passphrase::new(lock.to_owned()).unwrap());
        let options =
            || lock().map_or_else(KeyringOptions::new, |lock| KeyringOptions::new().passphrase(lock));
        let site = Site::new();
        // The application has the keyring at hand.
        let keys = options().create(site.path("keys/keyring")).unwrap();
        keys.rotate().unwrap();
        let (vault, store) = site.start_with(keys.clone(), "sink/checkpoints").await;
        let text = site.connect(&vault, "customer-17").await;
        vault.checkpoint().await.unwrap();

        fs::remove_dir_all(site.path("keys")).unwrap();
        assert!(matches!(keys.rotate(), Err(KeyringError::Missing)), "no new key without the file");
        assert_eq!(site.given(&vault, "customer-17").await, Ok(text.clone()));

        // 1. A copy, in another folder than the keyring's.
        fs::create_dir(site.path("safe")).unwrap();
        keys.export_escrow(&passphrase(), site.path("safe/copy")).unwrap();
        // 2. A keyring from the copy, where the old one was, locked as that was.
        let copy = File::open(site.path("safe/copy")).unwrap();
        options().restore_escrow(site.path("keys/keyring"), copy, &passphrase()).unwrap();
        // 3. What runs takes it for its own, and goes on.
        match lock() {
            None => keys.reload().unwrap(),
            lock => keys.reload_with(lock.as_ref()).unwrap(),
        }
        assert_eq!(site.given(&vault, "customer-17").await, Ok(text.clone()));
        // 4. A new process opens the vault with it.
        drop(vault);
        store.close().await;
        let restored = options().open(site.path("keys/keyring")).unwrap();
        let (vault, _store) = site.start_with(restored.clone(), "sink/checkpoints").await;
        assert_eq!(site.given(&vault, "customer-17").await, Ok(text));
        assert!(vault.verify().await.unwrap().is_whole());
        // 5. It is rotated again, and the copy that is kept is a new one.
        restored.rotate().unwrap();
        fs::remove_file(site.path("safe/copy")).unwrap();
        restored.export_escrow(&passphrase(), site.path("safe/copy")).unwrap();
        site.connect(&vault, "customer-18").await;
    }
}

/// The site is gone. What is left is elsewhere: an escrow copy, a backup of the database, the checkpoints.
#[tokio::test]
async fn a_site_comes_back_from_the_escrow_copy() {
    let site = Site::new();
    let keys = LocalKeyring::create(site.path("keys/keyring")).unwrap();
    let (vault, store) = site.start_with(keys.clone(), "sink/checkpoints").await;
    fs::create_dir(site.path("safe")).unwrap();
    keys.export_escrow(&passphrase(), site.path("safe/first")).unwrap();
    let before = site.connect(&vault, "before").await;
    keys.rotate().unwrap();
    keys.export_escrow(&passphrase(), site.path("safe/second")).unwrap();
    let after = site.connect(&vault, "after").await;
    vault.checkpoint().await.unwrap();
    site.back_up("backup").await;
    drop(vault);
    store.close().await;
    drop(keys);
    for gone in ["keys", "db"] {
        fs::remove_dir_all(site.path(gone)).unwrap();
    }

    // With the newest copy everything is there; with one from before the rotation, what was sealed since is not.
    for (name, expected) in [("safe/first", Err(ErrorKind::KeysWrong)), ("safe/second", Ok(after))] {
        // 1. The keyring, from the newest copy that there is.
        let copy = File::open(site.path(name)).unwrap();
        let keys = LocalKeyring::restore_escrow(site.path("keys/keyring"), copy, &passphrase()).unwrap();
        // 2. The database, from its backup; nothing was done since.
        fs::create_dir(site.path("db")).unwrap();
        site.restore("backup");
        // 3. The vault opens, and what it has is what the checkpoints say.
        let (vault, store) = site.start_with(keys, "sink/checkpoints").await;
        assert!(vault.verify().await.unwrap().is_whole(), "{name}");
        assert_eq!(site.given(&vault, "before").await, Ok(before.clone()));
        assert_eq!(site.given(&vault, "after").await, expected);
        // 4. Whoever's token is under a key that no copy has connects again.
        if expected.is_err() {
            let _ = vault.connection("after", "apify").unwrap().disconnect().await.unwrap();
            let text = site.connect(&vault, "after").await;
            assert_eq!(site.given(&vault, "after").await, Ok(text));
        }
        drop(vault);
        store.close().await;
        for gone in ["keys", "db"] {
            fs::remove_dir_all(site.path(gone)).unwrap();
        }
    }
}
