//! Has the binary built again when its pages were: a release embeds them, and a file with a new name is
//! nothing that the compiler would notice by itself.

fn main() {
    let dist = "../../web/app/dist";
    // A path that is missing would have us built each time; the folder above it changes when it appears.
    let watched = if std::path::Path::new(dist).is_dir() { dist } else { "../../web/app" };
    println!("cargo:rerun-if-changed={watched}");
}
