//! Plugins that the gateway runs.

use super::super::files::FilePath;
use super::super::read::section;
use super::super::secret::SecretPlace;
use super::super::values::Id;
use std::collections::BTreeMap;

section! {
    /// A plugin at work here. The same one may be there twice under two names, with other settings.
    pub struct Plugin {
        /// Its name here; feeds name it, and what it keeps belongs to this name.
        id: Id,
        /// Which of the plugins in the program it is; without it and without `folder` and `package` the one of its own name.
        shipped as "use": Option<Id>,
        /// A plugin of one's own: a folder with `plugin.toml` and `plugin.wasm`.
        folder: Option<FilePath>,
        /// A plugin of one's own, in one file as `takst plugin build` packs it.
        package: Option<FilePath>,
        /// Its settings; `plugin.toml` says which there are.
        settings: BTreeMap<String, String>,
        /// Where its secrets are.
        secrets: BTreeMap<String, SecretPlace>,
        /// What it may: a file with a grant. One that is in the program may without it what its manifest asks for, one of your own nothing.
        grant: Option<FilePath>,
    }
    hints {
        "name" => "write `id`",
        "plugin" => "write `use` for a plugin that is in the program",
        "file" => "write `folder` or `package`",
        "secret" => "write `secrets = { NAME = { env = \"...\" } }`",
    }
}
