"""docs/node-access.md, run as it stands against a node's token endpoint."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fastapi import FastAPI

from chartseal.consent import Scopes
from chartseal.node.caller import Admission
from chartseal.node.smart.clients import RegisteredClient
from chartseal.node.smart.endpoint import smart_router
from chartseal.node.smart.jose import KeySet
from chartseal.node.smart.replays import Replays
from tests.node_clients import Clock, Site, ec_key, key_set
from tests.node_servers import serving

PAGE = (Path(__file__).resolve().parents[2] / "docs/node-access.md").read_text()
CONFIGURATION, TOKEN = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
[MADE] = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def typed(command: str, **environment: str) -> Any:
    done = subprocess.run(
        ("bash", "-eu", "-o", "pipefail"),
        input=command,
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return json.loads(done.stdout)


def test_a_stock_client_gets_a_token_as_the_page_has_it(tmp_path: Path) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    base, key, names = f"http://127.0.0.1:{listener.getsockname()[1]}", ec_key("e"), dict[str, Any]()
    exec(MADE, names)
    with Replays.open(str(tmp_path / "tokens.db")) as store:
        site = Site(store, base=base, clock=Clock(datetime.now(UTC)))
        scopes = Scopes.parse("system/Observation.rs system/Condition.rs")
        site.registered["ehr"] = RegisteredClient("ehr", KeySet.loads(key_set(key)), scopes, frozenset({"hospital"}))
        app = FastAPI()
        app.include_router(smart_router(site.parts))
        with serving(app, listener):
            told = typed(CONFIGURATION, NODE=base)
            answer = typed(TOKEN, NODE=base, ASSERTION=names["assertion"]("ehr", key, told["token_endpoint"]))
        assert answer["scope"] == "system/Observation.rs"
        caller = Admission(site.tokens, site.clients).admit([f"Bearer {answer['access_token']}"], {})
    assert (caller.client_id, caller.requester.purpose) == ("ehr", "TREAT")
    assert caller.requester.roles == {"hospital"}
