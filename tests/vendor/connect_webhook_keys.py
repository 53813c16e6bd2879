"""Verifies `v1a` signatures with Mobiscroll Connect's own SDK, which fetches the keys from a running Tidings.

Environment: CONNECT_BASE_URL, such as http://127.0.0.1:8080/connect/api
Standard input: one JSON object a line, {"headers", "body_b64", "expect": null or the SDK's reason}, and
{"keys", "now"} when the SDK is to verify with these keys at this Unix time and fetch nothing.
Exit status 0 only when there is at least one line and every verdict is the expected one.
"""

import base64
import json
import os
import sys

from mobiscroll_connect import MobiscrollConnectClient, verify_webhook_signature
from mobiscroll_connect.exceptions import WebhookVerificationError


def refusal(client, vector):
    """None when the SDK takes the delivery for genuine, else its reason."""
    body = base64.b64decode(vector["body_b64"], validate=True)
    try:
        if "keys" in vector:
            keys, now = vector["keys"], vector["now"]
            verify_webhook_signature(body, vector["headers"], keys, now=now)
        else:
            client.webhooks.verify_webhook(body, vector["headers"])
    except WebhookVerificationError as error:
        return error.reason
    return None


def main():
    client = MobiscrollConnectClient(
        "client-id",
        "client-secret",
        "https://app.example/callback",
        base_url=os.environ["CONNECT_BASE_URL"],
    )
    lines = failures = 0
    for line in sys.stdin:
        if not line.strip():
            continue
        lines += 1
        vector = json.loads(line)
        found = refusal(client, vector)
        if found != vector["expect"]:
            failures += 1
            print(f"line {lines}: refused for {found}, expected {vector['expect']}", file=sys.stderr)
    print(f"{lines} lines, {failures} unexpected")
    return 0 if lines and not failures else 1


if __name__ == "__main__":
    sys.exit(main())
