"""Reads deliveries of the format cloudevents@1 with the CloudEvents SDK for Python.

Standard input: one JSON object a line, {"content_type", "body_b64"}.
Standard output: one JSON array a line, an object for each event: its attributes as text, and its data.
Exit status 0 only when there is at least one line and the SDK accepts everything.
"""

import base64
import json
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_http_event
from cloudevents.core.formats.json import JSONFormat


def events(content_type, body):
    if content_type == "application/cloudevents-batch+json":
        # The SDK knows events, not batches: a batch is an array of events in the same format.
        return [JSONFormat().read(None, json.dumps(event)) for event in json.loads(body)]
    assert content_type == "application/cloudevents+json", content_type
    return [from_http_event(HTTPMessage({"content-type": content_type}, body))]


def as_json(event):
    attributes = {name: str(value) for name, value in event.get_attributes().items()}
    return {**attributes, "data": event.get_data()}


def main():
    lines = 0
    for line in sys.stdin:
        if not line.strip():
            continue
        lines += 1
        delivery = json.loads(line)
        body = base64.b64decode(delivery["body_b64"], validate=True)
        read = events(delivery["content_type"], body)
        print(json.dumps([as_json(event) for event in read]))
    return 0 if lines else 1


if __name__ == "__main__":
    sys.exit(main())
