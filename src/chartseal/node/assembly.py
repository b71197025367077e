"""A node of its parts: what the settings point to is opened, and put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace

from starlette.datastructures import Headers

from chartseal.errors import ChartsealError, IngestError
from chartseal.node import network
from chartseal.node.app import Parts
from chartseal.node.health import Check
from chartseal.node.ingest import IMPORT, Imports, Intake, Pushers, Pushing, Spool, router
from chartseal.node.metrics import Metrics
from chartseal.node.network import Network
from chartseal.node.provider import Provider, open_provider
from chartseal.node.settings import Settings


@contextmanager
def assembled(settings: Settings) -> Iterator[Parts]:
    """The parts of a node, until the block ends.

    Raises:
        ChartsealError: as `open_provider`, `Pushers.of` and `Spool` raise.
    """
    metrics = Metrics()
    with ExitStack() as opened:
        pushers = Pushers.of(settings)
        provider = opened.enter_context(open_provider(settings))
        spool = opened.enter_context(closing(Spool(settings.at(settings.ingest.spool), provider.spool_secret)))
        intake = Intake.of(provider, metrics)
        imports = Imports(intake, spool, settings.ingest, metrics)
        parts = Parts(
            settings,
            routers=[router(Pushing(intake, imports, pushers, settings.base_url))],
            checks=checks_of(provider, spool.check),
            services=[imports.service],
            identify=pushers.identify,
            larger_bodies={IMPORT: settings.ingest.import_bytes},
            metrics=metrics,
        )
        if settings.network is not None:
            parts = _joined(parts, opened.enter_context(network.opened(settings, settings.network, provider)))
        yield parts


def _joined(parts: Parts, joined: Network) -> Parts:
    """The parts with those of the network."""

    def identify(headers: Headers) -> str | None:
        return parts.identify(headers) or joined.identify(headers)

    return replace(
        parts,
        routers=[*parts.routers, *joined.routers],
        checks={**parts.checks, **joined.checks},
        identify=identify,
        custodian=joined.account,
    )


def checks_of(provider: Provider, check_spool: Check) -> dict[str, Check]:
    """What `/ready` looks at."""
    return {
        "database": provider.check_database,
        "keys": provider.check_keys,
        "queue": provider.check_queue,
        "patients": provider.check_patients,
        "spool": check_spool,
    }


def check(settings: Settings) -> dict[str, str]:
    """Whether a node could work with these settings: ok, or the code of what is wrong, by the name of each part.

    A node that works with them already is no fault.
    """
    found = {"pushers": _code(lambda: Pushers.of(settings))}
    try:
        with ExitStack() as stack:
            provider = stack.enter_context(open_provider(settings))
            checks = checks_of(provider, lambda: _look_at_spool(settings, provider))
            if settings.network is not None:
                checks |= stack.enter_context(network.opened(settings, settings.network, provider)).checks
            return found | {"open": "ok"} | {name: _code(each) for name, each in checks.items()}
    except ChartsealError as error:
        return found | {"open": error.code}


def _look_at_spool(settings: Settings, provider: Provider) -> None:
    try:
        with closing(Spool(settings.at(settings.ingest.spool), provider.spool_secret)) as spool:
            spool.check()
    except IngestError as error:
        if error.code != "spool_in_use":
            raise


def _code(look: Callable[[], object]) -> str:
    try:
        look()
    except ChartsealError as error:
        return error.code
    return "ok"
