//! The Redis servers that an application listens to, each with its triggers.

use anyhow::{Context, Result};
use redis::{Client, ConnectionInfo};

use crate::interfaces::clients::redis::client as redis_client;
use crate::manifest::RedisTrigger;

/// One server.
#[derive(Clone)]
pub struct Server {
    /// Host and port, for messages: without user and password.
    pub name: String,
    /// Opens connections.
    pub client: Client,
    /// The channel of each trigger, and the index of its component.
    pub triggers: Vec<(String, usize)>,
}

impl Server {
    /// The servers of `triggers`: one for each different address.
    pub fn all(triggers: Vec<RedisTrigger>) -> Result<Vec<Self>> {
        let mut servers: Vec<(ConnectionInfo, Vec<(String, usize)>)> = Vec::new();
        for RedisTrigger { server, channel, component } in triggers {
            match servers.iter_mut().find(|(known, _)| is_same(known, &server)) {
                Some((_, triggers)) => triggers.push((channel, component)),
                None => servers.push((server, vec![(channel, component)])),
            }
        }
        servers.into_iter().map(|(info, triggers)| Self::new(info, triggers)).collect()
    }

    fn new(info: ConnectionInfo, triggers: Vec<(String, usize)>) -> Result<Self> {
        let name = info.addr().to_string();
        let client = redis_client(super::subscription::with_keepalive(info));
        Ok(Self { client: client.with_context(|| format!("Redis {name}"))?, name, triggers })
    }

    /// Each channel once.
    pub fn channels(&self) -> Vec<&str> {
        let mut channels: Vec<&str> = self.triggers.iter().map(|(channel, _)| channel.as_str()).collect();
        channels.sort_unstable();
        channels.dedup();
        channels
    }
}

/// Whether two addresses are of one server, with the same user and database.
fn is_same(one: &ConnectionInfo, other: &ConnectionInfo) -> bool {
    let account = |info: &ConnectionInfo| {
        let redis = info.redis_settings();
        (redis.username().map(str::to_owned), redis.password().map(str::to_owned), redis.db())
    };
    one.addr() == other.addr() && account(one) == account(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use redis::IntoConnectionInfo;

    fn trigger(url: &str, channel: &str, component: usize) -> RedisTrigger {
        RedisTrigger { server: url.into_connection_info().expect("valid"), channel: channel.into(), component }
    }

    #[test]
    fn triggers_of_one_server_share_a_connection() {
        let servers = Server::all(vec![
            trigger("redis://a.example", "x", 0),
            trigger("redis://user:secret@a.example:6380", "x", 0),
            trigger("redis://a.example:6379", "y", 1),
            trigger("redis://a.example", "x", 1),
        ])
        .expect("valid");
        let [first, second] = &servers[..] else { panic!("{} servers", servers.len()) };
        assert_eq!(first.channels(), ["x", "y"]);
        assert_eq!(first.triggers.len(), 3);
        assert_eq!((first.name.as_str(), second.name.as_str()), ("a.example:6379", "a.example:6380"));
    }
}
