//! The log lines of the components.

use serde_json::Value;

use crate::{Host, Response, until};

/// How every line begins. Hosts may put a prefix before it.
const START: &str = "{\"time\":\"";

impl Host {
    /// All lines in JSON so far, of all components. Panics if one begins like JSON and is none.
    pub fn log(&self) -> Vec<Value> {
        lines(&self.output())
    }

    /// The lines so far with this event.
    pub fn log_of(&self, event: &str) -> Vec<Value> {
        self.log().into_iter().filter(|line| line["event"] == event).collect()
    }

    /// The line of the request that `component` handled with this response, or for this response if another component
    /// sent it. Waits for it: lines are written after the response.
    pub async fn request_line(&self, component: &str, response: &Response) -> Value {
        let mut found = None;
        until("the request is in the log", async || {
            let of_it = |line: &Value| line["component"] == component && line["trace_id"] == response.trace_id();
            found = self.log_of("request").into_iter().find(of_it);
            found.is_some()
        })
        .await;
        found.expect("it was awaited")
    }
}

fn lines(output: &str) -> Vec<Value> {
    // The last line may be incomplete.
    let complete = output.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    let json = complete.filter_map(|line| Some(&line[line.find(START)?..]));
    json.map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn lines_in_json_are_found_also_behind_a_prefix() {
        let output = "starting\n{\"time\":\"1\",\"a\":\"{\"}\n[users] {\"time\":\"2\"}\ntext\n{\"time\":\"3";
        let times: Vec<_> = lines(output).iter().map(|line| line["time"].clone()).collect();
        assert_eq!(times, ["1", "2"]);
    }
}
