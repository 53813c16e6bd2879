"""Google's own description of Calendar v3, as google-api-python-client bundles it, as a judge of requests
and answers."""

import json
import re
from importlib import resources

DOCUMENT = json.loads(
    resources.files("googleapiclient.discovery_cache.documents")
    .joinpath("calendar.v3.json")
    .read_text(encoding="utf-8")
)
SCHEMAS = DOCUMENT["schemas"]
GLOBAL_PARAMETERS = DOCUMENT["parameters"]
PREFIX = "/" + DOCUMENT["servicePath"]

# What the description says in words only.
REQUIRED_MEMBERS = {
    "calendar.calendarList.watch": ["id", "type", "address"],
    "calendar.channels.stop": ["id", "resourceId"],
    "calendar.events.watch": ["id", "type", "address"],
}
DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
LOCAL_DATE_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")
DATE = re.compile(r"\d{4}-\d\d-\d\d")


def _methods(resource):
    yield from resource.get("methods", {}).values()
    for nested in resource.get("resources", {}).values():
        yield from _methods(nested)


METHODS = {method["id"]: method for method in _methods(DOCUMENT)}


def find_method(verb, path):
    """The method that a path (percent-encoded, with the prefix) names; None when there is none."""
    found = []
    for method in METHODS.values():
        pattern = re.sub(r"\\\{\w+\\\}", "([^/]+)", re.escape(PREFIX + method["path"]))
        if method["httpMethod"] == verb and re.fullmatch(pattern, path):
            found.append(method)
    # Where a word of one path is a parameter of another, the word wins.
    return min(found, key=lambda method: method["path"].count("{"), default=None)


def _wrong_text(value, schema, local_allowed):
    kind = schema.get("format")
    if "enum" in schema and value not in schema["enum"]:
        return f"{value!r} is none of {schema['enum']}"
    if kind == "date-time" and not DATE_TIME.fullmatch(value):
        if not (local_allowed and LOCAL_DATE_TIME.fullmatch(value)):
            return f"{value!r} is no time of RFC 3339 with an offset"
    if kind == "date" and not DATE.fullmatch(value):
        return f"{value!r} is no date"
    if kind in ("int64", "uint64") and not re.fullmatch(r"-?\d+", value):
        return f"{value!r} is no number in a string"
    return None


def check_value(value, schema, where, sent_to=None):
    """Complaints about a JSON value. `sent_to`: the method whose request it is in, None for an answer."""
    schema = SCHEMAS[schema["$ref"]] if "$ref" in schema else schema
    if value is None:
        patched = sent_to is not None and sent_to.endswith(".patch")
        return [] if patched else [f"{where}: null, which only a patch may say"]
    kind = schema["type"]
    right = {
        "any": object, "string": str, "boolean": bool, "integer": int, "number": (int, float),
        "array": list, "object": dict,
    }[kind]
    if not isinstance(value, right) or (kind in ("integer", "number") and isinstance(value, bool)):
        return [f"{where}: {value!r} is no {kind}"]
    if kind == "string":
        wrong = _wrong_text(value, schema, where.endswith(".dateTime"))
        return [f"{where}: {wrong}"] if wrong else []
    if kind == "array":
        complaints = [
            check_value(item, schema["items"], f"{where}[{at}]", sent_to) for at, item in enumerate(value)
        ]
        return sum(complaints, [])
    if kind == "object":
        return _check_object(value, schema, where, sent_to)
    return []


def _check_object(value, schema, where, sent_to):
    complaints = []
    known = schema.get("properties", {})
    for name, member in value.items():
        described = known.get(name, schema.get("additionalProperties"))
        if described is None:
            complaints.append(f"{where}: unknown member {name!r}")
            continue
        if sent_to is not None and "Read-only." in described.get("description", "").split("\n")[0]:
            complaints.append(f"{where}.{name}: is read-only")
        complaints += check_value(member, described, f"{where}.{name}", sent_to)
    for name, described in known.items():
        needed = described.get("annotations", {}).get("required", [])
        if sent_to in needed and name not in value:
            complaints.append(f"{where}: {sent_to} requires {name!r}")
    if {"date", "dateTime"} <= value.keys() and value["date"] and value["dateTime"]:
        complaints.append(f"{where}: both date and dateTime")
    if sent_to is not None and isinstance(value.get("dateTime"), str):
        if not DATE_TIME.fullmatch(value["dateTime"]) and not value.get("timeZone"):
            complaints.append(f"{where}: a local time without timeZone")
    return complaints


def check_parameter(name, value, described):
    """Complaints about one parameter, whose value is text."""
    kind = described["type"]
    if kind == "boolean" and value not in ("true", "false"):
        return [f"parameter {name}: {value!r} is no boolean"]
    if kind == "integer":
        if not re.fullmatch(r"-?\d+", value):
            return [f"parameter {name}: {value!r} is no integer"]
        low, high = described.get("minimum"), described.get("maximum")
        if (low and int(value) < int(low)) or (high and int(value) > int(high)):
            return [f"parameter {name}: {value} is out of range"]
    wrong = _wrong_text(value, described, False)
    return [f"parameter {name}: {wrong}"] if wrong else []


def check_request(verb, path, query, body):
    """The method's id and complaints about a request to it."""
    method = find_method(verb, path)
    if method is None:
        return None, [f"{verb} {path}: there is no such method"]
    complaints = []
    described = {**GLOBAL_PARAMETERS, **method.get("parameters", {})}
    names = [name for name, _ in query]
    for name, value in query:
        if described.get(name, {}).get("location") != "query":
            complaints.append(f"unknown parameter {name!r}")
            continue
        if names.count(name) > 1 and not described[name].get("repeated"):
            complaints.append(f"parameter {name} is given twice")
        complaints += check_parameter(name, value, described[name])
    for name, parameter in described.items():
        if parameter.get("required") and parameter["location"] == "query" and name not in names:
            complaints.append(f"parameter {name} is missing")
    complaints += _check_body(method, body)
    return method["id"], [f"{method['id']}: {complaint}" for complaint in complaints]


def _check_body(method, body):
    if "request" not in method:
        return [] if body is None else ["takes no body"]
    if not isinstance(body, dict):
        return [f"needs a JSON object, not {body!r}"]
    missing = [name for name in REQUIRED_MEMBERS.get(method["id"], []) if not body.get(name)]
    complaints = [f"body: requires {name!r}" for name in missing]
    return complaints + check_value(body, method["request"], "body", method["id"])


def check_answer(method_id, answer):
    """Complaints about what a method answered."""
    described = METHODS[method_id].get("response")
    if described is None:
        return [] if answer in (None, "", b"") else [f"{method_id}: answers nothing, not {answer!r}"]
    return [f"{method_id}: {complaint}" for complaint in check_value(answer, described, "answer")]
