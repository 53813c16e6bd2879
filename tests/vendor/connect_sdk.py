"""Drives a running Tidings with the vendor's own SDK of Mobiscroll Connect.

Environment:
  CONNECT_BASE_URL     such as http://127.0.0.1:8080/connect/api
  CONNECT_TOKEN        a Connect token of an end user (tdc_…)
  CONNECT_CALENDAR_ID  a calendar of that user, as its provider calls it
  CONNECT_PROVIDER     the calendar's provider; caldav when absent

Exit status 0 when the synchronous and the asynchronous client saw what the contract promises.
"""

import asyncio
import inspect
import os
import re
import sys
import time
import traceback

from mobiscroll_connect import (
    AuthenticationError,
    MobiscrollConnectClient,
    TokenResponse,
    ValidationError,
)
from mobiscroll_connect.aio import AsyncMobiscrollConnectClient

BASE_URL = os.environ["CONNECT_BASE_URL"]
TOKEN = os.environ["CONNECT_TOKEN"]
CALENDAR_ID = os.environ["CONNECT_CALENDAR_ID"]
PROVIDER = os.environ.get("CONNECT_PROVIDER", "caldav")

ISO_UTC_MS = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")


def client_of(kind, token):
    client = kind("client-id", "client-secret", "https://app.example/callback", base_url=BASE_URL)
    client.set_credentials(TokenResponse(access_token=token, token_type="Bearer"))
    return client


async def result_of(call):
    return await call if inspect.isawaitable(call) else call


async def refuses(call, kind, words):
    """The call must raise `kind`, with a message for people that contains `words`."""
    try:
        await result_of(call())
    except kind as error:
        assert words.lower() in str(error).lower(), f"{error!r} does not say {words!r}"
    else:
        raise AssertionError(f"{kind.__name__} was not raised")


def check_subscribed(answer):
    assert answer.success is True, answer
    assert answer.provider == PROVIDER, answer
    assert answer.channel_id and answer.channel_id == answer.subscription.channel_id, answer
    assert answer.server_webhook_url.startswith("http"), answer
    expiration = answer.subscription.expiration
    assert expiration is None or ISO_UTC_MS.fullmatch(expiration), answer


async def check_unsubscribed(webhooks, channel_id, **options):
    answer = await result_of(webhooks.unsubscribe_webhook(PROVIDER, channel_id, **options))
    assert answer.success is True and answer.message, answer


async def subscriptions(webhooks):
    """The life of a subscription: made, replaced, ended, and ended once more."""
    first = await result_of(webhooks.subscribe_webhook(PROVIDER, CALENDAR_ID))
    check_subscribed(first)

    own = f"sdk-{time.time_ns()}"
    tomorrow_ms = int(time.time() + 86_400) * 1000
    second = await result_of(
        webhooks.subscribe_webhook(
            PROVIDER, CALENDAR_ID, channel_id=own, expiration=tomorrow_ms
        )
    )
    check_subscribed(second)
    assert second.channel_id == own and second.channel_id != first.channel_id, second

    await check_unsubscribed(webhooks, own, resource_id="any")
    await check_unsubscribed(webhooks, own)
    await check_unsubscribed(webhooks, first.channel_id)
    await check_unsubscribed(webhooks, "no-such-channel")


async def refusals(webhooks):
    await refuses(lambda: webhooks.subscribe_webhook("fax", CALENDAR_ID), ValidationError, "fax")
    await refuses(lambda: webhooks.subscribe_webhook(PROVIDER, ""), ValidationError, "calendarId")
    await refuses(
        lambda: webhooks.subscribe_webhook(PROVIDER, "no-such-calendar"),
        ValidationError,
        "calendar",
    )
    await refuses(lambda: webhooks.unsubscribe_webhook(PROVIDER, ""), ValidationError, "channelId")
    await refuses(lambda: webhooks.unsubscribe_webhook("fax", "c"), ValidationError, "fax")


async def strangers(webhooks):
    await refuses(
        lambda: webhooks.subscribe_webhook(PROVIDER, CALENDAR_ID), AuthenticationError, "token"
    )
    await refuses(lambda: webhooks.unsubscribe_webhook(PROVIDER, "c"), AuthenticationError, "token")


async def with_client(kind, token, check):
    client = client_of(kind, token)
    try:
        await check(client.webhooks)
    finally:
        await result_of(client.aclose() if hasattr(client, "aclose") else client.close())


async def main():
    failures = 0
    for kind in (MobiscrollConnectClient, AsyncMobiscrollConnectClient):
        for token, check in ((TOKEN, subscriptions), (TOKEN, refusals), ("tdc_no", strangers)):
            name = f"{kind.__name__} {check.__name__}"
            try:
                await with_client(kind, token, check)
                print(f"{name}: ok")
            except Exception:
                failures += 1
                print(f"{name}: FAILED\n{traceback.format_exc()}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
