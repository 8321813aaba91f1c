//! The lines in front of resources that are taken: the requests of one instance that wait for the same resource wait in
//! the order in which they came, and only the first of them asks the servers.
//!
//! The lines only say who asks and when. They change no command, so nothing about the safety of a lock depends on them.

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, VecDeque};

use crate::resource::Resource;

/// The lines of one instance.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// The numbers of the requests that wait, by resource. No line is empty.
    lines: RefCell<HashMap<Resource, VecDeque<u64>>>,
    last: Cell<u64>,
}

impl Lines {
    /// Whether a request waits for this resource.
    pub(super) fn has(&self, resource: &Resource) -> bool {
        self.lines.borrow().contains_key(resource)
    }

    /// Joins the line for this resource at its end.
    pub(super) fn join(&self, resource: &Resource) -> Place<'_> {
        let number = self.last.get() + 1;
        self.last.set(number);
        self.lines.borrow_mut().entry(resource.clone()).or_default().push_back(number);
        Place { lines: self, resource: resource.clone(), number }
    }
}

/// A place in a line. Dropping it leaves the line.
pub(super) struct Place<'a> {
    lines: &'a Lines,
    resource: Resource,
    number: u64,
}

impl Place<'_> {
    /// The resource that the request waits for.
    pub(super) fn resource(&self) -> &Resource {
        &self.resource
    }

    /// How many requests are before this one.
    pub(super) fn ahead(&self) -> usize {
        let lines = self.lines.lines.borrow();
        lines.get(&self.resource).and_then(|line| line.iter().position(|number| *number == self.number)).unwrap_or(0)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut lines = self.lines.lines.borrow_mut();
        if let Some(line) = lines.get_mut(&self.resource) {
            line.retain(|number| *number != self.number);
            if line.is_empty() {
                lines.remove(&self.resource);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_in_line_is_the_one_that_waits_longest() {
        let lines = Lines::default();
        let (orders, stock) = (Resource::new("orders").unwrap(), Resource::new("stock").unwrap());
        let first = lines.join(&orders);
        let [second, third] = [lines.join(&orders), lines.join(&orders)];
        let other = lines.join(&stock);
        assert_eq!([&first, &second, &third, &other].map(Place::ahead), [0, 1, 2, 0]);
        drop(second);
        assert_eq!(third.ahead(), 1);
        drop(first);
        assert_eq!((third.ahead(), lines.has(&orders)), (0, true));
        drop((third, other));
        assert!(!lines.has(&orders) && lines.lines.borrow().is_empty());
    }
}
