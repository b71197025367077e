"""What verification returned, in words and as JSON: the steps, the records, what is missing of them."""

from __future__ import annotations

import json
from collections.abc import Iterable

from rich.console import Console
from rich.text import Text

from chartseal.attestation import checksum_address, to_hex
from chartseal.cli.opened import value_text
from chartseal.verification import Fact, IssuedUnder, Proxy, Step, VerifiedRecord, bundle


def print_steps(steps: Iterable[Step], same_person: str, console: Console) -> None:
    """Each step with what was and what was not checked, and whether the records are one person's."""
    for step in steps:
        checked = step.state == "checked"
        line = f"{step.number:2}. {step.name}: {step.state}" + (f" ({step.reason})" if step.reason else "")
        console.print(Text(line, style="green" if checked else "yellow"))
    console.print(Text(f"same person: {same_person}"))


def record_text(record: VerifiedRecord) -> str:
    """One record in lines: what it is, by whom, since when, and what of it is not shown."""
    existed = f"existed by {record.evidence_time:%Y-%m-%d %H:%M:%S} UTC" if record.evidence_time else "not anchored"
    lines = [f"{record.resource_type}: sealed {record.sealed_at:%Y-%m-%d} by {_issuer(record)}, {existed}"]
    if record.amends is not None:
        lines.append(f"  says that it replaces seal {to_hex(record.amends)}")
    if record.proxy is not None:
        lines.append(f"  {record.proxy.words}")
    if record.is_test:
        lines.append("  a test record")
    if record.about != "patient":
        lines.append(f"  about: {record.about}")
    lines.extend(f"  {name}: target not shown" for name in record.targets_not_shown)
    lines.extend(f"  {name}: no value, or not shown" for name in record.values_not_shown)
    lines.extend(f"  {position}: not opened" for position in record.fact.unopened)
    return "\n".join(lines)


def _issuer(record: VerifiedRecord) -> str:
    """The issuer's name, and by what it is trusted where the policy does not name it."""
    if not record.issuer:
        return f"{checksum_address(record.attestation.attester)} (not checked)"
    if record.issued_under is None:
        return value_text(record.issuer)
    authority, roles = record.issued_under
    return f"{value_text(record.issuer)} ({', '.join(sorted(roles))}, accredited by {checksum_address(authority)})"


def with_facts(head: dict[str, object], facts: Iterable[Fact]) -> str:
    """One JSON object of these members and `facts`; the facts' texts enter as they are, so that number lexemes stay."""
    return f'{json.dumps(head, ensure_ascii=False)[:-1]}, "facts": {bundle(list(facts))}}}'


def record_to_json(record: VerifiedRecord) -> dict[str, object]:
    """The same for a program."""
    slots = {
        f"{container.path}.{slot.name}": {"state": slot.state, "fields": slot.fields, "shown": slot.shown}
        for container in record.containers
        for slot in container.slots
        if slot.state != "absent"
    }
    return {
        "attester": checksum_address(record.attestation.attester),
        "uid": to_hex(record.attestation.uid),
        "issuer": record.issuer or None,
        "issuedUnder": _issued_under_to_json(record.issued_under),
        "amends": to_hex(record.amends) if record.amends is not None else None,
        "resourceType": record.resource_type,
        "about": record.about,
        "labels": list(record.labels),
        "sealedAt": record.sealed_at.isoformat(),
        "expiresAt": record.expires_at.isoformat() if record.expires_at else None,
        "evidenceTime": record.evidence_time.isoformat() if record.evidence_time else None,
        "test": record.is_test,
        "proxy": _proxy_to_json(record.proxy),
        "complete": record.is_complete,
        "slots": slots,
        "targetsNotShown": list(record.targets_not_shown),
        "valuesNotShown": list(record.values_not_shown),
        "unopened": list(record.fact.unopened),
        "fullUrl": record.fact.full_url,
    }


def _proxy_to_json(proxy: Proxy | None) -> dict[str, object] | None:
    if proxy is None:
        return None
    majority = proxy.majority.isoformat() if proxy.majority else None
    until, audience = proxy.until.isoformat(), proxy.audience or None
    return {"key": to_hex(proxy.key), "until": until, "majority": majority, "audience": audience}


def _issued_under_to_json(issued_under: IssuedUnder | None) -> dict[str, object] | None:
    if issued_under is None:
        return None
    return {"authority": checksum_address(issued_under.authority), "roles": sorted(issued_under.roles)}
