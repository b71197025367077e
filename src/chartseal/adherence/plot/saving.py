"""Pictures as files: SVG and PNG by vl-convert, HTML as one page that asks nothing of any network."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path

import altair as alt
import vl_convert

from chartseal.errors import AdherenceError

FORMATS = (".html", ".png", ".svg")

# A browser that honours the policy loads nothing, and makes no code out of texts (`ast`: expressions are interpreted).
_PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:">
<title>Supplies of medication</title>
</head>
<body>
<div id="picture"></div>
<script>{bundle}</script>
<script>vegaEmbed("#picture", {spec}, {{"renderer": "svg", "actions": false, "ast": true}});</script>
</body>
</html>
"""


def save(chart: alt.TopLevelMixin, path: Path) -> None:
    """Write the picture in the form that the name's ending asks for; a new file is its owner's alone.

    Raises:
        AdherenceError: `format_unknown` or `file_unwritable`.
    """
    form = path.suffix.lower()
    if form not in FORMATS:
        raise AdherenceError(f"a picture is one of {', '.join(FORMATS)}", "format_unknown", path.name)
    picture = rendered(chart, form)
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            stream.write(picture)
    except OSError as exc:
        raise AdherenceError(f"cannot be written: {exc.strerror}", "file_unwritable", path.name) from exc


def rendered(chart: alt.TopLevelMixin, form: str) -> bytes:
    """The bytes of a file whose name ends in `form`."""
    spec = chart.to_dict()
    if form == ".svg":
        return bytes(vl_convert.vegalite_to_svg(spec).encode())
    if form == ".png":
        return bytes(vl_convert.vegalite_to_png(spec, scale=1))
    # Texts come out of records: none of them may end the script that they stand in.
    return _PAGE.format(
        bundle=_bundle(),
        spec=json.dumps(spec).replace("<", "\\u003c"),
    ).encode()


@cache
def _bundle() -> str:
    """Vega and all it needs, which takes seconds to gather."""
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
