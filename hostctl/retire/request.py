"""The request of every `retire` verb."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class RetireRequest:
    """`folder` is the product's, `home` the operator's, `keeps` are the backends' own containers, `networks` the
    product's. `names` are the networks that `retire stale` removes."""

    folder: str
    home: str
    project: str
    gateway: str
    port: int
    days: int
    keeps: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    script: str = ""
    names: tuple[str, ...] = ()
    docker_socket: str = ""
