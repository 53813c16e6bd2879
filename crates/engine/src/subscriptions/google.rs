//! Channels at Google: one for each calendar and one for the calendar list, named by us, never renewed
//! but replaced.

use tidings_core::limits::GOOGLE_CHANNEL_MS;
use tidings_providers::error::ProviderError;
use tidings_providers::google::watch::{self, Channel};

use super::life::{Made, Unwatched, Wish};
use crate::sync::client::Client;
use crate::sync::{Providers, Stop};

/// Asks Google to push. Its first push, which says only that it arrives, may come before the answer.
pub(super) async fn start(
    providers: &Providers,
    client: &Client<'_>,
    wish: &Wish<'_>,
) -> Result<Made, Unwatched> {
    let made = async {
        let settings = providers.google()?;
        let channel = Channel {
            id: &wish.channel,
            token: &wish.token,
            address: &wish.address,
            expires_at: wish.now.plus_ms(GOOGLE_CHANNEL_MS),
        };
        let request = match wish.collection {
            Some(collection) => {
                watch::watch_events_request(settings, &collection.external_id, &channel)
            }
            None => watch::watch_calendars_request(settings, &channel),
        };
        client.ask(request, watch::parse_watch).await
    };
    match made.await.map_err(Stop::explained) {
        Ok(watched) => Ok(Made {
            external_id: wish.channel.clone(),
            resource_id: Some(watched.resource_id),
            expires_at: watched.expires_at,
        }),
        Err(Stop::Provider(ProviderError::Forbidden { why })) => {
            Err(Unwatched::unsupported(format!("only polled: {why}")))
        }
        Err(Stop::Provider(error)) => Err(Unwatched::of(&error)),
        Err(_) => Err(Unwatched::of(&ProviderError::retry("it was interrupted"))),
    }
}

/// Stops a channel. One that Google never answered for cannot be named to it, and ends on its own.
pub(super) async fn stop(
    providers: &Providers,
    client: &Client<'_>,
    channel: &str,
    resource: Option<&str>,
) -> Result<(), Stop> {
    let Some(resource) = resource else { return Ok(()) };
    let request = watch::stop_request(providers.google()?, channel, resource);
    client.ask(request, watch::parse_stop).await
}
