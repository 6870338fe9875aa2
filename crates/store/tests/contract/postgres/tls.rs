//! TLS to the database: encrypted to a server that shows a certificate we trust, for the name we asked for; or not at all.

use std::path::PathBuf;

use tenure_rig::Postgres as Rig;
use tenure_store::StoreError;
use tenure_store::postgres::{PostgresOptions, PostgresStore};

use crate::backend::Postgres;
use crate::world::World;

/// Opens a store by way of TLS and has it asked for something.
async fn ask(postgres: &Postgres, host: &str, ca_file: Option<PathBuf>) -> Result<(), StoreError> {
    let options = postgres.options();
    let url = options.url.replace("127.0.0.1", host).replace("sslmode=disable", "sslmode=require");
    let store = PostgresStore::new(PostgresOptions { url, ca_file, ..options })?;
    tenure_store::Store::check(&store).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_is_encrypted_to_the_server_that_was_meant_or_is_not_made() {
    let (rig, stranger) = (Rig::start(), Rig::start());
    let postgres = Postgres::on(&rig.server());
    // It offers no encryption yet, and we do not do without.
    assert!(ask(&postgres, "127.0.0.1", None).await.is_err());
    let authority = rig.encrypt();
    ask(&postgres, "127.0.0.1", Some(authority.clone())).await.unwrap();
    // An authority that is not the server's, none but the system's, and a name that the certificate is not for.
    let refused = ask(&postgres, "127.0.0.1", Some(stranger.encrypt())).await.unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
    assert!(ask(&postgres, "127.0.0.1", None).await.is_err());
    let refused = ask(&postgres, "localhost", Some(authority)).await.unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connection_of_a_store_is_encrypted_that_of_the_feed_too() {
    let rig = Rig::start();
    let postgres = Postgres::on(&rig.server());
    let options = postgres.options();
    let url = options.url.replace("sslmode=disable", "sslmode=require");
    let ca_file = Some(rig.encrypt());
    let store = postgres.store(PostgresOptions { url, ca_file, ..options });
    let world = World { store, ..World::of(std::sync::Arc::new(postgres)) };
    let ada = world.user("ada").await;
    let session = world.sign_in(&ada).await;
    assert!(world.stands(&session, &ada).await);
    let in_the_clear = "SELECT count(*) FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid) \
         WHERE a.application_name = 'tenure' AND a.datname = current_database() AND NOT s.ssl";
    let encrypted = in_the_clear.replace("NOT s.ssl", "s.ssl");
    assert!(world.backend.number(&encrypted) >= 2, "those of the pool and the feed's own");
    // `World::of` has opened a handle of its own, without TLS: those are all there are.
    let plain = world.backend.number(in_the_clear);
    assert!(plain <= 2, "{plain} connections in the clear");
}

#[tokio::test]
async fn a_file_without_a_certificate_is_refused_with_its_name() {
    let postgres = Postgres::fresh();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authority.pem");
    for content in ["", "no certificate"] {
        std::fs::write(&path, content).unwrap();
        let refused = ask(&postgres, "127.0.0.1", Some(path.clone())).await.unwrap_err().to_string();
        assert!(refused.contains("authority.pem"), "{refused}");
    }
    let refused = ask(&postgres, "127.0.0.1", Some(folder.path().join("missing.pem"))).await.unwrap_err();
    assert!(refused.to_string().contains("missing.pem"), "{refused}");
}
