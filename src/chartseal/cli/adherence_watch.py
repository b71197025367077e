"""`chartseal adherence watch`: dispensings in as they arrive, alerts out as they change."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO

import click

from chartseal import _json
from chartseal.adherence.fhir import ClassTable
from chartseal.adherence.sources import is_fhir, read_table
from chartseal.adherence.watch import Alert, FhirFeed, Watch, WatchPolicy, to_detected_issue, to_flag
from chartseal.cli.files import opened
from chartseal.errors import AdherenceError
from chartseal.fhir import is_ndjson

_FILE = click.Path(dir_okay=False, path_type=Path)
_LONGEST_LINE = 16 << 20
_AT_ONCE = 500
_FORMS: dict[str, Callable[[Alert], dict[str, Any]]] = {"flag": to_flag, "detected-issue": to_detected_issue}


@click.command("watch")
@click.argument("state", type=_FILE)
@click.argument("events", required=False, metavar="[EVENTS|-]")
@click.option("--policy", type=_FILE, help="Thresholds (TOML) in place of the default ones.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="The day that it is; left out, today.")
@click.option("--ahead", is_flag=True, help="Let --as-of be later than tomorrow: a state's day never goes back.")
@click.option("--classes", type=_FILE, help="CSV of system, code, class, ingredient: which codes of FHIR mean what.")
@click.option("--fhir", "form", type=click.Choice(sorted(_FORMS)), help="Print FHIR R4 resources, one a line.")
@click.option("--list", "is_list", is_flag=True, help="Print what is active or paused now, rather than what changes.")
@click.option("--replace", is_flag=True, help="Rows of known references are corrections.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a line.")
def command(
    state: Path,
    events: str | None,
    policy: Path | None,
    as_of: datetime | None,
    ahead: bool,
    classes: Path | None,
    form: str | None,
    is_list: bool,
    replace: bool,
    as_json: bool,
) -> None:
    """Take EVENTS into STATE and print the alerts that change: FHIR or rows, a file, or NDJSON on standard input (-).

    Standard input is read line by line, and alerts are printed as they change. Without EVENTS, only time passes.
    """
    if events is None and not state.exists():  # a mistyped name would watch nobody, and say nothing
        raise AdherenceError("nobody is watched there yet: give EVENTS", "state_missing", state.name)
    day = _day(as_of, ahead=ahead)
    table = ClassTable.read(classes) if classes is not None else None
    show = _shown(form, as_json)
    with Watch(state, WatchPolicy() if policy is None else WatchPolicy.load(policy)) as watch:
        steps = _steps(watch, day, events, table, replace)
        for _ in steps:
            if not is_list:
                _tell(watch, show)
        if is_list:
            for alert in watch.alerts():
                if alert.status in ("active", "paused"):
                    show(alert)
        refused = watch.refused()
    if refused:
        click.echo(
            "not counted so far: " + ", ".join(f"{count} {reason}" for reason, count in refused.items()), err=True
        )


def _day(as_of: datetime | None, *, ahead: bool) -> date:
    """The day that it is. A slip of the pen must not make everybody late: tomorrow is there for other time zones.

    Raises:
        AdherenceError: `as_of_ahead`.
    """
    today = date.today()
    day = as_of.date() if as_of is not None else today
    if day > today + timedelta(days=1) and not ahead:
        raise AdherenceError("later than tomorrow: --ahead if it is meant", "as_of_ahead", "as_of")
    return day


def _steps(watch: Watch, day: date, events: str | None, classes: ClassTable | None, replace: bool) -> Iterator[None]:
    """Let time pass, then take in what there is, part by part."""
    watch.tick(day)
    yield
    feed = FhirFeed(watch, classes)
    if events == "-":
        with opened(events) as stream:
            for line in _lines(stream):
                _take(watch, feed, line, replace)
                yield
    elif events is not None and is_fhir(events):
        for part, ndjson in _parts(Path(events)):
            feed.add(part, ndjson=ndjson)
            yield
    elif events is not None:
        watch.add(read_table(events), replace=replace)
        yield


def _tell(watch: Watch, show: Callable[[Alert], None]) -> None:
    """Print what has changed, then note that it was told: what a crash keeps from being told is told next time."""
    alerts = watch.pending()
    for alert in alerts:
        show(alert)
    sys.stdout.flush()
    watch.acknowledge(alerts)


def _parts(path: Path) -> Iterator[tuple[BinaryIO, bool]]:
    """A FHIR file, NDJSON in parts of some hundred lines; or each file of a folder."""
    if path.is_dir():
        for each in sorted(path.rglob("*")):
            if each.is_file():
                yield from _parts(each)
        return
    with opened(str(path)) as stream:
        if not is_ndjson(path.name) or path.name.endswith(".gz"):
            yield stream, is_ndjson(path.name)
            return
        while lines := list(islice(stream, _AT_ONCE)):
            yield BytesIO(b"".join(lines)), True


def _lines(stream: BinaryIO) -> Iterator[bytes]:
    """Lines that hold something.

    Raises:
        AdherenceError: `line_too_large`.
    """
    while line := stream.readline(_LONGEST_LINE + 1):
        if len(line) > _LONGEST_LINE:
            raise AdherenceError("a line is too long", "line_too_large")
        if line.strip():
            yield line


def _take(watch: Watch, feed: FhirFeed, line: bytes, replace: bool) -> None:
    """One line: a resource, a Bundle, or a row with the names of columns.

    Raises:
        AdherenceError: `line_invalid`.
    """
    try:
        value = _json.loads(line)
    except ValueError as exc:
        raise AdherenceError("expected one JSON object a line", "line_invalid") from exc
    if not isinstance(value, dict):
        raise AdherenceError("expected one JSON object a line", "line_invalid")
    if "resourceType" in value:
        feed.add(BytesIO(line), ndjson=True)
    else:
        watch.add([value], replace=replace)


def _shown(form: str | None, as_json: bool) -> Callable[[Alert], None]:
    if form is not None:
        to_resource: Callable[[Alert], dict[str, Any]] = _FORMS[form]
        return lambda alert: click.echo(json.dumps(to_resource(alert)))
    if as_json:
        return lambda alert: click.echo(json.dumps(alert.to_json()))
    return lambda alert: click.echo(_line(alert))


def _line(alert: Alert) -> str:
    """An alert for reading: text from outside holds nothing that a terminal would obey."""
    ended = f", {alert.outcome} on {alert.until}" if alert.until else ""
    words = f"{alert.status} {alert.severity} {alert.kind}: {alert.patient} {alert.medication_class}"
    return "".join(each if each.isprintable() else "?" for each in f"{words}, since {alert.since}{ended}")
