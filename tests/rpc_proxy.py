"""A node that misbehaves: an HTTP proxy before a real one, which answers late, wrongly, in part or of another time.

with RpcProxy(devnet.url, script=once("eth_getLogs", Fault.TRUNCATED)) as proxy:
    Node(proxy.url).logs(...)

A script is asked about each call and names its fault or None; `seeded` makes one of random rates. It can be replaced
while the proxy runs (`proxy.script = …`); `proxy.seen` counts calls, `proxy.done` the faults that were played.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import suppress
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

import requests


class Fault(StrEnum):
    """What goes wrong. The first ones befall the whole HTTP request, the others one call of it."""

    TIMEOUT = "timeout"
    """No answer for `delay` seconds, then a closed connection."""
    SLOW = "slow"
    """The right answer, `delay` seconds late."""
    LIMITED = "limited"
    """429, with Retry-After where `retry_after` is set."""
    FAILED = "failed"
    """503."""
    DROPPED = "dropped"
    """The connection closes without an answer, after the node has done what was asked."""
    TRUNCATED = "truncated"
    """Half of the body, announced as if it were all."""
    CUT_OFF = "cut-off"
    """Half of the body, announced as the whole, then a closed connection."""
    OVERSIZED = "oversized"
    """A body of `oversize` bytes, whose size is not announced."""
    NOT_JSON = "not-json"
    """A page in HTML."""
    NO_BATCHES = "no-batches"
    """A batch is refused with one error object; single requests pass."""
    SHUFFLED = "shuffled"
    """A batch's answers in another order, which JSON-RPC allows."""

    WRONG_CHAIN = "wrong-chain"
    """eth_chainId says `other_chain`."""
    WRONG_ID = "wrong-id"
    """The answer carries another id."""
    MISSING = "missing"
    """A batch's answer lacks this member (a single request: an empty list)."""
    BODY_LIMITED = "body-limited"
    """A JSON-RPC error that says that the rate is limited, with status 200."""
    REFUSED = "refused"
    """A JSON-RPC error that stays: the method does not exist."""
    LAGGING = "lagging"
    """Answers as of `lag` blocks before."""
    LOGS_TOO_MANY = "logs-too-many"
    """eth_getLogs: the range holds too many."""
    LOGS_SHUFFLED = "logs-shuffled"
    """eth_getLogs: in reverse order."""
    LOGS_MISSING = "logs-missing"
    """eth_getLogs: without one from the middle."""
    LOGS_DOUBLED = "logs-doubled"
    """eth_getLogs: one stands twice."""
    LOGS_FOREIGN = "logs-foreign"
    """eth_getLogs: one is of another address."""
    LOGS_REMOVED = "logs-removed"
    """eth_getLogs: one is marked as undone."""


_WHOLE = tuple(Fault)[: tuple(Fault).index(Fault.WRONG_CHAIN)]
_OF_LOGS = tuple(each for each in Fault if each.value.startswith("logs-"))
_HEADS = {"latest", "pending", "safe", "finalized"}
_TAG_AT = {
    "eth_call": 1,
    "eth_getBalance": 1,
    "eth_getBlockByNumber": 0,
    "eth_getCode": 1,
    "eth_getStorageAt": 2,
    "eth_getTransactionCount": 1,
}
"""Where a method's block stands among its parameters."""


class Call(NamedTuple):
    """One call of a request; `number` counts those of its method from 0."""

    method: str
    params: list[Any]
    number: int


Script = Callable[[Call], Fault | None]


def never(_: Call) -> Fault | None:
    """No fault."""
    return None


def once(method: str, fault: Fault, *, times: int = 1) -> Script:
    """That fault for the first calls of a method."""
    return lambda call: fault if call.method == method and call.number < times else None


def always(method: str, fault: Fault) -> Script:
    """That fault for every call of a method."""
    return lambda call: fault if call.method == method else None


def seeded(seed: int, rates: Mapping[Fault, float]) -> Script:
    """Random faults at these rates a call; those of logs befall eth_getLogs alone, a wrong chain eth_chainId alone."""
    source, lock = random.Random(seed), threading.Lock()

    def script(call: Call) -> Fault | None:
        with lock:
            for fault, rate in rates.items():
                if source.random() < rate and _fits(fault, call.method):
                    return fault
        return None

    return script


def _fits(fault: Fault, method: str) -> bool:
    if fault in _OF_LOGS:
        return method == "eth_getLogs"
    return fault is not Fault.WRONG_CHAIN or method == "eth_chainId"


class RpcProxy:
    """The proxy; use it as a context manager. Its attributes may be set while it runs."""

    def __init__(
        self,
        upstream: str,
        script: Script = never,
        *,
        delay: float = 1.0,
        lag: int = 3,
        retry_after: str | None = None,
        other_chain: int = 1,
        oversize: int = 80 * 2**20,
    ) -> None:
        """Listen on a free port of the loopback, before the node at `upstream`."""
        self.script = script
        self.delay, self.lag, self.retry_after = delay, lag, retry_after
        self.other_chain, self.oversize = other_chain, oversize
        self.seen: Counter[str] = Counter()
        """Calls by method."""
        self.exchanges = 0
        """HTTP requests."""
        self.done: Counter[Fault] = Counter()
        """Faults played."""
        self._upstream = upstream
        self._lock = threading.Lock()
        self._sessions = threading.local()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.proxy = self
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1/secret-key"
        """With a path that no message may show."""
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def forward(self, body: Any) -> Any:
        """What the node itself answers."""
        session = getattr(self._sessions, "session", None)
        if session is None:
            session = self._sessions.session = requests.Session()
            session.trust_env = False
        return session.post(self._upstream, json=body, timeout=60).json()

    def judge(self, requests_: list[Any]) -> list[Fault | None]:
        """The fault of each call."""
        faults = []
        for each in requests_:
            with self._lock:
                number = self.seen[each["method"]]
                self.seen[each["method"]] += 1
            faults.append(self.script(Call(each["method"], each.get("params", []), number)))
        with self._lock:
            self.exchanges += 1
            self.done.update(each for each in faults if each is not None)
        return faults

    def answer(self, request: Any, fault: Fault | None) -> Any:
        """The answer to one call, spoilt as its fault says; None leaves it out."""
        if fault is Fault.LAGGING:
            return _Lagging(self, request).answer()
        if fault in _REFUSALS:
            return _error(request, *_REFUSALS[fault])
        if fault is Fault.MISSING:
            return None
        answer = self.forward(request)
        if fault is Fault.WRONG_ID:
            answer["id"] = f"other-{request['id']}"
        if fault is Fault.WRONG_CHAIN:
            answer["result"] = hex(self.other_chain)
        if fault in _OF_LOGS and request["method"] == "eth_getLogs" and answer.get("result"):
            answer["result"] = _spoilt(answer["result"], fault)
        return answer


_REFUSALS = {
    Fault.BODY_LIMITED: (-32005, "daily request count exceeded, request rate limited"),
    Fault.REFUSED: (-32601, "the method does not exist/is not available"),
    Fault.LOGS_TOO_MANY: (-32005, "query returned more than 10000 results"),
}


def _error(request: Any, code: int, message: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request["id"], "error": {"code": code, "message": message}}


def _spoilt(logs: list[Any], fault: Fault) -> list[Any]:
    middle = len(logs) // 2
    if fault is Fault.LOGS_SHUFFLED:
        return logs[::-1]
    if fault is Fault.LOGS_MISSING:
        return logs[:middle] + logs[middle + 1 :]
    if fault is Fault.LOGS_DOUBLED:
        return logs[: middle + 1] + logs[middle:]
    change = {"address": "0x" + "99" * 20} if fault is Fault.LOGS_FOREIGN else {"removed": True}
    return [*logs[:middle], {**logs[middle], **change}, *logs[middle + 1 :]]


class _Lagging:
    """One call as a node would answer it that has not seen the newest blocks."""

    def __init__(self, proxy: RpcProxy, request: Any) -> None:
        self._proxy, self._request = proxy, request
        self._head = max(0, int(self._ask("eth_blockNumber"), 16) - proxy.lag)

    def _ask(self, method: str, *params: Any) -> Any:
        return self._proxy.forward({"jsonrpc": "2.0", "id": 0, "method": method, "params": params})["result"]

    def answer(self) -> Any:
        method, params = self._request["method"], list(self._request.get("params", []))
        if method == "eth_blockNumber":
            return self._result(hex(self._head))
        if method in ("eth_getTransactionReceipt", "eth_getTransactionByHash"):
            found = self._ask(method, *params)
            hidden = not found or found["blockNumber"] is None or int(found["blockNumber"], 16) > self._head
            return self._result(None if hidden else found)
        if method in ("eth_getBlockByHash", "eth_getBlockByNumber") and self._unseen(params[0]):
            return self._result(None)
        if method == "eth_getLogs":
            return self._logs(params[0])
        at = _TAG_AT.get(method)
        if at is not None and len(params) > at:
            if self._unseen(params[at]):
                return _error(self._request, -32000, "header not found")
            params[at] = self._older(params[at])
        return self._proxy.forward({**self._request, "params": params})

    def _logs(self, query: dict[str, Any]) -> Any:
        """Clipped without a word, as nodes do that are behind."""
        if "blockHash" in query and self._unseen(query["blockHash"]):
            return _error(self._request, -32000, "unknown block")
        first = query.get("fromBlock", "latest")
        if self._unseen(first):
            return self._result([])
        last = query.get("toBlock", "latest")
        clipped = {**query, "fromBlock": self._older(first)}
        clipped["toBlock"] = hex(self._head) if self._unseen(last) else self._older(last)
        return self._proxy.forward({**self._request, "params": [query if "blockHash" in query else clipped]})

    def _result(self, value: Any) -> Any:
        return {"jsonrpc": "2.0", "id": self._request["id"], "result": value}

    def _older(self, tag: Any) -> Any:
        return hex(self._head) if isinstance(tag, str) and tag in _HEADS else tag

    def _unseen(self, tag: Any) -> bool:
        if isinstance(tag, dict):
            tag = tag.get("blockHash", tag.get("blockNumber"))
        if not isinstance(tag, str) or not tag.startswith("0x"):
            return False
        if len(tag) < 66:
            return int(tag, 16) > self._head
        block = self._ask("eth_getBlockByHash", tag, False)
        return block is not None and int(block["number"], 16) > self._head


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128
    proxy: RpcProxy

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that give up are part of the play."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65_536
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Nothing."""

    def do_POST(self) -> None:
        proxy = self.server.proxy
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        calls = body if isinstance(body, list) else [body]
        faults = proxy.judge(calls)
        whole = next((each for each in faults if each in _WHOLE), None)
        if self._refused(whole):
            return
        if whole is Fault.NO_BATCHES and isinstance(body, list):
            self._reply(200, {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batch too large"}})
            return
        self._reply(200, self._answers(body, calls, faults, whole), whole)

    def _answers(self, body: Any, calls: list[Any], faults: list[Fault | None], whole: Fault | None) -> Any:
        proxy = self.server.proxy
        if not any(each is not None and each not in _WHOLE for each in faults):
            answers = proxy.forward(body)
        else:
            answers = [proxy.answer(call, fault) for call, fault in zip(calls, faults, strict=True)]
            answers = [each for each in answers if each is not None]
            answers = answers if isinstance(body, list) or not answers else answers[0]
        return answers[::-1] if whole is Fault.SHUFFLED and isinstance(answers, list) else answers

    def _refused(self, fault: Fault | None) -> bool:
        """Whether the request ends here, without asking the node."""
        proxy = self.server.proxy
        if fault in (Fault.TIMEOUT, Fault.SLOW):
            time.sleep(proxy.delay)
        if fault is Fault.TIMEOUT:
            self.close_connection = True
        elif fault is Fault.LIMITED:
            self._reply(429, {"error": "slow down"})
        elif fault is Fault.FAILED:
            self._reply(503, {"error": "no backend"})
        elif fault is Fault.OVERSIZED:
            self._send(200, b'"' + b"a" * proxy.oversize + b'"', -1)
            self.close_connection = True
        elif fault is Fault.NOT_JSON:
            self._send(200, b"<html>Bad gateway</html>")
        else:
            return False
        return True

    def _reply(self, status: int, answer: Any, fault: Fault | None = None) -> None:
        data = json.dumps(answer).encode()
        if fault is Fault.DROPPED:
            self.close_connection = True
        elif fault is Fault.TRUNCATED:
            self._send(status, data[: len(data) // 2])
        elif fault is Fault.CUT_OFF:
            self._send(status, data[: len(data) // 2], len(data))
            self.close_connection = True
        else:
            self._send(status, data)

    def _send(self, status: int, data: bytes, announced: int | None = None) -> None:
        proxy = self.server.proxy
        with suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if announced != -1:
                self.send_header("Content-Length", str(len(data) if announced is None else announced))
            if status == 429 and proxy.retry_after is not None:
                self.send_header("Retry-After", proxy.retry_after)
            self.end_headers()
            self.wfile.write(data)
            self.wfile.flush()
