"""Verifies signatures with the Standard Webhooks library for Python.

Standard input: one JSON object a line, {"secret", "headers", "body_b64", "expect": true | false}.
Exit status 0 only when there is at least one line and every verdict is the expected one.
"""

import base64
import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError


def is_genuine(vector):
    body = base64.b64decode(vector["body_b64"], validate=True)
    try:
        Webhook(vector["secret"]).verify(body, vector["headers"], json_parse=False)
    except (WebhookVerificationError, ValueError):  # the library trips over some malformed headers
        return False
    return True


def main():
    lines = failures = 0
    for line in sys.stdin:
        if not line.strip():
            continue
        lines += 1
        vector = json.loads(line)
        verdict = is_genuine(vector)
        if verdict is not vector["expect"]:
            failures += 1
            print(f"line {lines}: verified is {verdict}, expected {vector['expect']}", file=sys.stderr)
    print(f"{lines} lines, {failures} unexpected")
    return 0 if lines and not failures else 1


if __name__ == "__main__":
    sys.exit(main())
