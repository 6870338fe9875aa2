//! Pages as the build would leave them, small enough to read here.

use tenure::pages::File;

/// A page with every placeholder, each where a real page has it.
const PAGE: &str = r#"<!doctype html><html lang="en"><head><title>TITLE</title>
<meta name="tenure-config" content="{{config}}"><script type="module" src="{{base}}/assets/app-Ab12_x.js"></script></head>
<body><form method="post"><p role="alert">{{message}}</p><input name="email" value="{{email}}">
<input name="name" value="{{name}}"><input name="password" type="password">
<label><input type="checkbox" name="remember_me" {{remember_me}}>Remember me for {{remembered}}</label>
<input type="hidden" name="return_to" value="{{return_to}}"></form>
<a name="onward" href="sign-up?return_to={{return_to_in_query}}">Sign up</a></body></html>
"#;

pub const SCRIPT: &[u8] = b"console.log('the script as it is');";
pub const SCRIPT_BR: &[u8] = b"stands for the script in brotli";
pub const SCRIPT_GZIP: &[u8] = b"stands for the script in gzip";
pub const STYLE: &[u8] = b"body { margin: 0 }";
pub const ICON: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg'/>";

pub fn find(path: &str) -> Option<File> {
    if let Some(page) = path.strip_suffix(".html") {
        let known =
            ["playground", "sign-in", "sign-up", "account", "reset-password", "admin"].contains(&page);
        return known.then(|| File::of(PAGE.replace("TITLE", page).into_bytes()));
    }
    let bytes = match path {
        "assets/app-Ab12_x.js" => SCRIPT,
        "assets/app-Ab12_x.js.br" => SCRIPT_BR,
        "assets/app-Ab12_x.js.gz" => SCRIPT_GZIP,
        "assets/app-Cd34.css" => STYLE,
        "assets/.hidden.js" | "assets/notes.txt" | "secret.js" => b"never served",
        "favicon.svg" => ICON,
        _ => return None,
    };
    Some(File::of(bytes))
}
