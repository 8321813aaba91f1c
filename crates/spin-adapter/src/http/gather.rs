//! Bodies gathered in memory, up to a limit.

use std::pin::pin;

use axum::body::{Bytes, HttpBody};
use http_body_util::BodyExt;

/// Why there is no whole body.
#[derive(Debug, PartialEq, Eq)]
pub enum Ungathered<E> {
    /// It has more bytes than it may. The rest has not been read.
    TooLarge,
    /// It broke off.
    Broken(E),
}

/// The whole of a body, if it has at most `max` bytes. One that says that it has more is not read.
///
/// The bytes are copied into one buffer, for what brings them may be much larger: the SDK reads each piece, however small
/// it is, into 16 KiB of its own, so that a body sent byte by byte would take 16,384 times its length.
///
/// # Errors
/// There is no whole body within the limit.
pub async fn gather<B: HttpBody<Data = Bytes>>(body: B, max: usize) -> Result<Bytes, Ungathered<B::Error>> {
    let said = body.size_hint().upper();
    if said.is_some_and(|length| length > max as u64) {
        return Err(Ungathered::TooLarge);
    }
    let max_capacity = said.map_or(max, |length| length as usize);
    let mut body = pin!(body);
    let mut gathered = Vec::new();
    while let Some(frame) = body.frame().await {
        // Trailers mean nothing here.
        let Ok(piece) = frame.map_err(Ungathered::Broken)?.into_data() else { continue };
        let length = gathered.len() + piece.len();
        if length > max {
            return Err(Ungathered::TooLarge);
        }
        if length > gathered.capacity() {
            // Doubled, so that bytes are moved seldom, but not beyond what can come.
            let capacity = (2 * gathered.capacity()).min(max_capacity).max(length);
            gathered.reserve_exact(capacity - gathered.len());
        }
        gathered.extend_from_slice(&piece);
    }
    Ok(gathered.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use futures_util::FutureExt;
    use futures_util::stream::iter;

    fn gathered(body: Body) -> Result<Bytes, Ungathered<String>> {
        let gathered = gather(body, 8).now_or_never().expect("the body is there already");
        gathered.map_err(|error| match error {
            Ungathered::TooLarge => Ungathered::TooLarge,
            Ungathered::Broken(error) => Ungathered::Broken(error.to_string()),
        })
    }

    /// A body of unknown length.
    fn pieces(pieces: Vec<Result<&'static str, &'static str>>) -> Body {
        Body::from_stream(iter(pieces))
    }

    #[test]
    fn a_body_may_have_as_many_bytes_as_the_limit_and_not_one_more() {
        assert_eq!(gathered(Body::from("12345678")), Ok(Bytes::from("12345678")));
        assert_eq!(gathered(Body::from("123456789")), Err(Ungathered::TooLarge));
        assert_eq!(gathered(Body::empty()), Ok(Bytes::new()));
        assert_eq!(gathered(pieces(vec![Ok("123"), Ok(""), Ok("4"), Ok("5678")])), Ok(Bytes::from("12345678")));
        // What comes after the limit is not waited for, nor kept.
        assert_eq!(gathered(pieces(vec![Ok("1234"), Ok("56789"), Err("broken")])), Err(Ungathered::TooLarge));
    }

    #[test]
    fn a_body_that_breaks_off_is_no_whole_one() {
        assert_eq!(gathered(pieces(vec![Ok("1234"), Err("broken")])), Err(Ungathered::Broken("broken".into())));
    }
}
