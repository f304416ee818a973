//! What comes a page at a time, as a stream.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use tokenkeep_core::{Error, ErrorKind};

/// How many pages one stream asks for: ten million items of Apify's own pages. A server that always says that there is more would
/// be asked for ever.
const MOST_PAGES: u32 = 10_000;

/// Pages, or what is on them, as a `Stream` of results: each is asked for when it is polled for, none ahead.
///
/// It ends after the last one, and after the first error. A list that changes meanwhile is not read at one moment: what is added or
/// deleted at its front shifts the rest, and an item may come twice or never. Oldest first, what is added comes at the end.
///
/// Whatever the other side says of how much there is, it is asked for 10,000 pages at most; then comes `ProviderMisbehaved`.
///
/// # Cancellation
/// Safe: dropped, it asks for nothing more; polled again after a poll that was given up, it goes on where it was.
#[must_use = "a stream does nothing until it is polled"]
pub struct Pages<P> {
    step: Option<Step<P>>,
    asked: u32,
    most: u32,
}

/// One page that is being asked for, and with it how to ask for the one behind it.
pub(crate) struct Step<P>(Pin<Box<dyn Future<Output = Stepped<P>> + Send>>);

type Stepped<P> = Result<(P, Option<Step<P>>), Error>;

impl<P> Step<P> {
    pub(crate) fn new(ask: impl Future<Output = Stepped<P>> + Send + 'static) -> Self {
        Self(Box::pin(ask))
    }
}

impl<P> Pages<P> {
    pub(crate) fn new(first: Step<P>) -> Self {
        Self { step: Some(first), asked: 0, most: MOST_PAGES }
    }

    /// The next page; `None` at the end. What `StreamExt::next` of futures-util is, for who has it not.
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says; nothing comes after an error.
    ///
    /// # Cancellation
    /// Safe: given up, it goes on where it was.
    pub async fn next(&mut self) -> Option<Result<P, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

impl<P> Stream for Pages<P> {
    type Item = Result<P, Error>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let pages = self.get_mut();
        let Some(step) = &mut pages.step else { return Poll::Ready(None) };
        if pages.asked == pages.most {
            pages.step = None;
            let endless = Error::new(ErrorKind::ProviderMisbehaved).because("its list does not end");
            return Poll::Ready(Some(Err(endless)));
        }
        let stepped = ready!(step.0.as_mut().poll(context));
        pages.asked += 1;
        let (page, next) = match stepped {
            Ok((page, next)) => (Ok(page), next),
            Err(error) => (Err(error), None),
        };
        pages.step = next;
        Poll::Ready(Some(page))
    }
}

impl<P> fmt::Debug for Pages<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pages")
            .field("asked", &self.asked)
            .field("done", &self.step.is_none())
            .finish_non_exhaustive()
    }
}

/// The items on pages, one at a time, as [`Pages`].
#[must_use = "a stream does nothing until it is polled"]
pub struct Items<T> {
    pages: Pages<Vec<T>>,
    here: std::vec::IntoIter<T>,
}

impl<T> Items<T> {
    pub(crate) fn new(first: Step<Vec<T>>) -> Self {
        Self { pages: Pages::new(first), here: Vec::new().into_iter() }
    }

    /// The next item; `None` at the end. What `StreamExt::next` of futures-util is, for who has it not.
    ///
    /// # Errors
    /// As [the crate's table](crate#errors) says; nothing comes after an error.
    ///
    /// # Cancellation
    /// Safe: given up, it goes on where it was.
    pub async fn next(&mut self) -> Option<Result<T, Error>> {
        poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }
}

/// Nothing in it is pinned in its place.
impl<T> Unpin for Items<T> {}

impl<T> Stream for Items<T> {
    type Item = Result<T, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(item) = self.here.next() {
                return Poll::Ready(Some(Ok(item)));
            }
            match ready!(Pin::new(&mut self.pages).poll_next(context)) {
                Some(Ok(items)) => self.here = items.into_iter(),
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => return Poll::Ready(None),
            }
        }
    }
}

impl<T> fmt::Debug for Items<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Items").field("pages", &self.pages).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    fn endless(at: u32) -> Step<Vec<u32>> {
        Step::new(async move { Ok((vec![at], Some(endless(at + 1)))) })
    }

    fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
        match Pin::new(stream).poll_next(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(item) => item,
            Poll::Pending => panic!("nothing here waits"),
        }
    }

    #[test]
    fn a_list_without_an_end_is_ended() {
        let mut items = Items::new(endless(0));
        items.pages.most = 3;
        for at in 0..3 {
            assert_eq!(next(&mut items).unwrap().unwrap(), at);
        }
        assert_eq!(next(&mut items).unwrap().unwrap_err().kind(), ErrorKind::ProviderMisbehaved);
        assert!(next(&mut items).is_none() && next(&mut items).is_none());
        assert_eq!(Pages::new(endless(0)).most, MOST_PAGES);
    }

    #[test]
    fn it_ends_behind_an_error_and_behind_the_last_page() {
        let broken = Step::new(async { Err::<(Vec<u8>, _), _>(ErrorKind::RateLimited.into()) });
        let mut pages = Pages::new(Step::new(async { Ok((vec![], Some(broken))) }));
        assert_eq!(next(&mut pages).unwrap().unwrap(), [0_u8; 0]);
        assert_eq!(next(&mut pages).unwrap().unwrap_err().kind(), ErrorKind::RateLimited);
        assert!(next(&mut pages).is_none());

        let last = Step::new(async { Ok((vec![7], None)) });
        // A page without items is not the end.
        let mut items = Items::new(Step::new(async { Ok((vec![], Some(last))) }));
        assert_eq!(next(&mut items).unwrap().unwrap(), 7);
        assert!(next(&mut items).is_none());
    }
}
