//! The pages: one file each, with its own routes.

mod account;
mod accounts;
mod app_settings;
mod apps;
mod audit;
mod change;
mod changes;
mod connect;
mod delivery;
mod document;
mod event_types;
mod hook;
mod hook_edit;
mod hook_form;
mod hook_new;
mod hook_secret;
mod hooks;
mod inboxes;
mod keys;
mod login;
mod next;
mod not_found;
mod operators;
mod overview;
mod portal;
mod profile;
mod replay;
mod sessions;
mod setup;
mod side;
mod theme;

use axum::Router;

use crate::Desk;

/// Every route but those of the assets. Put `mod` and `.merge` of a new page here.
pub(crate) fn routes() -> Router<Desk> {
    Router::new()
        .merge(account::routes())
        .merge(accounts::routes())
        .merge(app_settings::routes())
        .merge(apps::routes())
        .merge(audit::routes())
        .merge(change::routes())
        .merge(changes::routes())
        .merge(connect::routes())
        .merge(event_types::routes())
        .merge(keys::routes())
        .merge(login::routes())
        .merge(operators::routes())
        .merge(overview::routes())
        .merge(profile::routes())
        .merge(sessions::routes())
        .merge(setup::routes())
        .merge(replay::routes())
        .merge(portal::routes())
        .merge(inboxes::routes())
        .merge(hooks::routes())
        .merge(hook_secret::routes())
        .merge(hook_new::routes())
        .merge(hook_edit::routes())
        .merge(hook::routes())
        .merge(delivery::routes())
        .merge(theme::routes())
        .merge(not_found::routes())
        .method_not_allowed_fallback(not_found::no_such_method)
}
