//! `tenure migrate`

use crate::world::Cli;

#[test]
fn migrations_are_planned_applied_and_then_there_is_nothing_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let cli = Cli::on(folder.path());
    let status = cli.json(&["migrate", "status"]);
    assert!(status.as_array().unwrap().iter().all(|row| row["applied_at"].is_null()), "{status}");
    assert!(!folder.path().join("tenure.db").exists(), "looking makes nothing");
    let planned = cli.json(&["migrate", "plan"]).as_array().unwrap().len();
    assert_eq!(cli.json(&["migrate", "up"]).as_array().unwrap().len(), planned);
    assert_eq!(cli.run(&["migrate", "plan"]).expect(0).out, "nothing to do\n");
    assert_eq!(cli.run(&["migrate", "up"]).expect(0).out, "nothing to do\n");
    let status = cli.json(&["migrate", "status"]);
    assert!(status.as_array().unwrap().iter().all(|row| row["applied_at"].is_i64()), "{status}");
}
