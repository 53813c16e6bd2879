//! `tidings login`: keeps a server's address and a key, so that other commands need no flags.

use std::io::{self, BufRead, IsTerminal, Write};
use std::os::fd::AsFd;

use clap::Args;
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::output::Printer;
use crate::profile::{Globals, Place, Profile, Profiles, Variables};

#[derive(Args, Debug)]
#[command(
    after_long_help = "Examples:\n  tidings login --url http://127.0.0.1:8480 --key-file owner.key\n  \
    tidings login --url http://127.0.0.1:8480 --profile work < owner.key"
)]
pub(crate) struct Login {}

/// Asks for the key unless it was given, tries it, and writes the profile.
pub(crate) async fn run(
    globals: &Globals,
    variables: &Variables,
    printer: &mut Printer<'_>,
) -> Result<()> {
    let profiles = Profiles::read(variables)?;
    // A profile that is not there yet is what this makes.
    let name = globals.profile.clone();
    let mut place = Place::find(&Globals { profile: None, ..globals.clone() }, variables)?;
    if globals.key_file.is_none() {
        place.key = Some(ask(&place)?);
    }
    let client = Client::new(place.clone())?;
    let apps = client.list(&["apps"], &[], 2).await?;
    let only = match apps.as_slice() {
        [app] => app["id"].as_str().map(str::to_owned),
        _ => None,
    };
    let app = globals.app.clone().or(only);
    let profile = Profile {
        url: Some(place.url.to_string()),
        app: app.clone(),
        key: place.key.as_ref().map(|key| key.to_string()),
    };
    let (file, name) = profiles.keep(name.as_deref(), profile)?;
    let told = format!("{} is the profile {name} in {}", place.url, file.display());
    let about: Value =
        json!({"profile": name, "url": place.url.as_str(), "app": app, "file": file});
    printer.answer(&about, told)
}

fn ask(place: &Place) -> Result<Zeroizing<String>> {
    let input = io::stdin();
    let unread = Error::failed("cannot read the key");
    let key = if input.is_terminal() {
        // Where standard error is closed there is nobody to ask.
        drop(write!(io::stderr(), "key for {} (it is not shown): ", place.url));
        let key = without_echo(&input);
        drop(writeln!(io::stderr()));
        key
    } else {
        line(&input)
    };
    let key = key.map_err(unread)?;
    if key.is_empty() {
        return Err(Error::Usage("give the key on standard input, or with --key-file".into()));
    }
    Ok(key)
}

fn line(input: &io::Stdin) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    input.lock().read_line(&mut text)?;
    Ok(Zeroizing::new(text.trim().to_owned()))
}

fn without_echo(input: &io::Stdin) -> io::Result<Zeroizing<String>> {
    let usual = tcgetattr(input.as_fd())?;
    let mut quiet = usual.clone();
    quiet.local_modes.remove(LocalModes::ECHO);
    tcsetattr(input.as_fd(), OptionalActions::Flush, &quiet)?;
    let read = line(input);
    tcsetattr(input.as_fd(), OptionalActions::Flush, &usual)?;
    read
}
