//! `session_refresh` and `session_end_presented`: every outcome.

use std::sync::Arc;

use tenure_domain::ends::{Actor, EndReason};
use tenure_domain::id::SessionId;
use tenure_domain::refresh_token::RefreshKeyRing;
use tenure_domain::rotation::{Generation, RotationRules};
use tenure_domain::secret::MasterSecret;
use tenure_domain::session::{RefreshRules, ReusePolicy, Session};
use tenure_domain::time::Freshness;
use tenure_store::{RefreshRequest, Refreshed, Scope};

use crate::world::{DAY, MINUTE, QUIET, SECOND, T0, World, name_of, names_of, new_session, order, rules};

#[tokio::test]
async fn a_refresh_after_a_quiet_time_rotates_and_the_row_keeps_it() {
    for world in World::each() {
        let ada = world.user("ada").await;
        let session = world.sign_in(&ada).await;
        let jar = world.jar(&session);
        let Refreshed::Served { session: after, person, rewound, written } =
            world.refresh(&jar, T0 + QUIET).await
        else {
            panic!("not served");
        };
        assert!(written && !rewound);
        assert_eq!((after.rotation.base, after.rotation.head), (Generation(1), Generation(2)));
        assert_eq!(person.email, "ada@Example.com");
        let record = world.store.session_find(session.id).await.unwrap().unwrap();
        assert_eq!(record.session, after);
        assert_eq!((record.last_used_at, record.refresh_count), (T0 + QUIET, 1));
        assert_eq!(after.expires_at, session.expires_at);
    }
}

#[tokio::test]
async fn a_refresh_that_changes_nothing_writes_nothing() {
    for world in World::each() {
        let session = world.sign_in(&world.user("ada").await).await;
        let mut jar = world.jar(&session);
        // The first one records that the generation has come back.
        world.served(&mut jar, T0 + SECOND).await;
        let before = world.store.session_find(session.id).await.unwrap().unwrap();
        let outcome = world.refresh(&jar, T0 + 2 * SECOND).await;
        assert!(matches!(outcome, Refreshed::Served { written: false, .. }));
        assert_eq!(world.store.session_find(session.id).await.unwrap().unwrap(), before);
    }
}

#[tokio::test]
async fn a_lost_answer_is_repaired_a_second_an_hour_and_five_days_later() {
    for world in World::each() {
        let session = world.sign_in(&world.user("ada").await).await;
        let lost = world.jar(&session);
        let first = world.served(&mut lost.clone(), T0 + QUIET).await;
        for later in [QUIET + SECOND, QUIET + 60 * MINUTE, QUIET + 5 * DAY] {
            let again = world.served(&mut lost.clone(), T0 + later).await;
            assert!(again.rotation.head >= first.rotation.head);
            assert_eq!(again.rotation.base, first.rotation.base);
        }
    }
}
