//! The interface that this gateway speaks, and what to say of a plugin that speaks another one.

use semver::Version;

/// The package of the interface.
pub const PACKAGE: &str = "takst:plugin";
/// The version that this gateway has. Plugins of older 1.x run on it unchanged.
pub const VERSION: Version = Version::new(1, 0, 0);

/// What the gateway offers to plugins: interfaces and their functions. Later versions only add to it.
pub const IMPORTS: [(&str, &[&str]); 6] = [
    ("types", &[]),
    ("host-log", &["write"]),
    ("host-clock", &["now", "offset"]),
    ("host-http", &["send"]),
    ("host-kv", &["get", "set", "delete", "names"]),
    ("host-crypto", &["hmac", "hmac-equals", "digest", "jwt", "random"]),
];

/// The name of an interface as components write it: `takst:plugin/prices@1.0.0`.
#[must_use]
pub fn full_name(interface: &str) -> String {
    format!("{PACKAGE}/{interface}@{VERSION}")
}

/// Interface and version of a name in the package.
#[must_use]
pub fn parse(name: &str) -> Option<(&str, Version)> {
    let rest = name.strip_prefix(PACKAGE)?.strip_prefix('/')?;
    let (interface, version) = rest.split_once('@')?;
    Some((interface, Version::parse(version).ok()?))
}

/// Why a plugin cannot be read, and what to do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reason {
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub help: String,
}

/// Whether a plugin for this version of the interface can run here.
///
/// # Errors
/// Another major version: both versions, and what to do.
pub fn readable(theirs: &Version) -> Result<(), Reason> {
    if theirs.major == VERSION.major {
        return Ok(());
    }
    Err(Reason {
        message: format!("the plugin is built for {PACKAGE} {theirs}, and this gateway has {VERSION}"),
        help: other(theirs),
    })
}

// What to do about a plugin of another version.
fn other(theirs: &Version) -> String {
    let newest =
        format!("build the plugin with the interface {VERSION} (plugins/wit of this release of Takst)");
    if *theirs > VERSION {
        format!("use a release of Takst that has {PACKAGE} {}.{}, or {newest}", theirs.major, theirs.minor)
    } else {
        format!("{newest}; plugins for {} are no longer read", theirs.major)
    }
}

/// Whether everything that a plugin imports from one interface of the package is there.
///
/// # Errors
/// The interface, the function that is missing, both versions, and what to do.
pub fn offered(interface: &str, version: &Version, functions: &[String]) -> Result<(), Reason> {
    readable(version)?;
    let Some((_, known)) = IMPORTS.iter().find(|(name, _)| *name == interface) else {
        return Err(Reason {
            message: format!(
                "the plugin imports {PACKAGE}/{interface} {version}, and this gateway with {PACKAGE} {VERSION} has no `{interface}`"
            ),
            help: other(version),
        });
    };
    match functions.iter().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(name) => Err(Reason {
            message: format!(
                "the plugin uses `{name}` of {PACKAGE}/{interface} {version}, and {interface} {VERSION} of this gateway has no such function"
            ),
            help: other(version),
        }),
    }
}
