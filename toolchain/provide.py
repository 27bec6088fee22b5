"""Engine, language host and plugins: found, else downloaded, else (the programs) built."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from console.progress import LongStep, Progress, Step
from toolchain import build, download, find
from toolchain.parts import BIN, ENGINE, EXEC_SCRIPT, LANGUAGE_HOST, PLUGINS, Plugin

RETRY_AFTER_SECONDS = 3600.0


def long_steps(into: Path = BIN) -> list[LongStep]:
    """The steps that are still needed for the programs; empty when all are there. They may run side by side."""
    missing = find.missing(find.programs(own=into))
    if not missing:
        return []
    if ENGINE in missing:
        # A language host prints no version: it is as old as the engine that it was built for.
        for program in (LANGUAGE_HOST, EXEC_SCRIPT):
            (into / program.executable).unlink(missing_ok=True)
        missing = [ENGINE, LANGUAGE_HOST, EXEC_SCRIPT]
    builds = ([LongStep("engine", lambda step: build.engine(step, into))] if ENGINE in missing else []) + (
        [LongStep("language host", lambda step: build.language_host(step, into))]
        if LANGUAGE_HOST in missing or EXEC_SCRIPT in missing
        else []
    )
    try:
        sums = download.checksums()
    except download.NotReachable:
        return builds
    return [LongStep("engine download", lambda step: _download_or_build(sums, builds, into, step))]


def plugins(home: Path, progress: Progress, *, retry: bool) -> list[Plugin]:
    """Put the real plugins into a PULUMI_HOME inside the repository; returns those that cannot be obtained.

    An installed one is linked, never copied or changed; a missing one is downloaded, given up within seconds. With
    `retry` false a download that failed within the last hour is not tried again, so that a second run is quick.
    """
    absent = [plugin for plugin in PLUGINS if not find.plugin(plugin, [home])]
    for plugin in list(absent):
        installed = find.plugin(plugin)
        if installed:
            _link(installed, home / "plugins" / plugin.folder)
            absent.remove(plugin)
    given_up = home / "downloads-given-up"
    if not absent or (not retry and _seconds_old(given_up) < RETRY_AFTER_SECONDS):
        return absent
    with progress.step("plugins") as step:
        try:
            download.checksums()
        except download.NotReachable as error:
            step.write(str(error))
        else:
            pulumi = find.programs()[ENGINE.executable].path
            absent = [plugin for plugin in absent if not download.plugin(plugin, home, pulumi, step)]
    home.mkdir(parents=True, exist_ok=True)
    given_up.touch()
    return absent


def _seconds_old(file: Path) -> float:
    return time.time() - file.stat().st_mtime if file.exists() else math.inf


def _download_or_build(sums: str, builds: Sequence[LongStep], into: Path, step: Step) -> None:
    try:
        download.engine(into, sums, step)
    except download.NotReachable as error:
        step.write(str(error))
        for long_step in builds:
            long_step.run(step)


def _link(installed: Path, place: Path) -> None:
    """File by file, since the engine follows no link to a folder; made beside and renamed."""
    beside = place.with_name(f".{place.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    for file in installed.iterdir():
        (beside / file.name).symlink_to(file.resolve())
    shutil.rmtree(place, ignore_errors=True)
    beside.rename(place)
