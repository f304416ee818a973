//! tokenkeep-keys: keyrings with their keys, locked and not, and epochs over them.

use std::fs;
use std::sync::{Arc, Mutex};

use tokenkeep_core::{Dek, EncryptionContext, WrapRequest};
use tokenkeep_keys::conformance::{Circumstance, LeftOut};
use tokenkeep_keys::{
    EpochEvent, EpochKeys, EpochObserver, EpochStore, KeyProvider, KeyringOptions, LocalKeyring,
    MemoryEpochStore, Passphrase,
};

use crate::Secrets;
use crate::of_core::facts;
use crate::shown::{Shown, show, show_small};

pub(crate) async fn show(shown: &mut Shown, secrets: &Secrets) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys/keyring");
    let passphrase = || Passphrase::new(secrets.passphrase.clone()).unwrap();
    let keys = LocalKeyring::create(&path).unwrap();
    keys.rotate().unwrap();
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(secrets.also_keyring(&text), 2);
    show!(shown, tokenkeep_keys::LocalKeyring: keys);
    show!(shown, tokenkeep_keys::Passphrase: passphrase());
    show!(shown, tokenkeep_keys::KeyringOptions: KeyringOptions::new().passphrase(passphrase()));
    show!(shown, tokenkeep_keys::KekStatus: keys.keks().await.unwrap().remove(0));

    // A file with keys in it that can't be read, and passphrases that do not fit.
    let altered = folder.path().join("keys/altered");
    keys.set_passphrase(&passphrase()).unwrap();
    show!(shown, tokenkeep_keys::LocalKeyring: keys);
    let wrong = || Passphrase::new(format!("{} is another one", secrets.passphrase)).unwrap();
    let error = |error: tokenkeep_keys::KeyringError| {
        let mut shown = Shown::default();
        shown.add_error("tokenkeep_keys::KeyringError", &error);
        shown.add_error("tokenkeep_core::Error", &tokenkeep_core::Error::from(error));
        shown
    };
    shown.append(error(KeyringOptions::new().passphrase(wrong()).open(&path).unwrap_err()));
    shown.append(error(LocalKeyring::open(&path).unwrap_err()));
    shown.append(error(Passphrase::new(String::new()).unwrap_err()));
    fs::copy(&path, &altered).unwrap();
    for bad in [text.replacen("kek", "kec", 1), text.replacen('e', "f", 4), text[..text.len() - 9].to_owned()]
    {
        fs::write(&altered, bad).unwrap();
        shown.append(error(LocalKeyring::open(&altered).unwrap_err()));
    }
    keys.remove_passphrase().unwrap();

    let store = Arc::new(MemoryEpochStore::new());
    let events = Arc::new(Events::default());
    let options = EpochKeys::options().allow_unlocked_memory().observer(Arc::clone(&events));
    show!(shown, tokenkeep_keys::EpochOptions: options);
    let epochs = options.build(keys.clone(), Arc::clone(&store)).unwrap();
    let context = EncryptionContext::for_token(&facts());
    let dek = Dek::from_bytes(&secrets.key);
    epochs.wrap_dek(&WrapRequest::for_rewrap(&dek, &context).unwrap()).await.unwrap();
    // The epoch's key was made in the keyring's file, and is sealed under it: both are looked for.
    assert_eq!(secrets.also_keyring(&fs::read_to_string(&path).unwrap()), 3);
    show!(shown, tokenkeep_keys::EpochKeys: epochs);
    show!(shown, tokenkeep_keys::MemoryEpochStore: *store);
    for record in store.epochs().await.unwrap() {
        show!(shown, tokenkeep_keys::EpochRecord: record);
    }
    show!(shown, tokenkeep_keys::EpochStatus: epochs.status().await.unwrap()[0]);
    let events = std::mem::take(&mut *events.0.lock().unwrap());
    assert!(events.len() > 2);
    for event in &events {
        show!(shown, tokenkeep_keys::EpochEvent: *event);
    }
    let id = keys.keks().await.unwrap()[0].id;
    show!(shown, tokenkeep_keys::conformance::Circumstance: Circumstance::Destroyed(id));
    // Its texts are the code's own.
    show!(shown, tokenkeep_keys::conformance::LeftOut: LeftOut::default());

    show_small!(
        shown,
        tokenkeep_keys::Destruction,
        tokenkeep_keys::End,
        tokenkeep_keys::EpochState,
        tokenkeep_keys::EpochTime,
        tokenkeep_keys::KekState,
        tokenkeep_keys::ProviderCall,
        tokenkeep_keys::SystemEpochClock,
    );
}

#[derive(Default)]
struct Events(Mutex<Vec<EpochEvent>>);

impl EpochObserver for Events {
    fn event(&self, event: &EpochEvent) {
        self.0.lock().unwrap().push(*event);
    }
}
