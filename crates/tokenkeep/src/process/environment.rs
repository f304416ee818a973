//! Which names an environment may have.

/// What is handed down from our own environment, where it is set.
const HANDED_DOWN: [&str; 6] = ["PATH", "HOME", "LANG", "TZ", "TERM", "TMPDIR"];

/// What makes a program run other code, look for its code or settings elsewhere, or send elsewhere what it sends: loaders, shells, interpreters, and programs
/// that programs start. As far as known: no list has all.
const TAKES_OVER: [&str; 73] = [
    "PATH",
    "HOME",
    "TMPDIR",
    "SHELL",
    "IFS",
    "ENV",
    "BASH_ENV",
    "BASHOPTS",
    "SHELLOPTS",
    "PS1",
    "PS2",
    "PS4",
    "PROMPT_COMMAND",
    "CDPATH",
    "FPATH",
    "ZDOTDIR",
    "GCONV_PATH",
    "LOCPATH",
    "NLSPATH",
    "GLIBC_TUNABLES",
    "HOSTALIASES",
    "TERMINFO",
    "TERMINFO_DIRS",
    "TERMCAP",
    "NODE_OPTIONS",
    "NODE_PATH",
    "NODE_EXTRA_CA_CERTS",
    "PERLLIB",
    "PERL5LIB",
    "PERL5OPT",
    "PERL5DB",
    "RUBYLIB",
    "RUBYOPT",
    "CLASSPATH",
    "JAVA_TOOL_OPTIONS",
    "_JAVA_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "PHPRC",
    "PHP_INI_SCAN_DIR",
    "LUA_PATH",
    "LUA_CPATH",
    "LUA_INIT",
    "EDITOR",
    "VISUAL",
    "PAGER",
    "BROWSER",
    "LESSOPEN",
    "LESSCLOSE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "OPENSSL_CONF",
    "OPENSSL_MODULES",
    "TAR_OPTIONS",
    "OPENSSL_ENGINES",
    "MAKEFLAGS",
    "RUSTC_WRAPPER",
    "XDG_CONFIG_HOME",
    "HGRCPATH",
    "RSYNC_RSH",
    "CVS_RSH",
    "SVN_SSH",
    "SSH_ASKPASS",
    "SUDO_ASKPASS",
    "CURL_HOME",
    "WGETRC",
    "KUBECONFIG",
    "AWS_CONFIG_FILE",
    "VIMINIT",
    "EXINIT",
    "GTK_MODULES",
    "PSMODULEPATH",
    "COMSPEC",
    "APIFY_API_BASE_URL",
];

/// The same, by what names begin with.
const TAKE_OVER: [&str; 17] = [
    "LD_",
    "DYLD_",
    "PYTHON",
    "GIT_",
    "MALLOC_",
    "BASH_FUNC_",
    "COR_",
    "CORECLR_",
    "COMPLUS_",
    "DOTNET_",
    "NPM_CONFIG_",
    "GEM_",
    "BUNDLE_",
    "CARGO_",
    "R_",
    "ERL_",
    "GIO_",
];

/// What leads a program's requests, and the tokens in them, elsewhere, by what names end with.
const LEAD_ELSEWHERE: &str = "_PROXY";

/// Whether it is handed down unasked.
pub(super) fn is_handed_down(name: &str) -> bool {
    HANDED_DOWN.contains(&name) || name.starts_with("LC_")
}

/// Whether a variable of this name is known to take some program over. In whatever case, as some systems have it.
pub(super) fn takes_over(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    TAKES_OVER.contains(&&*name)
        || TAKE_OVER.iter().any(|beginning| name.starts_with(beginning))
        || name.ends_with(LEAD_ELSEWHERE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_take_over_are_told_from_others() {
        for name in [
            "PATH",
            "Path",
            "LD_PRELOAD",
            "LD_LIBRARY_PATH",
            "DYLD_INSERT_LIBRARIES",
            "NODE_OPTIONS",
            "BASH_ENV",
            "TAR_OPTIONS",
            "npm_config_script_shell",
            "CORECLR_PROFILER_PATH",
            "RUSTC_WRAPPER",
            "R_PROFILE_USER",
            "ERL_AFLAGS",
            "https_proxy",
            "APIFY_API_BASE_URL",
        ] {
            assert!(takes_over(name), "{name}");
        }
        for name in ["DATABASE_URL", "APIFY_TOKEN", "APIFY_PROXY_PASSWORD", "MY_PATH", "OLD_KEY", "LC_ALL"] {
            assert!(!takes_over(name), "{name}");
        }
        assert!(is_handed_down("LC_ALL") && is_handed_down("PATH") && !is_handed_down("PATHS"));
    }
}
