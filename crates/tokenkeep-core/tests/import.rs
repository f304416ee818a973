//! What is read from a file is what other readers read from it, or it is refused.

use proptest::prelude::*;
use tokenkeep_core::{ImportFault, ImportRejected, ImportedVars, SecretVarRejected, SecretVars};

fn pairs(vars: &SecretVars) -> Vec<(String, String)> {
    vars.names().map(|name| (name.to_owned(), vars.expose_secret(name).unwrap().to_owned())).collect()
}

fn dotenv(text: &str) -> Result<Vec<(String, String)>, ImportRejected> {
    ImportedVars::from_dotenv(text.to_owned()).map(|imported| pairs(imported.vars()))
}

fn one(text: &str) -> String {
    let [(_, value)] = &dotenv(text).unwrap()[..] else { panic!("not one: {text}") };
    value.clone()
}

#[test]
fn dotenv_values_are_read() {
    let text = "\u{feff}# first\r\nexport A=plain==\r\n B = 'single \\n \\t\\\" # $x'\t# comment\n\nC=\"double \\n # '\"\nD=\nE= # none\nF='two\nlines'";
    let read = dotenv(text).unwrap();
    let read: Vec<(&str, &str)> = read.iter().map(|(name, value)| (&**name, &**value)).collect();
    let expected = [
        ("A", "plain=="),
        ("B", "single \\n \\t\\\" # $x"),
        ("C", "double \n # '"),
        ("D", ""),
        ("E", ""),
        ("F", "two\nlines"),
    ];
    assert_eq!(read, expected);
    assert_eq!(dotenv("").unwrap(), []);
    assert_eq!(one("export=1"), "1");
    assert_eq!(one("A=x #y"), "x");
}

#[test]
fn what_readers_disagree_about_is_refused_with_its_line() {
    use ImportFault::*;
    for (line, fault) in [
        ("NAME", NoVariable),
        ("=x", NoVariable),
        ("export", NoVariable),
        ("A-B=x", NoVariable),
        ("A='x\ny", OpenQuote),
        ("A=\"x\\\"", OpenQuote),
        ("A='x'y", BehindQuote),
        ("A='x'#y", BehindQuote),
        ("A=\"\\q\"", Escape),
        ("A=\"a\\tb\"", Escape),
        ("A=\"a\\rb\"", Escape),
        ("A=\"a\\\\b\"", Escape),
        ("A=\"a\\\"b\"", Escape),
        ("A=\"a\\$b\"", Escape),
        ("A='a\\\\b'", Escape),
        ("A='${B}'", Substitution),
        ("A='a${'", Substitution),
        ("A='x\\'", Escape),
        ("A='x\\\ny'", Escape),
        ("A=\"$B\"", Substitution),
        ("A=${B}", Substitution),
        ("A='x\r\ny'", LineEnd),
        ("A=\"x\r\ny\"", LineEnd),
        ("A=two words", Unquoted),
        ("A=a#b", Unquoted),
        ("A=#b", Unquoted),
        ("A=a'b", Unquoted),
        ("A=a\\nb", Unquoted),
        ("A=a\u{a0}b", Unquoted),
        ("1A=x", Variable(SecretVarRejected::Name)),
        ("FIRST=y", Variable(SecretVarRejected::Duplicate)),
        ("A='\0'", Variable(SecretVarRejected::Nul)),
    ] {
        let text = format!("FIRST='two\nlines'\n\n{line}");
        assert_eq!(dotenv(&text), Err(ImportRejected { line: 4, fault }), "{line}");
    }
    let long = "x".repeat(ImportedVars::MAX_LEN + 1);
    assert_eq!(dotenv(&long).unwrap_err().fault, TooLong);
    let said = dotenv("A=very secret").unwrap_err().to_string();
    assert_eq!(said, "line 1: readers disagree about this value; put it in single quotes");
}

#[test]
fn who_imported_is_told_what_to_do() {
    let imported = ImportedVars::from_dotenv("A=an-example\nB=c".to_owned()).unwrap();
    let (said, shown) = (imported.to_string(), format!("{imported:?}"));
    assert!(
        said.starts_with("2 variables were read.")
            && said.contains("delete it")
            && said.contains("replace each value")
    );
    assert!(!said.contains("example") && !shown.contains("example"));
}

#[test]
fn json_is_read_or_refused() {
    let json = |text: &str| ImportedVars::from_json(text.to_owned()).map(|imported| pairs(imported.vars()));
    // As the Apify CLI writes it.
    let text = "{\n\t\"myToken\": \"an \\\"example\\\"\",\n\t\"OTHER\": \"\\u00e9\\ud83d\\ude00\\n/\"\n}";
    let expected =
        [("OTHER", "é😀\n/"), ("myToken", "an \"example\"")].map(|(name, value)| (name.into(), value.into()));
    assert_eq!(json(text).unwrap(), expected);
    assert_eq!(json(" { } ").unwrap(), []);
    for (text, line) in [
        ("", 1),
        ("[]", 1),
        ("{\"A\":\"x\",}", 1),
        ("{\n\"A\":\"x\"\n\"B\":\"y\"}", 2),
        ("{\n\"A\":\n1}", 2),
        ("{\"A\":\"x\"} x", 1),
        ("{\"A\":\"\\ud83d\"}", 1),
        ("{\"A\":\"\\ud83d\\u0041\"}", 1),
        ("{\"A\":\"\n\"}", 1),
        ("{\"A\":\"x", 1),
        ("{\"A\":\"\\x\"}", 1),
    ] {
        assert_eq!(json(text), Err(ImportRejected { line, fault: ImportFault::NoJson }), "{text}");
    }
    let twice = json("{\"A\":\"x\",\n\"A\":\"y\"}").unwrap_err();
    assert_eq!(twice, ImportRejected { line: 2, fault: ImportFault::Variable(SecretVarRejected::Duplicate) });
}

/// Lines as people write them, and such as nobody should.
fn line() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        "[a-z=+/:.-]{0,12}",
        "'[a-z \"#$\\\\`\n]{0,12}'",
        "\"([a-z '#`\n]|\\\\n){0,12}\"",
        "[a-z \"'#$\\\\\n]{0,8}",
    ];
    let end = prop::sample::select(vec!["\n", "\r\n", " # comment\n", "\t\n", "#\n"]);
    (
        prop::sample::select(vec!["", "export ", " "]),
        "[A-C]{1,3}",
        prop::sample::select(vec!["=", " = ", "= "]),
        value,
        end,
    )
        .prop_map(|(before, name, equals, value, end)| [before, &*name, equals, &*value, end].concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Beside another reader, on whatever both take.
    #[test]
    fn what_both_read_is_the_same(lines in prop::collection::vec(line(), 1..4)) {
        let text = lines.concat();
        let Ok(ours) = dotenv(&text) else { return Ok(()) };
        let theirs: Result<Vec<_>, _> = dotenvy::from_read_iter(text.as_bytes()).collect();
        if let Ok(mut theirs) = theirs {
            theirs.sort();
            prop_assert_eq!(ours, theirs, "{}", text);
        }
    }

    /// As the standard's readers do it.
    #[test]
    fn json_is_read_as_serde_json_reads_it(text in r#"[{]("[AB]":"([a-zé]|\\n|\\u00[0-9a-f]{2}|\\"|\\ud83d|\\ude00|\\ud83d\\ude00){0,4}"){0,1}[}]"#) {
        let theirs = serde_json::from_str::<std::collections::BTreeMap<String, String>>(&text);
        let ours = ImportedVars::from_json(text.clone());
        match (ours, theirs) {
            (Ok(ours), Ok(theirs)) => prop_assert_eq!(pairs(ours.vars()), theirs.into_iter().collect::<Vec<_>>()),
            (Err(refused), Ok(_)) => prop_assert_eq!(refused.fault, ImportFault::Variable(SecretVarRejected::Nul)),
            (Ok(_), Err(_)) => prop_assert!(false, "{}", text),
            (Err(_), Err(_)) => {}
        }
    }
}
