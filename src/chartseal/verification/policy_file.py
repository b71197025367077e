"""A trust policy's TOML: every member taken one by one, so that what is unknown is refused."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from chartseal.attestation import Address, Digest, Domain, address_from, digest_from, network
from chartseal.disclosure.statements import CIRCUITS
from chartseal.errors import ChartsealError, PolicyError
from chartseal.verification.chain import ROLES, AttestedTrustRoot
from chartseal.verification.policy import Limits, TrustedAuthority, TrustedIssuer
from chartseal.verification.report import OPTIONAL

_LARGEST_POLICY = 1 << 20
_LONGEST_NAME = 200
_EPOCH_SECONDS = 86_400
_LAST_EPOCH = 2_932_896
"""9999-12-31; what lies after it is no date."""


def read(text: bytes | str) -> dict[str, Any]:
    """The members of a TrustPolicy that the text states.

    Raises:
        PolicyError: as `TrustPolicy.from_toml`.
    """
    data = _Table(_parsed(text), "")
    found: dict[str, Any] = {
        "issuers": tuple(_issuer(item) for item in data.tables("issuer")),
        "domains": _domains(data),
        "authorities": tuple(_authority(item) for item in data.tables("authority")),
        **data.stated_seconds("clock_skew", "largest_delay", "largest_root_age"),
        **_required(data),
        "test_issuers": frozenset(data.texts("test_records")),
        "limits": _limits(data.table("limits")),
        "development_keys": _circuits(data),
        "keys": frozenset(_digest(text, "keys") for text in data.texts("keys")),
        "trust_roots": tuple(_trust_root(item) for item in data.tables("trust_root")),
        "proxies": data.flag("proxies", default=True),
    }
    data.require_no_more()
    if found["test_issuers"] - {known.name for known in found["issuers"]}:
        raise PolicyError("no issuer has this name", path="test_records")
    return found


class _Table:
    """A TOML table whose members are taken one by one, so that what is left over is unknown."""

    def __init__(self, data: Any, place: str) -> None:
        if not isinstance(data, dict):
            raise PolicyError("expected a table", path=place)
        self._data: dict[str, Any] = dict(data)
        self.place = place

    def take(self, name: str, kind: type[Any] | tuple[type[Any], ...], default: Any = None) -> Any:
        """A member of that kind; bool is no int."""
        value = self._data.pop(name, default)
        if value is not default and (not isinstance(value, kind) or isinstance(value, bool)):
            raise PolicyError("is of another type", path=f"{self.place} {name}".strip())
        return value

    def flag(self, name: str, *, default: bool) -> bool:
        """A member that is true or false."""
        value = self._data.pop(name, default)
        if not isinstance(value, bool):
            raise PolicyError("expected true or false", path=f"{self.place} {name}".strip())
        return value

    def stated_seconds(self, *names: str) -> dict[str, timedelta]:
        """Those of the members NAME_seconds that stand."""
        stated = {name: self.take(f"{name}_seconds", int) for name in names}
        for name, seconds in stated.items():
            if seconds is not None and not 0 <= seconds <= 10**9:
                raise PolicyError("expected a number of seconds", path=f"{name}_seconds")
        return {name: timedelta(seconds=seconds) for name, seconds in stated.items() if seconds is not None}

    def texts(self, name: str) -> list[str]:
        items = self.take(name, list, [])
        if any(not isinstance(item, str) for item in items):
            raise PolicyError("expected a list of texts", path=name)
        return list(items)

    def table(self, name: str) -> _Table:
        return _Table(self._data.pop(name, {}), name)

    def tables(self, name: str, members: set[str] | None = None) -> list[_Table]:
        items = self.take(name, list, [])
        found = [_Table(item, f"{name}[{at}]") for at, item in enumerate(items)]
        for item in found:
            if members is not None and item._data.keys() != members:
                raise PolicyError("has other members", path=item.place)
        return found

    def require_no_more(self) -> None:
        if self._data:
            raise PolicyError("no such member", path=f"{self.place} {min(self._data)}".strip())


def _parsed(text: bytes | str) -> Mapping[str, Any]:
    if len(text) > _LARGEST_POLICY:
        raise PolicyError("the policy is too long")
    try:
        return tomllib.loads(text.decode() if isinstance(text, bytes) else text)
    except (ValueError, RecursionError) as exc:
        raise PolicyError("not TOML") from exc


def _address(table: _Table, name: str = "address") -> Address:
    try:
        return address_from(table.take(name, str), f"{table.place} {name}")
    except ChartsealError as exc:
        raise PolicyError("expected an address", path=f"{table.place} {name}") from exc


def _authority(table: _Table) -> TrustedAuthority:
    roles = frozenset(table.texts("roles"))
    if not roles or not roles <= set(ROLES):
        raise PolicyError(f"an authority has roles, of {', '.join(ROLES)}", path=table.place)
    name = table.take("name", str, "")
    if name and not _is_name(name):
        raise PolicyError("expected a name", path=table.place)
    authority = TrustedAuthority(_address(table), roles, name)
    table.require_no_more()
    return authority


def _is_name(text: str | None) -> bool:
    return text is not None and bool(text.strip()) and len(text) <= _LONGEST_NAME and text.isprintable()


def _issuer(table: _Table) -> TrustedIssuer:
    name = table.take("name", str)
    if not _is_name(name):
        raise PolicyError("an issuer has a name", path=table.place)
    issuer = TrustedIssuer(_address(table), name, _moment(table, "valid_from"), _moment(table, "valid_until"))
    table.require_no_more()
    return issuer


def _moment(table: _Table, name: str) -> datetime | None:
    """An offset date-time, or a date, which is its beginning in UTC."""
    value: date | None = table.take(name, date)
    if value is None:
        return None
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    if value.tzinfo is None:
        raise PolicyError("a time needs its offset from UTC", path=f"{table.place} {name}")
    return value


def _domains(data: _Table) -> frozenset[Domain]:
    try:
        found = {network(name).domain() for name in data.texts("networks")}
        for table in data.tables("domain", {"version", "chain_id", "contract"}):
            contract = address_from(table.take("contract", str), f"{table.place} contract")
            found.add(Domain(table.take("version", str), table.take("chain_id", int), contract))
    except PolicyError:
        raise
    except ChartsealError as exc:
        raise PolicyError(f"no such network or domain: {exc}", path="networks or domain") from exc
    return frozenset(found)


def _circuits(data: _Table) -> frozenset[str]:
    names = frozenset(data.texts("development_keys"))
    if not names <= set(CIRCUITS):
        raise PolicyError(f"expected some of {', '.join(CIRCUITS)}", path="development_keys")
    return names


def _digest(text: Any, place: str) -> Digest:
    try:
        return digest_from(text, place)
    except ChartsealError as exc:
        raise PolicyError("expected 32 bytes of hex", path=place) from exc


def _trust_root(table: _Table) -> AttestedTrustRoot:
    role, epoch = table.take("role", str), table.take("epoch", int)
    if role not in ROLES:
        raise PolicyError(f"a trust root has a role, of {', '.join(ROLES)}", path=table.place)
    if epoch is None or not 0 <= epoch <= _LAST_EPOCH:
        raise PolicyError("a trust root has an epoch, a day's number", path=table.place)
    begins_at = datetime.fromtimestamp(epoch * _EPOCH_SECONDS, UTC)
    root = _digest(table.take("root", str), f"{table.place} root")
    found = AttestedTrustRoot(_address(table, "authority"), role, begins_at, root)
    table.require_no_more()
    return found


def _required(data: _Table) -> dict[str, frozenset[int]]:
    words = data.take("required", list)
    if words is None:
        return {}
    if any(not isinstance(word, str) or word not in OPTIONAL for word in words):
        raise PolicyError(f"expected some of {', '.join(OPTIONAL)}", path="required")
    return {"required": frozenset(OPTIONAL[word] for word in words)}


def _limits(table: _Table) -> Limits:
    found = {name: table.take(name, int, getattr(Limits(), name)) for name in ("size", "records", "leaves")}
    if any(number < 1 for number in found.values()):
        raise PolicyError("a limit is at least 1", path=table.place)
    table.require_no_more()
    return Limits(**found)
