"""Checks docs/openapi.json, and exchanges against it.

    openapi.py DOCUMENT                  checks the document; says what is wrong, exit status 1
    openapi.py DOCUMENT --operations     "METHOD PATH OPERATION" of each
    openapi.py DOCUMENT --exchanges      reads exchanges from standard input, an object a line:

        {"method":"PUT","target":"/api/v1/roles/reader?x=1","headers":{"If-Match":"*"},"body":"{}",
         "status":200,"answer_headers":{"ETag":"\\"1\\""},"answer":"{}"}

    and answers each with a line {"operation":"putRole","errors":["…"]}: what does not fit the
    document. A request must fit it only if it was not refused; all that is answered must.
    Field names are compared without case; a field that came several times is a list.

The document's schemas are JSON Schema 2020-12; python3-jsonschema of Debian 12 knows it.
"""

import json
import re
import sys
from urllib.parse import parse_qsl, unquote, urlsplit

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError

METHODS = ("get", "put", "post", "delete", "patch")
FORM = "application/x-www-form-urlencoded"
PROBLEM = "application/problem+json"
# On every answer.
ALWAYS = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
# Must be in the document wherever they are on an answer.
TOLD = ("etag", "location", "set-cookie", "retry-after", "www-authenticate", "allow", "idempotent-replay")
# Schemas that others complete, and forms, whose unknown fields RFC 7662 and RFC 7009 ignore.
OPEN = ("TokenFields", "NewToken", "IntrospectionRequest", "RevocationRequest")
# Answers that every path may give; the document has them once.
EVERYWHERE = {404: "NotFound", 405: "MethodNotAllowed"}


def without_repetition(pairs):
    names = [name for name, _ in pairs]
    twice = {name for name in names if names.count(name) > 1}
    if twice:
        raise ValueError("twice in one object: " + ", ".join(sorted(twice)))
    return dict(pairs)


def parse(text):
    return json.loads(text, object_pairs_hook=without_repetition)


class Document:
    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            self.root = parse(file.read())
        self.components = self.root["components"]
        self.operations = {}  # (method, path) -> operation, with the path's parameters
        for path, item in self.root["paths"].items():
            for method in METHODS:
                if method in item:
                    operation = dict(item[method])
                    shared = item.get("parameters", [])
                    operation["parameters"] = [
                        self.resolve(each) for each in shared + operation.get("parameters", [])
                    ]
                    self.operations[method, path] = operation

    def resolve(self, node):
        while "$ref" in node:
            found = self.root
            for name in node["$ref"].split("/")[1:]:
                found = found[name.replace("~1", "/").replace("~0", "~")]
            node = found
        return node

    def errors(self, schema, value, where):
        """What in the value does not fit the schema, a line each."""
        validator = Draft202012Validator({**schema, "components": self.components})
        return [
            f"{where}: {'.'.join(map(str, error.absolute_path)) or 'all of it'}: {error.message[:300]}"
            for error in validator.iter_errors(value)
        ]

    def find(self, method, path):
        """The path's template and its arguments; (None, {}) if the document does not have it."""
        segments = path.split("/")
        best = None
        for candidate_method, template in self.operations:
            parts = template.split("/")
            if candidate_method != method or len(parts) != len(segments):
                continue
            arguments = {}
            for part, segment in zip(parts, segments):
                if part.startswith("{"):
                    arguments[part[1:-1]] = unquote(segment)
                elif part != segment:
                    break
            else:
                if best is None or len(arguments) < len(best[1]):
                    best = template, arguments
        return best or (None, {})


# The document by itself.


def nodes(node, at="#"):
    """All objects and where they are. Examples are values, not part of the document."""
    if isinstance(node, dict):
        yield node, at
        for name, child in node.items():
            if name not in ("example", "examples", "enum", "const"):
                yield from nodes(child, f"{at}/{name.replace('~', '~0').replace('/', '~1')}")
    elif isinstance(node, list):
        for index, child in enumerate(node):
            yield from nodes(child, f"{at}/{index}")


def check_references(document):
    used = set()
    for node, at in nodes(document.root):
        if "$ref" in node:
            try:
                document.resolve(node)
                used.add(node["$ref"])
            except (KeyError, TypeError):
                yield f"{at}: {node['$ref']} is not there"
    told = {f"#/components/responses/{name}" for name in ("MethodNotAllowed", "InternalError")}
    for kind, entries in document.components.items():
        for name in entries:
            at = f"#/components/{kind}/{name}"
            if kind != "securitySchemes" and at not in used | told:
                yield f"{at}: is not used"


def check_schemas(document):
    for name, schema in document.components["schemas"].items():
        try:
            Draft202012Validator.check_schema(schema)
        except SchemaError as error:
            yield f"#/components/schemas/{name}: {error.message}"


def check_examples(document):
    for name, schema in document.components["schemas"].items():
        at = f"#/components/schemas/{name}"
        for index, example in enumerate(schema.get("examples", [])):
            yield from document.errors({"$ref": at}, example, f"{at}/examples/{index}")
    for node, at in nodes(document.root):
        if "schema" in node and "example" in node:
            yield from document.errors(node["schema"], node["example"], f"{at}/example")
        for name, example in node.get("examples", {}).items() if "schema" in node else ():
            yield from document.errors(node["schema"], example["value"], f"{at}/examples/{name}")


def check_closed(document):
    """Objects of ours know their members: all are required in answers, none else is allowed."""
    for name, schema in document.components["schemas"].items():
        for node, at in nodes(schema, f"#/components/schemas/{name}"):
            if "properties" not in node:
                continue
            unknown = set(node.get("required", [])) - set(node["properties"])
            if unknown:
                yield f"{at}: requires what it does not have: {', '.join(sorted(unknown))}"
            if node.get("additionalProperties") is not False and name not in OPEN:
                yield f"{at}: says nothing of additionalProperties"


def check_operations(document):
    names = set()
    schemes = document.components["securitySchemes"]
    for (method, path), operation in document.operations.items():
        at = f"{method.upper()} {path}"
        name = operation["operationId"]
        if name in names:
            yield f"{at}: {name} is another operation's"
        names.add(name)
        declared = [(p["in"], p["name"]) for p in operation["parameters"]]
        if len(set(declared)) != len(declared):
            yield f"{at}: a parameter is there twice"
        if {n for where, n in declared if where == "path"} != set(re.findall(r"{(\w+)}", path)):
            yield f"{at}: the path's parameters are not those that are declared"
        for requirement in operation["security"]:
            for scheme in requirement:
                if scheme not in schemes:
                    yield f"{at}: there is no security scheme {scheme}"


def codes_of(document, schema):
    """A problem document's codes: a schema of ours, perhaps narrowed to some of them."""
    if "allOf" in schema:
        return schema["allOf"][1]["properties"]["code"]["enum"]
    return document.resolve(schema)["properties"]["code"]["enum"]


def check_problems(document):
    """Refusals have problem documents, and a code has one status."""
    statuses = {}
    for (method, path), operation in document.operations.items():
        for status, response in operation["responses"].items():
            at = f"{method.upper()} {path} {status}"
            problem = document.resolve(response).get("content", {}).get(PROBLEM)
            if problem is None:
                if int(status) >= 400:
                    yield f"{at}: has no problem document"
                continue
            for code in codes_of(document, problem["schema"]):
                if statuses.setdefault(code, status) != status:
                    yield f"{at}: {code} has the status {statuses[code]} elsewhere"


def check(document):
    """What the first part of these finds: the others rely on it."""
    for parts in (
        (check_references,),
        (check_schemas,),
        (check_examples, check_closed, check_operations, check_problems),
    ):
        found = [line for part in parts for line in part(document)]
        if found:
            return found
    return []


# Exchanges.


class Fields:
    """The fields of a header."""

    def __init__(self, fields):
        self.values = {}
        for name, value in fields.items():
            values = value if isinstance(value, list) else [value]
            self.values.setdefault(name.lower(), []).extend(values)

    def get(self, name):
        values = self.values.get(name.lower())
        return None if values is None else ", ".join(values)

    def media_type(self):
        return (self.get("content-type") or "").split(";")[0].strip().lower()


def typed(text, schema):
    """A parameter or field, as the JSON value that its schema speaks of."""
    kind = schema.get("type")
    if kind == "integer" and re.fullmatch(r"-?[0-9]{1,18}", text):
        return int(text)
    if kind == "boolean" and text in ("true", "false"):
        return text == "true"
    return text


def content_errors(document, content, media_type, text, where):
    if media_type not in content:
        return [f"{where}: {media_type or 'no media type'} is not in the document"]
    schema = content[media_type].get("schema", {})
    if media_type.endswith("json"):
        try:
            value = parse(text)
        except ValueError as error:
            return [f"{where}: is no JSON: {error}"]
    elif media_type == FORM:
        value = dict(parse_qsl(text, keep_blank_values=True))
    else:
        value = text
    return document.errors(schema, value, where)


def request_errors(document, operation, exchange, arguments, query):
    fields = Fields(exchange.get("headers", {}))
    given = {
        "path": arguments,
        "query": dict(query),
        "header": {
            p["name"]: fields.get(p["name"])
            for p in operation["parameters"]
            if p["in"] == "header" and fields.get(p["name"]) is not None
        },
    }
    known = {(p["in"], p["name"]): p for p in operation["parameters"]}
    for where, values in given.items():
        for name, text in values.items():
            parameter = known.get((where, name))
            if parameter is None:
                yield f"request: the {where} parameter {name} is not in the document"
                continue
            schema = document.resolve(parameter["schema"])
            value = typed(text, schema)
            yield from document.errors(parameter["schema"], value, f"request: {name}")
    for (where, name), parameter in known.items():
        if parameter.get("required") and name not in given[where]:
            yield f"request: {name} is missing"
    body = exchange.get("body") or ""
    expected = operation.get("requestBody")
    if expected is None or (not body and not expected.get("required")):
        return
    if not body:
        yield "request: has no body"
        return
    yield from content_errors(document, expected["content"], fields.media_type(), body, "request")


def answer_errors(document, response, exchange):
    fields = Fields(exchange.get("answer_headers", {}))
    expected = {name.lower(): document.resolve(h) for name, h in response.get("headers", {}).items()}
    for name, header in expected.items():
        text = fields.get(name)
        if text is None:
            if header.get("required"):
                yield f"answer: has no {name}"
            continue
        yield from document.errors(header["schema"], typed(text, header["schema"]), f"answer: {name}")
    for name in TOLD:
        if fields.get(name) is not None and name not in expected:
            yield f"answer: {name} is not in the document"
    for name, value in ALWAYS.items():
        if fields.get(name) != value:
            yield f"answer: {name} is not {value}"
    text = exchange.get("answer") or ""
    content = response.get("content")
    if exchange["method"] == "HEAD" or content is None:
        if text:
            yield "answer: has a body"
        return
    if not text:
        yield "answer: has no body"
        return
    yield from content_errors(document, content, fields.media_type(), text, "answer")
    if fields.media_type() == PROBLEM and f'"status":{exchange["status"]},' not in text.replace(" ", ""):
        yield "answer: the problem document has another status"


def check_exchange(document, exchange):
    method = "get" if exchange["method"] == "HEAD" else exchange["method"].lower()
    target = urlsplit(exchange["target"])
    template, arguments = document.find(method, target.path)
    status = exchange["status"]
    if template is None:
        if status not in EVERYWHERE:
            return {"operation": None, "errors": ["the document does not have this operation"]}
        response = document.components["responses"][EVERYWHERE[status]]
        return {"operation": None, "errors": list(answer_errors(document, response, exchange))}
    operation = document.operations[method, template]
    errors = []
    if status < 400:
        query = parse_qsl(target.query, keep_blank_values=True)
        errors += request_errors(document, operation, exchange, arguments, query)
    response = operation["responses"].get(str(status))
    if response is None:
        errors.append(f"answer: {status} is not in the document")
    else:
        errors += answer_errors(document, document.resolve(response), exchange)
    return {"operation": operation["operationId"], "errors": errors}


def main(arguments):
    if len(arguments) not in (1, 2) or arguments[1:] not in ([], ["--operations"], ["--exchanges"]):
        print(__doc__, file=sys.stderr)
        return 2
    document = Document(arguments[0])
    if arguments[1:] == ["--operations"]:
        for (method, path), operation in document.operations.items():
            print(method.upper(), path, operation["operationId"])
        return 0
    if arguments[1:] == ["--exchanges"]:
        for line in sys.stdin:
            print(json.dumps(check_exchange(document, json.loads(line))), flush=True)
        return 0
    found = check(document)
    for line in found:
        print(f"{arguments[0]}: {line}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
