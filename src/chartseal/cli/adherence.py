"""`chartseal adherence`: how well supplies cover the days, measured, watched, sealed.

chartseal adherence chart.json        the same as: chartseal adherence report chart.json
"""

from __future__ import annotations

import importlib

import click

_COMMANDS: dict[str, str] = {
    # command: module under chartseal.cli, and what it calls the command unless that is `command`
    "check": "adherence_check",
    "cma": "adherence_intervals:cma_command",
    "covered": "adherence_persistence:covered_command",
    "durations": "adherence_durations",
    "episodes": "adherence_episodes:episodes_command",
    "gaps": "adherence_intervals:gaps_command",
    "generate": "adherence_generate",
    "grouped": "adherence_grouped",
    "initiation": "adherence_persistence:initiation_command",
    "observation": "adherence_observation",
    "per-episode": "adherence_episodes:per_episode_command",
    "persistence": "adherence_persistence:persistence_command",
    "polypharmacy": "adherence_polypharmacy",
    "quality": "adherence_quality",
    "report": "adherence_report",
    "sliding": "adherence_intervals:sliding_command",
    "watch": "adherence_watch",
}

_DEFAULT = "report"


class _ReportUnlessNamed(click.Group):
    """A group whose commands are imported on first use; arguments that begin with none of them are `report`'s."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        place = _COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command = getattr(importlib.import_module(f"chartseal.cli.{module}"), name or "command")
        assert isinstance(command, click.Command)  # noqa: S101 (our own table)
        return command

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args and args[0] not in _COMMANDS and args[0] != "--help":
            args = [_DEFAULT, *args]
        return super().parse_args(ctx, args)


@click.group(cls=_ReportUnlessNamed)
def adherence() -> None:
    """Adherence to medication: report (also without its name), each measure, quality, alerts, seals."""
