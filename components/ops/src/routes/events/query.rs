//! The query string of `GET /api/events`.

use events::{Channel, StreamId};
use form_urlencoded::Serializer;
use http_api::{Errors, FromQuery, query};

use super::filter::{Filter, Pattern};

/// How many types one request may have.
const TYPES_MAX: usize = 16;
/// The longest type, in characters.
const TYPE_MAX: usize = 128;
/// The longest subject, in bytes. It contains a key of the cache API, which may have 512.
const SUBJECT_MAX: usize = 1_024;

/// The query string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventsQuery {
    /// Messages on this channel, instead of events.
    pub channel: Option<Channel>,
    /// Continue after this entry.
    pub last_event_id: Option<StreamId>,
    filter: Filter,
}

impl FromQuery for EventsQuery {
    fn check(query: &str, errors: &mut Errors) -> Option<Self> {
        // `type` may be given several times, the others once.
        let is_type = |(name, _): &(_, _)| name == "type";
        let (types, others): (Vec<_>, Vec<_>) = form_urlencoded::parse(query.as_bytes()).partition(is_type);
        let others = Serializer::new(String::new()).extend_pairs(others).finish();
        let [subject, channel, last] = query::read(&others, ["subject", "channel", "lastEventId"], errors);
        if types.len() > TYPES_MAX {
            errors.add("type", format!("is given more than {TYPES_MAX} times"));
        }
        if channel.is_some() {
            let combined = [("type", !types.is_empty()), ("subject", subject.is_some())];
            let combined = combined.into_iter().filter(|(_, is_given)| *is_given);
            combined.for_each(|(name, _)| errors.add(name, "cannot be combined with channel"));
        }
        let kinds = types.iter().take(TYPES_MAX).filter_map(|(_, text)| errors.check("type", kind(text))).collect();
        let subject = errors.optional("subject", subject, |text| check_subject(&text));
        let channel = errors.optional("channel", channel, |name| Channel::new(name).map_err(|error| error.to_string()));
        let last_event_id =
            errors.optional("lastEventId", last, |text| text.parse::<StreamId>().map_err(|error| error.to_string()));
        Some(Self { channel, last_event_id, filter: Filter { kinds, subject } })
    }
}

impl EventsQuery {
    /// What the reader wants. The subject of a message is its channel.
    pub fn into_filter(self) -> Filter {
        let subject = self.channel.map(|channel| Pattern::Exactly(channel.name().to_owned()));
        Filter { subject: subject.or(self.filter.subject), ..self.filter }
    }
}

fn kind(text: &str) -> Result<Pattern, String> {
    let name = text.strip_suffix('*').unwrap_or(text);
    let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if text.is_empty() || text.len() > TYPE_MAX || !is_name {
        return Err("must be a type of event, or the beginning of one followed by *".to_owned());
    }
    Ok(Pattern::new(text))
}

fn check_subject(text: &str) -> Result<Pattern, String> {
    if text.is_empty() || text.len() > SUBJECT_MAX {
        return Err(format!("must have 1 to {SUBJECT_MAX} bytes"));
    }
    Ok(Pattern::new(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_parameters_are_optional() {
        let query = EventsQuery::from_query("").unwrap();
        assert_eq!(
            (query.channel.is_none(), query.last_event_id, query.into_filter()),
            (true, None, Filter::default())
        );
        let query = EventsQuery::from_query("type=a.*&lastEventId=17-1&subject=users%2F4&type=b").unwrap();
        assert_eq!(query.last_event_id.map(|id| id.to_string()).as_deref(), Some("17-1"));
        let expected =
            Filter { kinds: vec![Pattern::new("a.*"), Pattern::new("b")], subject: Some(Pattern::new("users/4")) };
        assert_eq!(query.into_filter(), expected);
        let query = EventsQuery::from_query("channel=a:b").unwrap();
        assert_eq!(query.into_filter().subject, Some(Pattern::Exactly("a:b".to_owned())));
    }

    #[test]
    fn every_wrong_parameter_is_named() {
        let many = "type=a&".repeat(17);
        let long = format!("type={}&subject={}", "x".repeat(129), "x".repeat(1_025));
        for (query, wrong) in [
            ("types=a", &["types"][..]),
            ("type=", &["type"]),
            ("type=a*b&type=*.b", &["type", "type"]),
            ("type=a%0Ab", &["type"]),
            (&many, &["type"]),
            (&long, &["type", "subject"]),
            ("subject=", &["subject"]),
            ("subject=a&subject=b", &["subject"]),
            ("channel=a/b", &["channel"]),
            ("channel=a&type=b&subject=c", &["type", "subject"]),
            ("lastEventId=x", &["lastEventId"]),
            ("lastEventId=", &["lastEventId"]),
            ("lastEventId=1-2-3&x=1", &["x", "lastEventId"]),
        ] {
            let problem = EventsQuery::from_query(query).expect_err(query);
            assert_eq!((problem.status().as_u16(), problem.wrong_fields()), (400, wrong.to_vec()), "{query}");
        }
    }
}
