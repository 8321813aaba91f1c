//! The commands that Redis runs, as its MONITOR command reports them.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// Commands that set up a connection, and those that this module sends.
const SETUP: [&str; 7] = ["AUTH", "CLIENT", "ECHO", "HELLO", "MONITOR", "PING", "SELECT"];

/// Commands with which the application counts. A new instance first asks how many counters there are.
const COUNTERS: [&str; 2] = ["HINCRBY", "HLEN"];

/// One command as Redis ran it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The address of the client that sent it.
    pub client: String,
    /// The command in capitals.
    pub name: String,
    /// Its arguments; bytes that are not UTF-8 are replaced.
    pub args: Vec<String>,
}

impl Command {
    /// Whether the application counts with it. Counters are sent after responses, also those of earlier requests.
    pub fn is_counter(&self) -> bool {
        COUNTERS.contains(&self.name.as_str())
    }
}

/// A recording that goes on until it is dropped.
#[derive(Debug)]
pub struct Monitor {
    client: redis::Client,
    lines: UnboundedReceiver<String>,
    seen: Vec<Command>,
}

impl Monitor {
    pub(crate) async fn start(client: &redis::Client) -> Self {
        let monitor = client.get_async_monitor().await.unwrap_or_else(|error| panic!("Redis: {error}"));
        let (sender, lines) = unbounded_channel();
        tokio::spawn(async move {
            let mut messages = monitor.into_on_message::<String>();
            while let Some(line) = messages.next().await {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { client: client.clone(), lines, seen: Vec::new() }
    }

    /// Every command so far, in the order in which Redis ran them, connection setup left out.
    pub async fn commands(&mut self) -> Vec<Command> {
        // Redis reports in order: when this mark arrives, all commands before it have arrived.
        static MARKS: AtomicU64 = AtomicU64::new(0);
        let mark = format!("mark-{}-{}", std::process::id(), MARKS.fetch_add(1, Ordering::Relaxed));
        let connection = self.client.get_multiplexed_async_connection().await;
        let mut connection = connection.unwrap_or_else(|error| panic!("Redis: {error}"));
        let echoed: String =
            redis::cmd("ECHO").arg(&mark).query_async(&mut connection).await.expect("Redis replies to ECHO");
        assert_eq!(echoed, mark);
        loop {
            let line = tokio::time::timeout(Duration::from_secs(90), self.lines.recv()).await;
            let line = line.expect("Redis reports the mark").expect("the connection of MONITOR is open");
            let Some(command) = parse(&line) else { continue };
            if command.args == [mark.as_str()] {
                break;
            }
            self.seen.push(command);
        }
        self.seen.iter().filter(|command| !SETUP.contains(&command.name.as_str())).cloned().collect()
    }

    /// Forgets every command so far.
    pub async fn clear(&mut self) {
        self.commands().await;
        self.seen.clear();
    }

    /// Waits until the application sends nothing for a while, and forgets every command so far: later commands are not
    /// caused by earlier requests. (The cache writes counters and registry after its responses.)
    pub async fn settle(&mut self) {
        const QUIET: Duration = Duration::from_millis(400);
        loop {
            self.clear().await;
            tokio::time::sleep(QUIET).await;
            if self.commands().await.is_empty() {
                return;
            }
        }
    }
}

/// The commands on the connection with most of them, without those of the counters. Each instance has connections of
/// its own. On a busy machine a new one can serve some of the requests: it has no hints yet, and may store what it
/// reads.
pub fn of_usual_instance(commands: &[Command]) -> Vec<&Command> {
    let all: Vec<&Command> = commands.iter().filter(|command| !command.is_counter()).collect();
    let sent = |client: &str| all.iter().filter(|command| command.client == client).count();
    let usual = all.iter().map(|command| command.client.as_str()).max_by_key(|client| sent(client));
    all.iter().copied().filter(|command| Some(command.client.as_str()) == usual).collect()
}

/// Parses `1339518083.107412 [0 127.0.0.1:60866] "GET" "key"`.
fn parse(line: &str) -> Option<Command> {
    let (_, rest) = line.split_once('[')?;
    let (origin, rest) = rest.split_once("] ")?;
    let client = origin.split_once(' ')?.1.to_owned();
    let mut words = unquote(rest).into_iter();
    Some(Command { client, name: words.next()?.to_ascii_uppercase(), args: words.collect() })
}

/// The inverse of Redis's `sdscatrepr`, for words that are separated by spaces.
fn unquote(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut bytes = text.bytes();
    while bytes.by_ref().any(|byte| byte == b'"') {
        let mut word = Vec::new();
        while let Some(byte) = bytes.next().filter(|byte| *byte != b'"') {
            let escaped = if byte == b'\\' { bytes.next() } else { None };
            word.push(match escaped {
                None => byte,
                Some(b'n') => b'\n',
                Some(b'r') => b'\r',
                Some(b't') => b'\t',
                Some(b'a') => 7,
                Some(b'b') => 8,
                Some(b'x') => {
                    let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16)).unwrap_or(0) as u8;
                    digit() << 4 | digit()
                }
                Some(other) => other,
            });
        }
        words.push(String::from_utf8_lossy(&word).into_owned());
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_parsed() {
        let command =
            parse(r#"1339518083.107412 [0 127.0.0.1:60866] "set" "a b" "say \"hi\"\\\n\xc3\xa4" """#).unwrap();
        assert_eq!(command.client, "127.0.0.1:60866");
        assert_eq!(command.name, "SET");
        assert_eq!(command.args, ["a b", "say \"hi\"\\\nä", ""]);
    }
}
