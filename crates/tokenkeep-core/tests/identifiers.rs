//! Identifiers, names and origins: their borders, and how they are shown.

use tokenkeep_core::{
    BadName, BadOrigin, ConnectionId, Dek, EncryptionContext, Envelope, Incarnation, Kek, KekId, Origin,
    ProviderName, Revision, SealDraft, SecretVersion, TenantId, VaultId, VaultKeyPurpose,
};

#[test]
fn a_kek_id_has_1_to_29_bytes() {
    for length in [1, 29] {
        assert_eq!(KekId::from_slice(&vec![7; length]).unwrap().as_bytes(), vec![7; length]);
    }
    for length in [0, 30, 64] {
        assert!(KekId::from_slice(&vec![7; length]).is_err(), "{length} bytes");
    }
    let (one, other) = (KekId::random().unwrap(), KekId::random().unwrap());
    assert_eq!((one.as_bytes().len(), one == other), (16, false));
    assert_ne!(one.as_bytes(), [0; 16]);
}

#[test]
fn drawn_identifiers_differ_and_given_ones_stay() {
    assert_ne!(VaultId::random().unwrap(), VaultId::random().unwrap());
    assert_ne!(Incarnation::random().unwrap(), Incarnation::random().unwrap());
    assert_eq!(VaultId::from_bytes([3; 16]).as_bytes(), &[3; 16]);
}

#[test]
fn counters_count_and_stop_at_the_last() {
    assert_eq!(SecretVersion::FIRST.get(), 1);
    assert_eq!(SecretVersion::FIRST.next().get(), 2);
    assert_eq!(Revision::from_u64(41).next(), Revision::from_u64(42));
    assert_eq!(Revision::from_u64(u64::MAX).next().get(), u64::MAX);
    assert_eq!(Revision::from_u64(41).to_string(), "41");
}

#[test]
fn identifiers_are_shown_in_hex_and_names_as_they_are() {
    let vault = VaultId::from_bytes(core::array::from_fn(|i| i as u8));
    assert_eq!(vault.to_string(), "000102030405060708090a0b0c0d0e0f");
    assert_eq!(format!("{vault:?}"), format!("VaultId({vault})"));
    let kek = KekId::from_slice(&[0, 0xAB, 0xFF]).unwrap();
    assert_eq!((kek.to_string(), format!("{kek:?}")), ("00abff".into(), "KekId(00abff)".into()));
    let connection = ConnectionId::new("customer-17", "apify").unwrap();
    assert_eq!(connection.to_string(), "customer-17/apify");
    assert_eq!(connection.tenant().to_string(), "customer-17");
    assert_eq!(format!("{:?}", connection.name()), "\"apify\"");
    let origin = Origin::parse("https://api.apify.com").unwrap();
    assert_eq!(
        (origin.to_string(), format!("{origin:?}")),
        ("https://api.apify.com".into(), "Origin(https://api.apify.com)".into())
    );
}

#[test]
fn what_holds_a_secret_shows_its_name_alone() {
    let kek = Kek::from_bytes(KekId::from_slice(b"\x01").unwrap(), &[0xAB; 32]);
    let context = EncryptionContext::for_vault_key(VaultId::from_bytes([1; 16]), VaultKeyPurpose::AuditMac);
    assert_eq!(format!("{kek:?}"), "Kek { id: KekId(01), .. }");
    assert_eq!(format!("{:?}", Dek::from_bytes(&[0xAB; 32])), "Dek([hidden])");
    assert_eq!(format!("{context:?}"), "EncryptionContext { .. }");
    let draft = SealDraft::new(&context).unwrap();
    assert_eq!(format!("{draft:?}"), "SealDraft { .. }");
    assert_eq!(format!("{:?}", draft.wrap_request()), "WrapRequest { .. }");
    let bytes = [&[1, 1, 1, 7, 0, 1, 9], &[0; 72][..]].concat();
    assert_eq!(
        format!("{:?}", Envelope::decode(bytes).unwrap()),
        "Envelope { kek: KekId(07), length: 79, .. }"
    );
}

#[test]
fn a_name_is_as_long_as_its_type_allows() {
    assert!(TenantId::new("ä".repeat(127)).is_ok(), "254 bytes");
    assert_eq!(TenantId::new("ä".repeat(128)), Err(BadName::TooLong("tenant", 255)));
    assert!(ProviderName::new("p".repeat(64)).is_ok());
    assert_eq!(ProviderName::new("p".repeat(65)), Err(BadName::TooLong("provider", 64)));
    assert_eq!("a-1".parse::<ProviderName>().unwrap().as_str(), "a-1");
}

#[test]
fn a_host_is_as_long_as_dns_allows() {
    let label = |length: usize| "a".repeat(length);
    let host = |last: usize| format!("https://{0}.{0}.{0}.{1}", label(63), label(last));
    assert_eq!(Origin::parse(&host(61)).unwrap().host().len(), 253);
    assert_eq!(Origin::parse(&host(62)), Err(BadOrigin::Host));
    assert!(Origin::parse(&format!("https://{}.example", label(63))).is_ok());
    assert_eq!(Origin::parse(&format!("https://{}.example", label(64))), Err(BadOrigin::Host));
}

#[test]
fn labels_and_ports_have_one_form() {
    for bad in [
        "a-.example",
        "-a.example",
        "a.example-",
        "xn-.example",
        "xn--a.example",
        "a.xn--b",
        "a.1",
        "a.0x",
        "a.0xf",
    ] {
        assert_eq!(Origin::parse(&format!("https://{bad}")), Err(BadOrigin::Host), "{bad}");
    }
    for good in ["a-b.example", "1.example", "0xf.example", "a.0xg", "a.b1", "a.1b"] {
        assert!(Origin::parse(&format!("https://{good}")).is_ok(), "{good}");
    }
    for port in ["0", "65536", "00", "080", "443", "-1", " 1", "1 "] {
        assert_eq!(Origin::parse(&format!("https://a:{port}")), Err(BadOrigin::Port), "{port:?}");
    }
    for port in [1, 442, 444, 65_535] {
        let origin: Origin = format!("https://a:{port}").parse().unwrap();
        assert_eq!((origin.host(), origin.port()), ("a", port));
    }
}
