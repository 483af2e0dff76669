"""A front before moto: it answers the calls that moto does not know, and passes all others on.

It speaks the query protocol of Auto Scaling and EC2, and the JSON protocol of ECS and Systems Manager.
"""

import contextlib
import http.server
import json
import threading
import urllib.parse
import xml.sax.saxutils

import requests

EC2 = {"DescribeInstances", "DeleteLaunchTemplateVersions"}
LOST = "TheAnswerIsLost"
JSON = "application/x-amz-json-1.1"


class Fault(Exception):
    def __init__(self, code, message, status=400):
        super().__init__(message)
        self.code, self.status = code, status


class Front:
    """Serves until `stop`. A subclass answers the call `X` in its method `_X`. `faults` is asked about each call before it
    is answered, and may raise or answer.
    """

    through = frozenset()  # calls of the JSON protocol whose method gets moto's answer too

    def __init__(self, moto):
        self.moto = moto
        self.lock = threading.RLock()
        self.calls = []
        self.faults = lambda action, values: None
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                with contextlib.suppress(OSError):
                    outer._serve(self, body)

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    def serve(self):
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()

    def _serve(self, request, body):
        target = request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        values = json.loads(body) if target else dict(urllib.parse.parse_qsl(body.decode("latin-1")))
        action = target or values["Action"]
        self.calls.append(action)
        try:
            self.faults(action, values)
            answer = getattr(self, f"_{action}", None)
            if answer is None:
                return self._forward(request, body)
            if target:
                said = self._known(request, body, values, answer) if action in self.through else answer(values)
                return self._answer(request, 200, JSON, json.dumps(said).encode())
            with self.lock:
                status, text = 200, document(action, answer(values), "item" if action in EC2 else "member")
        except Fault as fault:
            status = fault.status
            if target and fault.code != LOST:
                error = {"__type": fault.code, "message": str(fault)}
                return self._answer(request, status, JSON, json.dumps(error).encode())
            text = fault_document(fault, action)
        if text is None:
            # The answer is lost on its way.
            request.close_connection = True
            return None
        return self._answer(request, status, "text/xml", text.encode())

    def _answer(self, request, status, kind, body):
        request.send_response(status)
        request.send_header("Content-Type", kind)
        request.send_header("Content-Length", str(len(body)))
        request.end_headers()
        request.wfile.write(body)

    def _known(self, request, body, values, answer):
        told = self._ask_moto(request, body)
        if told.status_code != 200:
            error = told.json()
            raise Fault(error["__type"].rpartition("#")[2], error.get("message", ""), told.status_code)
        return answer(values, told.json())

    def _ask_moto(self, request, body):
        fields = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "connection")}
        return requests.post(self.moto.url + request.path, data=body, headers=fields, timeout=10)

    def _forward(self, request, body):
        answer = self._ask_moto(request, body)
        self._answer(request, answer.status_code, answer.headers.get("Content-Type", "text/xml"), answer.content)


def element(name, value, item):
    if isinstance(value, dict):
        inner = "".join(element(key, each, item) for key, each in value.items())
    elif isinstance(value, list):
        inner = "".join(element(item, each, item) for each in value)
    else:
        inner = xml.sax.saxutils.escape(str(value))
    return f"<{name}>{inner}</{name}>"


def document(action, result, item):
    if item == "item":
        return element(f"{action}Response", {"requestId": "1", **result}, item)
    return element(f"{action}Response", {f"{action}Result": result, "ResponseMetadata": {"RequestId": "1"}}, item)


def fault_document(fault, action):
    if fault.code == LOST:
        return None
    error = {"Code": fault.code, "Message": str(fault)}
    if action in EC2 or "LaunchTemplate" in action:
        return element("Response", {"Errors": {"Error": error}, "RequestID": "1"}, "item")
    return element("ErrorResponse", {"Error": {"Type": "Sender", **error}, "RequestId": "1"}, "item")
