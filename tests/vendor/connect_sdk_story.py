"""The whole story of Mobiscroll Connect with the vendor's own SDK, against a running Tidings.

    connect_sdk_story.py story    a person connects a CalDAV account, the app works with it
    connect_sdk_story.py verify   a delivery on standard input, {"headers": {...}, "body": "base64"}
    connect_sdk_story.py leave    the app subscribes and unsubscribes by name, the person disconnects

Environment:
  CONNECT_BASE_URL       such as http://127.0.0.1:8080/api
  CONNECT_CLIENT_ID      the app's id
  CONNECT_CLIENT_SECRET  an API key of the app with the scope accounts
  CONNECT_REDIRECT_URI   the app's redirect URI; nothing listens there
  CONNECT_CALDAV_URL     a CalDAV server that lets in u with the password secret
  CONNECT_CALENDAR_ID    a calendar there, as GET /calendars spells its id
"""

import asyncio
import base64
import inspect
import json
import os
import re
import sys
import time
import traceback
from datetime import datetime, timezone
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx
from mobiscroll_connect import (
    MobiscrollConnectClient,
    NotFoundError,
    ServerError,
    TokenResponse,
    ValidationError,
    WebhookVerificationError,
)
from mobiscroll_connect.aio import AsyncMobiscrollConnectClient

BASE_URL = os.environ["CONNECT_BASE_URL"]
CLIENT_ID = os.environ["CONNECT_CLIENT_ID"]
CLIENT_SECRET = os.environ["CONNECT_CLIENT_SECRET"]
REDIRECT_URI = os.environ["CONNECT_REDIRECT_URI"]
CALDAV_URL = os.environ.get("CONNECT_CALDAV_URL", "")
CALENDAR_ID = os.environ.get("CONNECT_CALENDAR_ID", "")

PATIENCE_S = 30
# What opens the CalDAV server.
USERNAME = "u"
PASSWORD = "secret"


async def result_of(call):
    return await call if inspect.isawaitable(call) else call


async def refuses(call, kind, words):
    try:
        await result_of(call())
    except kind as error:
        assert words.lower() in str(error).lower(), f"{error!r} does not say {words!r}"
    else:
        raise AssertionError(f"{kind.__name__} was not raised")


async def until(look, is_it):
    """Looks again until it sees what it wants; else says what it saw last."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        found = await result_of(look())
        if is_it(found):
            return found
        assert time.monotonic() < give_up, f"after {PATIENCE_S} s there is only {found!r}"
        await asyncio.sleep(0.1)


async def once_connected(call):
    """A calendar that was connected a moment ago may answer 503 until it is read: try again, as it says."""
    give_up = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await result_of(call())
        except ServerError as error:
            if "try again" not in str(error) or time.monotonic() > give_up:
                raise
            await asyncio.sleep(0.1)


def person_connects(url, username):
    """A person in a browser: chooses CalDAV, logs in, goes on; answers the parameters of the way back."""
    with httpx.Client(follow_redirects=True) as browser:
        page = browser.get(url)
        assert page.status_code == 200 and "oauth_req" in browser.cookies, page.text
        form = browser.get(urljoin(str(page.url), "login?provider=caldav"))
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form.text))
        fields.update(server=CALDAV_URL, username=username, password=PASSWORD)
        page = browser.post(urljoin(str(form.url), "login"), data=fields)
        assert f"CalDAV, {username}" in page.text, page.text
        fields = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', page.text))
        done = browser.post(
            urljoin(str(page.url), "finish"), data=fields, follow_redirects=False
        )
        assert done.status_code == 303, done.text
        location = done.headers["location"]
        assert location.startswith(REDIRECT_URI + "?"), location
        return {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}


def client_of(kind):
    return kind(CLIENT_ID, CLIENT_SECRET, REDIRECT_URI, base_url=BASE_URL)


async def authorizes(client, user):
    url = client.auth.generate_auth_url(user, state="st&te", providers="caldav", lng="es")
    back = person_connects(url, USERNAME)
    assert back["state"] == "st&te", back
    tokens = await result_of(client.auth.get_token(back["code"]))
    assert tokens.token_type == "Bearer" and tokens.expires_in == 3600, tokens
    assert tokens.refresh_token and tokens.access_token.count(".") == 2
    await refuses(lambda: client.auth.get_token(""), ValidationError, "code")
    status = await result_of(client.auth.get_connection_status())
    [account] = status.connections["caldav"]
    assert account.id == USERNAME and account.sync_state == "active", account
    assert account.calendar_permission_granted is None and not status.limit_reached
    return tokens


async def refreshes(client, good):
    """An access token that is no longer good is renewed by the SDK itself, once."""
    renewed = []
    client.on_tokens_refreshed(renewed.append)
    worn = TokenResponse(access_token="worn", token_type="Bearer", refresh_token=good.refresh_token)
    client.auth.set_credentials(worn)
    await result_of(client.calendars.list())
    assert len(renewed) == 1 and renewed[0].refresh_token != good.refresh_token, renewed


async def works_with_events(client):
    def is_there(calendars):
        return any(calendar.id == CALENDAR_ID for calendar in calendars)

    found = await until(client.calendars.list, is_there)
    [calendar] = [calendar for calendar in found if calendar.id == CALENDAR_ID]
    assert calendar.provider == "caldav" and calendar.title, calendar
    title = f"Team Meeting {time.time_ns()}"
    made = await once_connected(
        lambda: client.events.create(
            {
                "provider": "caldav",
                "calendar_id": CALENDAR_ID,
                "title": title,
                "start": datetime(2026, 3, 12, 9, tzinfo=timezone.utc),
                "end": datetime(2026, 3, 12, 10, tzinfo=timezone.utc),
                "location": "Conference Room A",
                "custom": {"source": "story"},
            }
        )
    )
    assert made.title == title and made.calendar_id == CALENDAR_ID, made
    assert made.start == datetime(2026, 3, 12, 9, tzinfo=timezone.utc), made
    changed = await result_of(
        client.events.update(
            {
                "provider": "caldav",
                "calendar_id": CALENDAR_ID,
                "event_id": made.id,
                "title": title + " moved",
                "start": "2026-03-13T09:00:00Z",
                "end": "2026-03-13T10:00:00Z",
            }
        )
    )
    assert changed.id == made.id and changed.title == title + " moved", changed

    async def listed(**options):
        options.setdefault("calendar_ids", {"caldav": [CALENDAR_ID]})
        march = {"start": "2026-03-01T00:00:00Z", "end": "2026-03-31T23:59:59Z"}
        return await result_of(client.events.list(**march, **options))

    mine = [event for event in await listed() if event.id == made.id]
    assert len(mine) == 1 and mine[0].title == title + " moved", mine
    assert mine[0].custom == {"source": "story"}, mine
    assert not list(await listed(calendar_ids={"google": ["primary"]}))
    first = await listed(page_size=1)
    assert len(first) == 1 and first.page_size == 1
    if first.has_more:
        next_page = client.events.list(page_size=1, next_page_token=first.next_page_token)
        assert (await result_of(next_page)).events[0].id != first.events[0].id
    await refuses(
        lambda: client.events.list(next_page_token="!"), ValidationError, "nextPageToken"
    )
    which = {"provider": "caldav", "calendar_id": CALENDAR_ID, "event_id": made.id}
    await result_of(client.events.delete(which))
    assert made.id not in [event.id for event in await listed()]
    gone = {**which, "event_id": "never"}
    await refuses(lambda: client.events.delete(gone), NotFoundError, "not found")


async def story(kind, user):
    client = client_of(kind)
    try:
        tokens = await authorizes(client, user)
        await works_with_events(client)
        await refreshes(client, tokens)
        print(f"{kind.__name__} story: ok")
    finally:
        await result_of(client.aclose() if hasattr(client, "aclose") else client.close())


async def subscribes(client):
    webhooks = client.webhooks
    own = f"story-{time.time_ns()}"
    for options in ({}, {"channel_id": own}):
        made = await result_of(webhooks.subscribe_webhook("caldav", CALENDAR_ID, **options))
        assert made.success is True and made.provider == "caldav", made
        assert made.channel_id and made.channel_id == made.subscription.channel_id, made
    assert made.channel_id == own, made
    for _ in range(2):
        ended = await result_of(webhooks.unsubscribe_webhook("caldav", own))
        assert ended.success is True and ended.message, ended


async def leave(kind, user):
    """Who was here before comes back to the same account, and disconnects it."""
    client = client_of(kind)
    try:
        await authorizes(client, user)
        await subscribes(client)
        gone = await result_of(client.auth.disconnect("caldav", account=USERNAME))
        assert gone.success is True, gone
        status = await result_of(client.auth.get_connection_status())
        assert not any(status.connections.values()), status
        assert not list(await result_of(client.calendars.list()))
        await refuses(
            lambda: client.webhooks.subscribe_webhook("caldav", CALENDAR_ID),
            ValidationError,
            "calendar",
        )
        print(f"{kind.__name__} leave: ok")
    finally:
        await result_of(client.aclose() if hasattr(client, "aclose") else client.close())


async def verify(kind, delivery):
    """A delivery is verified with the keys that the server publishes, and a tampered one is not."""
    body, headers = base64.b64decode(delivery["body"]), delivery["headers"]
    client = client_of(kind)
    try:
        parsed = await result_of(client.webhooks.verify_webhook(body, headers))
        assert parsed.provider == "caldav" and parsed.calendar_id == CALENDAR_ID, parsed
        assert parsed.metadata.event_count == len(parsed.events) >= 1, parsed
        assert parsed.metadata.channel_id and parsed.metadata.is_initial_sync is False, parsed
        tampered = body.replace(b'"caldav"', b'"google"')
        await refuses(
            lambda: client.webhooks.verify_webhook(tampered, headers), WebhookVerificationError, ""
        )
        print(f"{kind.__name__} verify: ok")
    finally:
        await result_of(client.aclose() if hasattr(client, "aclose") else client.close())


async def main():
    clients = {"sync": MobiscrollConnectClient, "async": AsyncMobiscrollConnectClient}
    delivery = json.load(sys.stdin) if sys.argv[1] == "verify" else None
    failures = 0
    for name, kind in clients.items():
        try:
            if sys.argv[1] == "verify":
                await verify(kind, delivery)
            else:
                await {"story": story, "leave": leave}[sys.argv[1]](kind, f"sdk-{name}")
        except Exception:
            failures += 1
            print(f"{kind.__name__}: FAILED\n{traceback.format_exc()}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
