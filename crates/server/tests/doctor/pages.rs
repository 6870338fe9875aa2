//! The pages: a small application that does everything right, and each way to do it wrong is a switch.

use std::fs;
use std::path::Path;

use serde_json::json;

#[derive(Clone, Default)]
pub struct Pages {
    /// The access token is in the storage of the browser.
    pub storage: bool,
    /// A token that is no JSON Web Token is there, in the state that a library keeps.
    pub state: bool,
    /// What answers it takes for the end of the session, besides 401.
    pub ends: &'static [u16],
    /// And so it takes a network that fails.
    pub network: bool,
    /// The tab that was opened last is the only one.
    pub one_tab: bool,
    /// Where people are who have signed in, if not at `/`.
    pub home: Option<&'static str>,
}

impl Pages {
    pub fn write(&self, folder: &Path) {
        let ways = json!({
            "storage": self.storage, "state": self.state, "ends": self.ends, "network": self.network,
            "oneTab": self.one_tab, "home": self.home.unwrap_or("/"),
        });
        let page = format!(
            "<!doctype html><html lang=en><title>Laboratory</title><main></main><script>const WAYS = {ways};</script>\
             <script src=/app.js></script></html>\n"
        );
        fs::create_dir(folder).unwrap();
        fs::write(folder.join("index.html"), page).unwrap();
        fs::write(folder.join("app.js"), include_str!("app.js")).unwrap();
    }
}
