//! Where the configuration comes from: defaults, file, environment, flags.

use std::path::PathBuf;

use figment::Figment;
use figment::providers::{Format as _, Serialized, Toml};

use super::{ConfigError, DEFAULTS};

/// Environment names that are not settings of a section.
const RESERVED: [&str; 5] = ["SECRET", "SECRET_PREVIOUS", "DATA", "CONFIG", "ACTOR"];

/// Where the configuration comes from, besides the defaults.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    pub file: Option<PathBuf>,
    /// Environment variables; injected, so that tests have their own.
    pub environment: Vec<(String, String)>,
    /// Settings from flags, as (dotted key, value).
    pub flags: Vec<(&'static str, String)>,
    /// `--dev`: loopback http, keys made on the spot.
    pub development: bool,
}

impl Sources {
    pub fn from_process(file: Option<PathBuf>, development: bool) -> Self {
        Self { file, environment: std::env::vars().collect(), flags: vec![], development }
    }

    /// The value of `TENURE_<name>`, or of the file that `TENURE_<name>_FILE` names.
    pub fn reserved(&self, name: &str) -> Result<Option<String>, ConfigError> {
        let find =
            |wanted: String| self.environment.iter().find(|(key, _)| *key == wanted).map(|(_, v)| v.clone());
        match (find(format!("TENURE_{name}")), find(format!("TENURE_{name}_FILE"))) {
            (Some(value), _) => Ok(Some(value)),
            (None, Some(path)) => read_file_variable(&format!("TENURE_{name}_FILE"), &path).map(Some),
            (None, None) => Ok(None),
        }
    }

    pub(super) fn figment(&self) -> Result<Figment, ConfigError> {
        let mut figment = Figment::from(Toml::string(DEFAULTS));
        if let Some(path) = &self.file {
            if !path.is_file() {
                return Err(ConfigError::Unreadable(format!(
                    "configuration file {} does not exist",
                    path.display()
                )));
            }
            figment = figment.merge(Toml::file_exact(path));
        }
        for (key, value) in self.settings_from_environment()? {
            figment = figment.merge(Serialized::global(&key, value));
        }
        for (key, value) in &self.flags {
            figment = figment.merge(Serialized::global(key, value));
        }
        Ok(figment)
    }

    fn opentelemetry(&self) -> Result<Vec<(String, figment::value::Value)>, ConfigError> {
        let value = |wanted: &str| {
            let found = self.environment.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
        };
        let settings = OPENTELEMETRY.iter().filter_map(|(name, key)| {
            value(name).map(|text| ((*key).to_owned(), figment::value::Value::from(text)))
        });
        match (value(PROTOCOL.0), value(OPENTELEMETRY[0].0)) {
            (Some(protocol), Some(_)) if protocol != PROTOCOL.1 => Err(ConfigError::Unreadable(format!(
                "{} is {protocol}, but only {} is spoken here; set it so, with the port of it (4318)",
                PROTOCOL.0, PROTOCOL.1
            ))),
            _ => Ok(settings.collect()),
        }
    }

    /// `TENURE_SERVER__LISTEN=x` as (`server.listen`, x), and the `_FILE` variants read.
    pub(super) fn settings_from_environment(
        &self,
    ) -> Result<Vec<(String, figment::value::Value)>, ConfigError> {
        let mut settings = self.opentelemetry()?;
        for (name, value) in &self.environment {
            let Some(key) = name.strip_prefix("TENURE_") else { continue };
            if RESERVED.iter().any(|reserved| key == *reserved || key.strip_suffix("_FILE") == Some(reserved))
            {
                continue;
            }
            let dotted = |key: &str| key.to_ascii_lowercase().replace("__", ".");
            let (key, value) = match key.strip_suffix("_FILE") {
                // `postgres.ca_file` is a setting, and not the file that holds one.
                Some(file_of) if !is_setting(&dotted(key)) => (file_of, read_file_variable(name, value)?),
                _ => (key, value.clone()),
            };
            let dotted = dotted(key);
            // Env's own reading of a value: numbers, booleans and lists as TOML writes them, else a string.
            // Not of secrets, which may look like anything.
            let parsed = match super::SECRETS.contains(&dotted.as_str()) {
                true => value.into(),
                false => value.parse::<figment::value::Value>().unwrap_or_else(|_| value.clone().into()),
            };
            settings.push((dotted, parsed));
        }
        Ok(settings)
    }
}

/// What OpenTelemetry's own environment means here. Ours come later and win.
const OPENTELEMETRY: [(&str, &str); 3] = [
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "telemetry.endpoint"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "telemetry.headers"),
    ("OTEL_SERVICE_NAME", "telemetry.service_name"),
];

/// What of it asks for something that there is not; the others of its many variables mean nothing here.
const PROTOCOL: (&str, &str) = ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf");

/// Whether there is a setting of this dotted name.
fn is_setting(dotted: &str) -> bool {
    Figment::from(Toml::string(DEFAULTS)).contains(dotted)
}

fn read_file_variable(name: &str, path: &str) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map(|text| text.trim_end_matches(['\r', '\n']).to_owned()).map_err(
        |error| ConfigError::Unreadable(format!("{name} names {path}, which cannot be read: {error}")),
    )
}
