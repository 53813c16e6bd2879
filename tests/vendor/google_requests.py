"""Judges recorded requests to Google by the vendor's own description of Calendar v3.

Standard input: one JSON object a line, {"method", "path", "query": [[name, value]], "body"}.
Standard output: one JSON object, how many requests went to each method; requests to the sign-in endpoints
are not judged. Exit status 0 only when there is at least one request to the API and none is at fault.
"""

import collections
import json
import sys

import google_discovery

SIGN_IN = {
    "/o/oauth2/v2/auth", "/token", "/revoke", "/oauth2/v2/userinfo", "/oauth2/v3/userinfo", "/v1/userinfo",
}


def main():
    counted, at_fault = collections.Counter(), 0
    for number, line in enumerate(sys.stdin, 1):
        if not line.strip():
            continue
        request = json.loads(line)
        if request["path"] in SIGN_IN:
            continue
        method, complaints = google_discovery.check_request(
            request["method"], request["path"], request["query"], request["body"]
        )
        counted[method or "unknown"] += 1
        at_fault += bool(complaints)
        for complaint in complaints:
            print(f"line {number}: {complaint}", file=sys.stderr)
    print(json.dumps(counted, sort_keys=True))
    return 0 if counted and not at_fault else 1


if __name__ == "__main__":
    sys.exit(main())
