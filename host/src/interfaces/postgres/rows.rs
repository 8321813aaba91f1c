//! Query results: collected, or streamed row by row as the component reads them.

use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures::{Stream, StreamExt, TryStreamExt};
use tokio::sync::oneshot;
use tokio_postgres::RowStream;
use wasmtime::StoreContextMut;
use wasmtime::component::{Destination, StreamProducer, StreamResult, VecBuffer};

use super::{column, error, parameter};
use crate::interfaces::bindings::spin::postgres::postgres::{Column, Error, ParameterValue, Row, RowSet};
use crate::interfaces::clients::postgres::Client;
use crate::interfaces::state::MAX_BUFFERED_BYTES;

/// Rows handed to the component at a time.
const BATCH: usize = 64;

async fn run(client: &Client, statement: &str, params: Vec<ParameterValue>) -> Result<RowStream, Error> {
    let params = parameter::to_sql(&params).map_err(|e| Error::BadParameter(error::with_causes(&e)))?;
    client.query_raw(statement, params).await.map_err(error::query_failed)
}

/// Runs `statement` and collects the result, of at most [`MAX_BUFFERED_BYTES`]. As in Spin, a result without rows has
/// no columns.
pub async fn all(client: &Client, statement: &str, params: Vec<ParameterValue>) -> Result<RowSet, Error> {
    let mut stream = std::pin::pin!(run(client, statement, params).await?);
    let mut result = RowSet { columns: Vec::new(), rows: Vec::new() };
    let mut bytes = size_of::<RowSet>();
    while let Some(row) = stream.try_next().await.map_err(error::query_failed)? {
        if result.rows.is_empty() {
            result.columns = column::columns(&row);
        }
        let values = column::values(&row).map_err(|e| error::text(&e))?;
        bytes += values.iter().map(column::memory_size).sum::<usize>();
        if bytes > MAX_BUFFERED_BYTES {
            return Err(error::too_large());
        }
        result.rows.push(values);
    }
    Ok(result)
}

/// How a query ended: ready when all rows were read, or when the component stopped reading.
pub type Outcome = Pin<Box<dyn Future<Output = wasmtime::Result<Result<(), Error>>> + Send>>;

/// Runs `statement` and returns when its first row has arrived: the columns, the rows, and how the query ends.
pub async fn stream(
    client: &Client,
    statement: &str,
    params: Vec<ParameterValue>,
) -> Result<(Vec<Column>, RowProducer, Outcome), Error> {
    let mut stream = Box::pin(run(client, statement, params).await?);
    let first = stream.next().await;
    let columns = match &first {
        Some(Ok(row)) => column::columns(row),
        _ => Vec::new(),
    };
    let (outcome, outcome_receiver) = oneshot::channel();
    let ended = first.is_none();
    let producer = RowProducer { stream, first: first.into_iter().collect(), ended, outcome: Some(outcome) };
    // The sender is dropped unused when the component stops reading: no error.
    let outcome = Box::pin(async move { Ok(outcome_receiver.await.unwrap_or(Ok(()))) });
    Ok((columns, producer, outcome))
}

/// The rows of a running query.
pub struct RowProducer {
    stream: Pin<Box<RowStream>>,
    first: VecDeque<Result<tokio_postgres::Row, tokio_postgres::Error>>,
    ended: bool,
    outcome: Option<oneshot::Sender<Result<(), Error>>>,
}

impl RowProducer {
    fn poll_row(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Row, Error>>> {
        let row = match self.first.pop_front() {
            Some(row) => Some(row),
            None if self.ended => None,
            None => std::task::ready!(self.stream.as_mut().poll_next(cx)),
        };
        Poll::Ready(row.map(|row| {
            let values = column::values(&row.map_err(error::query_failed)?).map_err(|e| error::text(&e))?;
            let bytes: usize = values.iter().map(column::memory_size).sum();
            if bytes > MAX_BUFFERED_BYTES { Err(error::too_large()) } else { Ok(values) }
        }))
    }

    fn end(&mut self, outcome: Result<(), Error>) {
        self.ended = true;
        self.first.clear();
        if let Some(sender) = self.outcome.take() {
            // The component may have dropped its end.
            let _ = sender.send(outcome);
        }
    }
}

impl<D> StreamProducer<D> for RowProducer {
    type Item = Row;
    type Buffer = VecBuffer<Row>;

    fn poll_produce<'a>(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        store: StoreContextMut<'a, D>,
        mut destination: Destination<'a, Row, VecBuffer<Row>>,
        finish: bool,
    ) -> Poll<wasmtime::Result<StreamResult>> {
        let this = self.get_mut();
        if destination.remaining(store) == Some(0) {
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        let mut batch = Vec::new();
        while batch.len() < BATCH && !this.ended {
            match this.poll_row(cx) {
                Poll::Ready(Some(Ok(row))) => batch.push(row),
                Poll::Ready(Some(Err(error))) => this.end(Err(error)),
                Poll::Ready(None) => this.end(Ok(())),
                Poll::Pending => break,
            }
        }
        if !batch.is_empty() {
            destination.set_buffer(batch.into());
            return Poll::Ready(Ok(StreamResult::Completed));
        }
        if this.ended {
            this.end(Ok(()));
            return Poll::Ready(Ok(StreamResult::Dropped));
        }
        if finish { Poll::Ready(Ok(StreamResult::Cancelled)) } else { Poll::Pending }
    }
}
