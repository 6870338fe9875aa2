//! Telling other nodes that something has changed, over a channel.
//!
//! A message is empty and says nothing but "look": losing, repeating or forging one costs a look at the database
//! or saves none. One's own come back too.

use async_trait::async_trait;
use redis::RedisResult;
use redis::aio::MultiplexedConnection;

use super::Redis;
use crate::Fanout;

pub(super) fn channel() -> String {
    format!("{}:change", super::PREFIX)
}

pub(super) async fn tell(mut connection: MultiplexedConnection) -> RedisResult<()> {
    redis::cmd("PUBLISH").arg(channel()).arg("").query_async(&mut connection).await
}

/// One waits per handle: of two that wait at the same time, each change wakes one.
#[async_trait]
impl Fanout for Redis {
    fn announce(&self) {
        // However many there are to tell of by the time that Redis listens, they are one message.
        self.link().to_tell.notify_one();
    }

    async fn announced(&self) {
        self.link().heard.notified().await;
    }
}
