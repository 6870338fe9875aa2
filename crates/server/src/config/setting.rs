//! What is in force, and where it comes from: for `tenure config print` and the console.

use std::fmt;
use std::path::{Path, PathBuf};

use figment::Figment;

use super::{ConfigError, SecretUrl, SecretWords, Sources, explain, shared};

/// A setting as it is in force.
#[derive(Clone, Debug)]
pub struct Setting {
    /// Section and name, as in `session.settle`.
    pub key: String,
    /// Without what is secret in it.
    pub value: serde_json::Value,
    pub origin: Origin,
    pub is_secret: bool,
    /// Whether it is anything but empty.
    pub is_set: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    Default,
    File(PathBuf),
    Environment,
    Flag,
}

impl Origin {
    pub const fn as_str(&self) -> &'static str {
        match self {
            Origin::Default => "default",
            Origin::File(_) => "file",
            Origin::Environment => "environment",
            Origin::Flag => "flag",
        }
    }
}

/// A file by its path.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::File(path) => path.display().fmt(f),
            other => f.write_str(other.as_str()),
        }
    }
}

/// Every setting that these sources lead to.
pub(super) fn all(sources: &Sources, figment: &Figment) -> Result<Vec<Setting>, ConfigError> {
    let from_environment = sources.settings_from_environment()?;
    let dict = figment
        .extract::<figment::value::Dict>()
        .map_err(|error| ConfigError::Unreadable(explain(&error)))?;
    let mut settings = vec![];
    for (section, value) in &dict {
        for (name, value) in value.as_dict().into_iter().flatten() {
            let key = format!("{section}.{name}");
            let origin = if sources.flags.iter().any(|(flag, _)| *flag == key) {
                Origin::Flag
            } else if from_environment.iter().any(|(set, _)| *set == key) {
                Origin::Environment
            } else {
                let metadata = figment.find_metadata(&key);
                let path = metadata.and_then(|metadata| metadata.source.as_ref()?.file_path());
                path.map(Path::to_owned).map_or(Origin::Default, Origin::File)
            };
            let is_set = value.as_str() != Some("");
            let (value, is_secret) = shown(&key, value);
            settings.push(Setting { key, value, origin, is_secret, is_set });
        }
    }
    Ok(settings)
}

/// A value as TOML has it, without what is secret in it, and whether it is of the kind that has such.
fn shown(key: &str, value: &figment::value::Value) -> (serde_json::Value, bool) {
    let text = value.as_str().unwrap_or_default();
    match key {
        url if shared::SECRET_URLS.contains(&url) => (SecretUrl::from(text).to_string().into(), true),
        words if super::SECRETS.contains(&words) => (SecretWords::from(text).to_string().into(), true),
        _ => (serde_json::to_value(value).unwrap_or_default(), false),
    }
}
