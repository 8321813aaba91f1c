//! Standard output and error of components: whole lines, each prefixed with the component's id. Lines that are JSON
//! objects have no prefix, so that programs can read them.

use std::io::{self, Write};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};

/// The longest line, in bytes. Longer lines are written in parts.
const MAX_LINE: usize = 8 * 1024;

/// The stream that lines are written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The host's standard output.
    Stdout,
    /// The host's standard error.
    Stderr,
}

/// One of the output streams of one instance.
#[derive(Clone)]
pub struct PrefixedLines(Arc<Mutex<Lines>>);

struct Lines {
    target: Target,
    prefix: String,
    /// The start of a line that is not complete yet.
    pending: Vec<u8>,
}

impl PrefixedLines {
    /// A stream that writes the lines of `component` to `target`.
    pub fn new(component: &str, target: Target) -> Self {
        Self(Arc::new(Mutex::new(Lines { target, prefix: format!("[{component}] "), pending: Vec::new() })))
    }
}

impl Lines {
    fn push(&mut self, bytes: &[u8]) {
        self.pending.extend_from_slice(bytes);
        let end = match self.pending.iter().rposition(|byte| *byte == b'\n') {
            Some(newline) => newline + 1,
            None if self.pending.len() >= MAX_LINE => self.pending.len(),
            None => return,
        };
        let rest = self.pending.split_off(end);
        self.write_out();
        self.pending = rest;
    }

    fn write_out(&mut self) {
        let text = with_prefix(&self.prefix, &std::mem::take(&mut self.pending));
        // One write for all lines, so that lines of several threads do not mix. Errors, such as a closed pipe, are
        // ignored.
        let _ = match self.target {
            Target::Stdout => io::stdout().lock().write_all(&text),
            Target::Stderr => io::stderr().lock().write_all(&text),
        };
    }
}

fn with_prefix(prefix: &str, lines: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(lines.len() + 64);
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        if !line.starts_with(b"{") {
            text.extend_from_slice(prefix.as_bytes());
        }
        text.extend_from_slice(line);
    }
    if !text.ends_with(b"\n") {
        text.push(b'\n');
    }
    text
}

impl Drop for Lines {
    fn drop(&mut self) {
        if !self.pending.is_empty() {
            self.write_out();
        }
    }
}

impl IsTerminal for PrefixedLines {
    /// Whether the host's stream is one: components choose the format of their output by it.
    fn is_terminal(&self) -> bool {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).target {
            Target::Stdout => io::stdout().is_terminal(),
            Target::Stderr => io::stderr().is_terminal(),
        }
    }
}

impl StdoutStream for PrefixedLines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }
}

impl AsyncWrite for PrefixedLines {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_but_those_of_json_gets_the_prefix() {
        assert_eq!(with_prefix("[a] ", b"one\ntwo\n"), b"[a] one\n[a] two\n");
        assert_eq!(with_prefix("[a] ", b"no end"), b"[a] no end\n");
        assert_eq!(with_prefix("[a] ", b"one\n{\"b\":1}\n"), b"[a] one\n{\"b\":1}\n");
    }

    #[test]
    fn an_incomplete_line_is_kept() {
        let mut lines = Lines { target: Target::Stderr, prefix: "[test] ".into(), pending: Vec::new() };
        lines.push(b"first half");
        assert_eq!(lines.pending, b"first half");
        lines.push(b", second half\nnext");
        assert_eq!(lines.pending, b"next");
    }
}
