//! What filters look at: a change whose body is read at most once, and only when it is asked for.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::change::Change;
use crate::json::{Decimal, Inside, Lazy};

/// A change for the filters of all hooks. Making one costs nothing; what one filter read of the body,
/// the next one finds.
#[derive(Debug)]
pub struct Reading<'a> {
    change: &'a Change,
    /// `None`: the content was erased.
    data: OnceCell<Option<Lazy<'a>>>,
}

/// A place in a change.
#[derive(Debug)]
pub(super) enum Place {
    Field(Field),
    /// Names on the way from `/data`.
    Data(Vec<String>),
}

/// A field beside the data.
#[derive(Clone, Copy, Debug)]
pub(super) enum Field {
    Id,
    Type,
    Timestamp,
    Seq,
    Origin,
    Provider,
    Item,
    OrderKey,
    Actor,
}

impl Field {
    pub(super) const ALL: [(&'static str, Self); 9] = [
        ("id", Self::Id),
        ("type", Self::Type),
        ("timestamp", Self::Timestamp),
        ("seq", Self::Seq),
        ("origin", Self::Origin),
        ("provider", Self::Provider),
        ("item", Self::Item),
        ("order_key", Self::OrderKey),
        ("actor", Self::Actor),
    ];
}

impl<'a> Reading<'a> {
    /// Nothing is read yet.
    pub fn new(change: &'a Change) -> Self {
        Self { change, data: OnceCell::new() }
    }

    /// The change.
    pub fn change(&self) -> &'a Change {
        self.change
    }

    /// Shows what is at `place`; `None` when nothing is.
    pub(super) fn look(
        &self,
        place: &Place,
        see: impl FnOnce(Option<&Inside<'_>>) -> bool,
    ) -> bool {
        match place {
            Place::Field(field) => self.look_at_field(*field, see),
            Place::Data(names) => {
                let found = self
                    .data()
                    .and_then(|data| names.iter().try_fold(data, |value, name| value.get(name)));
                see(found.and_then(Lazy::inside))
            }
        }
    }

    fn data(&self) -> Option<&Lazy<'a>> {
        let read = || {
            let body = &self.change.new.body;
            let text = std::str::from_utf8(body).ok().filter(|text| !text.is_empty());
            text.map(Lazy::new)
        };
        self.data.get_or_init(read).as_ref()
    }

    fn look_at_field(&self, field: Field, see: impl FnOnce(Option<&Inside<'_>>) -> bool) -> bool {
        let new = &self.change.new;
        let made;
        let text = match field {
            Field::Seq => {
                made = self.change.seq.to_string();
                return see(Decimal::parse(&made).map(Inside::Number).as_ref());
            }
            Field::Id => {
                made = new.id.to_string();
                Some(made.as_str())
            }
            Field::Timestamp => {
                made = new.occurred_at.to_string();
                Some(made.as_str())
            }
            Field::Type => Some(new.kind.as_str()),
            Field::Origin => Some(new.origin.as_str()),
            Field::Provider => new.subject.provider.as_deref(),
            Field::Item => new.subject.item.as_deref(),
            Field::OrderKey => new.order_key.as_deref(),
            Field::Actor => new.actor.as_deref(),
        };
        see(text.map(|text| Inside::Text(Cow::Borrowed(text))).as_ref())
    }
}
