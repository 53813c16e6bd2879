//! What a hook can ask for: Vyte's actions, and the types of changes behind them.

/// An action on a resource; its name on the wire is Vyte's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    Created,
    Confirmed,
    Updated,
    Cancelled,
    Voted,
    NewInvitee,
    Joined,
    PageUpdated,
}

impl Action {
    pub(crate) const ALL: [Self; 8] = [
        Self::Created,
        Self::Confirmed,
        Self::Updated,
        Self::Cancelled,
        Self::Voted,
        Self::NewInvitee,
        Self::Joined,
        Self::PageUpdated,
    ];

    /// As hooks ask for it and deliveries name it.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Created => "event.created",
            Self::Confirmed => "event.confirmed",
            Self::Updated => "event.updated",
            Self::Cancelled => "event.cancelled",
            Self::Voted => "event.voted",
            Self::NewInvitee => "event.new_invitee",
            Self::Joined => "user.joined",
            Self::PageUpdated => "vyteme.updated",
        }
    }

    /// The type of the change in the journal. Not `event.*`, which are the events of watched calendars.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Created => "scheduling.created",
            Self::Confirmed => "scheduling.confirmed",
            Self::Updated => "scheduling.updated",
            Self::Cancelled => "scheduling.cancelled",
            Self::Voted => "scheduling.voted",
            Self::NewInvitee => "scheduling.invited",
            Self::Joined => "user.joined",
            Self::PageUpdated => "page.updated",
        }
    }

    /// The reverse of [`Action::as_str`].
    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }

    /// The reverse of [`Action::kind`].
    pub(crate) fn of(kind: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.kind() == kind)
    }
}
