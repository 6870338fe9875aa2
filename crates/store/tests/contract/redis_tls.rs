//! TLS to Redis: encrypted to a server that shows a certificate we trust, for the name we asked for; or not at all.

use std::path::Path;

use tenure_rig::Redis as Rig;
use tenure_store::Fanout as _;
use tenure_store::ephemeral::Redis;

use crate::redis::{PATIENT, WITHIN, account, count, is_beyond, is_told, quiet, until};
use crate::world::SECOND;

fn handle(url: &str, ca_file: Option<&Path>) -> Redis {
    Redis::new(url, ca_file, PATIENT).unwrap()
}

/// A handle that has found its Redis, by way of TLS.
async fn found(server: &Rig) -> Redis {
    let redis = handle(&server.url(), server.authority());
    until("Redis is found", || redis.is_up()).await;
    redis
}

#[tokio::test]
async fn encrypted_handles_count_together_and_wake_each_other() {
    let server = Rig::start_encrypted();
    let (one, other) = (found(&server).await, found(&server).await);
    for redis in [&one, &other, &one] {
        assert_eq!(count(redis, account(7)).await, WITHIN);
    }
    assert!(is_beyond(count(&other, account(7)).await));
    for (teller, hearer) in [(&one, &other), (&other, &one)] {
        quiet(hearer).await;
        teller.announce();
        is_told(hearer).await;
    }
}

#[tokio::test]
async fn an_encrypted_connection_that_was_lost_is_made_again() {
    let server = Rig::start_encrypted();
    let redis = found(&server).await;
    server.kill();
    until("the loss is noticed", || !redis.is_up()).await;
    assert_eq!(count(&redis, account(7)).await, None);
    server.start_again();
    until("Redis is back", || redis.is_up()).await;
    assert_eq!(count(&redis, account(7)).await, WITHIN);
}

#[tokio::test]
async fn a_connection_is_encrypted_to_the_server_that_was_meant_or_is_not_made() {
    let (server, stranger) = (Rig::start_encrypted(), Rig::start_encrypted());
    let url = server.url();
    let in_the_clear = url.replace("rediss://", "redis://");
    let by_a_name_that_is_not_certified = url.replace("127.0.0.1", "localhost");
    let wrong = [
        handle(&url, stranger.authority()),
        handle(&url, None),
        handle(&in_the_clear, None),
        handle(&by_a_name_that_is_not_certified, server.authority()),
    ];
    // Each has been tried at once, and again by the end of this.
    found(&server).await;
    tokio::time::sleep(2 * SECOND).await;
    for (index, redis) in wrong.iter().enumerate() {
        assert!(!redis.is_up(), "{index}");
        assert_eq!(count(redis, account(7)).await, None, "{index}");
    }
    assert_eq!(server.ask("EXISTS tenure:limit:account:0000000000000007").as_deref(), Some(":0"));
}

#[tokio::test]
async fn authorities_for_an_address_in_the_clear_are_refused_rather_than_not_asked() {
    let server = Rig::start_encrypted();
    let in_the_clear = server.url().replace("rediss://127", "redis://:hunter2@127");
    let refused = Redis::new(&in_the_clear, server.authority(), PATIENT).err().unwrap();
    assert!(refused.contains("rediss://") && !refused.contains("hunter2"), "{refused}");
}

#[tokio::test]
async fn a_file_without_a_certificate_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("authority.pem");
    let refused = || Redis::new("rediss://127.0.0.1", Some(&path), PATIENT).err().unwrap();
    assert!(refused().contains("authority.pem"), "{}", refused());
    for content in ["", "no certificate"] {
        std::fs::write(&path, content).unwrap();
        assert!(refused().contains("authority.pem: there is no certificate in it"), "{}", refused());
    }
}
