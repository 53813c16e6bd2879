"""The vendor's client of Sync (sync-py), unmodified, through its whole webhook story.

SYNC_BASE_URL is where our server is, SYNC_API_KEY a key of it. The application's data comes in by the native
API, as a connector's would; everything else is the client's own calls, and a receiver of its own.
"""

import json
import os
import queue
import sys
import threading
import traceback
from http.server import BaseHTTPRequestHandler, HTTPServer

import requests
import sync.sync as vendor

BASE = os.environ["SYNC_BASE_URL"]
KEY = os.environ["SYNC_API_KEY"]
API_KEY = {"api_key": KEY}
SITE = "56cf5728784806f72b8b4568"
PAGE = 5000
TRANSACTIONS = PAGE + 1

vendor.SYNC_API_URL = f"{BASE}/v1"
run = vendor.Sync.run
received = queue.Queue()


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self):
        length = int(self.headers["content-length"])
        received.put((self.headers["content-type"], json.loads(self.rfile.read(length))))
        answer = json.dumps({"handshake": "xxx-xxx-xxx"}).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


def notified(event):
    content_type, body = received.get(timeout=60)
    assert content_type == "application/json", content_type
    assert body["event"] == event, body
    return body


def follow(token, endpoint):
    """Calls a path of a notification; the client puts the version in front by itself."""
    assert endpoint.startswith("/v1/"), endpoint
    return run(token, endpoint[len("/v1"):], None, "GET")


def refused(code, message, call):
    try:
        result = call()
    except vendor.Error as error:
        assert (error.code, error.message) == (code, message), error.get_json()
        return
    raise AssertionError(f"accepted: {result}")


def bring(credential, records):
    """What a connector does: the data of an account, as lines of JSON."""
    account = next(
        account["id"]
        for account in requests.get(
            f"{BASE}/api/v1/record-accounts", headers={"authorization": f"Bearer {KEY}"}
        ).json()["data"]
        if account["details"]["jobs"][-1]["id_job"] == credential["id_job"]
    )
    answer = requests.post(
        f"{BASE}/api/v1/accounts/{account}/records",
        headers={"authorization": f"Bearer {KEY}", "content-type": "application/x-ndjson"},
        data="".join(json.dumps(record) + "\n" for record in records),
    )
    assert answer.ok, answer.text


def webhooks(url):
    assert run(API_KEY, "/webhooks", None, "GET") == []
    wanted = {"url": url, "events": ["credential_create", "credential_update", "refresh"]}
    made = run(API_KEY, "/webhooks", wanted, "POST")
    assert made["events"] == wanted["events"] and made["url"] == url, made
    assert made["id_user"] is None and made["delay"] == 0, made
    assert isinstance(made["dt_created"], int) and made["dt_modified"] is None, made
    again = run(API_KEY, "/webhooks", wanted, "POST")
    assert again["id_webhook"] == made["id_webhook"], (made, again)
    (listed,) = run(API_KEY, "/webhooks", None, "GET")
    assert listed["is_disabled"] == 0 and listed["ct_failed"] == 0, listed
    assert listed["dt_created"].endswith("+00:00"), listed
    return made["id_webhook"]


def users():
    assert run(API_KEY, "/users", {"id_external": "KEMONITO09"}, "GET") == []
    made = run(API_KEY, "/users", {"id_external": "MIST030794", "name": "Rey Misterio"}, "POST")
    user = made["id_user"]
    changed = run(API_KEY, f"/users/{user}", {"name": "Rey Misterio Jr."}, "PUT")
    assert changed["name"] == "Rey Misterio Jr.", changed
    (found,) = run(API_KEY, "/users", {"id_external": "MIST030794"}, "GET")
    assert found["id_user"] == user, found
    return user


def session(user):
    token = vendor.Sync.auth(API_KEY, {"id_user": user})
    assert len(token["token"]) == 64, token
    verified = run(None, f"/sessions/{token['token']}/verify", None, "GET")
    assert verified["response"] is True, verified
    return token


def story(user, token):
    (site,) = run(token, "/catalogues/sites", {"id_site": SITE}, "GET")
    login = {field["name"]: "test" for field in site["credentials"]}
    pull = {"id_site": SITE, "credentials": login}
    credential = run(token, "/credentials/pulls", pull, "POST")
    assert credential["is_new"] == 1 and credential["username"] == "t**t", credential

    created = notified("credential_create")
    assert created["id_credential"] == credential["id_credential"], created
    assert created["id_job"] == credential["id_job"] and created["is_executing"] == 1, created
    assert created["id_user"] == user and created["id_external"] == "MIST030794", created
    (shown,) = follow(token, created["endpoints"]["credential"][0])
    assert shown["id_credential"] == credential["id_credential"], shown
    codes = run(token, f"/jobs/{credential['id_job']}/status", None, "GET")
    assert codes == [{"code": 100}, {"code": 101}], codes

    records = [{"collection": "accounts", "key": "%024x" % 1, "data": {"name": "Checking", "balance": 10.5}}]
    for number in range(TRANSACTIONS):
        data = {"id_account": "%024x" % 1, "amount": number, "description": f"#{number}"}
        records.append({"collection": "transactions", "key": "%024x" % number, "data": data})
    file = {"file": "a.txt", "content": "aGVsbG8="}
    records.append({"collection": "attachments", "key": "%024x" % 2, "data": file})
    bring(credential, records)

    refresh = notified("refresh")
    endpoints = refresh["endpoints"]
    counts = {name: len(pages) for name, pages in endpoints.items()}
    assert counts == {"accounts": 1, "attachments": 1, "credential": 1, "transactions": 2}, counts
    (account,) = follow(token, endpoints["accounts"][0])
    assert account["name"] == "Checking" and account["balance"] == 10.5, account
    amounts = [t["amount"] for page in endpoints["transactions"] for t in follow(token, page)]
    assert amounts == list(range(TRANSACTIONS)), len(amounts)
    (attachment,) = follow(token, endpoints["attachments"][0])
    assert run(token, attachment["url"], None, "GET") == "hello"
    only = {"id_credential": credential["id_credential"]}
    assert run(token, "/transactions/count", only, "GET") == {"count": TRANSACTIONS}
    assert len(run(token, "/transactions", {**only, "limit": 5}, "GET")) == 5
    codes = run(token, f"/jobs/{credential['id_job']}/status", None, "GET")
    assert [code["code"] for code in codes] == [100, 101, 102, 200], codes

    again = run(token, f"/credentials/{credential['id_credential']}/pulls", {}, "PUT")
    assert again["is_new"] == 0, again
    updated = notified("credential_update")
    assert updated["id_job"] == again["id_job"], updated
    gone = run(token, f"/credentials/{credential['id_credential']}", None, "DELETE")
    assert gone["response"] is True, gone


def refusals(user, token):
    refused(401, "Unauthorized", lambda: run({"api_key": "no"}, "/webhooks", None, "GET"))
    refused(401, "Unauthorized", lambda: run(None, "/webhooks", None, "GET"))
    refused(403, "Forbidden", lambda: run(token, "/webhooks", None, "GET"))
    refused(400, "Bad Request", lambda: run(API_KEY, "/webhooks", {"url": "x"}, "POST"))
    refused(404, "Not Found", lambda: run(API_KEY, f"/webhooks/{user}", None, "DELETE"))
    refused(404, "Not Found", lambda: run(API_KEY, "/nothing", None, "GET"))


def ended(webhook, user, token):
    gone = run(API_KEY, f"/webhooks/{webhook}", None, "DELETE")
    assert gone["response"] is True and gone["code"] == 200 and gone["errors"] is None, gone
    assert run(API_KEY, "/webhooks", None, "GET") == []
    assert run(token, f"/sessions/{token['token']}", None, "DELETE")["response"] is True
    assert run(API_KEY, f"/users/{user}", {}, "DELETE")["response"] is True
    refused(401, "Unauthorized", lambda: run(token, "/credentials", None, "GET"))


def main():
    server = HTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        webhook = webhooks(f"http://127.0.0.1:{server.server_port}/my_webhook")
        print("webhooks: ok")
        user = users()
        print("users: ok")
        token = session(user)
        print("sessions: ok")
        story(user, token)
        print("story: ok")
        refusals(user, token)
        print("refusals: ok")
        ended(webhook, user, token)
        print("ended: ok")
    except Exception:
        print(traceback.format_exc())
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
