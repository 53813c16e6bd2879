"""Drives a simulator of Google Calendar with Google's own client over everything that Tidings uses, and
judges each answer by the vendor's description.

Standard input: one JSON object {"api", "token_uri", "client_id", "client_secret", "refresh_token",
"receiver"}; the receiver is an https address for pushes. Exit status 0 only when all is as Google documents
it. Standard output: one JSON object, how many calls each method got.
"""

import collections
import datetime
import json
import sys
import uuid

import google_discovery
from google.auth.exceptions import RefreshError
from google.oauth2.credentials import Credentials
from googleapiclient.discovery import build
from googleapiclient.errors import HttpError

CALLS = collections.Counter()


def call(request):
    answer = request.execute()
    CALLS[request.methodId] += 1
    complaints = google_discovery.check_answer(request.methodId, answer)
    assert not complaints, complaints
    return answer


def refused(status, reason, request):
    try:
        answer = request.execute()
    except HttpError as error:
        CALLS[request.methodId] += 1
        details = json.loads(error.content)["error"]
        assert error.resp.status == status == details["code"], (status, details)
        assert details["errors"][0]["reason"] == reason, (reason, details)
        return
    raise AssertionError(f"{request.methodId} {request.uri} answered {answer}, not {status} {reason}")


def event(summary, start="2026-03-12T09:00:00", end="2026-03-12T10:00:00", **more):
    zone = "Europe/Berlin"
    return {
        "summary": summary,
        "start": {"dateTime": start, "timeZone": zone},
        "end": {"dateTime": end, "timeZone": zone},
        **more,
    }


def pages(resource, request):
    items = []
    while request is not None:
        answer = call(request)
        items += answer["items"]
        assert ("nextPageToken" in answer) != ("nextSyncToken" in answer), answer.keys()
        request = resource.list_next(request, answer)
    return items, answer["nextSyncToken"]


def calendars(google):
    lists = google.calendarList()
    items, token = pages(lists, lists.list())
    assert [item["id"] for item in items if item.get("primary")] == ["ada@example.com"], items
    made = [call(google.calendars().insert(body={"summary": f"Calendar {n}"}))["id"] for n in range(3)]
    items, token_after = pages(lists, lists.list(maxResults=2))
    assert len(items) == 4, items
    # Renaming is not told of: what is read-only in the list is none of its changes.
    renamed = call(google.calendars().patch(calendarId=made[0], body={"summary": "Renamed"}))
    assert renamed["summary"] == "Renamed" == call(google.calendars().get(calendarId=made[0]))["summary"]
    assert pages(lists, lists.list(syncToken=token_after))[0] == []
    assert call(lists.get(calendarId=made[0]))["summary"] == "Renamed"
    # Hidden and deleted ones are told of after a token, and else only when asked for.
    call(lists.patch(calendarId=made[0], body={"hidden": True}))
    call(google.calendars().delete(calendarId=made[1]))
    call(lists.delete(calendarId=made[2]))
    changed, _ = pages(lists, lists.list(syncToken=token_after))
    by_id = {item["id"]: item for item in changed}
    assert by_id[made[0]]["hidden"] and by_id[made[1]]["deleted"] and by_id[made[2]]["deleted"], by_id
    assert [item["id"] for item in pages(lists, lists.list())[0]] == ["ada@example.com"]
    assert len(pages(lists, lists.list(showHidden=True))[0]) == 2
    assert len(pages(lists, lists.list(showHidden=True, showDeleted=True))[0]) == 4
    assert len(pages(lists, lists.list(syncToken=token))[0]) == 3
    refused(400, "invalid", lists.list(syncToken=token, minAccessRole="owner"))
    refused(400, "invalid", lists.list(syncToken=token, showDeleted=False))
    refused(410, "fullSyncRequired", lists.list(syncToken="nonsense"))
    refused(404, "notFound", google.calendars().get(calendarId=made[1]))
    refused(404, "notFound", google.events().list(calendarId=made[1]))
    refused(404, "notFound", google.calendars().get(calendarId="nobody@example.com"))
    call(lists.insert(body={"id": made[2]}))
    return made[2]


def paging_and_tokens(google, calendar):
    events = google.events()
    ids = [call(events.insert(calendarId=calendar, body=event(f"Event {n}")))["id"] for n in range(7)]
    items, token = pages(events, events.list(calendarId=calendar, maxResults=3))
    assert sorted(item["id"] for item in items) == sorted(ids)
    assert pages(events, events.list(calendarId=calendar, syncToken=token))[0] == []
    call(events.patch(calendarId=calendar, eventId=ids[0], body={"summary": "Moved"}))
    call(events.delete(calendarId=calendar, eventId=ids[1]))
    changed, token = pages(events, events.list(calendarId=calendar, syncToken=token, maxResults=1))
    changed = {item["id"]: item for item in changed}
    assert changed.keys() == {ids[0], ids[1]}
    assert changed[ids[0]]["summary"] == "Moved" and changed[ids[1]]["status"] == "cancelled"
    assert "summary" not in changed[ids[1]], "a deleted event promises no more than its id"
    call(events.delete(calendarId=calendar, eventId=ids[2]))
    live, _ = pages(events, events.list(calendarId=calendar))
    assert len(live) == 5
    assert len(pages(events, events.list(calendarId=calendar, showDeleted=True))[0]) == 7
    assert call(events.get(calendarId=calendar, eventId=ids[2]))["status"] == "cancelled"
    # A page goes on only with the same query.
    first = call(events.list(calendarId=calendar, maxResults=2))["nextPageToken"]
    refused(400, "invalidParameter", events.list(calendarId=calendar, pageToken=first, singleEvents=True))
    refused(410, "fullSyncRequired", events.list(calendarId=calendar, syncToken="nonsense"))
    refused(400, "invalid", events.list(calendarId=calendar, syncToken=token, singleEvents=True))
    return token, ids[3]


def what_goes_not_together(google, calendar, token):
    events = google.events()
    moment = "2026-03-12T00:00:00Z"
    for forbidden in (
        {"iCalUID": "x"}, {"orderBy": "updated"}, {"privateExtendedProperty": "a=b"},
        {"sharedExtendedProperty": "a=b"}, {"q": "x"}, {"timeMin": moment}, {"timeMax": moment},
        {"updatedMin": moment}, {"showDeleted": False},
    ):
        refused(400, "invalid", events.list(calendarId=calendar, syncToken=token, **forbidden))
    refused(400, "timeRangeEmpty", events.list(calendarId=calendar, timeMin=moment, timeMax=moment))
    refused(400, "invalid", events.list(calendarId=calendar, orderBy="startTime"))
    refused(410, "updatedMinTooLongAgo", events.list(calendarId=calendar, updatedMin="2001-01-01T00:00:00Z"))
    yesterday = (datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=1)).isoformat()
    for without_token in ({"orderBy": "updated"}, {"q": "Event"}, {"updatedMin": yesterday}):
        answer = call(events.list(calendarId=calendar, **without_token))
        assert "nextSyncToken" not in answer and answer["items"], without_token
    window = {"timeMin": "2026-03-12T09:00:00Z", "timeMax": "2026-03-13T00:00:00Z"}
    assert pages(events, events.list(calendarId=calendar, **window))[0] == []
    assert len(pages(events, events.list(calendarId=calendar, timeMin="2026-03-12T08:30:00+01:00"))[0]) == 5


def writing(google, calendar, known):
    events = google.events()
    own = "tidings" + uuid.uuid4().hex[:20].translate(str.maketrans("wxyz", "abcd"))
    body = event("Own id", id=own, extendedProperties={"private": {"a": "b"}})
    made = call(events.insert(calendarId=calendar, body=body, sendUpdates="none"))
    assert made["id"] == own and made["iCalUID"] == f"{own}@google.com"
    assert made["start"]["dateTime"] == "2026-03-12T09:00:00+01:00", made["start"]
    refused(409, "duplicate", events.insert(calendarId=calendar, body=body))
    found, _ = pages(events, events.list(calendarId=calendar, privateExtendedProperty="a=b"))
    assert [item["id"] for item in found] == [own]
    for bad, reason in (
        ({**body, "id": "wxyz"}, "invalid"),
        (event("Empty", end="2026-03-12T09:00:00"), "timeRangeEmpty"),
        (event("Backwards", end="2026-03-11T09:00:00"), "timeRangeEmpty"),
        ({"summary": "No times"}, "required"),
        ({"summary": "x", "start": {"dateTime": "2026-03-12T09:00:00"}, "end": body["end"]}, "required"),
        ({"summary": "x", "start": {"date": "2026-03-12"}, "end": body["end"]}, "invalid"),
        (event("Both", id="abcdef", iCalUID="x@y"), "invalid"),
        (event("Rule", recurrence=["RRULE:FREQ=SOMETIMES"]), "invalid"),
        (event("Guest", attendees=[{"displayName": "Nobody"}]), "invalid"),
    ):
        refused(400, reason, events.insert(calendarId=calendar, body=bad))
    # A patch merges, null takes away, arrays are replaced, and a time keeps what is not overwritten.
    patched = call(events.patch(
        calendarId=calendar, eventId=own, sendUpdates="all",
        body={"location": "Here", "extendedProperties": {"private": {"c": "d"}},
              "attendees": [{"email": "b@example.com"}]},
    ))
    assert patched["extendedProperties"]["private"] == {"a": "b", "c": "d"}
    assert patched["summary"] == "Own id" and patched["attendees"][0]["responseStatus"] == "needsAction"
    patched = call(events.patch(calendarId=calendar, eventId=own, body={"location": None}))
    assert "location" not in patched and patched["sequence"] == 0
    refused(400, "invalid", events.patch(
        calendarId=calendar, eventId=own, body={"start": {"date": "2026-03-12"}, "end": {"date": "2026-03-13"}}
    ))
    days = {"start": {"date": "2026-03-12", "dateTime": None, "timeZone": None},
            "end": {"date": "2026-03-13", "dateTime": None, "timeZone": None}}
    patched = call(events.patch(calendarId=calendar, eventId=own, body=days))
    assert patched["start"] == {"date": "2026-03-12"} and patched["sequence"] == 1
    # Reminders change the version, but not `updated`.
    reminded = call(events.patch(calendarId=calendar, eventId=own, body={"reminders": {"useDefault": False}}))
    assert reminded["updated"] == patched["updated"] and reminded["etag"] != patched["etag"]
    versions(google, calendar, own, patched["etag"])
    imports(google, calendar)
    conferences(google, calendar, known)


def versions(google, calendar, own, stale):
    events = google.events()

    def with_version(request, etag):
        request.headers["If-Match"] = etag
        return request

    body = event("Replaced")
    refused(412, "conditionNotMet", with_version(events.update(calendarId=calendar, eventId=own, body=body), stale))
    fresh = call(events.get(calendarId=calendar, eventId=own))["etag"]
    replaced = call(with_version(events.update(calendarId=calendar, eventId=own, body={**body, "sequence": 9}), fresh))
    assert "attendees" not in replaced and "extendedProperties" not in replaced, "an update replaces"
    refused(400, "invalid", events.patch(calendarId=calendar, eventId=own, body={"sequence": 1}))
    refused(412, "conditionNotMet", with_version(events.delete(calendarId=calendar, eventId=own), fresh))
    call(with_version(events.delete(calendarId=calendar, eventId=own), replaced["etag"]))
    refused(410, "deleted", events.delete(calendarId=calendar, eventId=own))
    refused(404, "notFound", events.patch(calendarId=calendar, eventId=own, body={"summary": "Ghost"}))
    # A deleted id stays taken; the event can be brought back.
    refused(409, "duplicate", events.insert(calendarId=calendar, body=event("Again", id=own)))
    back = call(events.update(calendarId=calendar, eventId=own, body=event("Back", status="confirmed", sequence=9)))
    assert back["status"] == "confirmed" and back["id"] == own
    refused(404, "notFound", events.get(calendarId=calendar, eventId="neverthere"))
    refused(404, "notFound", events.delete(calendarId=calendar, eventId="neverthere"))


def imports(google, calendar):
    events = google.events()
    body = event("Imported", iCalUID="series@elsewhere.example")
    first = call(events.import_(calendarId=calendar, body=body))
    second = call(events.import_(calendarId=calendar, body={**body, "summary": "Again"}))
    assert first["id"] == second["id"] and second["summary"] == "Again"
    refused(409, "duplicate", events.insert(calendarId=calendar, body=body))
    found, _ = pages(events, events.list(calendarId=calendar, iCalUID="series@elsewhere.example"))
    assert [item["id"] for item in found] == [first["id"]]
    call(events.delete(calendarId=calendar, eventId=first["id"]))
    refused(409, "duplicate", events.insert(calendarId=calendar, body=body))


def conferences(google, calendar, known):
    events = google.events()
    wanted = {"conferenceData": {"createRequest": {
        "requestId": "once", "conferenceSolutionKey": {"type": "hangoutsMeet"}}}}
    dropped = call(events.patch(calendarId=calendar, eventId=known, body=wanted))
    assert "conferenceData" not in dropped, "without conferenceDataVersion=1 it is dropped in silence"
    made = call(events.patch(calendarId=calendar, eventId=known, body=wanted, conferenceDataVersion=1))
    assert made["hangoutLink"] == made["conferenceData"]["entryPoints"][0]["uri"]


def series(google, calendar):
    events = google.events()
    refused(400, "required", events.insert(calendarId=calendar, body={
        "start": {"dateTime": "2026-03-27T09:00:00+01:00"}, "end": {"dateTime": "2026-03-27T10:00:00+01:00"},
        "recurrence": ["RRULE:FREQ=DAILY"]}))
    _, token = pages(events, events.list(calendarId=calendar))
    body = event("Daily", "2026-03-27T09:00:00", "2026-03-27T10:00:00", recurrence=["RRULE:FREQ=DAILY;COUNT=5"])
    master = call(events.insert(calendarId=calendar, body=body))["id"]
    instances = call(events.instances(calendarId=calendar, eventId=master))["items"]
    # The clock goes forward on the 29th: the same time of day is another moment.
    assert [item["id"] for item in instances] == [
        f"{master}_{stamp}" for stamp in (
            "20260327T080000Z", "20260328T080000Z", "20260329T070000Z", "20260330T070000Z", "20260331T070000Z",
        )
    ]
    assert instances[2]["originalStartTime"]["dateTime"] == "2026-03-29T09:00:00+02:00"
    second, third = instances[1]["id"], instances[2]["id"]
    assert call(events.get(calendarId=calendar, eventId=second))["recurringEventId"] == master
    moved = call(events.patch(calendarId=calendar, eventId=second, body={"summary": "Moved once"}))
    assert moved["recurringEventId"] == master and moved["summary"] == "Moved once"
    call(events.delete(calendarId=calendar, eventId=third))
    refused(410, "deleted", events.delete(calendarId=calendar, eventId=third))
    changed, token = pages(events, events.list(calendarId=calendar, syncToken=token))
    changed = {item["id"]: item for item in changed}
    assert changed.keys() == {master, second, third}
    cancelled = changed[third]
    assert cancelled["status"] == "cancelled" and cancelled["recurringEventId"] == master
    assert cancelled["originalStartTime"]["dateTime"] == "2026-03-29T09:00:00+02:00"
    full = {item["id"] for item in pages(events, events.list(calendarId=calendar))[0]}
    assert {master, second, third} <= full, "a cancelled exception of a living series is in every list"
    single, _ = pages(events, events.list(calendarId=calendar, singleEvents=True))
    of_series = [item["id"] for item in single if item.get("recurringEventId") == master]
    assert len(of_series) == 4 and third not in of_series and master not in {item["id"] for item in single}
    ordered = call(events.list(calendarId=calendar, singleEvents=True, orderBy="startTime", timeMin="2026-03-27T00:00:00Z"))
    starts = [item["start"]["dateTime"] for item in ordered["items"]]
    assert starts == sorted(starts) and len(starts) == 4
    window = call(events.instances(
        calendarId=calendar, eventId=master, timeMin="2026-03-30T00:00:00Z", timeMax="2026-03-31T00:00:00Z"))
    assert [item["id"] for item in window["items"]] == [f"{master}_20260330T070000Z"]
    assert len(call(events.instances(calendarId=calendar, eventId=master, showDeleted=True))["items"]) == 5
    # A shorter series loses the exception; a deleted one all of them.
    call(events.patch(calendarId=calendar, eventId=master, body={"recurrence": ["RRULE:FREQ=DAILY;COUNT=1"]}))
    changed, token = pages(events, events.list(calendarId=calendar, syncToken=token))
    assert {item["id"]: item["status"] for item in changed}[second] == "cancelled"
    call(events.delete(calendarId=calendar, eventId=master))
    changed, _ = pages(events, events.list(calendarId=calendar, syncToken=token))
    assert {item["id"]: item["status"] for item in changed}[master] == "cancelled"
    refused(404, "notFound", events.instances(calendarId=calendar, eventId=master))


def channels(google, calendar, receiver):
    events = google.events()

    def channel(**more):
        return {"id": str(uuid.uuid4()), "type": "web_hook", "address": receiver, "token": "secret", **more}

    refused(400, "push.webhookUrlNotHttps", events.watch(
        calendarId=calendar, body=channel(address=receiver.replace("https", "http"))))
    refused(400, "required", events.watch(calendarId=calendar, body=channel(id="")))
    refused(400, "invalid", events.watch(calendarId=calendar, body=channel(id="x" * 65)))
    wanted = channel(params={"ttl": "3600"})
    opened = call(events.watch(calendarId=calendar, body=wanted))
    assert opened["id"] == wanted["id"] and opened["token"] == "secret"
    now = datetime.datetime.now(datetime.timezone.utc).timestamp() * 1000
    assert 3_500_000 < int(opened["expiration"]) - now < 3_601_000
    refused(400, "channelIdNotUnique", events.watch(calendarId=calendar, body=wanted))
    far = call(google.calendarList().watch(body=channel(expiration=str(int(now) + 10**11))))
    assert int(far["expiration"]) - now < 604_801_000, "no channel lives longer than is allowed"
    assert far["resourceId"] != opened["resourceId"]
    # This one is told to the receiver by channel and, after its stop, the next is not.
    call(events.insert(calendarId=calendar, body=event("Pushed")))
    wrong = {"id": opened["id"], "resourceId": far["resourceId"]}
    refused(404, "notFound", google.channels().stop(body=wrong))
    stop = {"id": opened["id"], "resourceId": opened["resourceId"]}
    call(google.channels().stop(body=stop))
    refused(404, "notFound", google.channels().stop(body=stop))
    call(events.insert(calendarId=calendar, body=event("Not pushed")))
    call(google.calendars().insert(body={"summary": "Pushed to the list"}))


def sign_in(given):
    credentials = Credentials(
        None, refresh_token=given["refresh_token"], token_uri=given["token_uri"],
        client_id=given["client_id"], client_secret=given["client_secret"],
    )
    google = build(
        "calendar", "v3", credentials=credentials, client_options={"api_endpoint": given["api"]},
        static_discovery=True, cache_discovery=False,
    )
    # A token that has ended is refreshed once by the client, without our seeing it.
    call(google.calendarList().list())
    credentials.token = "ended"
    call(google.calendarList().list())
    stranger = Credentials(
        None, refresh_token="withdrawn", token_uri=given["token_uri"],
        client_id=given["client_id"], client_secret=given["client_secret"],
    )
    strange = build(
        "calendar", "v3", credentials=stranger, client_options={"api_endpoint": given["api"]},
        static_discovery=True, cache_discovery=False,
    )
    try:
        strange.calendarList().list().execute()
    except RefreshError as error:
        assert error.args[1]["error"] == "invalid_grant", error.args
    else:
        raise AssertionError("a refresh token that nobody gave is taken")
    return google


def main():
    given = json.loads(sys.stdin.read())
    google = sign_in(given)
    calendar = calendars(google)
    token, known = paging_and_tokens(google, calendar)
    what_goes_not_together(google, calendar, token)
    writing(google, calendar, known)
    series(google, calendar)
    channels(google, calendar, given["receiver"])
    print(json.dumps(CALLS, sort_keys=True))


if __name__ == "__main__":
    main()
