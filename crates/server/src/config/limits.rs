//! How often something may be done.

use serde::Deserialize;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub enabled: bool,
    pub sign_in_per_account_per_minute: u32,
    pub sign_in_per_address_per_minute: u32,
    pub refresh_per_session_per_minute: u32,
    pub client_report_per_address_per_minute: u32,
    pub exchange_per_address_per_minute: u32,
    pub observations_per_address_per_minute: u32,
    pub api_per_caller_per_minute: u32,
    pub admin_per_caller_per_minute: u32,
}

impl Limits {
    /// What keeps them from being meant, a line for each thing to mend.
    pub fn faults(&self, development: bool) -> Vec<String> {
        let named = [
            ("sign_in_per_account_per_minute", self.sign_in_per_account_per_minute),
            ("sign_in_per_address_per_minute", self.sign_in_per_address_per_minute),
            ("refresh_per_session_per_minute", self.refresh_per_session_per_minute),
            ("client_report_per_address_per_minute", self.client_report_per_address_per_minute),
            ("exchange_per_address_per_minute", self.exchange_per_address_per_minute),
            ("observations_per_address_per_minute", self.observations_per_address_per_minute),
            ("api_per_caller_per_minute", self.api_per_caller_per_minute),
            ("admin_per_caller_per_minute", self.admin_per_caller_per_minute),
        ];
        let zeros = named.into_iter().filter(|(_, value)| *value == 0);
        let mut faults: Vec<_> = zeros
            .map(|(name, _)| {
                format!("limits.{name} is 0, which would refuse everybody; leave it out for the default")
            })
            .collect();
        if !self.enabled && !development {
            faults.push(
                "limits.enabled is false, with which anybody may guess passwords for as long as they like; remove it, \
                 or start with --dev"
                    .into(),
            );
        }
        faults
    }
}
